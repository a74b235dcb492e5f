//! Encrypted tokens that must not open beside their nearest neighbours that must.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use keywright_jose::base64url_encode;
use keywright_jose::jwe::{
    Allowed, Content, ContentEncryption, DecryptionKey, EncryptionKey, JweError, KeyManagement,
    decrypt_compact, encrypt_compact,
};

const ALL: Allowed<'_> = Allowed { alg: KeyManagement::ALL, enc: ContentEncryption::ALL };
const CONTENT: Content<'_> = Content { plaintext: b"secret", typ: Some("JWT"), cty: None };

fn shared(alg: KeyManagement, key: &[u8]) -> (EncryptionKey, DecryptionKey) {
    (EncryptionKey::symmetric(alg, key).unwrap(), DecryptionKey::symmetric(alg, key).unwrap())
}

#[test]
fn every_shared_key_algorithm_round_trips() {
    use KeyManagement as K;
    for (alg, len) in [(K::A128GcmKw, 16), (K::A128Kw, 16), (K::A256GcmKw, 32), (K::A256Kw, 32)] {
        let (theirs, ours) = shared(alg, &vec![7; len]);
        for enc in ContentEncryption::ALL {
            let token = encrypt_compact(&theirs, *enc, &CONTENT).unwrap();
            let opened = decrypt_compact(&token, &[&ours], &ALL).unwrap();
            assert_eq!(*opened.plaintext, b"secret", "{} {}", alg.name(), enc.name());
            assert_eq!(opened.header.typ.as_deref(), Some("JWT"));
            let (_, alien) = shared(alg, &vec![8; len]);
            let refused = decrypt_compact(&token, &[&alien], &ALL).unwrap_err();
            assert_eq!(refused, JweError::NotDecrypted, "{} {}", alg.name(), enc.name());
        }
    }
}

#[test]
fn rfc7518_4_5_direct_keys_have_the_length_of_the_content_key() {
    for enc in ContentEncryption::ALL {
        let (theirs, ours) = shared(KeyManagement::Dir, &vec![7; enc.key_len()]);
        let token = encrypt_compact(&theirs, *enc, &CONTENT).unwrap();
        assert!(decrypt_compact(&token, &[&ours], &ALL).is_ok(), "{}", enc.name());
        // RFC 7516 §5.2 step 10: there is no encrypted key.
        let stuffed = token.replacen("..", ".AAAA.", 1);
        let refused = decrypt_compact(&stuffed, &[&ours], &ALL).unwrap_err();
        assert_eq!(refused, JweError::Malformed("encrypted key"));
        let other = if enc.key_len() == 16 { 32 } else { 16 };
        let (theirs, _) = shared(KeyManagement::Dir, &vec![7; other]);
        let refused = encrypt_compact(&theirs, *enc, &CONTENT).unwrap_err();
        assert_eq!(refused, JweError::KeyLength, "{}", enc.name());
    }
}

#[test]
fn rfc8725_3_2_only_allowed_algorithms_open() {
    let (theirs, ours) = shared(KeyManagement::A128Kw, &[7; 16]);
    let token = encrypt_compact(&theirs, ContentEncryption::A128Gcm, &CONTENT).unwrap();
    let open = |alg, enc| {
        let allowed = Allowed { alg: &[alg], enc: &[enc] };
        decrypt_compact(&token, &[&ours], &allowed).map(|_| ())
    };
    assert_eq!(open(KeyManagement::A128Kw, ContentEncryption::A128Gcm), Ok(()));
    for (alg, enc) in [
        (KeyManagement::A256Kw, ContentEncryption::A128Gcm),
        (KeyManagement::A128Kw, ContentEncryption::A256Gcm),
    ] {
        assert_eq!(open(alg, enc), Err(JweError::AlgorithmNotAllowed), "RFC8725-3.2");
    }
}

