//! Proof Key for Code Exchange, RFC 7636, with S256 alone: `plain` has no representation.

use keywright_jose::{base64url_decode, sha256};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::grant::GrantError;
use crate::secret::Secret;
use crate::wire::RequestError;

/// The SHA-256 of a verifier, RFC 7636 §4.2.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CodeChallenge([u8; 32]);

impl CodeChallenge {
    /// Reads `code_challenge`: the base64url of 32 bytes.
    pub fn parse(raw: &str) -> Result<Self, RequestError> {
        let bytes = base64url_decode(raw).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(RequestError::Malformed("code_challenge"))
    }
}

/// The secret that redeems a code, RFC 7636 §4.1.
#[derive(Debug)]
pub struct CodeVerifier(Secret<String>);

impl CodeVerifier {
    /// Reads `code_verifier`: 43 to 128 unreserved characters.
    pub fn parse(raw: &str) -> Result<Self, RequestError> {
        let unreserved =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        if (43..=128).contains(&raw.len()) && raw.bytes().all(unreserved) {
            Ok(Self(Secret::new(raw.to_owned())))
        } else {
            Err(RequestError::Malformed("code_verifier"))
        }
    }
}

/// Proof that the verifier fits the challenge, or that neither was used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PkceVerified(());

/// Compares verifier and challenge.
pub fn verify_pkce(
    challenge: Option<&CodeChallenge>,
    verifier: Option<&CodeVerifier>,
) -> Result<PkceVerified, GrantError> {
    match (challenge, verifier) {
        (None, None) => Ok(PkceVerified(())),
        // RFC 7636 §4.6.
        (Some(challenge), Some(verifier)) => {
            let digest = sha256(verifier.0.expose().as_bytes());
            if bool::from(digest.ct_eq(&challenge.0)) {
                Ok(PkceVerified(()))
            } else {
                Err(GrantError::PkceMismatch)
            }
        }
        // RFC 9700 §2.1.1: one without the other is a downgrade.
        (Some(_), None) | (None, Some(_)) => Err(GrantError::PkceMissing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn rfc7636_4_6_appendix_b_vector() {
        let challenge = CodeChallenge::parse(CHALLENGE).unwrap();
        let verifier = CodeVerifier::parse(VERIFIER).unwrap();
        assert!(verify_pkce(Some(&challenge), Some(&verifier)).is_ok());
        let other = CodeVerifier::parse(&VERIFIER.replace('d', "e")).unwrap();
        assert_eq!(verify_pkce(Some(&challenge), Some(&other)), Err(GrantError::PkceMismatch));
    }

    #[test]
    fn rfc9700_2_1_1_no_downgrade_either_way() {
        let challenge = CodeChallenge::parse(CHALLENGE).unwrap();
        let verifier = CodeVerifier::parse(VERIFIER).unwrap();
        assert!(verify_pkce(None, None).is_ok());
        assert_eq!(verify_pkce(Some(&challenge), None), Err(GrantError::PkceMissing));
        assert_eq!(verify_pkce(None, Some(&verifier)), Err(GrantError::PkceMissing));
    }

    #[test]
    fn rfc7636_4_1_grammar() {
        assert!(CodeVerifier::parse(&"a".repeat(43)).is_ok());
        assert!(CodeVerifier::parse(&"a".repeat(128)).is_ok());
        for bad in ["a".repeat(42), "a".repeat(129), "+".repeat(43)] {
            assert!(CodeVerifier::parse(&bad).is_err(), "{bad}");
        }
        assert!(CodeChallenge::parse(&CHALLENGE[..42]).is_err());
        assert!(CodeChallenge::parse(&format!("{CHALLENGE}=")).is_err());
    }
}
