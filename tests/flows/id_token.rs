//! OpenID Connect Core §2 and §3.1.3.7, as a careful client checks an ID token.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::world::{web_metadata, with};
use crate::support::{Authorize, Browser, Tokens, World, jwt, wait};

/// OIDC Core §3.1.3.6: the left half of the hash that belongs to the algorithm.
fn at_hash(alg: &str, access_token: &str) -> String {
    // Ed25519 signs with SHA-512, and so is its at_hash.
    let (algorithm, half) =
        if alg == "EdDSA" { (&digest::SHA512, 32) } else { (&digest::SHA256, 16) };
    let hash = digest::digest(algorithm, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..half])
}

#[test]
fn claims_are_complete() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web).scope("openid email");
    let started = wait::now_s();
    let callback = Browser::default().authorize(&flow, &world.alice);
    let tokens = Tokens::from(&world.server.redeem(&world.web, &flow, callback.code()));
    let claims = jwt::verify(&world.server.issuer, tokens.id());
    assert_eq!(claims["iss"], json!(world.server.issuer), "OIDCC-2: iss");
    assert_eq!(claims["aud"], json!(world.web.id), "OIDCC-2: aud");
    assert_eq!(claims["nonce"], flow.value("nonce"), "OIDCC-2: nonce");
    let time = |name: &str| claims[name].as_i64().unwrap_or_else(|| panic!("OIDCC-2: {name}"));
    let now = wait::now_s();
    assert!((started..=now).contains(&time("iat")), "OIDCC-2: iat");
    assert!((started..=now).contains(&time("auth_time")), "OIDCC-2: auth_time");
    assert!(time("exp") > now, "OIDCC-2: exp");
    let subject = claims["sub"].as_str().expect("OIDCC-2: sub");
    assert!((1..=255).contains(&subject.len()), "OIDCC-2: sub is at most 255 characters");
    let alg = jwt::header(tokens.id())["alg"].as_str().expect("alg").to_owned();
    assert_eq!(claims["at_hash"], json!(at_hash(&alg, tokens.access())), "OIDCC-3.1.3.6");
    // OIDC Core §5.4: with a token for userinfo, the claims are fetched there.
    assert!(claims["email"].is_null(), "OIDCC-5.4: {claims}");
    world.server.stop();
}

#[test]
fn each_client_gets_its_algorithm() {
    let world = World::start();
    for alg in ["RS256", "ES256", "PS256", "EdDSA"] {
        let change = json!({ "id_token_signed_response_alg": alg });
        let client = world.server.client(&with(web_metadata(), &change));
        let tokens = world.sign_in(&client, "openid");
        let header = jwt::header(tokens.id());
        assert_eq!(header["alg"], alg, "OIDCR-2: id_token_signed_response_alg");
        assert_ne!(header["typ"], "at+jwt", "RFC8725-3.11: kinds differ");
        let claims = jwt::verify(&world.server.issuer, tokens.id());
        assert_eq!(claims["at_hash"], json!(at_hash(alg, tokens.access())), "OIDCC-3.1.3.6");
    }
}

#[test]
fn the_default_is_rs256() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, "openid");
    assert_eq!(jwt::header(tokens.id())["alg"], "RS256", "OIDCR-2: the default");
}

#[test]
fn only_with_openid() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, "orders:read");
    assert!(!tokens.has("id_token"), "OIDCC-3.1.2.1: a plain OAuth request");
    assert!(world.sign_in(&world.web, "openid").has("id_token"), "the positive twin");
}

#[test]
fn subjects_are_stable_and_distinct() {
    let world = World::start();
    let bob = world.server.user("bob");
    let subject = |tokens: Tokens| jwt::claims(tokens.id())["sub"].clone();
    let hers = subject(world.sign_in(&world.web, "openid"));
    assert_eq!(hers, subject(world.sign_in(&world.spa, "openid")), "OIDCC-8: public subjects");
    let his = world.sign_in_with(&mut Browser::default(), &world.web, "openid", &bob);
    assert_ne!(hers, subject(his), "OIDCC-2: never reassigned");
    assert_ne!(hers, "alice", "OIDCC-5.7: not the name, which may change");
}