#[test]
fn rfc7516_4_headers_are_strict() {
    use JweError::{AlgorithmNotAllowed, Malformed, NotDecrypted, UnknownKey};
    let (_, ours) = shared(KeyManagement::A128Kw, &[7; 16]);
    let password = DecryptionKey::symmetric(KeyManagement::Pbes2Hs256A128Kw, b"pw").unwrap();
    let pair = DecryptionKey::generate(KeyManagement::EcdhEs).unwrap();
    let refused = |header: &str| {
        let token = format!("{}.AAAA.AAAA.AAAA.AAAA", base64url_encode(header.as_bytes()));
        decrypt_compact(&token, &[&ours, &password, &pair], &ALL).unwrap_err()
    };

    let gcm = |rest: &str| format!(r#"{{"alg":"A128KW","enc":"A128GCM"{rest}}}"#);
    let pbes2 = |rest: &str| format!(r#"{{"alg":"PBES2-HS256+A128KW","enc":"A128GCM"{rest}}}"#);
    let ecdh = |rest: &str| format!(r#"{{"alg":"ECDH-ES","enc":"A128GCM"{rest}}}"#);
    let salt = r#","p2s":"AAAAAAAAAAAAAAAAAAAAAA""#;
    for (must, header, want) in [
        ("RFC7516-4", gcm(""), NotDecrypted),
        ("RFC7516-4", gcm(r#","alg":"A128KW""#), Malformed("header is not a strict JSON object")),
        ("RFC7516-4.1.1", r#"{"enc":"A128GCM"}"#.to_owned(), Malformed("alg")),
        ("RFC7516-4.1.2", r#"{"alg":"A128KW"}"#.to_owned(), Malformed("enc")),
        ("RFC8725-3.2", r#"{"alg":"RSA1_5","enc":"A128GCM"}"#.to_owned(), AlgorithmNotAllowed),
        ("RFC7516-4.1.3", gcm(r#","zip":"DEF""#), Malformed("zip")),
        ("RFC7516-4.1.6", gcm(r#","kid":7"#), Malformed("kid")),
        ("RFC7516-4.1.13", gcm(r#","crit":["exp"]"#), Malformed("crit")),
        ("RFC7518-4.6.1.1", ecdh(""), Malformed("epk")),
        (
            "RFC7518-4.6.1.1",
            ecdh(r#","epk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#),
            Malformed("epk"),
        ),
        ("RFC7518-4.8.1.1", pbes2(r#","p2s":"AAAA","p2c":4096"#), Malformed("p2s")),
        ("RFC7518-4.8.1.2", pbes2(&format!(r#"{salt},"p2c":999"#)), Malformed("p2c")),
        ("RFC8725bis-3.13", pbes2(&format!(r#"{salt},"p2c":1200001"#)), Malformed("p2c")),
        ("RFC7518-4.8.1.2", pbes2(&format!(r#"{salt},"p2c":"4096""#)), Malformed("p2c")),
        ("RFC7518-4.8.1.2", pbes2(&format!(r#"{salt},"p2c":1000"#)), NotDecrypted),
        ("RFC7516-5.2", r#"{"alg":"RSA-OAEP","enc":"A128GCM"}"#.to_owned(), UnknownKey),
    ] {
        assert_eq!(refused(&header), want, "{must}: {header}");
    }
}

#[test]
fn rfc7516_9_parts_and_size() {
    let (theirs, ours) = shared(KeyManagement::A128Kw, &[7; 16]);
    let token = encrypt_compact(&theirs, ContentEncryption::A128CbcHs256, &CONTENT).unwrap();
    let refused = |token: &str| decrypt_compact(token, &[&ours], &ALL).unwrap_err();
    assert!(decrypt_compact(&token, &[&ours], &ALL).is_ok());
    assert_eq!(refused("a.b.c"), JweError::Malformed("too few parts"));
    assert_eq!(refused(&format!("{token}.")), JweError::Malformed("too many parts"));
    assert_eq!(refused(&"a".repeat(65_537)), JweError::Malformed("longer than 64 KiB"));
    assert_eq!(refused(&format!("{token}=")), JweError::Malformed("tag"));
}

/// A key pair opens what names it or nobody; never what names another.
#[test]
fn rfc7516_4_1_6_kid() {
    let ours = DecryptionKey::generate(KeyManagement::EcdhEs).unwrap();
    let other = DecryptionKey::generate(KeyManagement::EcdhEs).unwrap();
    let to = |key: &DecryptionKey| {
        let public = key.public_jwk().unwrap();
        let key = EncryptionKey::from_jwk(KeyManagement::EcdhEs, public).unwrap();
        encrypt_compact(&key, ContentEncryption::A256Gcm, &CONTENT).unwrap()
    };
    assert!(decrypt_compact(&to(&ours), &[&other, &ours], &ALL).is_ok());
    let refused = decrypt_compact(&to(&other), &[&ours], &ALL).unwrap_err();
    assert_eq!(refused, JweError::UnknownKey);
    let wrong = EncryptionKey::from_jwk(KeyManagement::RsaOaep, ours.public_jwk().unwrap());
    assert!(wrong.is_err());
}

/// Passwords are read from others, never used to encrypt.
#[test]
fn pbes2_is_not_made() {
    let key = EncryptionKey::symmetric(KeyManagement::Pbes2Hs256A128Kw, b"password").unwrap();
    let refused = encrypt_compact(&key, ContentEncryption::A128Gcm, &CONTENT).unwrap_err();
    assert_eq!(refused, JweError::AlgorithmNotAllowed);
}
