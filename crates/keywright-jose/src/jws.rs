//! JSON Web Signature (RFC 7515), compact serialisation.

mod header;

use std::fmt;

pub use self::header::Header;
pub(crate) use self::header::{Protected, header_json, members, take_text};
pub use crate::compact::MAX_TOKEN_LEN;

use crate::key::SignatureVerified;
use crate::{Algorithm, KeyError, SigningKey, VerifyingKeys, base64url, base64url_decode, compact};

/// Why a token is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JwsError {
    /// The algorithm is unknown, not among those allowed here, or not the one of the key.
    #[error("the algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// The signature does not fit.
    #[error("the signature is wrong")]
    BadSignature,
    /// The token is not a JWS in compact serialisation.
    #[error("malformed token: {0}")]
    Malformed(&'static str),
    /// None of the keys has the token's `kid`, or serves its algorithm.
    #[error("no key fits the token")]
    UnknownKey,
}

/// Signs a payload; the header has `alg`, `kid` and, if given, `typ`.
///
/// Give each kind of token its own `typ` (RFC 8725 §3.11).
///
/// ```
/// use keywright_jose::{Algorithm, SigningKey, sign_compact};
/// let key = SigningKey::generate(Algorithm::EdDsa)?;
/// let token = sign_compact(&key, Some("logout+jwt"), br#"{"sid":"s1"}"#)?;
/// assert_eq!(token.split('.').count(), 3);
/// # Ok::<(), keywright_jose::KeyError>(())
/// ```
pub fn sign_compact(
    key: &SigningKey,
    typ: Option<&str>,
    payload: &[u8],
) -> Result<String, KeyError> {
    let header = header::header_json(key.alg().name(), Some(key.kid()), typ);
    compact_with(&header, payload, |input| key.sign(input))
}

/// Joins header, payload and what `sign` makes of them.
pub(crate) fn compact_with<E>(
    header: &str,
    payload: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<String, E> {
    // A 4096-bit RSA signature takes 683 characters; a longer one only costs a reallocation.
    let mut token = String::with_capacity((header.len() + payload.len()) * 4 / 3 + 700);
    base64url::append(&mut token, header.as_bytes());
    token.push('.');
    base64url::append(&mut token, payload);
    let signature = sign(token.as_bytes())?;
    token.push('.');
    base64url::append(&mut token, &signature);
    Ok(token)
}

/// A token as somebody sent it. Nothing in it is true yet.
///
/// ```
/// use keywright_jose::{JwsError, UnverifiedJws};
/// let unsigned = "eyJhbGciOiJub25lIn0.e30."; // {"alg":"none"}
/// assert_eq!(UnverifiedJws::parse(unsigned).unwrap_err(), JwsError::AlgorithmNotAllowed);
/// ```
pub struct UnverifiedJws<'a> {
    header: Header,
    parts: Parts<'a>,
}

/// The three parts, decoded; the header still as bytes.
pub(crate) struct Parts<'a> {
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) signing_input: &'a str,
}

impl<'a> UnverifiedJws<'a> {
    /// Takes a token apart, strictly.
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        Self::of_parts(Parts::parse(token).map_err(JwsError::Malformed)?)
    }

    /// Takes a document apart that is no token and may be larger than one: up to `len_max` bytes,
    /// its header as small as ever.
    ///
    /// ```
    /// use keywright_jose::{Algorithm, SigningKey, UnverifiedJws, sign_compact};
    /// let key = SigningKey::generate(Algorithm::Es256)?;
    /// let large = sign_compact(&key, Some("list+jwt"), &[b' '; 100_000])?;
    /// assert!(UnverifiedJws::parse(&large).is_err());
    /// assert!(UnverifiedJws::parse_document(&large, 200_000).is_ok());
    /// # Ok::<(), keywright_jose::KeyError>(())
    /// ```
    pub fn parse_document(document: &'a str, len_max: usize) -> Result<Self, JwsError> {
        if document.len() > len_max {
            return Err(JwsError::Malformed("longer than allowed"));
        }
        let split = compact::split_any::<3>(document).map_err(JwsError::Malformed)?;
        if split.first().is_none_or(|header| header.len() > MAX_TOKEN_LEN) {
            return Err(JwsError::Malformed("its header is longer than 64 KiB"));
        }
        Self::of_parts(Parts::decode(document, split).map_err(JwsError::Malformed)?)
    }

    fn of_parts(parts: Parts<'a>) -> Result<Self, JwsError> {
        let protected = Protected::parse(&parts.header).map_err(JwsError::Malformed)?;
        let alg = Algorithm::parse(&protected.alg).ok_or(JwsError::AlgorithmNotAllowed)?;
        Ok(Self { header: Header::new(alg, protected), parts })
    }

    /// The header; useful to find the keys, believed only after [`UnverifiedJws::verify`].
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload; useful to find the issuer and so the keys.
    pub fn unverified_payload(&self) -> &[u8] {
        &self.parts.payload
    }

    /// Verifies with one of `keys`, by one of the `allowed` algorithms.
    pub fn verify(
        self,
        keys: &VerifyingKeys,
        allowed: &[Algorithm],
    ) -> Result<VerifiedJws, JwsError> {
        let Self { header, parts } = self;
        if !allowed.contains(&header.alg) {
            return Err(JwsError::AlgorithmNotAllowed);
        }
        let message = parts.signing_input.as_bytes();
        let proof = keys.verify(header.kid.as_deref(), header.alg, message, &parts.signature)?;
        Ok(VerifiedJws { header, payload: parts.payload, _proof: proof })
    }
}

