//! JSON Web Keys (RFC 7517), public ones: what other parties publish and what we publish.

mod members;
mod public_key;
mod set;

use std::fmt;

use serde::de::DeserializeSeed as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub(crate) use self::members::rsa_key;
pub(crate) use self::public_key::{EcCurve, OkpCurve, PublicKey};
pub use self::set::{JwkSet, MAX_KEYS, MAX_SET_LEN};
use crate::json::{self, Strict};
use crate::jwe::KeyManagement;
use crate::{Algorithm, base64url_encode, sha256};

/// The longest single key that is looked at, in bytes: RSA-8192 with a certificate chain fits.
pub const MAX_KEY_LEN: usize = 32 * 1024;

/// The longest `kid`, in bytes. Thumbprints take 43; it comes back in every token's header.
pub const MAX_KID_LEN: usize = 512;

/// Why a key does not parse.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JwkError {
    /// Two keys of a set have one `kid`.
    #[error("two keys have the same kid")]
    DuplicateKid,
    /// A member has a value that it may not have.
    #[error("malformed key: {0}")]
    Malformed(&'static str),
    /// The key holds private or secret members: somebody published what must not leave home.
    #[error("the key has private members")]
    PrivateMember,
    /// Well-formed, of a kind or size that is not accepted here; in a set it is skipped.
    #[error("unsupported key: {0}")]
    Unsupported(&'static str),
}

/// A public key with its `kid`, `alg` and `use`.
///
/// Parsing refuses what later code would otherwise have to remember to refuse: private members,
/// points off the curve, RSA moduli outside 2048 to 8192 bits, exponents that are even or below
/// 65537, an `alg` that does not fit the key. Members that the crate has no use for are dropped.
///
/// ```
/// use keywright_jose::{Jwk, JwkError};
/// let jwk = Jwk::parse(
///     br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
/// )?;
/// assert_eq!(jwk.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"); // RFC 8037 A.3
/// # Ok::<(), JwkError>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Jwk {
    pub(crate) key: PublicKey,
    kid: Option<String>,
    alg: Option<KeyAlgorithm>,
    key_use: Option<KeyUse>,
}

/// What a key is for (RFC 7517 §4.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyUse {
    /// `enc`: others encrypt to it.
    Encryption,
    /// `sig`: it verifies signatures.
    Signature,
}

/// The `alg` of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyAlgorithm {
    Encryption(KeyManagement),
    Signature(Algorithm),
}

impl Jwk {
    /// Reads one key.
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> {
        if json.len() > MAX_KEY_LEN {
            return Err(JwkError::Malformed("longer than 32 KiB"));
        }
        let value = json::parse_value(json).map_err(|_| JwkError::Malformed("not JSON"))?;
        Self::from_value(&value)
    }

    /// Reads one key that is already JSON, such as the `jwk` of a DPoP proof.
    pub fn from_value(value: &Value) -> Result<Self, JwkError> {
        let members = value.as_object().ok_or(JwkError::Malformed("not an object"))?;
        members::parse(members)
    }

    pub(crate) fn for_signing(key: PublicKey, alg: Algorithm) -> Self {
        let alg = KeyAlgorithm::Signature(alg);
        Self::bare(key).named(alg, KeyUse::Signature)
    }

    pub(crate) fn for_encryption(key: PublicKey, alg: KeyManagement) -> Self {
        let alg = KeyAlgorithm::Encryption(alg);
        Self::bare(key).named(alg, KeyUse::Encryption)
    }

    /// The same key under another name; `None` if the name is empty or too long.
    pub(crate) fn renamed(mut self, kid: &str) -> Option<Self> {
        if kid.is_empty() || kid.len() > MAX_KID_LEN {
            return None;
        }
        self.kid = Some(kid.to_owned());
        Some(self)
    }

    /// A key without a word about itself, as in `epk`.
    pub(crate) fn bare(key: PublicKey) -> Self {
        Self { key, kid: None, alg: None, key_use: None }
    }

