//! Tokens and keys.

use std::sync::LazyLock;

use keywright_jose::jwe::{
    Allowed, ContentEncryption, DecryptionKey, KeyManagement, decrypt_compact,
};
use keywright_jose::{Claims, JwkSet, UnverifiedJws, base64url_encode};
use keywright_protocol::claims::access_token::AccessClaims;

use crate::Verdict;

/// Well below what a token may have.
const BYTES_SURELY_READ: usize = 4096;

/// The P-256 key of RFC 7517 appendix A.2.
const EC_KEY: &str = r#"{"kty":"EC","crv":"P-256",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#;

static KEYS: LazyLock<Vec<DecryptionKey>> = LazyLock::new(|| {
    let agreement = |alg| DecryptionKey::from_jwk(alg, EC_KEY.as_bytes()).ok();
    let shared = DecryptionKey::symmetric(KeyManagement::Dir, &[0; 16]).ok();
    let keys = [
        shared,
        DecryptionKey::symmetric(KeyManagement::A128Kw, &[0; 16]).ok(),
        agreement(KeyManagement::EcdhEs),
        agreement(KeyManagement::EcdhEsA128Kw),
    ];
    let keys: Vec<_> = keys.into_iter().flatten().collect();
    assert_eq!(keys.len(), 4, "the keys are good");
    keys
});

/// A signed token and the claims in it (RFC 7515, RFC 7519, RFC 9068).
pub fn jws(input: &[u8]) -> Verdict {
    // Claims come from verified tokens, too, so their parser sees whatever was signed.
    claims(input);
    let Ok(token) = std::str::from_utf8(input) else { return Verdict::Refused };
    let Ok(parsed) = UnverifiedJws::parse(token) else { return Verdict::Refused };
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "RFC7515-3.1: three parts");
    let payload = parsed.unverified_payload();
    // Two spellings of one token would be two tokens to whoever remembers revoked ones.
    assert_eq!(parts.get(1), Some(&base64url_encode(payload).as_str()), "RFC7515-2: one spelling");
    claims(payload);
    Verdict::Accepted
}

fn claims(payload: &[u8]) {
    let Ok(claims) = Claims::parse(payload) else {
        // What an access token does not say is passed over, even where it is said twice.
        let whole = payload.trim_ascii_start().starts_with(b"{");
        assert!(whole || AccessClaims::parse(payload).is_err(), "no object, no access token");
        return;
    };
    for name in ["exp", "iat", "iss", "aud", "scope", "cnf"] {
        let _any = (claims.str(name), claims.time(name), claims.strings(name), claims.object(name));
    }
    let _any = claims.audience();
    let written = serde_json::to_vec(&claims.into_map()).expect("a map of JSON is JSON");
    // `1e99` is written at length, so that what is near the bound may come to lie beyond it.
    if written.len() > BYTES_SURELY_READ {
        return;
    }
    assert!(Claims::parse(&written).is_ok(), "what is written can be read");
    assert_eq!(
        AccessClaims::parse(payload).is_ok(),
        AccessClaims::parse(&written).is_ok(),
        "the spelling of JSON decides nothing"
    );
}

/// A key set (RFC 7517 §5).
pub fn jwk_set(input: &[u8]) -> Verdict {
    let Ok(set) = JwkSet::parse(input) else { return Verdict::Refused };
    let written = serde_json::to_value(&set).expect("a set is JSON");
    let keys = written.get("keys").and_then(serde_json::Value::as_array).expect("keys");
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert!(key.get(private).is_none(), "RFC7517-9.2: {private} is never published");
        }
    }
    let again = JwkSet::from_value(&written).expect("what is written can be read");
    assert_eq!(again, set, "and is the same");
    Verdict::Accepted
}

/// An encrypted token (RFC 7516), for whoever holds a shared key and a private one.
pub fn jwe(input: &[u8]) -> Verdict {
    let Ok(token) = std::str::from_utf8(input) else { return Verdict::Refused };
    let keys: Vec<&DecryptionKey> = KEYS.iter().collect();
    let algs = [
        KeyManagement::Dir,
        KeyManagement::A128Kw,
        KeyManagement::EcdhEs,
        KeyManagement::EcdhEsA128Kw,
    ];
    let allowed = Allowed { alg: &algs, enc: ContentEncryption::ALL };
    let Ok(opened) = decrypt_compact(token, &keys, &allowed) else { return Verdict::Refused };
    assert!(algs.contains(&opened.header.alg), "RFC8725-3.1: only what is allowed");
    let nothing = Allowed { alg: &[], enc: &[] };
    assert!(decrypt_compact(token, &keys, &nothing).is_err(), "RFC8725-3.1");
    for (at, _) in token.match_indices('.') {
        let (head, tail) = token.split_at(at);
        assert!(decrypt_compact(&format!("{head}AAAA{tail}"), &keys, &allowed).is_err());
    }
    Verdict::Accepted
}
