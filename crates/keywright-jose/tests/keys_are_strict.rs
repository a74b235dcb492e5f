//! Keys that must not parse beside their nearest neighbours that must, and which key a token gets.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a helper that fails fails its test"
)]

use keywright_jose::jwe::{DecryptionKey, EncryptionKey, KeyManagement};
use keywright_jose::mac::HmacKey;
use keywright_jose::{
    Algorithm, Claims, Jwk, JwkError, JwkSet, JwsError, KeyError, SigningKey, UnverifiedJws,
    VerifyingKeys, base64url_encode, sign_compact,
};
use serde_json::{Value, json};

/// The P-256 key of RFC 7515 A.3.
fn ec() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

fn rsa(bits: usize, exponent: &[u8]) -> Value {
    let mut n = vec![0xff; bits.div_ceil(8)];
    n[0] >>= (8 - bits % 8) % 8;
    json!({ "kty": "RSA", "n": base64url_encode(&n), "e": base64url_encode(exponent) })
}

fn with(mut key: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        key[*name] = value.clone();
    }
    key
}

fn without(mut key: Value, name: &str) -> Value {
    key.as_object_mut().unwrap().remove(name);
    key
}

#[test]
fn public_keys_that_parse() {
    for key in [
        ec(),
        with(ec(), &[("use", json!("sig")), ("alg", json!("ES256")), ("kid", json!("k"))]),
        with(ec(), &[("use", json!("enc")), ("alg", json!("ECDH-ES"))]),
        with(ec(), &[("key_ops", json!(["verify"]))]),
        with(ec(), &[("x5u", json!("https://elsewhere.example")), ("ext", json!(true))]),
        rsa(2048, &[1, 0, 1]),
        rsa(8192, &[1, 0, 1]),
    ] {
        assert!(Jwk::from_value(&key).is_ok(), "{key}");
    }
}

#[test]
fn public_keys_that_do_not_parse() {
    use JwkError::{Malformed, PrivateMember, Unsupported};
    let short = base64url_encode(&[1; 31]);
    for (must, key, want) in [
        ("RFC7517-4.1", json!({}), Malformed("no kty")),
        ("RFC7517-4.1", with(ec(), &[("kty", json!(1))]), Malformed("kty")),
        ("RFC7517-4.1", with(ec(), &[("kty", json!("AKP"))]), Unsupported("kty")),
        ("RFC7517-4.2", with(ec(), &[("use", json!("tls"))]), Unsupported("use")),
        ("RFC7517-4.2", with(ec(), &[("use", json!(true))]), Malformed("use")),
        ("RFC7517-4.3", with(ec(), &[("key_ops", json!(["deriveKey"]))]), Unsupported("key_ops")),
        ("RFC7517-4.3", with(ec(), &[("key_ops", json!("verify"))]), Malformed("key_ops")),
        ("RFC7517-4.4", with(ec(), &[("alg", json!("none"))]), Unsupported("alg")),
        ("RFC7517-4.4", with(ec(), &[("alg", json!("HS256"))]), Unsupported("alg")),
        (
            "RFC8725-3.1",
            with(ec(), &[("alg", json!("RS256"))]),
            Malformed("alg does not fit the key"),
        ),
        (
            "RFC8725-3.1",
            with(ec(), &[("alg", json!("ES256")), ("use", json!("enc"))]),
            Malformed("alg does not fit the use"),
        ),
        ("RFC7517-4.5", with(ec(), &[("kid", json!(7))]), Malformed("kid")),
        ("RFC7517-4.5", with(ec(), &[("kid", json!("k".repeat(513)))]), Malformed("kid")),
        ("RFC7517-9.2", with(ec(), &[("d", json!("AA"))]), PrivateMember),
        ("RFC7517-9.2", with(rsa(2048, &[1, 0, 1]), &[("qi", json!("AA"))]), PrivateMember),
        ("RFC7518-6.4", json!({ "kty": "oct", "k": "AA" }), PrivateMember),
        ("RFC7518-6.2.1", with(ec(), &[("crv", json!("secp256k1"))]), Unsupported("crv")),
        ("RFC7518-6.2.1", without(ec(), "y"), Unsupported("y")),
        (
            "RFC7518-6.2.1.2",
            with(ec(), &[("x", json!(short))]),
            Malformed("coordinate of the wrong length"),
        ),
        ("RFC7518-6.2.1.2", with(ec(), &[("x", json!("f8=="))]), Malformed("x")),
        (
            "RFC8725-3.4",
            with(ec(), &[("y", ec()["x"].clone())]),
            Malformed("point not on the curve"),
        ),
        ("RFC8725-3.5", rsa(2047, &[1, 0, 1]), Unsupported("RSA modulus not of 2048 to 8192 bits")),
        (
            "RFC8725-3.13",
            rsa(8200, &[1, 0, 1]),
            Unsupported("RSA modulus not of 2048 to 8192 bits"),
        ),
        ("FIPS186-5-5.1", rsa(2048, &[3]), Unsupported("RSA exponent below 65537")),
        ("FIPS186-5-5.1", rsa(2048, &[1, 0, 2]), Malformed("even RSA integer")),
        ("RFC8725-3.13", rsa(2048, &[1, 0, 0, 0, 1]), Unsupported("RSA exponent above 32 bits")),
        ("RFC7518-6.3.1.1", rsa(2048, &[0, 1, 0, 1]), Malformed("leading zero in an RSA integer")),
        ("RFC8037-2", json!({ "kty": "OKP", "crv": "Ed448", "x": short }), Unsupported("crv")),
        (
            "RFC8037-2",
            json!({ "kty": "OKP", "crv": "Ed25519", "x": short }),
            Malformed("coordinate of the wrong length"),
        ),
    ] {
        assert_eq!(Jwk::from_value(&key), Err(want), "{must}: {key}");
    }
    let twice = br#"{"kty":"EC","kty":"OKP"}"#;
    assert_eq!(Jwk::parse(twice), Err(Malformed("not JSON")), "RFC7517-4");
    let long = with(ec(), &[("x5c", json!("x".repeat(40_000)))]).to_string();
    assert_eq!(Jwk::parse(long.as_bytes()), Err(Malformed("longer than 32 KiB")));
}

