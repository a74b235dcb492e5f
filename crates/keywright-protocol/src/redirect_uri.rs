//! Redirect URIs: parsed once when registered, compared as bytes ever after.

use std::net::Ipv6Addr;

use fluent_uri::Uri;
use fluent_uri::component::Host;
use serde::{Deserialize, Serialize};

use crate::limits::REDIRECT_URI_BYTES_MAX;

/// A registered redirect URI, RFC 6749 §3.1.2 with the rules of RFC 9700 §2.1 and RFC 8252 §7.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri {
    text: String,
    /// Byte range of the port with its colon, when the loopback rule applies.
    loopback_port: Option<(usize, usize)>,
}

/// Why a redirect URI cannot be registered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RedirectUriError {
    /// Not an absolute URI of RFC 3986.
    #[error("is not an absolute URI")]
    NotAbsolute,
    /// RFC 6749 §3.1.2.
    #[error("must not have a fragment")]
    Fragment,
    /// `https://honest@evil/`: never needed, often an attack.
    #[error("must not have user information")]
    UserInformation,
    /// Plain http is for loopback only.
    #[error("must be https, or http on a loopback address, or a private scheme with a dot in it")]
    Scheme,
    /// No host, or one with a wildcard in it.
    #[error("must name one host, without wildcards")]
    Host,
    /// Longer than the limit.
    #[error("is too long")]
    TooLong,
}

impl RedirectUri {
    /// Reads a redirect URI that somebody registers.
    pub fn parse(raw: &str) -> Result<Self, RedirectUriError> {
        if raw.len() > REDIRECT_URI_BYTES_MAX {
            return Err(RedirectUriError::TooLong);
        }
        let uri = Uri::parse(raw).map_err(|_| RedirectUriError::NotAbsolute)?;
        if uri.fragment().is_some() {
            return Err(RedirectUriError::Fragment);
        }
        if uri.authority().is_some_and(|a| a.userinfo().is_some()) {
            return Err(RedirectUriError::UserInformation);
        }
        let loopback_port = match uri.scheme().as_str() {
            "https" => require_host(&uri).map(|()| None)?,
            "http" => loopback_http(&uri, raw)?,
            // RFC 8252 §7.1: a private-use scheme is a reversed domain name.
            scheme if scheme.contains('.') => None,
            _ => return Err(RedirectUriError::Scheme),
        };
        Ok(Self { text: raw.to_owned(), loopback_port })
    }

    /// Its text, as registered.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a request's `redirect_uri` is this one.
    ///
    /// Byte equality (RFC 9700 §2.1); on a loopback IP literal any port (RFC 8252 §7.3).
    pub fn matches(&self, requested: &str) -> bool {
        if self.text == requested {
            return true;
        }
        let Some((start, end)) = self.loopback_port else { return false };
        let (Some(head), Some(tail)) = (self.text.get(..start), self.text.get(end..)) else {
            return false;
        };
        requested
            .strip_prefix(head)
            .and_then(|rest| rest.strip_suffix(tail))
            .is_some_and(is_port_or_nothing)
    }

    /// `scheme://host:port`, for CORS; nothing for private-use schemes.
    pub fn origin(&self) -> Option<String> {
        origin_of(&self.text)
    }

    /// Whether the address proves who receives the response: not so for loopback and private
    /// schemes, which any program on the device can claim, RFC 8252 §8.6.
    pub fn proves_receiver(&self) -> bool {
        self.text.starts_with("https://")
    }
}

/// The origin (RFC 6454) of an absolute http or https URI.
pub fn origin_of(text: &str) -> Option<String> {
    let uri = Uri::parse(text).ok()?;
    let scheme = uri.scheme().as_str();
    let authority = uri.authority()?;
    if !matches!(scheme, "http" | "https") || authority.userinfo().is_some() {
        return None;
    }
    let default = if scheme == "https" { "443" } else { "80" };
    let host = authority.host().to_ascii_lowercase();
    match authority
        .port()
        .map(fluent_uri::pct_enc::EStr::as_str)
        .filter(|p| !p.is_empty() && *p != default)
    {
        Some(port) => Some(format!("{scheme}://{host}:{port}")),
        None => Some(format!("{scheme}://{host}")),
    }
}

