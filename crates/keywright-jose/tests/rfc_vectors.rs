//! The examples of the JOSE RFCs, one by one; `vectors/README.md` says where each comes from.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a helper that fails fails its test"
)]

use keywright_jose::jwe::{
    Allowed, ContentEncryption, DecryptionKey, JweError, KeyManagement, decrypt_compact,
};
use keywright_jose::mac::{HmacAlgorithm, HmacKey, UnverifiedMac};
use keywright_jose::{
    Algorithm, Claims, Jwk, JwkError, JwkSet, JwsError, SigningKey, UnverifiedJws, VerifyingKeys,
    base64url_decode,
};
use serde_json::Value;

const JWS: &str = include_str!("vectors/jws.json");
const JWE: &str = include_str!("vectors/jwe.json");
const JWK: &str = include_str!("vectors/jwk.json");

const ALL: Allowed<'_> = Allowed { alg: KeyManagement::ALL, enc: ContentEncryption::ALL };

#[test]
fn jws_examples_verify_and_repeat() {
    let vectors: Value = serde_json::from_str(JWS).unwrap();
    for case in list(&vectors, "kept") {
        let must = text(case, "must");
        let payload = match case["key"]["kty"].as_str() {
            Some("oct") => verify_mac(case),
            _ => verify_signature(case),
        };
        assert_eq!(payload, octets(case, "payload"), "{must}");
    }
    assert_eq!(list(&vectors, "kept").len(), 10);
}

#[test]
fn jws_examples_that_are_not_kept_are_refused() {
    let vectors: Value = serde_json::from_str(JWS).unwrap();
    let key = Jwk::from_value(&public_half(&list(&vectors, "kept")[1]["key"])).unwrap();
    let keys = VerifyingKeys::new(&JwkSet::new(vec![key]));
    for case in list(&vectors, "refused") {
        let (must, why, token) = (text(case, "must"), text(case, "why"), text(case, "token"));
        let verified = UnverifiedJws::parse(token)
            .and_then(|unverified| unverified.verify(&keys, Algorithm::ALL));
        assert!(verified.is_err(), "{must}: {why}");
        let secret = HmacKey::new(&[7; 64]).unwrap();
        let verified = UnverifiedMac::parse(token)
            .and_then(|unverified| unverified.verify(&secret, HmacAlgorithm::ALL));
        assert!(verified.is_err(), "{must}: {why}");
    }
    assert_eq!(list(&vectors, "refused").len(), 9);
}

#[test]
fn jwe_examples_decrypt() {
    let vectors: Value = serde_json::from_str(JWE).unwrap();
    for case in list(&vectors, "kept") {
        let must = text(case, "must");
        let key = decryption_key(case);
        let opened = decrypt_compact(text(case, "token"), &[&key], &ALL);
        let opened = opened.unwrap_or_else(|error| panic!("{must}: {error}"));
        assert_eq!(*opened.plaintext, octets(case, "plaintext"), "{must}");
        let narrow = Allowed { alg: &[], enc: ContentEncryption::ALL };
        let refused = decrypt_compact(text(case, "token"), &[&key], &narrow).unwrap_err();
        assert_eq!(refused, JweError::AlgorithmNotAllowed, "{must}");
    }
    assert_eq!(list(&vectors, "kept").len(), 12);
}

#[test]
fn jwe_examples_that_are_not_kept_are_refused() {
    let vectors: Value = serde_json::from_str(JWE).unwrap();
    let rsa = DecryptionKey::generate(KeyManagement::RsaOaep).unwrap();
    let shared = DecryptionKey::symmetric(KeyManagement::A128Kw, &[7; 16]).unwrap();
    for case in list(&vectors, "refused") {
        let (must, why) = (text(case, "must"), text(case, "why"));
        let refused = decrypt_compact(text(case, "token"), &[&rsa, &shared], &ALL).unwrap_err();
        let expected = match must {
            "RFC7520-5.9" => refused == JweError::Malformed("zip"),
            _ => matches!(refused, JweError::AlgorithmNotAllowed | JweError::Malformed(_)),
        };
        assert!(expected, "{must}: {why}: {refused}");
    }
}

/// RFC 7520 §6: what the JWE holds is a JWS, and that one verifies.
#[test]
fn rfc7520_6_nested() {
    let jwe: Value = serde_json::from_str(JWE).unwrap();
    let jws: Value = serde_json::from_str(JWS).unwrap();
    let named = |vectors: &Value| {
        let found = list(vectors, "kept").iter().find(|case| case["must"] == "RFC7520-6");
        found.unwrap().clone()
    };
    let (outer, inner) = (named(&jwe), named(&jws));
    let opened = decrypt_compact(text(&outer, "token"), &[&decryption_key(&outer)], &ALL).unwrap();
    assert_eq!(opened.header.cty.as_deref(), Some("JWT"));
    assert_eq!(*opened.plaintext, text(&inner, "token").as_bytes());
    let claims = Claims::parse(&verify_signature(&inner)).unwrap();
    assert_eq!(claims.required_str("iss"), Ok("hobbiton.example"));
    assert_eq!(claims.required_time("exp"), Ok(1_300_819_380));
}

