//! RFC 6749 §6 and the rotation of DESIGN 5.5.

use std::time::Duration;

use serde_json::json;

use crate::support::world::{spa_metadata, with};
use crate::support::{Server, Tokens, World, jwt, wait};

const OFFLINE: &str = "openid offline_access orders:read orders:write";

#[test]
fn each_use_gives_a_new_token() {
    let world = World::start();
    for client in [&world.web, &world.spa] {
        let mut tokens = world.sign_in(client, OFFLINE);
        let subject = jwt::claims(tokens.access())["sub"].clone();
        let family = jwt::claims(tokens.access())["fid"].clone();
        assert!(family.is_string(), "CONTRACT-6: fid");
        for _ in 0..3 {
            let next = Tokens::from(&world.server.refresh(client, tokens.refresh()));
            assert_ne!(next.refresh(), tokens.refresh(), "RFC9700-4.14.2: rotation");
            assert_eq!(next.scope(), tokens.scope(), "RFC6749-6: the same scope");
            let claims = jwt::verify(&world.server.issuer, next.access());
            assert_eq!(claims["sub"], subject, "RFC6749-6: the same person");
            assert_eq!(claims["fid"], family, "CONTRACT-6: the same family");
            tokens = next;
        }
    }
    world.server.stop();
}

#[test]
fn scope_may_shrink_and_never_grow() {
    struct Case {
        must: &'static str,
        name: &'static str,
        scope: &'static str,
        want: Result<&'static [&'static str], &'static str>,
    }
    let world = World::start();
    let cases = [
        Case {
            must: "RFC6749-6",
            name: "narrower",
            scope: "openid orders:read",
            want: Ok(&["openid", "orders:read"]),
        },
        Case {
            must: "RFC6749-6",
            name: "never granted",
            scope: "openid orders:read email",
            want: Err("invalid_scope"),
        },
        Case {
            must: "RFC6749-6",
            name: "unknown",
            scope: "openid bogus",
            want: Err("invalid_scope"),
        },
    ];
    for Case { must, name, scope, want } in cases {
        let first = world.sign_in(&world.web, OFFLINE);
        let answer = world.server.token(
            &world.web,
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", first.refresh()),
                ("scope", scope),
            ],
        );
        match want {
            Ok(granted) => {
                let narrow = Tokens::from(&answer);
                assert_eq!(narrow.scope(), granted, "{must}: {name}");
                // RFC 6749 §6: the new refresh token has the scope of the old one.
                let wide = Tokens::from(&world.server.refresh(&world.web, narrow.refresh()));
                assert_eq!(wide.scope(), first.scope(), "{must}: {name}");
            }
            Err(error) => {
                answer.expect_error(400, error);
                // A refused request spends nothing.
                Tokens::from(&world.server.refresh(&world.web, first.refresh()));
            }
        }
    }
}

#[test]
fn a_retry_within_ten_seconds_gets_the_same_child() {
    let world = World::start();
    let first = world.sign_in(&world.spa, OFFLINE);
    let child = Tokens::from(&world.server.refresh(&world.spa, first.refresh()));
    let retry = Tokens::from(&world.server.refresh(&world.spa, first.refresh()));
    assert_eq!(retry.refresh(), child.refresh(), "DESIGN-5.5: the same child");
    Tokens::from(&world.server.refresh(&world.spa, child.refresh()));
}

#[test]
fn reuse_kills_the_family() {
    let world = World::start();
    let first = world.sign_in(&world.spa, OFFLINE);
    let second = Tokens::from(&world.server.refresh(&world.spa, first.refresh()));
    let third = Tokens::from(&world.server.refresh(&world.spa, second.refresh()));
    let other = world.sign_in(&world.spa, OFFLINE);
    // The child was used, so this is no retry: RFC 9700 §4.14.2.
    world.server.refresh(&world.spa, first.refresh()).expect_error(400, "invalid_grant");
    world.server.refresh(&world.spa, third.refresh()).expect_error(400, "invalid_grant");
    let answer = world.server.userinfo(third.access());
    assert_eq!(answer.status, 401, "RFC9700-4.14.2: its access tokens die too");
    Tokens::from(&world.server.refresh(&world.spa, other.refresh()));
    let events = world.server.cli(&["audit", "export"]).stdout;
    assert!(events.contains("refresh.reuse_detected"), "CONTRACT-7: the event");
}

