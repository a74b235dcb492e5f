//! Key management (RFC 7518 §4): from a key and a header to the content key, and back.

use std::num::NonZeroU32;

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::key_wrap::{self, AesBlockCipher, AesKek, KeyWrap as _};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use aws_lc_rs::{aead, pbkdf2};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::content::{Sealed, gcm_open, gcm_seal, random};
use super::keys::{Recipient, Secret};
use super::parameters::Parameters;
use super::{ContentEncryption, DecryptionKey, EncryptionKey, JweError, KeyManagement, agreement};
use crate::{Jwk, base64url_encode};

/// A content key, as bytes that are wiped.
type ContentKey = Zeroizing<Vec<u8>>;

/// Makes a content key for the recipient; adds what the recipient needs to `header`.
pub(super) fn wrap(
    key: &EncryptionKey,
    enc: ContentEncryption,
    header: &mut Map<String, Value>,
) -> Result<(ContentKey, Vec<u8>), JweError> {
    match &key.recipient {
        Recipient::Agreement(public) => {
            let scheme = agreement::scheme(public).ok_or(JweError::Unavailable)?;
            let ephemeral = PrivateKey::generate(scheme).map_err(|_| JweError::Unavailable)?;
            let epk = agreement::public_of(&ephemeral).ok_or(JweError::Unavailable)?;
            let epk = serde_json::to_value(Jwk::bare(epk)).map_err(|_| JweError::Unavailable)?;
            header.insert("epk".to_owned(), epk);
            let parameters = Parameters::default();
            let context = agreement_context(key.alg, enc, &parameters);
            let derived = agreement::derive(&ephemeral, public, &context)?;
            wrap_or_use(key.alg, enc, derived)
        }
        Recipient::Rsa(public) => {
            let cek = random(enc.key_len())?;
            let mut wrapped = vec![0; public.ciphertext_size()];
            public
                .encrypt(oaep(key.alg), &cek, &mut wrapped, None)
                .map_err(|_| JweError::Unavailable)?;
            Ok((cek, wrapped))
        }
        Recipient::Symmetric(shared) => match key.alg {
            KeyManagement::A128GcmKw | KeyManagement::A256GcmKw => {
                let cek = random(enc.key_len())?;
                let sealed = gcm_seal(gcm(key.alg), shared, b"", &cek)?;
                header.insert("iv".to_owned(), base64url_encode(&sealed.iv).into());
                header.insert("tag".to_owned(), base64url_encode(&sealed.tag).into());
                Ok((cek, sealed.ciphertext))
            }
            // RFC 8725 §3.5 has little good to say of passwords; we only read what others made.
            KeyManagement::Pbes2Hs256A128Kw | KeyManagement::Pbes2Hs512A256Kw => {
                Err(JweError::AlgorithmNotAllowed)
            }
            alg => wrap_or_use(alg, enc, shared.clone()),
        },
    }
}

/// Recovers the content key.
pub(super) fn unwrap(
    key: &DecryptionKey,
    enc: ContentEncryption,
    parameters: &Parameters,
    wrapped: &[u8],
) -> Result<ContentKey, JweError> {
    let cek = match &key.secret {
        Secret::Agreement(private) => {
            let epk = parameters.epk.as_ref().ok_or(JweError::Malformed("epk"))?;
            let context = agreement_context(key.alg, enc, parameters);
            let derived = agreement::derive(private, &epk.key, &context)?;
            unwrap_or_use(key.alg, derived, wrapped)?
        }
        Secret::Rsa(private) => open_oaep(key.alg, private, wrapped)?,
        Secret::Symmetric(shared) => match key.alg {
            KeyManagement::A128GcmKw | KeyManagement::A256GcmKw => {
                let (iv, tag) = (parameters.iv.clone(), parameters.tag.clone());
                let sealed = Sealed { iv, ciphertext: wrapped.to_vec(), tag };
                gcm_open(gcm(key.alg), shared, b"", &sealed)?
            }
            KeyManagement::Pbes2Hs256A128Kw | KeyManagement::Pbes2Hs512A256Kw => {
                unwrap_or_use(key.alg, password_key(key.alg, shared, parameters), wrapped)?
            }
            alg => unwrap_or_use(alg, shared.clone(), wrapped)?,
        },
    };
    // RFC 7516 §11.5: a content key of the wrong size is one more way to fail, not another error.
    if cek.len() == enc.key_len() { Ok(cek) } else { Err(JweError::NotDecrypted) }
}