impl<'a> Parts<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, &'static str> {
        Self::decode(token, compact::split::<3>(token)?)
    }

    fn decode(
        token: &'a str,
        [header, payload, signature]: [&'a str; 3],
    ) -> Result<Self, &'static str> {
        let signing_input = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        Ok(Self {
            header: base64url_decode(header).map_err(|_| "header is not base64url")?,
            payload: base64url_decode(payload).map_err(|_| "payload is not base64url")?,
            signature: base64url_decode(signature).map_err(|_| "signature is not base64url")?,
            signing_input,
        })
    }
}

/// A token whose signature fits. Whether its claims fit is for the caller to decide.
#[derive(Clone, PartialEq)]
pub struct VerifiedJws {
    /// The protected header.
    pub header: Header,
    /// The payload, decoded.
    pub payload: Vec<u8>,
    _proof: SignatureVerified,
}

// Neither prints its payload or signature: what is `Debug` ends up in logs.
impl fmt::Debug for UnverifiedJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedJws").field("header", &self.header).finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifiedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedJws").field("header", &self.header).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JwkSet, base64url_encode};

    #[test]
    fn every_algorithm_signs_and_verifies() {
        for alg in Algorithm::ALL {
            let key = SigningKey::generate(*alg).unwrap();
            let keys = VerifyingKeys::new(&JwkSet::new(vec![key.public_jwk().clone()]));
            let token = sign_compact(&key, Some("JWT"), b"{}").unwrap();
            let verified = UnverifiedJws::parse(&token).unwrap().verify(&keys, &[*alg]).unwrap();
            assert_eq!(verified.payload, b"{}");
            assert_eq!(verified.header.kid.as_deref(), Some(key.kid()));
            let pkcs8 = key.to_pkcs8();
            assert_eq!(SigningKey::from_pkcs8(*alg, &pkcs8).unwrap().kid(), key.kid(), "{alg}");
        }
    }

    fn header_error(header: &str) -> JwsError {
        let token = format!("{}.e30.AAAA", base64url_encode(header.as_bytes()));
        UnverifiedJws::parse(&token).unwrap_err()
    }

    #[test]
    fn rfc7515_4_headers_are_strict() {
        let good = format!("{}.e30.AAAA", base64url_encode(br#"{"alg":"ES256","b64":true}"#));
        assert!(UnverifiedJws::parse(&good).is_ok());
        for (must, header, want) in [
            ("RFC7515-4.1.1", r"{}", JwsError::Malformed("no alg")),
            ("RFC7515-4.1.1", r#"{"alg":1}"#, JwsError::Malformed("alg")),
            ("RFC7515-4.1.4", r#"{"alg":"ES256","kid":1}"#, JwsError::Malformed("kid")),
            ("RFC7515-4.1.9", r#"{"alg":"ES256","typ":null}"#, JwsError::Malformed("typ")),
            ("RFC7515-4.1.10", r#"{"alg":"ES256","cty":[]}"#, JwsError::Malformed("cty")),
            (
                "RFC7515-4.1.11",
                r#"{"alg":"ES256","crit":["exp"],"exp":1}"#,
                JwsError::Malformed("crit"),
            ),
            ("RFC7515-4.1.11", r#"{"alg":"ES256","crit":[]}"#, JwsError::Malformed("crit")),
            ("RFC7797-6", r#"{"alg":"ES256","b64":false}"#, JwsError::Malformed("b64")),
            ("RFC8725-3.1", r#"{"alg":"none"}"#, JwsError::AlgorithmNotAllowed),
            ("RFC8725-3.1", r#"{"alg":"HS256"}"#, JwsError::AlgorithmNotAllowed),
        ] {
            assert_eq!(header_error(header), want, "{must}: {header}");
        }
        let twice = header_error(r#"{"alg":"ES256","alg":"none"}"#);
        assert_eq!(twice, JwsError::Malformed("header is not a strict JSON object"));
    }
}
