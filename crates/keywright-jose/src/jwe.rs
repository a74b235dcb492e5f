//! JSON Web Encryption (RFC 7516), compact serialisation.
//!
//! Encryption is not authentication: whoever has a public key can encrypt to it. A request object
//! or an ID token that must be from somebody is a JWS inside (RFC 7519 §5.2, CVE-2026-9793).
//!
//! ```
//! use keywright_jose::jwe::{
//!     Allowed, Content, ContentEncryption, DecryptionKey, EncryptionKey, KeyManagement,
//!     decrypt_compact, encrypt_compact,
//! };
//!
//! let ours = DecryptionKey::generate(KeyManagement::EcdhEsA256Kw)?;
//! let published = ours.public_jwk().expect("a key pair has a public half");
//!
//! let theirs = EncryptionKey::from_jwk(KeyManagement::EcdhEsA256Kw, published)?;
//! let content = Content { plaintext: b"signed JWT", typ: None, cty: Some("JWT") };
//! let token = encrypt_compact(&theirs, ContentEncryption::A256Gcm, &content)?;
//!
//! let allowed = Allowed {
//!     alg: &[KeyManagement::EcdhEsA256Kw],
//!     enc: &[ContentEncryption::A256Gcm],
//! };
//! let opened = decrypt_compact(&token, &[&ours], &allowed)?;
//! assert_eq!(*opened.plaintext, b"signed JWT");
//! assert_eq!(opened.header.cty.as_deref(), Some("JWT"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agreement;
mod alg;
mod content;
mod keys;
mod management;
mod parameters;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

pub use self::alg::{ContentEncryption, KeyManagement};
use self::content::{Sealed, random};
pub use self::keys::{DecryptionKey, EncryptionKey};
use crate::{base64url, base64url_decode, compact};

/// How many keys a token is tried on when its `kid` does not single one out.
pub const MAX_CANDIDATES: usize = 8;

/// Why a token is refused or not made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JweError {
    /// The key management or content encryption is unknown or not among those allowed here.
    #[error("the algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// A shared key used directly does not have the length that the content encryption needs.
    #[error("the shared key does not fit the content encryption")]
    KeyLength,
    /// The token is not a JWE in compact serialisation, or its header is refused.
    #[error("malformed token: {0}")]
    Malformed(&'static str),
    /// It does not decrypt. Which step failed is not said (RFC 7516 §11.5).
    #[error("the token cannot be decrypted")]
    NotDecrypted,
    /// The library failed.
    #[error("the cryptographic library failed")]
    Unavailable,
    /// None of the keys has the token's `kid`, or serves its algorithm.
    #[error("no key fits the token")]
    UnknownKey,
}

/// What is encrypted, and what the header says of it.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    /// The bytes.
    pub plaintext: &'a [u8],
    /// The type of the whole token.
    pub typ: Option<&'a str>,
    /// The type of the content; `JWT` for a nested token (RFC 7519 §5.2).
    pub cty: Option<&'a str>,
}

/// Which algorithms a caller accepts. There is no default: say them.
#[derive(Clone, Copy, Debug)]
pub struct Allowed<'a> {
    /// Key management.
    pub alg: &'a [KeyManagement],
    /// Content encryption.
    pub enc: &'a [ContentEncryption],
}

/// What a JWE says about itself.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct JweHeader {
    /// Key management.
    pub alg: KeyManagement,
    /// Content encryption.
    pub enc: ContentEncryption,
    /// The name of the key.
    pub kid: Option<String>,
    /// The type of the whole token.
    pub typ: Option<String>,
    /// The type of the content.
    pub cty: Option<String>,
}

/// A token that one of our keys opened. Who made it is not known.
#[non_exhaustive]
pub struct DecryptedJwe {
    /// The protected header.
    pub header: JweHeader,
    /// The content; wiped when dropped.
    pub plaintext: Zeroizing<Vec<u8>>,
}

/// Without the plaintext: what is `Debug` ends up in logs.
impl fmt::Debug for DecryptedJwe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptedJwe").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Encrypts to a key. The header has `alg`, `enc`, the key's `kid`, `typ` and `cty`.
pub fn encrypt_compact(
    key: &EncryptionKey,
    enc: ContentEncryption,
    content: &Content<'_>,
) -> Result<String, JweError> {
    let mut header = Map::new();
    header.insert("alg".to_owned(), key.alg.name().into());
    header.insert("enc".to_owned(), enc.name().into());
    for (name, value) in [("kid", key.kid.as_deref()), ("typ", content.typ), ("cty", content.cty)] {
        if let Some(value) = value {
            header.insert(name.to_owned(), value.into());
        }
    }
    let (cek, wrapped) = management::wrap(key, enc, &mut header)?;
    let mut token = String::new();
    base64url::append(&mut token, Value::Object(header).to_string().as_bytes());
    let sealed = enc.seal(&cek, token.as_bytes(), content.plaintext)?;
    for part in [&wrapped, &sealed.iv, &sealed.ciphertext, &sealed.tag] {
        token.push('.');
        base64url::append(&mut token, part);
    }
    Ok(token)
}

/// Decrypts with one of `keys`, by `allowed` algorithms only.
pub fn decrypt_compact(
    token: &str,
    keys: &[&DecryptionKey],
    allowed: &Allowed<'_>,
) -> Result<DecryptedJwe, JweError> {
    let [protected, wrapped, iv, ciphertext, tag] =
        compact::split::<5>(token).map_err(JweError::Malformed)?;
    let (header, parameters) = parameters::parse(&octets(protected, "header")?)?;
    if !allowed.alg.contains(&header.alg) || !allowed.enc.contains(&header.enc) {
        return Err(JweError::AlgorithmNotAllowed);
    }
    let wrapped = octets(wrapped, "encrypted key")?;
    let sealed = Sealed {
        iv: octets(iv, "iv")?,
        ciphertext: octets(ciphertext, "ciphertext")?,
        tag: octets(tag, "tag")?,
    };
    let mut failure = JweError::UnknownKey;
    for key in candidates(keys, &header) {
        let cek = match management::unwrap(key, header.enc, &parameters, &wrapped) {
            Err(error @ JweError::Malformed(_)) => return Err(error),
            // RFC 7516 §11.5: go on with a random key, so that all failures take the same road.
            Err(_) => random(header.enc.key_len())?,
            Ok(cek) => cek,
        };
        match header.enc.open(&cek, protected.as_bytes(), &sealed) {
            Ok(plaintext) => return Ok(DecryptedJwe { header, plaintext }),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn candidates<'a>(keys: &[&'a DecryptionKey], header: &JweHeader) -> Vec<&'a DecryptionKey> {
    let fits = |key: &&&DecryptionKey| {
        let named = key.kid().zip(header.kid.as_deref());
        key.alg() == header.alg && named.is_none_or(|(ours, theirs)| ours == theirs)
    };
    keys.iter().filter(fits).take(MAX_CANDIDATES).copied().collect()
}

fn octets(part: &str, name: &'static str) -> Result<Vec<u8>, JweError> {
    base64url_decode(part).map_err(|_| JweError::Malformed(name))
}