    fn named(mut self, alg: KeyAlgorithm, key_use: KeyUse) -> Self {
        self.kid = Some(self.thumbprint());
        self.alg = Some(alg);
        self.key_use = Some(key_use);
        self
    }

    /// The key's name, chosen by whoever published it: compare it, never interpret it.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one signature algorithm that the key is for, if it says so.
    pub fn alg(&self) -> Option<Algorithm> {
        match self.alg {
            Some(KeyAlgorithm::Signature(alg)) => Some(alg),
            Some(KeyAlgorithm::Encryption(_)) | None => None,
        }
    }

    /// The one key management algorithm that the key is for, if it says so.
    pub fn encryption_alg(&self) -> Option<KeyManagement> {
        match self.alg {
            Some(KeyAlgorithm::Encryption(alg)) => Some(alg),
            Some(KeyAlgorithm::Signature(_)) | None => None,
        }
    }

    /// What the key is for, if it says so.
    pub fn key_use(&self) -> Option<KeyUse> {
        self.key_use
    }

    /// The key's SHA-256 thumbprint (RFC 7638), in base64url.
    pub fn thumbprint(&self) -> String {
        // RFC 7638 §3.2: the required members in lexical order; the values need no JSON escapes.
        let canonical = match &self.key {
            PublicKey::Ec { curve, .. } => {
                let (x, y) = self.coordinates();
                format!(r#"{{"crv":"{}","kty":"EC","x":"{x}","y":"{y}"}}"#, curve.name())
            }
            PublicKey::Okp { curve, x } => {
                let x = base64url_encode(x);
                format!(r#"{{"crv":"{}","kty":"OKP","x":"{x}"}}"#, curve.name())
            }
            PublicKey::Rsa { n, e } => {
                format!(
                    r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                    base64url_encode(e),
                    base64url_encode(n)
                )
            }
        };
        base64url_encode(&sha256(canonical.as_bytes()))
    }

    fn coordinates(&self) -> (String, String) {
        match &self.key {
            PublicKey::Ec { curve, point } => {
                let (x, y) = point.split_at(1 + curve.coordinate_len());
                (base64url_encode(x.get(1..).unwrap_or_default()), base64url_encode(y))
            }
            PublicKey::Okp { .. } | PublicKey::Rsa { .. } => (String::new(), String::new()),
        }
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("kid", &self.kid)
            .field("alg", &self.alg)
            .field("use", &self.key_use)
            .field("thumbprint", &self.thumbprint())
            .finish_non_exhaustive()
    }
}

impl KeyUse {
    const fn name(self) -> &'static str {
        match self {
            Self::Encryption => "enc",
            Self::Signature => "sig",
        }
    }
}

impl KeyAlgorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Encryption(alg) => alg.name(),
            Self::Signature(alg) => alg.name(),
        }
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.key {
            PublicKey::Ec { curve, .. } => {
                let (x, y) = self.coordinates();
                map.serialize_entry("kty", "EC")?;
                map.serialize_entry("crv", curve.name())?;
                map.serialize_entry("x", &x)?;
                map.serialize_entry("y", &y)?;
            }
            PublicKey::Okp { curve, x } => {
                map.serialize_entry("kty", "OKP")?;
                map.serialize_entry("crv", curve.name())?;
                map.serialize_entry("x", &base64url_encode(x))?;
            }
            PublicKey::Rsa { n, e } => {
                map.serialize_entry("kty", "RSA")?;
                map.serialize_entry("n", &base64url_encode(n))?;
                map.serialize_entry("e", &base64url_encode(e))?;
            }
        }
        if let Some(kid) = &self.kid {
            map.serialize_entry("kid", kid)?;
        }
        if let Some(alg) = self.alg {
            map.serialize_entry("alg", alg.name())?;
        }
        if let Some(key_use) = self.key_use {
            map.serialize_entry("use", key_use.name())?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Strict::TOP.deserialize(deserializer)?;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}
