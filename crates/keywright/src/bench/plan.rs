//! The command line as values: what cannot be measured is refused here.

use std::fs;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use ::http::Uri;
use keywright_protocol::secret::Secret;

/// Beyond this one process cannot keep the schedule anyway.
pub(super) const MAX_RATE: u32 = 1_000_000;
const MAX_DURATION: Duration = Duration::from_hours(24);
/// More lines than any run can have families in flight; each is held in memory.
const MAX_FAMILIES: usize = 1_000_000;

/// An issuer that credentials may be sent to: https, or http that does not leave this machine.
#[derive(Clone, Debug)]
pub(super) struct Issuer(String);

impl Issuer {
    /// Exactly as given, for the comparison of RFC 8414 §3.3.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Issuer {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let uri = parse_endpoint(raw)?;
        // RFC 8414 §2: an issuer has no query and no fragment.
        if uri.query().is_some() || raw.contains('#') {
            return Err("an issuer has no query and no fragment".to_owned());
        }
        Ok(Self(raw.to_owned()))
    }
}

/// An address that may be told a client's secret.
pub(super) fn parse_endpoint(raw: &str) -> Result<Uri, String> {
    let uri: Uri = raw.parse().map_err(|_| format!("not an address: {raw}"))?;
    let host = uri.host().ok_or_else(|| format!("no host in {raw}"))?;
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_loopback(host) => Ok(uri),
        _ => Err(format!("{raw}: https is needed, or http on a loopback address")),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Who asks: a confidential client, or a public one without a secret.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: Option<Secret<String>>,
}

impl Credentials {
    pub(super) fn new(
        id: Option<String>,
        secret: Option<Secret<String>>,
    ) -> Result<Option<Self>, String> {
        match (id, secret) {
            (Some(id), secret) => Ok(Some(Self { id, secret })),
            (None, None) => Ok(None),
            (None, Some(_)) => Err("a client secret without --client-id".to_owned()),
        }
    }
}

/// `500` or `500/s`.
pub(super) fn parse_rate(raw: &str) -> Result<NonZeroU32, String> {
    let number = raw.strip_suffix("/s").unwrap_or(raw);
    let rate = number.parse().ok().filter(|rate: &NonZeroU32| rate.get() <= MAX_RATE);
    rate.ok_or_else(|| format!("a rate is 1 to {MAX_RATE} requests a second: 500, or 500/s"))
}

/// `500ms`, `10s`, `5m` or `1h`.
pub(super) fn parse_duration(raw: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let wrong = || "a duration is a number and a unit, at most a day: 500ms, 10s, 5m".to_owned();
    let (number, unit_ms) = UNITS
        .iter()
        .find_map(|(unit, ms)| Some((raw.strip_suffix(unit)?, *ms)))
        .filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or_else(wrong)?;
    let units: u64 = number.parse().map_err(|_| wrong())?;
    let duration = units.checked_mul(unit_ms).map(Duration::from_millis);
    duration.filter(|duration| *duration <= MAX_DURATION).ok_or_else(wrong)
}

/// Reads one refresh token a line; empty lines do not count.
pub(super) fn load_refresh_tokens(file: &Path) -> Result<Vec<Secret<String>>, String> {
    let text = fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()))?;
    let tokens = parse_refresh_tokens(&text);
    if tokens.is_empty() || tokens.len() > MAX_FAMILIES {
        let found = tokens.len();
        return Err(format!("{}: {found} tokens, 1 to {MAX_FAMILIES} needed", file.display()));
    }
    Ok(tokens)
}

fn parse_refresh_tokens(text: &str) -> Vec<Secret<String>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| Secret::new(line.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_https_or_on_loopback() {
        for good in [
            "https://id.example.com",
            "https://id.example.com/t/one",
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://[::1]:8080/t/one",
            "http://localhost:1",
        ] {
            assert_eq!(good.parse::<Issuer>().unwrap().as_str(), good);
        }
        for bad in [
            "http://id.example.com",
            "http://10.0.0.1:8080",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
            "https://id.example.com/?a=b",
            "https://id.example.com/#a",
            "id.example.com",
            "/path",
            "",
        ] {
            assert!(bad.parse::<Issuer>().is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_and_durations_have_bounds() {
        assert_eq!(parse_rate("500").unwrap().get(), 500);
        assert_eq!(parse_rate("500/s").unwrap().get(), 500);
        for bad in ["0", "-1", "1.5", "500/m", "/s", "1000001", ""] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
        for (raw, ms) in [("0s", 0), ("250ms", 250), ("10s", 10_000), ("24h", 86_400_000)] {
            assert_eq!(parse_duration(raw).unwrap(), Duration::from_millis(ms), "{raw}");
        }
        for bad in ["10", "s", "-1s", "+1s", "1d", "25h", "1.5s", "99999999999999999999h", ""] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_needs_its_client() {
        let some = |text: &str| Some(text.to_owned());
        let secret = |text: &str| Some(Secret::new(text.to_owned()));
        assert!(Credentials::new(None, secret("s")).is_err());
        assert!(Credentials::new(None, None).unwrap().is_none());
        assert!(Credentials::new(some("c"), None).unwrap().is_some());
        let both = Credentials::new(some("c"), secret("hidden")).unwrap().unwrap();
        assert!(!format!("{both:?}").contains("hidden"));
    }

    #[test]
    fn refresh_tokens_stand_one_a_line() {
        let tokens = parse_refresh_tokens("kwr_a\n\n  kwr_b \r\n");
        let seen: Vec<_> = tokens.iter().map(|token| token.expose().as_str()).collect();
        assert_eq!(seen, ["kwr_a", "kwr_b"]);
    }
}
