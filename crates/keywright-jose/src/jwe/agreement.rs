//! ECDH-ES (RFC 7518 §4.6, RFC 8037 §3.2): agreement and the derivation of a key from it.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use zeroize::Zeroizing;

use super::JweError;
use crate::jwk::{EcCurve, OkpCurve, PublicKey};

/// What both sides mix into the derived key beside the agreed secret.
pub(crate) struct Context<'a> {
    /// `enc` for direct agreement, `alg` when the derived key wraps another.
    pub(crate) algorithm: &'static str,
    pub(crate) apu: &'a [u8],
    pub(crate) apv: &'a [u8],
    pub(crate) key_len: usize,
}

/// The agreement scheme of a public key, if it agrees at all.
pub(crate) fn scheme(key: &PublicKey) -> Option<&'static agreement::Algorithm> {
    match key {
        PublicKey::Ec { curve: EcCurve::P256, .. } => Some(&agreement::ECDH_P256),
        PublicKey::Ec { curve: EcCurve::P384, .. } => Some(&agreement::ECDH_P384),
        PublicKey::Ec { curve: EcCurve::P521, .. } => Some(&agreement::ECDH_P521),
        PublicKey::Okp { curve: OkpCurve::X25519, .. } => Some(&agreement::X25519),
        PublicKey::Okp { curve: OkpCurve::Ed25519, .. } | PublicKey::Rsa { .. } => None,
    }
}

/// The public half of a private key.
pub(crate) fn public_of(private: &PrivateKey) -> Option<PublicKey> {
    let public = private.compute_public_key().ok()?;
    let bytes = public.as_ref();
    let scheme = private.algorithm();
    if *scheme == agreement::X25519 {
        return Some(PublicKey::Okp { curve: OkpCurve::X25519, x: bytes.try_into().ok()? });
    }
    let curve = match () {
        () if *scheme == agreement::ECDH_P256 => EcCurve::P256,
        () if *scheme == agreement::ECDH_P384 => EcCurve::P384,
        () => EcCurve::P521,
    };
    Some(PublicKey::Ec { curve, point: bytes.to_vec() })
}

/// Agrees with the peer and derives a key.
///
/// Points off the curve did not become a [`PublicKey`] (RFC 8725 §3.4); an all-zero X25519 secret
/// is refused by the library (RFC 7748 §6.1).
pub(crate) fn derive(
    private: &PrivateKey,
    peer: &PublicKey,
    context: &Context<'_>,
) -> Result<Zeroizing<Vec<u8>>, JweError> {
    let scheme = scheme(peer).ok_or(JweError::NotDecrypted)?;
    let bytes: &[u8] = match peer {
        PublicKey::Ec { point, .. } => point,
        PublicKey::Okp { x, .. } => x,
        PublicKey::Rsa { n, .. } => n,
    };
    let peer = UnparsedPublicKey::new(scheme, bytes);
    agreement::agree(private, peer, JweError::NotDecrypted, |secret| concat_kdf(secret, context))
}

/// The Concat KDF with SHA-256, as RFC 7518 §4.6.2 fills it in.
pub(super) fn concat_kdf(
    secret: &[u8],
    context: &Context<'_>,
) -> Result<Zeroizing<Vec<u8>>, JweError> {
    let bits = u32::try_from(context.key_len * 8).map_err(|_| JweError::NotDecrypted)?;
    let mut info = Vec::new();
    for part in [context.algorithm.as_bytes(), context.apu, context.apv] {
        let len = u32::try_from(part.len()).map_err(|_| JweError::NotDecrypted)?;
        info.extend_from_slice(&len.to_be_bytes());
        info.extend_from_slice(part);
    }
    info.extend_from_slice(&bits.to_be_bytes());
    let kdf = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256);
    let mut key = Zeroizing::new(vec![0; context.key_len]);
    sskdf_digest(kdf.ok_or(JweError::Unavailable)?, secret, &info, &mut key)
        .map_err(|_| JweError::NotDecrypted)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwe::{DecryptionKey, KeyManagement};
    use crate::{Jwk, base64url_encode};

    const ALICE: &str = r#"{"kty":"EC","crv":"P-256",
        "x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
        "d":"0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"}"#;
    const BOB: &str = r#"{"kty":"EC","crv":"P-256",
        "x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
        "d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}"#;

    fn agree(ours: &str, theirs: &Jwk) -> String {
        let ours = DecryptionKey::from_jwk(KeyManagement::EcdhEs, ours.as_bytes()).unwrap();
        let crate::jwe::keys::Secret::Agreement(private) = &ours.secret else { unreachable!() };
        let context = Context { algorithm: "A128GCM", apu: b"Alice", apv: b"Bob", key_len: 16 };
        base64url_encode(&derive(private, &theirs.key, &context).unwrap())
    }

    #[test]
    fn rfc7518_c_both_sides_derive_the_printed_key() {
        let public = |json: &str| {
            let key = DecryptionKey::from_jwk(KeyManagement::EcdhEs, json.as_bytes()).unwrap();
            key.public_jwk().unwrap().clone()
        };
        assert_eq!(agree(ALICE, &public(BOB)), "VqqN6vgjbSBcIijNcacQGg", "RFC7518-C");
        assert_eq!(agree(BOB, &public(ALICE)), "VqqN6vgjbSBcIijNcacQGg", "RFC7518-C");
    }
}
