//! JWS with a shared secret (RFC 7518 §3.2): HS256, HS384, HS512.
//!
//! A module of its own on purpose: [`crate::Algorithm`] has no HMAC and [`HmacKey`] no public keys,
//! so the confusion of the two (RFC 8725 §2.1) cannot be written down.

use std::fmt;

use aws_lc_rs::hmac;

use crate::jws::{Parts, Protected, compact_with, header_json};
use crate::{JwsError, KeyError};

/// HMAC-SHA256 of a message.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut out = [0; 32];
    out.copy_from_slice(tag.as_ref());
    out
}

/// An HMAC algorithm.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum HmacAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl HmacAlgorithm {
    /// Every algorithm.
    pub const ALL: &'static [Self] = &[Self::Hs256, Self::Hs384, Self::Hs512];

    /// Reads a JOSE name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|alg| alg.name() == name)
    }

    /// The JOSE name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    fn scheme(self) -> hmac::Algorithm {
        match self {
            Self::Hs256 => hmac::HMAC_SHA256,
            Self::Hs384 => hmac::HMAC_SHA384,
            Self::Hs512 => hmac::HMAC_SHA512,
        }
    }
}

/// A shared secret, such as a client's secret for `client_secret_jwt`.
///
/// ```
/// use keywright_jose::mac::{HmacAlgorithm::Hs256, HmacKey, UnverifiedMac};
/// let key = HmacKey::new(&[7; 32])?;
/// let token = key.sign_compact(Hs256, None, br#"{"iss":"client"}"#)?;
/// let verified = UnverifiedMac::parse(&token)?.verify(&key, &[Hs256])?;
/// assert_eq!(verified.payload, br#"{"iss":"client"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HmacKey(zeroize::Zeroizing<Vec<u8>>);

impl HmacKey {
    /// Takes a secret of at least 32 bytes; HS384 and HS512 need 48 and 64 (RFC 7518 §3.2).
    pub fn new(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < 32 {
            return Err(KeyError::Rejected("secret shorter than the digest"));
        }
        Ok(Self(zeroize::Zeroizing::new(secret.to_vec())))
    }

    /// Signs a payload. The header has no `kid`: secrets have no public names.
    pub fn sign_compact(
        &self,
        alg: HmacAlgorithm,
        typ: Option<&str>,
        payload: &[u8],
    ) -> Result<String, KeyError> {
        let key = self.key(alg).ok_or(KeyError::Rejected("secret shorter than the digest"))?;
        let header = header_json(alg.name(), None, typ);
        compact_with(&header, payload, |input| Ok(hmac::sign(&key, input).as_ref().to_vec()))
    }

    /// Takes a token apart and verifies it in one step, where nothing in it is needed to find the
    /// key.
    pub fn verify(&self, token: &str, allowed: &[HmacAlgorithm]) -> Result<VerifiedMac, JwsError> {
        UnverifiedMac::parse(token)?.verify(self, allowed)
    }

    fn key(&self, alg: HmacAlgorithm) -> Option<hmac::Key> {
        let scheme = alg.scheme();
        (self.0.len() >= scheme.digest_algorithm().output_len())
            .then(|| hmac::Key::new(scheme, &self.0))
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(..)")
    }
}

/// What a JWS with a shared secret says about itself.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MacHeader {
    /// The algorithm.
    pub alg: HmacAlgorithm,
    /// The type of the whole token.
    pub typ: Option<String>,
    /// The type of the payload.
    pub cty: Option<String>,
}

/// A token as somebody sent it. Nothing in it is true yet.
pub struct UnverifiedMac<'a> {
    header: MacHeader,
    parts: Parts<'a>,
}

impl<'a> UnverifiedMac<'a> {
    /// Takes a token apart, strictly.
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        let parts = Parts::parse(token).map_err(JwsError::Malformed)?;
        let protected = Protected::parse(&parts.header).map_err(JwsError::Malformed)?;
        let alg = HmacAlgorithm::parse(&protected.alg).ok_or(JwsError::AlgorithmNotAllowed)?;
        let header = MacHeader { alg, typ: protected.typ, cty: protected.cty };
        Ok(Self { header, parts })
    }

    /// The header, believed only after [`UnverifiedMac::verify`].
    pub fn header(&self) -> &MacHeader {
        &self.header
    }

    /// The payload; useful to find the client and so the secret.
    pub fn unverified_payload(&self) -> &[u8] {
        &self.parts.payload
    }

    /// Verifies with the secret, by one of the `allowed` algorithms.
    pub fn verify(self, key: &HmacKey, allowed: &[HmacAlgorithm]) -> Result<VerifiedMac, JwsError> {
        let Self { header, parts } = self;
        if !allowed.contains(&header.alg) {
            return Err(JwsError::AlgorithmNotAllowed);
        }
        let key = key.key(header.alg).ok_or(JwsError::AlgorithmNotAllowed)?;
        // Compares in constant time.
        hmac::verify(&key, parts.signing_input.as_bytes(), &parts.signature)
            .map_err(|_| JwsError::BadSignature)?;
        Ok(VerifiedMac { header, payload: parts.payload, _proof: TagVerified(()) })
    }
}

/// A token whose tag fits: its author knew the secret.
#[derive(Clone, Eq, PartialEq)]
pub struct VerifiedMac {
    /// The protected header.
    pub header: MacHeader,
    /// The payload, decoded.
    pub payload: Vec<u8>,
    _proof: TagVerified,
}

// Neither prints its payload or tag: what is `Debug` ends up in logs.
impl fmt::Debug for UnverifiedMac<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedMac").field("header", &self.header).finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifiedMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedMac").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Made by [`UnverifiedMac::verify`] only.
#[derive(Clone, Debug, Eq, PartialEq)]
struct TagVerified(());
