//! The issuer: the one name under which all peers know this server.
//!
//! Peers compare it byte by byte (RFC 8414 §3.3, RFC 9207 §2.4), so it has one spelling: what a
//! URL parser would change is refused here, never changed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::ValueError;

const REMEDY: &str = "write an address such as \"https://id.example.com\"";
/// RFC 1035 §2.3.4.
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// The parts of an issuer that decisions hang on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Issuer<'a> {
    pub(super) host: &'a str,
    pub(super) is_https: bool,
}

impl<'a> Issuer<'a> {
    /// Reads an issuer, RFC 8414 §2: https, no query, no fragment.
    pub(super) fn parse(raw: &'a str) -> Result<Self, ValueError> {
        let refuse = |what: &str| ValueError::new(format!("{raw:?} {what}"), REMEDY);
        let (is_https, rest) = match (raw.strip_prefix("https://"), raw.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(refuse("does not begin with https://")),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if path.ends_with('/') {
            return Err(refuse("ends in a slash, which peers would have to write too"));
        }
        if !path.split('/').skip(1).all(is_segment) {
            return Err(refuse("has a path of other than letters, digits and - . _ ~"));
        }
        let (host, port) = split_port(authority);
        if !is_host(host) {
            return Err(refuse("has no host in lower case between // and the path"));
        }
        if !port.is_none_or(|port| is_port(port, is_https)) {
            return Err(refuse("has a port that is the default or none at all"));
        }
        let issuer = Self { host: host.trim_matches(['[', ']']), is_https };
        if !is_https && !issuer.is_loopback() {
            return Err(refuse("is http, which only loopback addresses may be"));
        }
        Ok(issuer)
    }

    /// Whether only this machine can be meant.
    pub(super) fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            // RFC 6761 §6.3: these names never leave the machine.
            Err(_) => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }

    /// Whether this can be no production server: loopback, or a `.test` name (RFC 6761 §6.2).
    pub(super) fn is_for_testing(&self) -> bool {
        self.is_loopback() || self.host.rsplit('.').next() == Some("test")
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    let after_host = authority.find(']').map_or(0, |end| end + 1);
    let colon = authority.get(after_host..).and_then(|rest| rest.find(':'));
    match colon.and_then(|at| authority.split_at_checked(after_host + at)) {
        Some((host, port)) => (host, port.get(1..)),
        None => (authority, None),
    }
}

fn is_segment(segment: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(plain)
}

fn is_host(host: &str) -> bool {
    if let Some(literal) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return literal.parse::<Ipv6Addr>().is_ok_and(|v6| v6.to_string() == literal);
    }
    // WHATWG URL: a last label of digits makes the whole an IPv4 address.
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    host.len() <= HOST_BYTES_MAX && host.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let edges = label.starts_with('-') || label.ends_with('-');
    !label.is_empty() && label.len() <= LABEL_BYTES_MAX && !edges && label.bytes().all(plain)
}

fn is_port(raw: &str, is_https: bool) -> bool {
    let default = if is_https { 443 } else { 80 };
    let port = raw.parse::<u16>().ok().filter(|port| port.to_string() == raw);
    port.is_some_and(|port| port != 0 && port != default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers() {
        for (raw, host) in [
            ("https://id.example.com", "id.example.com"),
            ("https://id.example.com:8443/a/b.c", "id.example.com"),
            ("https://10.0.0.1", "10.0.0.1"),
            ("https://[2001:db8::1]:8443", "2001:db8::1"),
            ("http://127.0.0.1:8080", "127.0.0.1"),
            ("http://127.8.9.1:8080", "127.8.9.1"),
            ("http://[::1]:8080", "::1"),
            ("http://localhost", "localhost"),
            ("http://id.localhost:8080", "id.localhost"),
        ] {
            assert_eq!(Issuer::parse(raw).expect(raw).host, host, "{raw}");
        }
    }

    #[test]
    fn neighbours_of_issuers() {
        for raw in [
            "",
            "id.example.com",
            "ftp://id.example.com",
            "HTTPS://id.example.com",
            "https://",
            "https://id.example.com/",
            "https://id.example.com/a/",
            "https://id.example.com//a",
            "https://id.example.com/../a",
            "https://id.example.com/a%20b",
            "https://ID.example.com",
            "https://id.example.com?x",
            "https://id.example.com#x",
            "https://id.example.com/?x",
            "https://u@id.example.com",
            "https://u:p@id.example.com",
            "https://id..example.com",
            "https://-id.example.com",
            "https://id.example.com:443",
            "https://id.example.com:0",
            "https://id.example.com:",
            "https://id.example.com:08",
            "https://id.example.com:99999",
            "http://id.example.com",
            "http://10.0.0.1",
            "http://0.0.0.0:8080",
            "http://localhost:80",
            "http://localhost.example.com",
            "https://127.1",
            "https://1.2.3.4.5",
            "https://[::1",
            "https://[0:0::1]",
            "https://::1",
            " https://id.example.com",
            "https://id.example.com ",
            "https://bücher.example",
            "http://127.0.0.1:8080/",
            "https://id.example.com.",
        ] {
            assert!(Issuer::parse(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn only_these_are_for_testing() {
        let testing = |raw| Issuer::parse(raw).expect(raw).is_for_testing();
        assert!(testing("http://127.0.0.1:8080") && testing("https://id.example.test"));
        assert!(!testing("https://id.example.com") && !testing("https://id.mytest"));
    }
}