/// RFC 7519 §3.1 is RFC 7515 A.1; its claims are these. §6.1 is unsecured.
#[test]
fn rfc7519_examples() {
    let vectors: Value = serde_json::from_str(JWS).unwrap();
    let claims = Claims::parse(&verify_mac(&list(&vectors, "kept")[0])).unwrap();
    assert_eq!(claims.required_str("iss"), Ok("joe"), "RFC7519-3.1");
    assert_eq!(claims.required_time("exp"), Ok(1_300_819_380), "RFC7519-3.1");
    assert_eq!(claims.bool("http://example.com/is_root"), Ok(Some(true)), "RFC7519-3.1");
    let unsecured = text(&list(&vectors, "refused")[0], "token");
    let refused = UnverifiedJws::parse(unsecured).unwrap_err();
    assert_eq!(refused, JwsError::AlgorithmNotAllowed, "RFC7519-6.1");
}

#[test]
fn jwk_examples_parse_as_what_they_are() {
    let vectors: Value = serde_json::from_str(JWK).unwrap();
    for case in list(&vectors, "public") {
        let must = text(case, "must");
        let jwk = Jwk::from_value(&case["key"]).unwrap_or_else(|error| panic!("{must}: {error}"));
        let printed = serde_json::to_value(&jwk).unwrap();
        assert_eq!(Jwk::from_value(&printed).unwrap(), jwk, "{must}");
        for (name, value) in printed.as_object().unwrap() {
            assert_eq!(*value, case["key"][name], "{must}: {name}");
        }
    }
    for case in list(&vectors, "private") {
        let must = text(case, "must");
        assert_eq!(Jwk::from_value(&case["key"]), Err(JwkError::PrivateMember), "{must}");
        let public = Jwk::from_value(&public_half(&case["key"])).unwrap();
        let json = case["key"].to_string();
        let alg = signature_algorithm(&case["key"]);
        let read = match SigningKey::from_jwk(alg, json.as_bytes()) {
            Ok(key) => key.public_jwk().thumbprint(),
            Err(error) => panic!("{must}: {error}"),
        };
        assert_eq!(read, public.thumbprint(), "{must}");
    }
    for case in list(&vectors, "symmetric") {
        assert_eq!(Jwk::from_value(&case["key"]), Err(JwkError::PrivateMember), "RFC7517-A.3");
    }
}

#[test]
fn rfc7517_a_1_and_5_sets() {
    let vectors: Value = serde_json::from_str(JWK).unwrap();
    let public = list(&vectors, "public");
    let set = serde_json::json!({ "keys": [public[0]["key"], public[1]["key"]], "more": 1 });
    let set = JwkSet::parse(set.to_string().as_bytes()).unwrap();
    assert_eq!(set.keys()[0].kid(), Some("1"));
    assert_eq!(set.keys()[1].kid(), Some("2011-04-29"));
    // The first is for encryption: only the second verifies.
    assert!(!VerifyingKeys::new(&set).is_empty());
    assert!(VerifyingKeys::new(&JwkSet::new(vec![set.keys()[0].clone()])).is_empty());
}

#[test]
fn rfc7638_3_1_thumbprint() {
    let vectors: Value = serde_json::from_str(JWK).unwrap();
    let rsa = Jwk::from_value(&list(&vectors, "public")[1]["key"]).unwrap();
    assert_eq!(rsa.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let okp = Jwk::from_value(&list(&vectors, "public")[3]["key"]).unwrap();
    assert_eq!(okp.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC8037-A.3");
}

fn verify_signature(case: &Value) -> Vec<u8> {
    let (must, token) = (text(case, "must"), text(case, "token"));
    let jwk = Jwk::from_value(&public_half(&case["key"])).unwrap();
    let keys = VerifyingKeys::new(&JwkSet::new(vec![jwk]));
    let unverified = UnverifiedJws::parse(token).unwrap();
    let alg = unverified.header().alg;
    let verified = unverified.verify(&keys, &[alg]);
    let verified = verified.unwrap_or_else(|error| panic!("{must}: {error}"));
    if case["deterministic"] == true {
        let key = SigningKey::from_jwk(alg, case["key"].to_string().as_bytes()).unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let signed = key.sign(message.as_bytes()).unwrap();
        assert_eq!(signed, base64url_decode(signature).unwrap(), "{must}");
    }
    verified.payload
}

fn verify_mac(case: &Value) -> Vec<u8> {
    let secret = HmacKey::new(&octets(&case["key"], "k")).unwrap();
    let unverified = UnverifiedMac::parse(text(case, "token")).unwrap();
    unverified.verify(&secret, &[HmacAlgorithm::Hs256]).unwrap().payload
}

fn decryption_key(case: &Value) -> DecryptionKey {
    let header = text(case, "token").split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&base64url_decode(header).unwrap()).unwrap();
    let alg = KeyManagement::parse(text(&header, "alg")).unwrap();
    match case["key"]["kty"].as_str() {
        Some("oct") => DecryptionKey::symmetric(alg, &octets(&case["key"], "k")).unwrap(),
        _ => DecryptionKey::from_jwk(alg, case["key"].to_string().as_bytes()).unwrap(),
    }
}

fn signature_algorithm(key: &Value) -> Algorithm {
    match (key["kty"].as_str(), key["crv"].as_str()) {
        (_, Some("P-256")) => Algorithm::Es256,
        (_, Some("P-521")) => Algorithm::Es512,
        (_, Some("Ed25519")) => Algorithm::EdDsa,
        _ => Algorithm::Rs256,
    }
}

fn public_half(key: &Value) -> Value {
    let mut key = key.clone();
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        key.as_object_mut().unwrap().remove(name);
    }
    key
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn octets(value: &Value, name: &str) -> Vec<u8> {
    base64url_decode(text(value, name)).unwrap()
}
