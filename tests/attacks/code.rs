//! Stolen, replayed and retargeted codes: requirement A8, A9.

use std::time::Duration;

use crate::support::{Authorize, Browser, Callback, Server, Tokens, World, wait};

fn code(world: &World, scope: &str) -> (Authorize, Callback) {
    let flow = Authorize::new(&world.server, &world.web).scope(scope);
    let callback = Browser::default().authorize(&flow, &world.alice);
    (flow, callback)
}

/// RFC 6749 §4.1.2: the second use is refused, and the tokens of the first die.
#[test]
fn rfc6749_4_1_2_replay_kills_the_first_tokens() {
    let world = World::start();
    let (flow, callback) = code(&world, "openid offline_access");
    let bystander = world.sign_in(&world.web, "openid offline_access");
    let first = Tokens::from(&world.server.redeem(&world.web, &flow, callback.code()));
    assert_eq!(world.server.userinfo(first.access()).status, 200, "the positive twin");
    let again = world.server.redeem(&world.web, &flow, callback.code());
    again.expect_error(400, "invalid_grant");
    assert_eq!(world.server.userinfo(first.access()).status, 401, "RFC6749-4.1.2");
    assert!(!world.server.is_active(&world.web, first.access()), "RFC6749-4.1.2");
    world.server.refresh(&world.web, first.refresh()).expect_error(400, "invalid_grant");
    assert_eq!(world.server.userinfo(bystander.access()).status, 200, "and no others");
    Tokens::from(&world.server.refresh(&world.web, bystander.refresh()));
    world.server.stop();
}

/// CVE-2026-55672, CVE-2026-28513: a code of another client. Another's replay kills nothing.
#[test]
fn rfc6749_4_1_3_a_code_of_another_client() {
    let world = World::start();
    let (flow, callback) = code(&world, "openid offline_access");
    world.server.redeem(&world.spa, &flow, callback.code()).expect_error(400, "invalid_grant");
    let tokens = Tokens::from(&world.server.redeem(&world.web, &flow, callback.code()));
    world.server.redeem(&world.spa, &flow, callback.code()).expect_error(400, "invalid_grant");
    assert_eq!(world.server.userinfo(tokens.access()).status, 200, "a stranger revokes nothing");
    let outsider = crate::support::Client { id: "nobody".into(), ..world.spa.clone() };
    let answer = world.server.redeem(&outsider, &flow, callback.code());
    answer.expect_error(401, "invalid_client");
}

/// CONTRACT §3: a wrong verifier does not burn the code, five do.
#[test]
fn rfc7636_4_6_failures_burn_late() {
    struct Case {
        name: &'static str,
        failures: usize,
        want: u16,
    }
    let world = World::start();
    let cases = [
        Case { name: "one failure", failures: 1, want: 200 },
        Case { name: "four failures", failures: 4, want: 200 },
        Case { name: "five failures", failures: 5, want: 400 },
    ];
    for Case { name, failures, want } in cases {
        let (flow, callback) = code(&world, "openid");
        let mut wrong = flow.clone();
        for n in 0..failures {
            wrong.verifier = format!("{n}").repeat(43);
            let refused = world.server.redeem(&world.web, &wrong, callback.code());
            refused.expect_error(400, "invalid_grant");
        }
        let answer = world.server.redeem(&world.web, &flow, callback.code());
        assert_eq!(answer.status, want, "CONTRACT-3: {name}: {}", answer.text());
    }
}

#[test]
fn rfc6749_4_1_2_codes_expire() {
    let server = Server::builder().set("tokens", "code_lifetime = \"2s\"").start();
    let world = World::in_server(server);
    let (flow, callback) = code(&world, "openid");
    Tokens::from(&world.server.redeem(&world.web, &flow, callback.code()));
    let (flow, callback) = code(&world, "openid");
    let issued = wait::now_s();
    wait::until_true(Duration::from_secs(6), "it expires", || wait::now_s() > issued + 2);
    let late = world.server.redeem(&world.web, &flow, callback.code());
    late.expect_error(400, "invalid_grant");
}

/// CVE-2026-9798: the person is looked at again at redemption, not only at the start.
#[test]
fn rfc6749_10_5_a_person_disabled_meanwhile() {
    let world = World::start();
    let (flow, callback) = code(&world, "openid");
    world.server.cli(&["user", "disable", "alice"]).expect_status(0);
    let refused = world.server.redeem(&world.web, &flow, callback.code());
    refused.expect_error(400, "invalid_grant");
}

/// CVE-2026-4282: one flat store of one-time things. A code is nothing but a code.
#[test]
fn rfc6749_5_2_credentials_of_the_wrong_kind() {
    let world = World::start();
    let (flow, callback) = code(&world, "openid offline_access");
    let as_refresh = world.server.refresh(&world.web, callback.code());
    as_refresh.expect_error(400, "invalid_grant");
    assert_eq!(world.server.userinfo(callback.code()).status, 401, "a code is no token");
    assert!(!world.server.is_active(&world.web, callback.code()), "a code is no token");
    let tokens = Tokens::from(&world.server.redeem(&world.web, &flow, callback.code()));
    for token in [tokens.refresh(), tokens.access(), tokens.id()] {
        let answer = world.server.redeem(&world.web, &flow, token);
        answer.expect_error(400, "invalid_grant");
    }
}

/// RFC 6749 §10.10 and requirement A29.
#[test]
fn rfc6749_10_10_codes_are_unguessable() {
    let world = World::start();
    let mut browser = Browser::default();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..30 {
        let flow = Authorize::new(&world.server, &world.web);
        let callback = browser.authorize(&flow, &world.alice);
        assert!(callback.code().starts_with("kwc_"), "DESIGN-4: a prefix per kind");
        assert!(callback.code().len() >= 4 + 27, "A29: 160 bits");
        assert!(seen.insert(callback.code().to_owned()), "A29: distinct");
    }
}