#[test]
fn rfc7517_5_sets_skip_what_they_do_not_know_and_refuse_what_is_wrong() {
    let named = |kid: &str| with(ec(), &[("kid", json!(kid))]);
    let parse = |keys: Vec<Value>| {
        let set = JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes())?;
        Ok::<_, JwkError>(set.keys().len())
    };
    for (keys, want) in [
        (vec![], Ok(0)),
        (vec![named("a"), named("b"), ec(), ec()], Ok(4)),
        (vec![named("a"), json!({ "kty": "AKP", "kid": "a" }), rsa(1024, &[1, 0, 1])], Ok(1)),
        (vec![named("a"), named("a")], Err(JwkError::DuplicateKid)),
        (vec![named("a"), with(ec(), &[("d", json!("AA"))])], Err(JwkError::PrivateMember)),
        (vec![ec(); 64], Ok(64)),
        (vec![ec(); 65], Err(JwkError::Malformed("more than 64 keys"))),
    ] {
        assert_eq!(parse(keys.clone()), want, "RFC7517-5: {keys:?}");
    }
    for bad in ["[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, ""] {
        assert!(JwkSet::parse(bad.as_bytes()).is_err(), "RFC7517-5: {bad}");
    }
    let set: JwkSet = serde_json::from_value(json!({ "keys": [named("a")] })).unwrap();
    assert_eq!(serde_json::to_value(&set).unwrap(), json!({ "keys": [named("a")] }));
}

fn verify(token: &str, set: &[Jwk], allowed: &[Algorithm]) -> Result<(), JwsError> {
    let keys = VerifyingKeys::new(&JwkSet::new(set.to_vec()));
    UnverifiedJws::parse(token)?.verify(&keys, allowed).map(|_| ())
}

