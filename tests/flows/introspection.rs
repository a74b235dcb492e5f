//! RFC 7662, and who may ask (CONTRACT §3).

use serde_json::json;

use crate::support::tokens::authenticated;
use crate::support::world::{service_metadata, with};
use crate::support::{API, Request, Tokens, World, jwt};

#[test]
fn own_tokens_are_described() {
    let world = World::start();
    let server = &world.server;
    let tokens = world.sign_in(&world.web, "openid offline_access orders:read");
    let answer = server.introspect(&world.web, tokens.access());
    let claims = jwt::claims(tokens.access());
    assert_eq!(answer["active"], json!(true), "RFC7662-2.2");
    for name in ["sub", "iss", "aud", "exp", "iat", "jti", "client_id"] {
        assert_eq!(answer[name], claims[name], "RFC7662-2.2: {name}");
    }
    let mut scope: Vec<&str> = answer["scope"].as_str().expect("scope").split(' ').collect();
    scope.sort_unstable();
    assert_eq!(scope, ["offline_access", "openid", "orders:read"], "RFC7662-2.2");
    assert_eq!(answer["token_type"], "Bearer", "RFC7662-2.2");
    assert_eq!(answer["username"], "alice", "CONTRACT-6");
    assert!(server.is_active(&world.web, tokens.refresh()), "RFC7662-2.1: refresh tokens too");
}

#[test]
fn who_may_ask() {
    let world = World::start();
    let server = &world.server;
    let gateway = server
        .client(&with(service_metadata("orders:read"), &json!({ "keywright_introspects": [API] })));
    let other_api = "https://other.example.com";
    server.resource(other_api, &["other:read"], &[]);
    let stranger = server.client(&with(
        service_metadata("other:read"),
        &json!({ "keywright_introspects": [other_api] }),
    ));
    let token = server.client_credentials(&world.service, "orders:read");
    assert!(server.is_active(&world.service, token.access()), "CONTRACT-3: its own");
    assert!(server.is_active(&gateway, token.access()), "CONTRACT-3: of its resource");
    for asker in [&stranger, &world.web] {
        let answer = server.introspect(asker, token.access());
        assert_eq!(answer, json!({ "active": false }), "RFC7662-2.2: nothing more is told");
    }
    // A resource may not look at the refresh tokens of a client.
    let tokens = world.sign_in(&world.web, "openid offline_access orders:read");
    assert!(server.is_active(&gateway, tokens.access()), "the positive twin");
    assert!(!server.is_active(&gateway, tokens.refresh()), "CONTRACT-3");
}

#[test]
fn callers_authenticate() {
    let world = World::start();
    let url = world.server.url("/introspect");
    let token = world.server.client_credentials(&world.service, "orders:read");
    let form = [("token", token.access())];
    Request::post(&url).form(&form).send().expect_error(401, "invalid_client");
    let wrong = Request::post(&url).basic(&world.service.id, "wrong-secret-of-some-length");
    let wrong = wrong.form(&form).send();
    wrong.expect_error(401, "invalid_client");
    assert!(wrong.header("www-authenticate").is_some(), "RFC6749-5.2");
    // CONTRACT §3: confidential clients only.
    let public = authenticated(&url, &world.spa, &form).send();
    assert!(public.status == 401 || public.status == 403, "{}", public.text());
    authenticated(&url, &world.service, &form).send().expect(200);
    let missing = authenticated(&url, &world.service, &[]).send();
    missing.expect_error(400, "invalid_request");
}

#[test]
fn anything_else_is_inactive() {
    let world = World::start();
    let own = world.server.client_credentials(&world.service, "orders:read");
    assert!(world.server.is_active(&world.service, own.access()), "the positive twin");
    let truncated = &own.access()[..own.access().len() - 4];
    let longer = format!("{}AAAA", own.access());
    let mut claims = jwt::claims(own.access());
    claims["exp"] = json!(4_000_000_000_i64);
    let changed = jwt::with_claims(own.access(), &claims);
    let unsigned = jwt::unsigned(&json!({ "alg": "none", "typ": "at+jwt" }), &claims);
    let junk = ["x", "a.b.c", "....", "kwr_x", "kwa_x", truncated, &longer, &changed, &unsigned];
    for token in junk {
        let answer = world.server.introspect(&world.service, token);
        assert_eq!(answer, json!({ "active": false }), "RFC7662-2.2: {token:.20}");
    }
    let expected =
        Tokens::from(&world.server.token(
            &world.service,
            &[("grant_type", "client_credentials"), ("scope", "orders:read")],
        ));
    assert!(world.server.is_active(&world.service, expected.access()), "the server lives on");
    world.server.stop();
}

#[test]
fn hints_are_only_hints() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, "openid offline_access");
    for hint in ["access_token", "refresh_token", "something_else"] {
        for token in [tokens.access(), tokens.refresh()] {
            let pairs = [("token", token), ("token_type_hint", hint)];
            let url = world.server.url("/introspect");
            let answer = authenticated(&url, &world.web, &pairs).send().expect(200);
            assert_eq!(answer["active"], json!(true), "RFC7662-2.1: {hint}");
        }
    }
}
