//! `key list|rotate|revoke`: old tokens live through a rotation, and die with their key.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Server, World, jwt, wait};

const BOUND: Duration = Duration::from_secs(3);

fn kids(keys: &Value) -> HashSet<String> {
    let keys = keys["keys"].as_array().expect("RFC7517-5.1");
    keys.iter().map(|key| key["kid"].as_str().expect("kid").to_owned()).collect()
}

fn published(server: &Server) -> HashSet<String> {
    kids(&server.get("/jwks").expect(200))
}

#[test]
fn old_tokens_live_through_a_rotation() {
    let world = World::start();
    let server = &world.server;
    let old = world.sign_in(&world.web, "openid offline_access");
    let old_kid = jwt::header(old.access())["kid"].as_str().expect("kid").to_owned();
    server.cli(&["key", "rotate"]).expect_status(0);
    let new = wait::until(BOUND, "tokens carry a new key", || {
        let tokens = server.client_credentials(&world.service, "orders:read");
        (jwt::header(tokens.access())["kid"] != old_kid.as_str()).then_some(tokens)
    });
    let new_kid = jwt::header(new.access())["kid"].as_str().expect("kid").to_owned();
    let both = published(server);
    assert!(both.contains(&old_kid) && both.contains(&new_kid), "both are published: {both:?}");
    jwt::verify(&server.issuer, old.access());
    jwt::verify(&server.issuer, old.id());
    assert!(server.is_active(&world.web, old.access()), "DESIGN-5.8: until the last token");
    assert_eq!(server.userinfo(old.access()).status, 200, "DESIGN-5.8");
    assert_eq!(server.refresh(&world.web, old.refresh()).status, 200, "DESIGN-5.8");
}

/// Published before use, so that nobody meets a key that it has not fetched.
#[test]
fn the_next_key_is_announced() {
    let world = World::start();
    let before = published(&world.server);
    world.server.cli(&["key", "rotate"]).expect_status(0);
    let kid = wait::until(BOUND, "tokens carry a new key", || {
        let tokens = world.server.client_credentials(&world.service, "orders:read");
        let kid = jwt::header(tokens.access())["kid"].as_str().expect("kid").to_owned();
        (world.server.get("/jwks").status == 200).then_some(kid)
    });
    assert!(before.contains(&kid), "DESIGN-5.8: {kid} was published before: {before:?}");
}

#[test]
fn a_revoked_key_takes_its_tokens_along() {
    let world = World::start();
    let server = &world.server;
    let doomed = server.client_credentials(&world.service, "orders:read");
    let kid = jwt::header(doomed.access())["kid"].as_str().expect("kid").to_owned();
    assert!(server.is_active(&world.service, doomed.access()), "the positive twin");
    server.cli(&["key", "revoke", &kid]).expect_status(0);
    wait::until_true(BOUND, "the token is dead", || {
        !server.is_active(&world.service, doomed.access())
    });
    assert!(!published(server).contains(&kid), "a revoked key is not published");
    let next = server.client_credentials(&world.service, "orders:read");
    assert_ne!(jwt::header(next.access())["kid"], kid.as_str(), "and signs no more");
    assert!(server.is_active(&world.service, next.access()));
}

#[test]
fn lists_states_and_no_secrets() {
    let world = World::start();
    let keys = world.server.cli(&["key", "list"]).items();
    assert!(!keys.is_empty());
    let published = published(&world.server);
    for key in &keys {
        let kid = key["kid"].as_str().expect("kid");
        assert!(key["alg"].is_string(), "{key}");
        let state = key["state"].as_str().expect("state").to_lowercase();
        assert!(["next", "active", "retiring", "gone"].contains(&state.as_str()), "{state}");
        assert!(published.contains(kid) || state == "gone", "{kid}");
        for private in ["d", "p", "q", "private", "private_key"] {
            assert!(key[private].is_null(), "{private} is shown");
        }
    }
}

#[test]
fn keys_survive_a_restart() {
    let mut world = World::start();
    let before = published(&world.server);
    let token = world.server.client_credentials(&world.service, "orders:read");
    world.server.signal("TERM");
    world.server.wait_exit(Duration::from_secs(10));
    world.server.spawn();
    world.server.wait_ready();
    assert_eq!(published(&world.server), before, "the same keys");
    assert!(world.server.is_active(&world.service, token.access()), "the same tokens");
}

/// Nobody orders it: the successor is announced, takes over, and the old tokens live on.
#[test]
fn keys_rotate_by_themselves() {
    let settings = "rotate_every = \"8s\"\nannounce = \"4s\"";
    let world = World::in_server(Server::builder().set("keys", settings).start());
    let token = || world.server.client_credentials(&world.service, "orders:read");
    let kid = |token: &str| jwt::header(token)["kid"].as_str().expect("kid").to_owned();
    let old = token();
    let first = kid(old.access());
    let mut known = published(&world.server);
    let second = wait::until(Duration::from_secs(50), "another key signs", || {
        let now = kid(token().access());
        if now == first {
            known = published(&world.server);
        }
        (now != first).then_some(now)
    });
    assert!(known.contains(&second), "DESIGN-5.8: {second} was announced: {known:?}");
    jwt::verify(&world.server.issuer, old.access());
    assert!(world.server.is_active(&world.service, old.access()), "DESIGN-5.8: nothing dies");
}