#[test]
fn rfc8725_3_1_a_token_gets_the_key_that_it_names_and_no_other() {
    let alice = SigningKey::generate(Algorithm::Es256).unwrap();
    let bob = SigningKey::generate(Algorithm::Es256).unwrap();
    let carol = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let token = sign_compact(&alice, None, b"{}").unwrap();
    let public = |key: &SigningKey| key.public_jwk().clone();
    let nameless = |key: &SigningKey| {
        let jwk = without(serde_json::to_value(key.public_jwk()).unwrap(), "kid");
        Jwk::from_value(&jwk).unwrap()
    };
    // Bob's key under Alice's name: found, and the signature is wrong.
    let disguised = bob.public_jwk().clone();
    let disguised = with(serde_json::to_value(disguised).unwrap(), &[("kid", json!(alice.kid()))]);
    let disguised = Jwk::from_value(&disguised).unwrap();
    let other_alg =
        with(serde_json::to_value(carol.public_jwk()).unwrap(), &[("kid", json!(alice.kid()))]);
    let other_alg = Jwk::from_value(&other_alg).unwrap();
    let es256 = &[Algorithm::Es256];
    for (name, set, allowed, want) in [
        ("hers", vec![public(&alice)], es256, Ok(())),
        ("among others", vec![public(&carol), public(&bob), public(&alice)], es256, Ok(())),
        ("nameless", vec![nameless(&bob), nameless(&alice)], es256, Ok(())),
        (
            "not allowed",
            vec![public(&alice)],
            &[Algorithm::Es384],
            Err(JwsError::AlgorithmNotAllowed),
        ),
        ("another's", vec![public(&bob)], es256, Err(JwsError::UnknownKey)),
        ("disguised", vec![disguised, nameless(&alice)], es256, Err(JwsError::BadSignature)),
        ("of another kind", vec![other_alg], es256, Err(JwsError::AlgorithmNotAllowed)),
        ("none", vec![], es256, Err(JwsError::UnknownKey)),
        ("too many nameless", vec![nameless(&bob); 8], es256, Err(JwsError::BadSignature)),
    ] {
        assert_eq!(verify(&token, &set, allowed), want, "RFC8725-3.1: {name}");
    }
}

#[test]
fn rfc8725_3_1_one_rsa_key_with_alg_serves_that_one_only() {
    let key = SigningKey::generate(Algorithm::Ps256).unwrap();
    let same = SigningKey::from_pkcs8(Algorithm::Rs256, &key.to_pkcs8()).unwrap();
    let token = sign_compact(&same, None, b"{}").unwrap();
    let public = serde_json::to_value(key.public_jwk()).unwrap();
    let bare = Jwk::from_value(&without(public.clone(), "alg")).unwrap();
    let said = Jwk::from_value(&public).unwrap();
    assert_eq!(verify(&token, &[bare], Algorithm::ALL), Ok(()));
    assert_eq!(verify(&token, &[said], Algorithm::ALL), Err(JwsError::AlgorithmNotAllowed));
}

#[test]
fn rfc7517_4_2_a_key_for_encryption_never_verifies() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let token = sign_compact(&key, None, b"{}").unwrap();
    let public = without(serde_json::to_value(key.public_jwk()).unwrap(), "alg");
    let enc = Jwk::from_value(&with(public, &[("use", json!("enc"))])).unwrap();
    assert_eq!(verify(&token, &[enc], Algorithm::ALL), Err(JwsError::UnknownKey));
    let signing = EncryptionKey::from_jwk(KeyManagement::EcdhEs, key.public_jwk());
    assert_eq!(signing.unwrap_err(), KeyError::Rejected("a signature key"));
}

#[test]
fn private_keys_fit_their_algorithm_or_do_not_parse() {
    for alg in Algorithm::ALL {
        let key = SigningKey::generate(*alg).unwrap();
        for other in Algorithm::ALL {
            let read = SigningKey::from_pkcs8(*other, &key.to_pkcs8());
            let same_kind = alg.name()[..2] == other.name()[..2] && !alg.name().starts_with("ES");
            let rsa = "PR".contains(&alg.name()[..1]) && "PR".contains(&other.name()[..1]);
            assert_eq!(read.is_ok(), alg == other || same_kind || rsa, "{alg} as {other}");
        }
        let printed = format!("{key:?}");
        assert!(printed.contains(key.kid()) && printed.len() < 120, "{printed}");
    }
    assert!(SigningKey::from_pkcs8(Algorithm::Es256, b"").is_err());
}

