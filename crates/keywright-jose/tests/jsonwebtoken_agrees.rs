//! Another implementation reads what we write, and we read what it writes (RFC 7518 §3.1).

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{DecodingKey, EncodingKey, Validation};
use keywright_jose::mac::{HmacAlgorithm, HmacKey, UnverifiedMac};
use keywright_jose::{Algorithm, JwkSet, SigningKey, UnverifiedJws, VerifyingKeys, sign_compact};
use serde_json::{Value, json};

#[test]
fn both_ways_for_every_shared_signature_algorithm() {
    // ES512 is not among jsonwebtoken's.
    for ours in Algorithm::ALL.iter().filter(|alg| **alg != Algorithm::Es512) {
        let theirs: jsonwebtoken::Algorithm = ours.name().parse().unwrap();
        let key = SigningKey::generate(*ours).unwrap();

        let token = sign_compact(&key, Some("JWT"), br#"{"sub":"alice"}"#).unwrap();
        let jwk = serde_json::to_value(key.public_jwk()).unwrap();
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk).unwrap();
        let read = jsonwebtoken::decode::<Value>(
            &token,
            &DecodingKey::from_jwk(&jwk).unwrap(),
            &validation(theirs),
        );
        assert_eq!(read.unwrap().claims, json!({ "sub": "alice" }), "{ours}");

        let header = jsonwebtoken::Header {
            kid: Some(key.kid().into()),
            ..jsonwebtoken::Header::new(theirs)
        };
        let token = jsonwebtoken::encode(&header, &json!({ "sub": "bob" }), &encoding_key(&key));
        let token = token.unwrap();
        let keys = VerifyingKeys::new(&JwkSet::new(vec![key.public_jwk().clone()]));
        let read = UnverifiedJws::parse(&token).unwrap().verify(&keys, &[*ours]).unwrap();
        assert_eq!(read.payload, br#"{"sub":"bob"}"#, "{ours}");
    }
}

#[test]
fn both_ways_for_every_hmac() {
    let secret = [7; 64];
    let ours = HmacKey::new(&secret).unwrap();
    for alg in HmacAlgorithm::ALL {
        let theirs: jsonwebtoken::Algorithm = alg.name().parse().unwrap();
        let token = ours.sign_compact(*alg, None, b"{}").unwrap();
        let key = DecodingKey::from_secret(&secret);
        let read = jsonwebtoken::decode::<Value>(&token, &key, &validation(theirs));
        assert_eq!(read.unwrap().claims, json!({}), "{}", alg.name());

        let header = jsonwebtoken::Header::new(theirs);
        let key = EncodingKey::from_secret(&secret);
        let token = jsonwebtoken::encode(&header, &json!({}), &key).unwrap();
        let read = UnverifiedMac::parse(&token).unwrap().verify(&ours, &[*alg]).unwrap();
        assert_eq!(read.payload, b"{}", "{}", alg.name());
    }
}

fn validation(alg: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(alg);
    validation.required_spec_claims = HashSet::new();
    validation
}

fn encoding_key(key: &SigningKey) -> EncodingKey {
    let pkcs8 = key.to_pkcs8();
    match key.alg() {
        Algorithm::EdDsa => EncodingKey::from_ed_der(&pkcs8),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => EncodingKey::from_ec_der(&pkcs8),
        _ => {
            let body = STANDARD.encode(&*pkcs8);
            let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
            let lines = lines.join("\n");
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n");
            EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
        }
    }
}
