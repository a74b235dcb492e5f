//! The steps of a JWE one at a time, for vectors that are made of steps.

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::rsa::PrivateDecryptingKey;
use zeroize::Zeroizing;

use super::content::Sealed;
use super::{JweError, KeyManagement, agreement, management};
use crate::Jwk;

pub(crate) fn sealed(iv: &[u8], ciphertext: &[u8], tag: &[u8]) -> Sealed {
    Sealed { iv: iv.to_vec(), ciphertext: ciphertext.to_vec(), tag: tag.to_vec() }
}

pub(crate) fn unwrap(
    alg: KeyManagement,
    key: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, JweError> {
    management::unwrap_or_use(alg, Zeroizing::new(key.to_vec()), wrapped)
}

pub(crate) fn open_oaep(alg: KeyManagement, pkcs8: &[u8], wrapped: &[u8]) -> Option<Vec<u8>> {
    let private = PrivateDecryptingKey::from_pkcs8(pkcs8).ok()?;
    Some(management::open_oaep(alg, &private, wrapped).ok()?.to_vec())
}

/// Whether both sides derive what `secret` derives; `None` if they do not agree at all.
pub(crate) fn derive(private: &PrivateKey, peer: &Jwk, secret: &[u8]) -> Option<bool> {
    let context =
        agreement::Context { algorithm: "A128GCM", apu: b"Alice", apv: b"Bob", key_len: 16 };
    let agreed = agreement::derive(private, &peer.key, &context).ok()?;
    Some(agreed == agreement::concat_kdf(secret, &context).ok()?)
}
