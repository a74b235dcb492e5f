//! Tokens of one kind presented as another: RFC 8725 §3.11, requirement R7.

use serde_json::json;

use crate::support::tokens::authenticated;
use crate::support::{Browser, Request, World, jwt};

#[test]
fn only_access_tokens_open_resources() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, "openid offline_access");
    assert_eq!(world.server.userinfo(tokens.access()).status, 200, "the positive twin");
    for (name, token) in [("an ID token", tokens.id()), ("a refresh token", tokens.refresh())] {
        let answer = world.server.userinfo(token);
        assert_eq!(answer.status, 401, "RFC8725-3.11: {name}");
        let api = Request::get(&world.server.url("/api/v1/clients")).bearer(token).send();
        assert_eq!(api.status, 401, "RFC8725-3.11: {name}");
    }
    let answer = world.server.introspect(&world.web, tokens.id());
    assert_eq!(answer, json!({ "active": false }), "RFC7662-2.2: an ID token is no access token");
    let answer = world.server.refresh(&world.web, tokens.access());
    answer.expect_error(400, "invalid_grant");
    let answer = world.server.refresh(&world.web, tokens.id());
    answer.expect_error(400, "invalid_grant");
    world.server.stop();
}

#[test]
fn forged_access_tokens() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, "openid");
    let good = tokens.access();
    let claims = jwt::claims(good);
    let header = jwt::header(good);
    let mut grown = claims.clone();
    grown["scope"] = json!("openid email profile keywright:admin:read");
    let key = jwt::Key::generate();
    let mut no_alg = header.clone();
    no_alg["alg"] = json!("none");
    let (head, _) = good.rsplit_once('.').expect("three parts");
    let mut jku = header.clone();
    jku["jku"] = json!("http://127.0.0.1:9/keys");
    let mut embedded = header.clone();
    embedded["jwk"] = key.public.clone();
    let mut critical = header.clone();
    critical["crit"] = json!(["unknown"]);
    let under = |header: &serde_json::Value| {
        let rest = good.split_once('.').expect("three parts").1;
        format!("{}.{rest}", jwt::segment(header))
    };
    let cases = [
        ("RFC8725-3.1: alg none", jwt::unsigned(&no_alg, &claims)),
        ("RFC7515-5.2: changed claims", jwt::with_claims(good, &grown)),
        ("RFC7515-5.2: another key", key.sign_as("at+jwt", &claims)),
        ("RFC7515-5.2: no signature", format!("{head}.")),
        ("RFC8725-3.10: jku", under(&jku)),
        ("RFC8725-3.10: jwk", under(&embedded)),
        ("RFC7515-4.1.11: crit", under(&critical)),
    ];
    for (must, token) in cases {
        let answer = world.server.userinfo(&token);
        assert_eq!(answer.status, 401, "{must}: {}", answer.text());
        let challenge = answer.header("www-authenticate").expect("RFC6750-3").to_owned();
        assert!(challenge.contains("invalid_token"), "{must}: {challenge}");
    }
    // RFC 6750 §2.1: no token at all has these characters, so the request is malformed.
    let json = world.server.userinfo(&json!({ "payload": head }).to_string());
    assert!([400, 401].contains(&json.status), "RFC7515-7.2: JSON serialisation");
    assert_eq!(world.server.userinfo(good).status, 200, "the positive twin");
}

/// A token for one API is nothing at another's door, nor at ours.
#[test]
fn audiences_are_kept_apart() {
    let world = World::start();
    let machine = world.server.client_credentials(&world.service, "orders:read");
    let answer = world.server.userinfo(machine.access());
    assert!([401, 403].contains(&answer.status), "RFC9068-4: {}", answer.status);
    let person = world.sign_in(&world.web, "orders:read");
    let answer = world.server.userinfo(person.access());
    assert!([401, 403].contains(&answer.status), "CONTRACT-3: without openid");
    assert_eq!(
        world.server.userinfo(world.sign_in(&world.web, "openid").access()).status,
        200,
        "the positive twin"
    );
}

/// The session cookie is for pages; no endpoint for programs looks at it.
#[test]
fn cookies_are_no_credentials_for_programs() {
    let world = World::start();
    let mut browser = Browser::default();
    world.sign_in_with(&mut browser, &world.web, "openid", &world.alice);
    for path in ["/userinfo", "/api/v1/clients"] {
        let url = world.server.url(path);
        let page = browser.send(&url, Request::get(&url));
        assert_eq!(page.response.status, 401, "{path}: {page}");
    }
    let token = authenticated(&world.server.url("/token"), &world.service, &[]);
    assert_eq!(token.header("Cookie", "x=y").send().status, 400, "and none is needed");
}