#[test]
fn late_retries_are_reuse() {
    let server = Server::builder().set("tokens", "refresh_retry = \"1s\"").start();
    let world = World::in_server(server);
    let first = world.sign_in(&world.spa, OFFLINE);
    let start = wait::now_s();
    let child = Tokens::from(&world.server.refresh(&world.spa, first.refresh()));
    wait::until_true(Duration::from_secs(6), "the window has passed", || wait::now_s() > start + 2);
    world.server.refresh(&world.spa, first.refresh()).expect_error(400, "invalid_grant");
    world.server.refresh(&world.spa, child.refresh()).expect_error(400, "invalid_grant");
}

#[test]
fn lifetimes_end_it() {
    struct Case {
        must: &'static str,
        name: &'static str,
        setting: &'static str,
    }
    let cases = [
        Case {
            must: "BBA-6.3.2.3",
            name: "rotation does not extend the absolute lifetime",
            setting: "refresh_absolute = \"4s\"\nrefresh_idle = \"4s\"",
        },
        Case { must: "RFC6749-6", name: "idle", setting: "refresh_idle = \"4s\"" },
    ];
    for Case { must, name, setting } in cases {
        let world = World::in_server(Server::builder().set("tokens", setting).start());
        let client = &world.spa;
        let first = world.sign_in(client, OFFLINE);
        let start = wait::now_s();
        let mut tokens = Tokens::from(&world.server.refresh(client, first.refresh()));
        if must == "BBA-6.3.2.3" {
            wait::until_true(Duration::from_secs(3), "half of it", || wait::now_s() > start + 1);
            tokens = Tokens::from(&world.server.refresh(client, tokens.refresh()));
        }
        wait::until_true(Duration::from_secs(9), "all of it", || wait::now_s() > start + 5);
        let late = world.server.refresh(client, tokens.refresh());
        assert_eq!(late.error(), "invalid_grant", "{must}: {name}");
    }
}

#[test]
fn only_with_offline_access_or_by_metadata() {
    let world = World::start();
    assert!(!world.sign_in(&world.spa, "openid").has("refresh_token"), "OIDCC-11");
    let always = json!({ "keywright_refresh": "always" });
    let always = world.server.client(&with(spa_metadata(), &always));
    let tokens = world.sign_in(&always, "openid");
    Tokens::from(&world.server.refresh(&always, tokens.refresh()));
}

#[test]
fn bound_to_its_client() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, OFFLINE);
    world.server.refresh(&world.spa, tokens.refresh()).expect_error(400, "invalid_grant");
    let anonymous = crate::support::Request::post(&world.server.url("/token"))
        .form(&[("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())])
        .send();
    anonymous.expect_error(401, "invalid_client");
    // Neither spent it.
    Tokens::from(&world.server.refresh(&world.web, tokens.refresh()));
}

#[test]
fn id_tokens_of_a_refresh_keep_the_login() {
    let world = World::start();
    let first = world.sign_in(&world.web, OFFLINE);
    let next = Tokens::from(&world.server.refresh(&world.web, first.refresh()));
    if next.has("id_token") {
        let (old, new) = (jwt::claims(first.id()), jwt::verify(&world.server.issuer, next.id()));
        for claim in ["iss", "sub", "aud", "auth_time"] {
            assert_eq!(new[claim], old[claim], "OIDCC-12.2: {claim}");
        }
        assert!(new["nonce"].is_null() || new["nonce"] == old["nonce"], "OIDCC-12.2: nonce");
    }
}
