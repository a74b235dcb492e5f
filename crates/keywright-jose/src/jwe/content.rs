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
                // RFC 7518 §5.2.2.2: the tag first, in constant time; padding is looked at only
                // then.
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

#[cfg(test)]
mod tests {
    use super::*;

    const PLAINTEXT: &[u8] = b"A cipher system must not be required to be secret, and it must be \
        able to fall into the hands of the enemy without inconvenience";
    const AAD: &[u8] = b"The second principle of Auguste Kerckhoffs";
    const IV: &str = "1af38c2dc2b96ffdd86694092341bc04";

    /// RFC 7518 B.1 to B.3: the ciphertext and the tag as printed there.
    const PRINTED: [(ContentEncryption, &str, &str); 3] = [
        (
            ContentEncryption::A128CbcHs256,
            "c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9\
             a94ac9b47ad2655c5f10f9aef71427e2fc6f9b3f399a221489f16362c7032336\
             09d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b\
             384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade5\
             4b8851ffb598f7f80074b9473c82e2db",
            "652c3fa36b0a7c5b3219fab3a30bc1c4",
        ),
        (
            ContentEncryption::A192CbcHs384,
            "ea65da6b59e61edb419be62d19712ae5d303eeb50052d0dfd6697f77224c8edb\
             000d279bdc14c1072654bd30944230c657bed4ca0c9f4a8466f22b226d174621\
             4bf8cfc2400add9f5126e479663fc90b3bed787a2f0ffcbf3904be2a641d5c21\
             05bfe591bae23b1d7449e532eef60a9ac8bb6c6b01d35d49787bcd57ef484927\
             f280adc91ac0c4e79c7b11efc60054e3",
            "8490ac0e58949bfe51875d733f93ac2075168039ccc733d7",
        ),
        (
            ContentEncryption::A256CbcHs512,
            "4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd\
             822c301dd67c373bccb584ad3e9279c2e6d12a1374b77f077553df829410446b\
             36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3\
             a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950b\
             be2638d09dd7a4930930806d0703b1f6",
            "4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5",
        ),
    ];

    fn hex(text: &str) -> Vec<u8> {
        let nibbles: Vec<_> = text.chars().map(|c| c.to_digit(16).unwrap()).collect();
        nibbles.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
    }

    #[test]
    fn rfc7518_b_opens_as_printed_and_not_with_a_changed_byte() {
        for (enc, ciphertext, tag) in PRINTED {
            let key: Vec<u8> = (0..=255).take(enc.key_len()).collect();
            let sealed = || Sealed { iv: hex(IV), ciphertext: hex(ciphertext), tag: hex(tag) };
            assert_eq!(*enc.open(&key, AAD, &sealed()).unwrap(), PLAINTEXT, "{}", enc.name());
            let mut forged = [sealed(), sealed(), sealed()];
            forged[0].iv[0] ^= 1;
            forged[1].ciphertext[0] ^= 1;
            forged[2].tag[0] ^= 1;
            for sealed in forged {
                assert_eq!(enc.open(&key, AAD, &sealed), Err(JweError::NotDecrypted));
            }
            assert_eq!(enc.open(&key, b"", &sealed()), Err(JweError::NotDecrypted));
            assert_eq!(enc.open(&key[1..], AAD, &sealed()), Err(JweError::NotDecrypted));
        }
    }

    #[test]
    fn every_content_encryption_opens_what_it_sealed() {
        for enc in ContentEncryption::ALL {
            let key = random(enc.key_len()).unwrap();
            for plaintext in [PLAINTEXT, b"", &[7; 16]] {
                let sealed = enc.seal(&key, AAD, plaintext).unwrap();
                assert_eq!(*enc.open(&key, AAD, &sealed).unwrap(), plaintext, "{}", enc.name());
            }
        }
    }
}
