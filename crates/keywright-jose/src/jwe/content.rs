//! Content encryption: AES-GCM, and AES-CBC with HMAC (RFC 7518 §5.2, §5.3).

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{ContentEncryption, JweError};

/// What content encryption yields.
pub(crate) struct Sealed {
    pub(crate) iv: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) tag: Vec<u8>,
}

/// Fresh random bytes from the library.
pub(crate) fn random(len: usize) -> Result<Zeroizing<Vec<u8>>, JweError> {
    let mut bytes = Zeroizing::new(vec![0; len]);
    SystemRandom::new().fill(&mut bytes).map_err(|_| JweError::Unavailable)?;
    Ok(bytes)
}

impl ContentEncryption {
    pub(crate) fn seal(self, key: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Sealed, JweError> {
        match self.scheme() {
            Scheme::Gcm(scheme) => gcm_seal(scheme, key, aad, plaintext),
            Scheme::CbcHmac { aes, mac } => {
                let (mac_key, aes_key) = halves(key).ok_or(JweError::Unavailable)?;
                let (iv, ciphertext) =
                    cbc_encrypt(aes, aes_key, plaintext).ok_or(JweError::Unavailable)?;
                let tag = cbc_tag(mac, mac_key, aad, &iv, &ciphertext);
                Ok(Sealed { iv, ciphertext, tag })
            }
        }
    }

    pub(crate) fn open(
        self,
        key: &[u8],
        aad: &[u8],
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, JweError> {
        match self.scheme() {
            Scheme::Gcm(scheme) => gcm_open(scheme, key, aad, sealed),
            Scheme::CbcHmac { aes, mac } => {
                let (mac_key, aes_key) = halves(key).ok_or(JweError::NotDecrypted)?;
                let tag = cbc_tag(mac, mac_key, aad, &sealed.iv, &sealed.ciphertext);
                // RFC 7518 §5.2.2.2: the tag first, in constant time; padding is looked at only then.
                if !bool::from(tag.ct_eq(&sealed.tag)) {
                    return Err(JweError::NotDecrypted);
                }
                cbc_decrypt(aes, aes_key, &sealed.iv, &sealed.ciphertext)
                    .ok_or(JweError::NotDecrypted)
            }
        }
    }

    fn scheme(self) -> Scheme {
        match self {
            Self::A128Gcm => Scheme::Gcm(&aead::AES_128_GCM),
            Self::A192Gcm => Scheme::Gcm(&aead::AES_192_GCM),
            Self::A256Gcm => Scheme::Gcm(&aead::AES_256_GCM),
            Self::A128CbcHs256 => Scheme::CbcHmac { aes: &cipher::AES_128, mac: hmac::HMAC_SHA256 },
            Self::A192CbcHs384 => Scheme::CbcHmac { aes: &cipher::AES_192, mac: hmac::HMAC_SHA384 },
            Self::A256CbcHs512 => Scheme::CbcHmac { aes: &cipher::AES_256, mac: hmac::HMAC_SHA512 },
        }
    }
}

enum Scheme {
    Gcm(&'static aead::Algorithm),
    CbcHmac { aes: &'static cipher::Algorithm, mac: hmac::Algorithm },
}

pub(crate) fn gcm_seal(
    scheme: &'static aead::Algorithm,
    key: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Sealed, JweError> {
    let key = UnboundKey::new(scheme, key).map_err(|_| JweError::Unavailable)?;
    let iv = random(scheme.nonce_len())?.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(&iv).map_err(|_| JweError::Unavailable)?;
    let mut ciphertext = plaintext.to_vec();
    let tag = LessSafeKey::new(key)
        .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut ciphertext)
        .map_err(|_| JweError::Unavailable)?;
    Ok(Sealed { iv, ciphertext, tag: tag.as_ref().to_vec() })
}

pub(crate) fn gcm_open(
    scheme: &'static aead::Algorithm,
    key: &[u8],
    aad: &[u8],
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, JweError> {
    // RFC 7518 §5.3: the tag has 128 bits; a shorter one would be easier to guess.
    if sealed.tag.len() != scheme.tag_len() {
        return Err(JweError::NotDecrypted);
    }
    let key = UnboundKey::new(scheme, key).map_err(|_| JweError::NotDecrypted)?;
    // Refuses every length but 96 bits (RFC 7518 §5.3).
    let nonce = Nonce::try_assume_unique_for_key(&sealed.iv).map_err(|_| JweError::NotDecrypted)?;
    let mut plaintext = Zeroizing::new(vec![0; sealed.ciphertext.len()]);
    LessSafeKey::new(key)
        .open_separate_gather(
            nonce,
            Aad::from(aad),
            &sealed.ciphertext,
            &sealed.tag,
            &mut plaintext,
        )
        .map_err(|_| JweError::NotDecrypted)?;
    Ok(plaintext)
}

/// RFC 7518 §5.2.2.1: the first half is the MAC key, the second the encryption key.
fn halves(key: &[u8]) -> Option<(&[u8], &[u8])> {
    key.split_at_checked(key.len() / 2)
}

fn cbc_encrypt(
    aes: &'static cipher::Algorithm,
    key: &[u8],
    plaintext: &[u8],
) -> Option<(Vec<u8>, Vec<u8>)> {
    let iv: [u8; 16] = random(16).ok()?.as_slice().try_into().ok()?;
    let key = UnboundCipherKey::new(aes, key).ok()?;
    let mut ciphertext = plaintext.to_vec();
    PaddedBlockEncryptingKey::cbc_pkcs7(key)
        .ok()?
        .less_safe_encrypt(&mut ciphertext, EncryptionContext::Iv128(iv.into()))
        .ok()?;
    Some((iv.to_vec(), ciphertext))
}

fn cbc_decrypt(
    aes: &'static cipher::Algorithm,
    key: &[u8],
    iv: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let iv: [u8; 16] = iv.try_into().ok()?;
    let key = UnboundCipherKey::new(aes, key).ok()?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let length = PaddedBlockDecryptingKey::cbc_pkcs7(key)
        .ok()?
        .decrypt(&mut buffer, DecryptionContext::Iv128(iv.into()))
        .ok()?
        .len();
    buffer.truncate(length);
    Some(buffer)
}

/// RFC 7518 §5.2.2.1: over AAD, IV, ciphertext and the bits of AAD; the first half of it.
fn cbc_tag(mac: hmac::Algorithm, key: &[u8], aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(mac, key));
    let aad_bits = (aad.len() as u64).wrapping_mul(8).to_be_bytes();
    for part in [aad, iv, ciphertext, &aad_bits] {
        context.update(part);
    }
    let mut tag = context.sign().as_ref().to_vec();
    tag.truncate(tag.len() / 2);
    tag
}