fn require_host(uri: &Uri<&str>) -> Result<(), RedirectUriError> {
    // A name of DNS or an address literal: no wildcard, no percent-encoding, nothing clever.
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let named = uri.authority().is_some_and(|a| match a.host_parsed() {
        Host::RegName(name) => !name.is_empty() && name.as_str().bytes().all(plain),
        _ => true,
    });
    if named { Ok(()) } else { Err(RedirectUriError::Host) }
}

fn loopback_http(uri: &Uri<&str>, raw: &str) -> Result<Option<(usize, usize)>, RedirectUriError> {
    require_host(uri)?;
    let authority = uri.authority().ok_or(RedirectUriError::Host)?;
    let literal = match authority.host_parsed() {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip == Ipv6Addr::LOCALHOST,
        // RFC 8252 §8.3: a name may resolve elsewhere, so it never gets the port rule.
        Host::RegName(name) if name.as_str() == "localhost" => return Ok(None),
        _ => false,
    };
    if !literal {
        return Err(RedirectUriError::Scheme);
    }
    let host_end = "http://".len() + authority.host().len();
    let port_end = "http://".len() + authority.as_str().len();
    debug_assert!(raw.len() >= port_end);
    Ok(Some((host_end, port_end)))
}

/// Empty, or `:` and a port number in canonical form.
fn is_port_or_nothing(text: &str) -> bool {
    let Some(digits) = text.strip_prefix(':') else { return text.is_empty() };
    let canonical = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    canonical && digits.parse::<u16>().is_ok()
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.text
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = RedirectUriError;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        Self::parse(&raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9700_2_1_what_may_be_registered() {
        for good in [
            "https://client.example/cb",
            "https://client.example",
            "https://client.example/cb?tenant=1",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8080/cb",
            "http://[::1]/cb",
            "http://localhost:3000/cb",
            "com.example.app:/oauth2redirect",
        ] {
            assert_eq!(RedirectUri::parse(good).map(String::from).as_deref(), Ok(good), "{good}");
        }
        for (bad, why) in [
            ("/cb", RedirectUriError::NotAbsolute),
            ("https://a/#x", RedirectUriError::Fragment),
            ("https://a/#", RedirectUriError::Fragment),
            ("https://a@b/", RedirectUriError::UserInformation),
            ("http://client.example/cb", RedirectUriError::Scheme),
            ("http://127.0.0.1.evil.example/", RedirectUriError::Scheme),
            ("http://localhost.evil.example/", RedirectUriError::Scheme),
            ("javascript:alert(1)", RedirectUriError::Scheme),
            ("data:text/html,x", RedirectUriError::Scheme),
            ("https:///cb", RedirectUriError::Host),
            ("https://*.example/cb", RedirectUriError::Host),
            ("https://a%2eexample/cb", RedirectUriError::Host),
            ("https://a\\b/", RedirectUriError::NotAbsolute),
            ("https://a/ b", RedirectUriError::NotAbsolute),
        ] {
            assert_eq!(RedirectUri::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn rfc8252_7_3_any_port_on_a_loopback_literal_only() {
        let registered = RedirectUri::parse("http://127.0.0.1/cb").unwrap();
        for good in ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb"] {
            assert!(registered.matches(good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:080/cb",
            "http://127.0.0.1:1/cb/",
            "http://127.0.0.1:1/../cb",
            "http://127.0.0.1:1@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "https://127.0.0.1:1/cb",
            "http://127.0.0.2:1/cb",
        ] {
            assert!(!registered.matches(bad), "{bad}");
        }
        let named = RedirectUri::parse("http://localhost:3000/cb").unwrap();
        assert!(named.matches("http://localhost:3000/cb"));
        assert!(!named.matches("http://localhost:3001/cb"));
    }

    #[test]
    fn rfc9700_2_1_every_one_byte_change_is_another_uri() {
        let text = "https://client.example/cb?x=1";
        let registered = RedirectUri::parse(text).unwrap();
        assert!(registered.matches(text));
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1;
            assert!(!registered.matches(&String::from_utf8(bytes).unwrap()), "byte {at}");
        }
    }

    #[test]
    fn origins() {
        let origin = |t: &str| RedirectUri::parse(t).unwrap().origin();
        assert_eq!(origin("https://A.example:443/x").as_deref(), Some("https://a.example"));
        assert_eq!(origin("http://127.0.0.1:80/x").as_deref(), Some("http://127.0.0.1"));
        assert_eq!(origin("http://localhost:5/x").as_deref(), Some("http://localhost:5"));
        assert_eq!(origin("com.example:/x"), None);
    }
}
