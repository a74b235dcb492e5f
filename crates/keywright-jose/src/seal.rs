//! Sealing: authenticated encryption of what the server keeps or hands out for itself.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::{Zeroize, Zeroizing};

use crate::hkdf_sha256;

/// Why something could not be sealed or opened. Deliberately silent about which byte was wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// The sealed bytes were not made with this key and this context.
    #[error("not sealed with this key for this context")]
    Forged,
    /// The library failed to encrypt.
    #[error("encryption failed")]
    Unavailable,
}

/// An AES-256-GCM key. The sealed form is a random 96-bit nonce, the ciphertext, the tag.
///
/// Random nonces bound a key to about 2^32 seals (NIST SP 800-38D §8.3): derive one key per
/// purpose, and change it when the master key changes.
///
/// ```
/// use keywright_jose::SealingKey;
/// let key = SealingKey::derive(&[7; 32], "opaque access token");
/// let sealed = key.seal(b"tenant 1", b"claims").unwrap();
/// assert_eq!(*key.open(b"tenant 1", &sealed).unwrap(), b"claims");
/// assert!(key.open(b"tenant 2", &sealed).is_err());
/// ```
pub struct SealingKey(RandomizedNonceKey);

impl SealingKey {
    /// Takes 32 bytes of key and wipes the copy it was given.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes)
            .expect("AES-256-GCM accepts every 32-byte key");
        bytes.zeroize();
        Self(key)
    }

    /// Derives the key for one purpose from a master secret, by HKDF-SHA256.
    pub fn derive(secret: &[u8], info: &str) -> Self {
        Self::from_bytes(hkdf_sha256(secret, info))
    }

    /// Encrypts and authenticates `plaintext`, and authenticates `aad` beside it.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut sealed = Vec::with_capacity(NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&[0; NONCE_LEN]);
        sealed.extend_from_slice(plaintext);
        let (head, body) = sealed.split_at_mut(NONCE_LEN);
        let (nonce, tag) = self
            .0
            .seal_in_place_separate_tag(Aad::from(aad), body)
            .map_err(|_| SealError::Unavailable)?;
        head.copy_from_slice(nonce.as_ref());
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what [`SealingKey::seal`] made with the same key and `aad`.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Forged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Forged)?;
        let mut buffer = Zeroizing::new(body.to_vec());
        let length = self
            .0
            .open_in_place(nonce, Aad::from(aad), &mut buffer)
            .map_err(|_| SealError::Forged)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_bytes_open_only_with_the_same_key_context_and_bytes() {
        let key = SealingKey::from_bytes([1; 32]);
        let sealed = key.seal(b"aad", b"secret").unwrap();
        assert_eq!(sealed.len(), 12 + 6 + 16);
        assert_eq!(*key.open(b"aad", &sealed).unwrap(), b"secret");
        assert_eq!(key.open(b"other", &sealed), Err(SealError::Forged));
        assert_eq!(SealingKey::from_bytes([2; 32]).open(b"aad", &sealed), Err(SealError::Forged));
        for index in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[index] ^= 1;
            assert_eq!(key.open(b"aad", &forged), Err(SealError::Forged), "byte {index}");
        }
        for length in 0..sealed.len() {
            assert!(key.open(b"aad", &sealed[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn two_seals_of_one_text_differ() {
        let key = SealingKey::derive(&[1; 32], "test");
        assert_ne!(key.seal(b"", b"").unwrap(), key.seal(b"", b"").unwrap());
        assert_eq!(format!("{key:?}"), "SealingKey(..)");
    }
}
