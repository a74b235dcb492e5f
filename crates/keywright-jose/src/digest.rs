//! Digests and key derivation, for hashes in claims (`at_hash`, `c_hash`), names and keys.

use aws_lc_rs::{digest, hkdf};

/// SHA-256 of the bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    fixed(&digest::SHA256, bytes)
}

/// SHA-256 of the parts as if they were one text.
pub fn sha256_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::default();
    for part in parts {
        digest.update(part);
    }
    digest.finish()
}

/// SHA-256 of bytes that come in parts.
///
/// ```
/// use keywright_jose::digest::{Sha256, sha256};
/// let mut parts = Sha256::default();
/// parts.update(b"a");
/// parts.update(b"bc");
/// assert_eq!(parts.finish(), sha256(b"abc"));
/// ```
pub struct Sha256(digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Sha256 {
    /// Takes another part.
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// The digest of all parts.
    pub fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

/// SHA-384 of the bytes.
pub fn sha384(bytes: &[u8]) -> [u8; 48] {
    fixed(&digest::SHA384, bytes)
}

/// SHA-512 of the bytes.
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    fixed(&digest::SHA512, bytes)
}

/// A key derived by HKDF-SHA256 (RFC 5869) with an empty salt.
///
/// `info` names the purpose: two purposes never share a key. `secret` must be a key already, not
/// something a person chose.
///
/// ```
/// use keywright_jose::hkdf_sha256;
/// assert_ne!(hkdf_sha256(&[7; 32], "store"), hkdf_sha256(&[7; 32], "cookies"));
/// ```
pub fn hkdf_sha256(secret: &[u8], info: &str) -> [u8; 32] {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
    let mut key = [0; 32];
    prk.expand(&[info.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .expect("HKDF-SHA256 yields 32 bytes for every input (RFC 5869 §2.3)");
    key
}

fn fixed<const N: usize>(algorithm: &'static digest::Algorithm, bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(digest::digest(algorithm, bytes).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url_encode;

    #[test]
    fn fips180_4_digests_of_abc() {
        assert_eq!(
            base64url_encode(&sha256(b"abc")),
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
        );
        assert_eq!(sha256_of(&[b"a", b"", b"bc"]), sha256(b"abc"));
        assert_eq!(sha384(b"abc")[..4], [0xcb, 0x00, 0x75, 0x3f]);
        assert_eq!(sha512(b"abc")[..4], [0xdd, 0xaf, 0x35, 0xa1]);
    }

    #[test]
    fn rfc5869_a3_empty_salt_and_info() {
        let okm = hkdf_sha256(&[0x0b; 22], "");
        assert_eq!(okm[..8], [0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f]);
    }
}
