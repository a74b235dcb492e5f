//! `application/x-www-form-urlencoded` parameters, RFC 6749 appendix B, read strictly.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::limits::{FLOW_BYTES_MAX, PARAMETER_BYTES_MAX, PARAMETERS_MAX, REQUEST_BYTES_MAX};

/// What is malformed in a request, by the name of the parameter or header.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// Present, but not of the grammar.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// Required and absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Sent more than once, RFC 6749 §3.1 and §3.2.
    #[error("{0} is sent more than once")]
    Repeated(&'static str),
    /// Beyond a bound of `limits`.
    #[error("{0} is too large")]
    TooLarge(&'static str),
    /// A feature of a specification that this server does not offer.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
}

/// The parameters of one request, decoded.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string or a form body.
    ///
    /// # Errors
    /// Refuses what is too large, not UTF-8, badly percent-encoded, or holds control characters:
    /// values travel on into headers, logs and pages.
    pub fn parse(raw: &[u8]) -> Result<Self, RequestError> {
        Self::parse_within(raw, PARAMETER_BYTES_MAX)
    }

    fn parse_within(raw: &[u8], value_bytes_max: usize) -> Result<Self, RequestError> {
        if raw.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLarge("request"));
        }
        let text = std::str::from_utf8(raw).map_err(|_| RequestError::Malformed("encoding"))?;
        let mut params = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            params.push((decode(name, value_bytes_max)?, decode(value, value_bytes_max)?));
        }
        if params.len() > PARAMETERS_MAX {
            return Err(RequestError::TooLarge("request"));
        }
        Ok(Self(params))
    }

    /// Reads the query or form of a page of this server: as [`Self::parse`], with room for a sealed
    /// flow, which is a third longer than the request inside it.
    pub fn parse_page(raw: &[u8]) -> Result<Self, RequestError> {
        Self::parse_within(raw, FLOW_BYTES_MAX)
    }

    /// The one value of a parameter; empty counts as absent, RFC 6749 §3.1.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, RequestError> {
        let mut values = self.0.iter().filter(|(n, _)| n == name);
        let first = values.next();
        if values.next().is_some() {
            return Err(RequestError::Repeated(name));
        }
        Ok(first.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()))
    }

    /// The one value of a parameter that must be there.
    pub fn required(&self, name: &'static str) -> Result<&str, RequestError> {
        self.one(name)?.ok_or(RequestError::Missing(name))
    }

    /// All values of a parameter that may repeat: `resource` (RFC 8707 §2), a form's boxes.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    /// Refuses any repeated parameter, known or not, but for those that may repeat.
    pub fn refuse_repeats(&self, may_repeat: &[&str]) -> Result<(), RequestError> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            let repeated = self.0.iter().take(at).any(|(earlier, _)| earlier == name);
            if repeated && !may_repeat.contains(&name.as_str()) {
                return Err(RequestError::Repeated(known_name(name)));
            }
        }
        Ok(())
    }
}

/// Decodes one form-encoded value, RFC 6749 appendix B.
pub(crate) fn form_decode(raw: &str) -> Result<String, RequestError> {
    decode(raw, PARAMETER_BYTES_MAX)
}

/// Error texts name known parameters only, never what the peer invented.
fn known_name(name: &str) -> &'static str {
    const KNOWN: [&str; 14] = [
        "client_id",
        "client_secret",
        "code",
        "code_challenge",
        "code_verifier",
        "grant_type",
        "nonce",
        "prompt",
        "redirect_uri",
        "refresh_token",
        "response_type",
        "scope",
        "state",
        "token",
    ];
    KNOWN.into_iter().find(|known| *known == name).unwrap_or("a parameter")
}

fn decode(raw: &str, bytes_max: usize) -> Result<String, RequestError> {
    // Most values are written as they are.
    if !holds(raw, |b| b == b'+' || b == b'%') {
        return accept(Cow::Borrowed(raw), bytes_max);
    }
    let spaced = raw.replace('+', " ");
    if !is_well_encoded(&spaced) {
        return Err(RequestError::Malformed("percent-encoding"));
    }
    let decoded = percent_decode_str(&spaced).decode_utf8();
    accept(decoded.map_err(|_| RequestError::Malformed("encoding"))?, bytes_max)
}

fn accept(decoded: Cow<'_, str>, bytes_max: usize) -> Result<String, RequestError> {
    if decoded.len() > bytes_max {
        return Err(RequestError::TooLarge("a parameter"));
    }
    // Beyond ASCII, U+0080 to U+009F are control characters too.
    let controls = if decoded.is_ascii() {
        holds(&decoded, |b| b.is_ascii_control())
    } else {
        decoded.chars().any(char::is_control)
    };
    if controls {
        return Err(RequestError::Malformed("a parameter"));
    }
    Ok(decoded.into_owned())
}

/// Whether any byte is of a kind. Looks at all of them, which the compiler can do many at a time.
fn holds(text: &str, kind: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |found, byte| found | kind(byte))
}

fn is_well_encoded(text: &str) -> bool {
    let mut parts = text.split('%');
    parts.next();
    parts.all(|part| {
        let mut bytes = part.bytes();
        matches!((bytes.next(), bytes.next()),
            (Some(a), Some(b)) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc6749_3_2_one_value_each() {
        let params = Params::parse(b"a=1&b=&c=2&c=3").unwrap();
        assert_eq!(params.one("a"), Ok(Some("1")));
        assert_eq!(params.one("b"), Ok(None), "empty counts as absent");
        assert_eq!(params.one("c"), Err(RequestError::Repeated("c")));
        assert_eq!(params.required("d"), Err(RequestError::Missing("d")));
        assert!(params.refuse_repeats(&["c"]).is_ok());
        assert!(params.refuse_repeats(&[]).is_err());
    }

    #[test]
    fn rfc6749_appendix_b_decoding() {
        let one = |raw: &str| Params::parse(raw.as_bytes()).map(|p| p.0[0].1.clone());
        assert_eq!(one("x=a+b%20c%26").as_deref(), Ok("a b c&"));
        assert_eq!(one("x=%c3%a9").as_deref(), Ok("\u{e9}"));
        for bad in ["x=%ff", "x=%zz", "x=%2", "x=%", "x=%00", "x=%0d%0aSet-Cookie:"] {
            assert!(one(bad).is_err(), "{bad}");
        }
        assert!(Params::parse(&[b'x', b'=', 0xff]).is_err());
    }

    #[test]
    fn bounds() {
        let long = format!("x={}", "a".repeat(PARAMETER_BYTES_MAX));
        assert!(Params::parse(long.as_bytes()).is_ok());
        assert!(Params::parse(format!("{long}a").as_bytes()).is_err());
        let many = "a=1&".repeat(PARAMETERS_MAX);
        assert!(Params::parse(many.as_bytes()).is_ok());
        assert!(Params::parse(format!("{many}a=1").as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Params::parse(&raw);
        }
    }
}
