//! The protected header (RFC 7515 §4).

use serde_json::{Map, Value};

use crate::jwk::MAX_KID_LEN;
use crate::{Algorithm, Jwk, json};

/// The longest header, in bytes: room for a certificate chain that we then ignore.
const MAX_HEADER_LEN: usize = 16 * 1024;

/// What a JWS says about itself.
///
/// `jku`, `x5u` and `x5c` are not here: they are never followed (RFC 8725 §3.10). `jwk` is, for the
/// one protocol that proves possession of a key sent along (DPoP); nothing here trusts it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Header {
    /// The algorithm.
    pub alg: Algorithm,
    /// The name of the key, as the sender gave it: hostile text until verified.
    pub kid: Option<String>,
    /// The type of the whole token.
    pub typ: Option<String>,
    /// The type of the payload.
    pub cty: Option<String>,
    /// A public key sent along. Verifying with it proves possession, not identity.
    pub jwk: Option<Jwk>,
}

impl Header {
    pub(crate) fn new(alg: Algorithm, protected: Protected) -> Self {
        let Protected { kid, typ, cty, jwk, .. } = protected;
        Self { alg, kid, typ, cty, jwk }
    }

    /// Whether `typ` is this media type, with or without `application/`, in any case.
    ///
    /// RFC 7515 §4.1.9; an absent `typ` is none.
    pub fn typ_is(&self, media_type: &str) -> bool {
        self.typ.as_deref().is_some_and(|typ| same_media_type(typ, media_type))
    }
}

/// The members that JWS headers of every kind of algorithm share.
#[derive(Debug)]
pub(crate) struct Protected {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
    pub(crate) cty: Option<String>,
    pub(crate) jwk: Option<Jwk>,
}

impl Protected {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut members = members(bytes)?;
        // RFC 7797 §6: without `crit`, a receiver that does not know `b64` would verify other
        // bytes.
        if members.get("b64").is_some_and(|b64| *b64 != Value::Bool(true)) {
            return Err("b64");
        }
        let jwk = members.remove("jwk").map(|value| Jwk::from_value(&value)).transpose();
        Ok(Self {
            alg: take_text(&mut members, "alg")?.ok_or("no alg")?,
            kid: take_text(&mut members, "kid")?,
            typ: take_text(&mut members, "typ")?,
            cty: take_text(&mut members, "cty")?,
            jwk: jwk.map_err(|_| "jwk")?,
        })
    }
}

/// Reads a header as members, and refuses what no JOSE object here may have.
pub(crate) fn members(bytes: &[u8]) -> Result<Map<String, Value>, &'static str> {
    if bytes.len() > MAX_HEADER_LEN {
        return Err("header longer than 16 KiB");
    }
    let members = json::parse_object(bytes).map_err(|_| "header is not a strict JSON object")?;
    // RFC 7515 §4.1.11: we understand no extension, so every critical one is refused.
    if members.contains_key("crit") {
        return Err("crit");
    }
    if members.get("kid").and_then(Value::as_str).is_some_and(|kid| kid.len() > MAX_KID_LEN) {
        return Err("kid longer than 512 bytes");
    }
    Ok(members)
}

/// Takes a member out; present with another type is an error.
pub(crate) fn take_text(
    members: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, &'static str> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(name),
    }
}

/// Writes a header.
pub(crate) fn header_json(alg: &str, kid: Option<&str>, typ: Option<&str>) -> String {
    let mut header = format!(r#"{{"alg":"{alg}""#);
    for (name, value) in [("kid", kid), ("typ", typ)] {
        if let Some(value) = value {
            header.push_str(",\"");
            header.push_str(name);
            header.push_str("\":");
            header.push_str(&Value::from(value).to_string());
        }
    }
    header.push('}');
    header
}

fn same_media_type(one: &str, other: &str) -> bool {
    bare(one).eq_ignore_ascii_case(bare(other))
}

/// RFC 7515 §4.1.9: `application/` may be left out where no other slash is.
fn bare(media_type: &str) -> &str {
    match media_type.split_at_checked("application/".len()) {
        Some((prefix, rest))
            if prefix.eq_ignore_ascii_case("application/") && !rest.contains('/') =>
        {
            rest
        }
        _ => media_type,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7515_4_1_9_media_types_with_and_without_prefix_in_any_case() {
        for (one, other, same) in [
            ("at+jwt", "at+jwt", true),
            ("AT+JWT", "at+jwt", true),
            ("application/at+jwt", "at+jwt", true),
            ("Application/AT+jwt", "application/at+jwt", true),
            ("at+jwt", "jwt", false),
            ("text/at+jwt", "at+jwt", false),
            ("application/a/at+jwt", "a/at+jwt", false),
            ("application/", "", true),
            ("", "at+jwt", false),
        ] {
            assert_eq!(same_media_type(one, other), same, "RFC7515-4.1.9: {one} {other}");
        }
    }

    #[test]
    fn a_key_sent_along_is_public_or_the_token_is_refused() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let header = |rest: &str| {
            format!(r#"{{"alg":"EdDSA","jwk":{{"kty":"OKP","crv":"Ed25519","x":"{x}"{rest}}}}}"#)
        };
        let read = Protected::parse(header("").as_bytes()).unwrap();
        assert!(read.jwk.is_some(), "RFC9449-4.2");
        let read = Protected::parse(header(r#","d":"AA""#).as_bytes());
        assert_eq!(read.unwrap_err(), "jwk", "RFC9449-4.3");
    }

    #[test]
    fn headers_have_bounds() {
        let long = |len: usize| format!(r#"{{"alg":"ES256","x5c":["{}"]}}"#, "A".repeat(len));
        assert!(Protected::parse(long(1000).as_bytes()).is_ok());
        assert_eq!(
            Protected::parse(long(MAX_HEADER_LEN).as_bytes()).unwrap_err(),
            "header longer than 16 KiB"
        );
        let kid = |len: usize| format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(len));
        assert!(Protected::parse(kid(MAX_KID_LEN).as_bytes()).is_ok());
        assert!(Protected::parse(kid(MAX_KID_LEN + 1).as_bytes()).is_err());
    }
}
