//! When a certificate is valid: the one thing that is read of it, RFC 5280 §4.1.2.5.

use std::path::Path;

use keywright_protocol::time::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// From when until when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The validity of the first certificate in a PEM file.
pub(super) fn validity(path: &Path) -> Option<Validity> {
    parse(CertificateDer::pem_file_iter(path).ok()?.next()?.ok()?.as_ref())
}

fn parse(der: &[u8]) -> Option<Validity> {
    let (certificate, _) = inside(der, SEQUENCE)?;
    let (mut fields, _) = inside(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // Serial number, signature algorithm and issuer come before it.
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (times, _) = inside(fields, SEQUENCE)?;
    let (tag, from, rest) = element(times)?;
    let from = time(tag, from)?;
    let (tag, until, _) = element(rest)?;
    Some(Validity { from, until: time(tag, until)? })
}

/// The contents of an element that must be of a kind, and what follows it.
fn inside(der: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    let (tag, contents, rest) = element(der)?;
    (tag == expected).then_some((contents, rest))
}

/// Tag, contents, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((*tag, contents, rest))
}

fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        // Years from 50 on are of the last century.
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let moment = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    let moment = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_unix_s(moment.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate with nothing in it but its times.
    fn certificate(from: &str, until: &str) -> Vec<u8> {
        let tlv = |tag: u8, contents: &[u8]| {
            [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat()
        };
        let time = |text: &str| tlv(if text.len() == 13 { 0x17 } else { 0x18 }, text.as_bytes());
        let validity = tlv(0x30, &[time(from), time(until)].concat());
        let version = tlv(0xa0, &tlv(2, &[2]));
        let fields = [version, tlv(2, &[7]), tlv(0x30, &[]), tlv(0x30, &[]), validity].concat();
        tlv(0x30, &[tlv(0x30, &fields), tlv(0x30, &[])].concat())
    }

    #[test]
    fn both_forms_of_time() {
        let der = certificate("260102030405Z", "20510102030405Z");
        let validity = parse(&der).unwrap();
        assert_eq!(validity.from, Timestamp::from_unix_s(1_767_323_045));
        assert_eq!(validity.until, Timestamp::from_unix_s(2_556_241_445));
        let old = parse(&certificate("500102030405Z", "20510102030405Z")).unwrap();
        assert!(old.from < Timestamp::from_millis(0), "1950");
    }

    #[test]
    fn what_is_no_certificate_has_no_times() {
        let der = certificate("260102030405Z", "20510102030405Z");
        for length in 0..der.len() - 2 {
            assert_eq!(parse(&der[..length]), None, "{length}");
        }
        assert_eq!(parse(&certificate("26010203040xZ", "20510102030405Z")), None);
    }
}