#[test]
fn imported_keys_keep_their_names() {
    let d = json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
    let private = with(ec(), &[("d", d), ("kid", json!("old \"one\""))]);
    let read = |key: &Value| SigningKey::from_jwk(Algorithm::Es256, key.to_string().as_bytes());
    let key = read(&private).unwrap();
    let token = sign_compact(&key, None, b"{}").unwrap();
    assert_eq!(verify(&token, &[key.public_jwk().clone()], &[Algorithm::Es256]), Ok(()));
    assert_eq!(UnverifiedJws::parse(&token).unwrap().header().kid.as_deref(), Some("old \"one\""));
    // The private half of another key.
    let alien = with(private, &[("d", json!("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"))]);
    assert_eq!(read(&alien).unwrap_err(), JwkError::Malformed("d"));
    assert_eq!(read(&ec()).unwrap_err(), JwkError::Unsupported("no d"));
    assert!(key.with_kid("").is_err());
}

#[test]
fn decryption_keys_survive_storage() {
    let x25519 = br#"{"kty":"OKP","crv":"X25519","kid":"Bob",
        "x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08",
        "d":"XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os"}"#;
    for key in [
        DecryptionKey::generate(KeyManagement::RsaOaep256).unwrap(),
        DecryptionKey::generate(KeyManagement::EcdhEsA256Kw).unwrap(),
        DecryptionKey::from_jwk(KeyManagement::EcdhEs, x25519).unwrap(),
    ] {
        let again = DecryptionKey::from_pkcs8(key.alg(), &key.to_pkcs8().unwrap()).unwrap();
        let thumbprint = |key: &DecryptionKey| key.public_jwk().unwrap().thumbprint();
        assert_eq!(thumbprint(&again), thumbprint(&key));
        assert!(format!("{key:?}").len() < 120);
    }
    let shared = DecryptionKey::symmetric(KeyManagement::A256Kw, &[7; 32]).unwrap();
    assert!(shared.to_pkcs8().is_none() && shared.kid().is_none());
}

#[test]
fn rfc7518_3_2_shared_secrets_have_the_length_of_the_digest() {
    use keywright_jose::mac::HmacAlgorithm::{Hs256, Hs384, Hs512};
    assert!(HmacKey::new(&[7; 31]).is_err());
    for (len, fits) in
        [(32, vec![Hs256]), (48, vec![Hs256, Hs384]), (64, vec![Hs256, Hs384, Hs512])]
    {
        let key = HmacKey::new(&vec![7; len]).unwrap();
        for alg in [Hs256, Hs384, Hs512] {
            let signed = key.sign_compact(alg, None, b"{}");
            assert_eq!(signed.is_ok(), fits.contains(&alg), "RFC7518-3.2: {len} {}", alg.name());
        }
    }
    for (alg, len, fits) in [
        (KeyManagement::A128Kw, 16, true),
        (KeyManagement::A128Kw, 32, false),
        (KeyManagement::A256GcmKw, 32, true),
        (KeyManagement::Dir, 64, true),
        (KeyManagement::Dir, 20, false),
        (KeyManagement::RsaOaep, 32, false),
    ] {
        let made = DecryptionKey::symmetric(alg, &vec![7; len]);
        assert_eq!(made.is_ok(), fits, "{} {len}", alg.name());
    }
}

/// What is `Debug` ends up in logs: no payload, no signature, no claim's value, no plaintext.
#[test]
fn nothing_prints_what_it_protects() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let payload = br#"{"email":"alice@example.org"}"#;
    let token = sign_compact(&key, None, payload).unwrap();
    let keys = VerifyingKeys::new(&JwkSet::new(vec![key.public_jwk().clone()]));
    let unverified = UnverifiedJws::parse(&token).unwrap();
    let before = format!("{unverified:?} {keys:?}");
    let verified = unverified.verify(&keys, &[Algorithm::EdDsa]).unwrap();
    let claims = Claims::parse(&verified.payload).unwrap();
    let secret = HmacKey::new(&[99; 32]).unwrap();
    let printed = format!("{before} {verified:?} {claims:?} {secret:?}");
    assert!(printed.contains(key.kid()) && printed.contains("email"));
    for hidden in ["alice", "97, 108", "99, 99", token.rsplit('.').next().unwrap()] {
        assert!(!printed.contains(hidden), "{hidden} in {printed}");
    }
}
