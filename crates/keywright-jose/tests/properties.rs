//! What must hold for every input: no panic, round trips, and no changed byte that still passes.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::sync::LazyLock;

use keywright_jose::jwe::{
    Allowed, Content, ContentEncryption, DecryptionKey, EncryptionKey, KeyManagement,
    decrypt_compact, encrypt_compact,
};
use keywright_jose::mac::UnverifiedMac;
use keywright_jose::{
    Algorithm, Claims, Jwk, JwkSet, SealingKey, SigningKey, UnverifiedJws, VerifyingKeys,
    base64url_decode, base64url_encode, sign_compact,
};
use proptest::prelude::*;

/// One key per algorithm, with its verifying half: RSA keys take a second to make.
static KEYS: LazyLock<Vec<(SigningKey, VerifyingKeys)>> = LazyLock::new(|| {
    let pair = |alg: &Algorithm| {
        let key = SigningKey::generate(*alg).unwrap();
        let keys = VerifyingKeys::new(&JwkSet::new(vec![key.public_jwk().clone()]));
        (key, keys)
    };
    Algorithm::ALL.iter().map(pair).collect()
});

static PRIVATE: LazyLock<Vec<DecryptionKey>> = LazyLock::new(|| {
    use KeyManagement::{EcdhEs, EcdhEsA128Kw, EcdhEsA256Kw, RsaOaep, RsaOaep256};
    let pairs = [EcdhEs, EcdhEsA128Kw, EcdhEsA256Kw, RsaOaep, RsaOaep256];
    pairs.iter().map(|alg| DecryptionKey::generate(*alg).unwrap()).collect()
});

/// Headers that are nearly right.
const HEADER: &str = concat!(
    r#"\{"alg":"(ES256|none|HS256|dir|A128KW)"(,"[a-z0-9]{1,5}":"#,
    r#"("[ -~]{0,9}"|[0-9]{1,9}|null|\[\]|\{\})){0,4}\}"#,
);

/// Claims sets of one claim of any type.
const CLAIM: &str = concat!(
    r#"\{"(exp|aud|sub)":(-?[0-9]{1,25}(\.[0-9]{1,9})?(e-?[0-9]{1,3})?|"#,
    r#""[ -~]{0,9}"|\["a",[0-9]\]|null)\}"#,
);

const ALL: Allowed<'_> = Allowed { alg: KeyManagement::ALL, enc: ContentEncryption::ALL };

/// Text that looks enough like a token or a key to get past the first checks.
fn nearly_a_token() -> impl Strategy<Value = String> {
    let header = prop_oneof![HEADER, ".{0,40}",];
    let part = prop::collection::vec(any::<u8>(), 0..40);
    (header, prop::collection::vec(part, 0..6)).prop_map(|(header, parts)| {
        let rest: Vec<_> = parts.iter().map(|part| base64url_encode(part)).collect();
        [&[base64url_encode(header.as_bytes())], rest.as_slice()].concat().join(".")
    })
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn parsing_never_panics(text in prop_oneof![any::<String>(), nearly_a_token()]) {
        if let Ok(token) = UnverifiedJws::parse(&text) {
            for (_, keys) in KEYS.iter() {
                let again = UnverifiedJws::parse(&text).unwrap();
                prop_assert!(again.verify(keys, Algorithm::ALL).is_err());
            }
            let _ = Claims::parse(token.unverified_payload());
        }
        let _ = UnverifiedMac::parse(&text);
        let _ = Jwk::parse(text.as_bytes());
        let _ = JwkSet::parse(text.as_bytes());
        let _ = Claims::parse(text.as_bytes());
        let keys: Vec<_> = PRIVATE.iter().collect();
        prop_assert!(decrypt_compact(&text, &keys, &ALL).is_err());
    }

    #[test]
    fn claims_accessors_never_panic(json in CLAIM) {
        if let Ok(claims) = Claims::parse(json.as_bytes()) {
            let absent = |name| claims.value(name).is_none();
            prop_assert_eq!(absent("exp"), matches!(claims.time("exp"), Ok(None)));
            prop_assert_eq!(absent("sub"), matches!(claims.str("sub"), Ok(None)));
            let _ = claims.audience();
        }
    }

    #[test]
    fn base64url_has_one_spelling(bytes: Vec<u8>, text in "[A-Za-z0-9_=+/-]{0,24}") {
        prop_assert_eq!(base64url_decode(&base64url_encode(&bytes)).unwrap(), bytes);
        if let Ok(decoded) = base64url_decode(&text) {
            prop_assert_eq!(base64url_encode(&decoded), text);
        }
    }

    #[test]
    fn sealing_round_trips(
        key: [u8; 32],
        aad: Vec<u8>,
        plaintext: Vec<u8>,
        at: prop::sample::Index,
    ) {
        let key = SealingKey::from_bytes(key);
        let mut sealed = key.seal(&aad, &plaintext).unwrap();
        prop_assert_eq!(&*key.open(&aad, &sealed).unwrap(), &plaintext);
        let at = at.index(sealed.len());
        sealed[at] ^= 0x10;
        prop_assert!(key.open(&aad, &sealed).is_err());
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn every_algorithm_round_trips(payload: Vec<u8>, typ in prop::option::of("[ -~]{1,20}")) {
        for (key, keys) in KEYS.iter() {
            let token = sign_compact(key, typ.as_deref(), &payload).unwrap();
            let read = UnverifiedJws::parse(&token).unwrap().verify(keys, &[key.alg()]).unwrap();
            prop_assert_eq!(&read.payload, &payload);
            prop_assert_eq!(read.header.typ, typ.clone());
        }
    }

    /// Any other character anywhere, any byte lost, any byte added: refused.
    #[test]
    fn a_changed_token_is_refused(
        at: prop::sample::Index,
        with in "[A-Za-z0-9_.=-]",
        payload: Vec<u8>,
    ) {
        for (key, keys) in KEYS.iter() {
            let token = sign_compact(key, Some("JWT"), &payload).unwrap();
            let at = at.index(token.len());
            let [mut changed, mut cut, mut grown] = [token.clone(), token.clone(), token.clone()];
            changed.replace_range(at..=at, &with);
            cut.remove(at);
            grown.insert_str(at, &with);
            for forged in [changed, cut, grown] {
                let verified = UnverifiedJws::parse(&forged)
                    .and_then(|unverified| unverified.verify(keys, Algorithm::ALL));
                prop_assert!(forged == token || verified.is_err(), "{}: {}", key.alg(), forged);
            }
        }
    }

    #[test]
    fn every_jwe_round_trips_and_a_changed_one_is_refused(
        plaintext: Vec<u8>,
        at: prop::sample::Index,
        with in "[A-Za-z0-9_.=-]",
    ) {
        for private in PRIVATE.iter() {
            let public = EncryptionKey::from_jwk(private.alg(), private.public_jwk().unwrap());
            let public = public.unwrap();
            for enc in ContentEncryption::ALL {
                let content = Content { plaintext: &plaintext, typ: None, cty: Some("JWT") };
                let token = encrypt_compact(&public, *enc, &content).unwrap();
                let opened = decrypt_compact(&token, &[private], &ALL).unwrap();
                prop_assert_eq!(&*opened.plaintext, &plaintext);
                let mut forged = token.clone();
                let at = at.index(token.len());
                forged.replace_range(at..=at, &with);
                let opened = decrypt_compact(&forged, &[private], &ALL);
                prop_assert!(forged == token || opened.is_err(), "{}", forged);
            }
        }
    }
}
