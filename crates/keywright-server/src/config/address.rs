//! Blocks of network addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::error::ValueError;

const REMEDY: &str = "write an address or a block, such as \"10.0.0.1\" or \"10.0.0.0/8\"";
/// The bits of `::ffff:0:0/96`, in front of an IPv4 address written as IPv6.
const MAPPED_PREFIX: u8 = 96;

/// An address, or all addresses with the same first bits.
///
/// An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 address, in a block as in a
/// question; so a block of IPv6 never speaks about IPv4.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct AddressBlock {
    base: IpAddr,
    prefix: u8,
}

impl AddressBlock {
    /// Whether the address lies in this block.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = mask_v4(self.prefix);
                base.to_bits() == address.to_bits() & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                base.to_bits() == address.to_bits() & mask_v6(self.prefix)
            }
            _ => false,
        }
    }

    /// A block whose bits beyond the prefix are all zero.
    fn aligned(base: IpAddr, prefix: u8) -> Self {
        let base = match base {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & mask_v4(prefix)).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & mask_v6(prefix)).into(),
        };
        Self { base, prefix }
    }
}

impl FromStr for AddressBlock {
    type Err = ValueError;

    fn from_str(raw: &str) -> Result<Self, ValueError> {
        let malformed = || ValueError::new(format!("{raw:?} is no address block"), REMEDY);
        let (address, prefix) = match raw.split_once('/') {
            Some((address, prefix)) => (address, Some(parse_prefix(prefix).ok_or_else(malformed)?)),
            None => (raw, None),
        };
        let written: IpAddr = address.parse().map_err(|_| malformed())?;
        let prefix = prefix.unwrap_or(bits(written));
        if prefix > bits(written) {
            return Err(malformed());
        }
        let (base, prefix) = normalise(written, prefix);
        let block = Self::aligned(base, prefix);
        if prefix == 0 {
            // CVE-2026-76835: a list that holds everybody protects nobody.
            let what = format!("{raw:?} is every address there is");
            return Err(ValueError::new(what, "list the blocks that you mean"));
        }
        if block.base != base {
            let what = format!("{raw:?} has bits beyond its prefix");
            return Err(ValueError::new(what, format!("write \"{block}\", or one address")));
        }
        Ok(block)
    }
}

impl fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.base)?;
        if self.prefix == bits(self.base) { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

/// Digits without sign or leading zero, so that a prefix has one spelling.
fn parse_prefix(raw: &str) -> Option<u8> {
    raw.parse().ok().filter(|prefix: &u8| prefix.to_string() == raw)
}

fn normalise(written: IpAddr, prefix: u8) -> (IpAddr, u8) {
    match (written, written.to_canonical()) {
        (IpAddr::V6(_), IpAddr::V4(v4)) if prefix >= MAPPED_PREFIX => {
            (v4.into(), prefix - MAPPED_PREFIX)
        }
        _ => (written, prefix),
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn mask_v4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn mask_v6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(block: &str, address: &str) -> bool {
        let block: AddressBlock = block.parse().expect(block);
        block.contains(address.parse().expect(address))
    }

    #[test]
    fn a_block_holds_its_addresses_and_no_neighbour() {
        let cases = [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("192.168.1.128/25", "192.168.1.128", "192.168.1.127"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("fe80::/10", "fe80::1", "254.128.0.1"),
        ];
        for (block, inside, outside) in cases {
            assert!(contains(block, inside), "{block} holds {inside}");
            assert!(!contains(block, outside), "{block} does not hold {outside}");
        }
    }

    #[test]
    fn a_block_has_one_spelling() {
        for raw in ["10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "::1"] {
            assert_eq!(raw.parse::<AddressBlock>().expect(raw).to_string(), raw);
        }
        let odd = [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10/8",
            "10.0.0.1/8",
            "::/129",
            "localhost",
            "10.0.0.0/8/8",
            " 10.0.0.1",
            "fe80::1%eth0",
            "0x7f.1",
        ];
        for raw in odd {
            assert!(raw.parse::<AddressBlock>().is_err(), "{raw}");
        }
    }

    /// CVE-2026-76835: trusted proxies of `0.0.0.0/0` made a fix inert.
    #[test]
    fn everybody_is_no_block() {
        for raw in ["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"] {
            let error = raw.parse::<AddressBlock>().expect_err(raw);
            assert!(error.what.contains("every address"), "{error}");
        }
        assert!("128.0.0.0/1".parse::<AddressBlock>().is_ok(), "half of them is a decision");
    }

    #[test]
    fn the_right_block_is_suggested() {
        let error = "10.1.2.3/8".parse::<AddressBlock>().expect_err("host bits");
        assert!(error.remedy.contains("10.0.0.0/8"), "{error}");
    }
}