/// RFC 7518 §4.6.2: what the agreed secret becomes depends on what it is for.
fn agreement_context(
    alg: KeyManagement,
    enc: ContentEncryption,
    parameters: &Parameters,
) -> agreement::Context<'_> {
    let (algorithm, key_len) = match wrapping_cipher(alg) {
        Some((_, key_len)) => (alg.name(), key_len),
        None => (enc.name(), enc.key_len()),
    };
    agreement::Context { algorithm, apu: &parameters.apu, apv: &parameters.apv, key_len }
}

/// RFC 7518 §4.8: PBKDF2 over the password; the salt starts with the algorithm's name.
fn password_key(alg: KeyManagement, password: &[u8], parameters: &Parameters) -> ContentKey {
    let hash = match alg {
        KeyManagement::Pbes2Hs512A256Kw => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => pbkdf2::PBKDF2_HMAC_SHA256,
    };
    let key_len = wrapping_cipher(alg).map_or(0, |(_, key_len)| key_len);
    let salt = [alg.name().as_bytes(), &[0], &parameters.p2s].concat();
    let iterations = NonZeroU32::new(parameters.p2c).unwrap_or(NonZeroU32::MIN);
    let mut key = Zeroizing::new(vec![0; key_len]);
    pbkdf2::derive(hash, iterations, &salt, password, &mut key);
    key
}

/// RFC 7518 §4.3: no label; the hash decides the algorithm.
pub(super) fn open_oaep(
    alg: KeyManagement,
    private: &PrivateDecryptingKey,
    wrapped: &[u8],
) -> Result<ContentKey, JweError> {
    let private = OaepPrivateDecryptingKey::new(private.clone());
    let private = private.map_err(|_| JweError::NotDecrypted)?;
    let mut cek = Zeroizing::new(vec![0; private.min_output_size()]);
    let opened = private.decrypt(oaep(alg), wrapped, &mut cek, None);
    let length = opened.map_err(|_| JweError::NotDecrypted)?.len();
    cek.truncate(length);
    Ok(cek)
}

fn wrap_or_use(
    alg: KeyManagement,
    enc: ContentEncryption,
    key: ContentKey,
) -> Result<(ContentKey, Vec<u8>), JweError> {
    let Some((cipher, _)) = wrapping_cipher(alg) else {
        let fits = key.len() == enc.key_len();
        return if fits { Ok((key, Vec::new())) } else { Err(JweError::KeyLength) };
    };
    let cek = random(enc.key_len())?;
    let mut wrapped = vec![0; cek.len() + 8];
    AesKek::new(cipher, &key)
        .and_then(|kek| kek.wrap(&cek, &mut wrapped).map(|_| ()))
        .map_err(|_| JweError::Unavailable)?;
    Ok((cek, wrapped))
}

pub(super) fn unwrap_or_use(
    alg: KeyManagement,
    key: ContentKey,
    wrapped: &[u8],
) -> Result<ContentKey, JweError> {
    let Some((cipher, _)) = wrapping_cipher(alg) else {
        // RFC 7516 §5.2 step 10: nothing is wrapped when the key is used as it is.
        return if wrapped.is_empty() {
            Ok(key)
        } else {
            Err(JweError::Malformed("encrypted key"))
        };
    };
    let mut cek = Zeroizing::new(vec![0; wrapped.len().saturating_sub(8)]);
    AesKek::new(cipher, &key)
        .and_then(|kek| kek.unwrap(wrapped, &mut cek).map(|_| ()))
        .map_err(|_| JweError::NotDecrypted)?;
    Ok(cek)
}

/// The AES key wrapping of an algorithm and the length of its key, if it wraps so.
fn wrapping_cipher(alg: KeyManagement) -> Option<(&'static AesBlockCipher, usize)> {
    use KeyManagement as K;
    match alg {
        K::A128Kw | K::EcdhEsA128Kw | K::Pbes2Hs256A128Kw => Some((&key_wrap::AES_128, 16)),
        K::A256Kw | K::EcdhEsA256Kw | K::Pbes2Hs512A256Kw => Some((&key_wrap::AES_256, 32)),
        _ => None,
    }
}

fn oaep(alg: KeyManagement) -> &'static OaepAlgorithm {
    match alg {
        KeyManagement::RsaOaep => &OAEP_SHA1_MGF1SHA1,
        _ => &OAEP_SHA256_MGF1SHA256,
    }
}

fn gcm(alg: KeyManagement) -> &'static aead::Algorithm {
    match alg {
        KeyManagement::A128GcmKw => &aead::AES_128_GCM,
        _ => &aead::AES_256_GCM,
    }
}
