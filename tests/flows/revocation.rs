//! RFC 7009, and the revocations that an operator orders.

use std::time::Duration;

use crate::support::tokens::authenticated;
use crate::support::{Browser, Request, Tokens, World, jwt, wait};

const OFFLINE: &str = "openid offline_access orders:read";
/// DESIGN 5.4.
const BOUND: Duration = Duration::from_secs(2);

#[test]
fn an_access_token_dies_alone() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, OFFLINE);
    let answer = world.server.revoke(&world.web, tokens.access());
    assert_eq!(answer.status, 200, "RFC7009-2.2: {}", answer.text());
    assert!(!world.server.is_active(&world.web, tokens.access()), "RFC7009-2.1");
    let refused = world.server.userinfo(tokens.access());
    assert_eq!(refused.status, 401, "RFC6750-3.1");
    assert!(refused.header("www-authenticate").is_some_and(|h| h.contains("revoked")));
    Tokens::from(&world.server.refresh(&world.web, tokens.refresh()));
    world.server.stop();
}

#[test]
fn a_refresh_token_takes_its_access_tokens_along() {
    let world = World::start();
    for client in [&world.web, &world.spa] {
        let tokens = world.sign_in(client, OFFLINE);
        let other = world.sign_in(client, OFFLINE);
        assert_eq!(world.server.revoke(client, tokens.refresh()).status, 200, "RFC7009-2.2");
        world.server.refresh(client, tokens.refresh()).expect_error(400, "invalid_grant");
        assert_eq!(world.server.userinfo(tokens.access()).status, 401, "RFC7009-2.1");
        assert_eq!(world.server.userinfo(other.access()).status, 200, "another family lives");
    }
}

#[test]
fn what_is_not_there_is_revoked_already() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, OFFLINE);
    for token in ["no such token", "kwr_nothing", tokens.refresh(), tokens.refresh()] {
        assert_eq!(world.server.revoke(&world.web, token).status, 200, "RFC7009-2.2");
    }
    let url = world.server.url("/revoke");
    authenticated(&url, &world.web, &[]).send().expect_error(400, "invalid_request");
    let anonymous = Request::post(&url).form(&[("token", tokens.access())]).send();
    anonymous.expect_error(401, "invalid_client");
}

#[test]
fn others_tokens_are_not_for_the_taking() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, OFFLINE);
    for thief in [&world.spa, &world.service] {
        for token in [tokens.access(), tokens.refresh()] {
            let status = world.server.revoke(thief, token).status;
            assert!(status == 200 || status == 400, "RFC7009-2.1: {status}");
            assert!(world.server.is_active(&world.web, token), "RFC7009-2.1: still alive");
        }
    }
}

#[test]
fn an_operator_revokes_by_token_grant_session_client_and_user() {
    struct Case {
        name: &'static str,
        kill: fn(&World, &Tokens),
    }
    let cases = [
        Case {
            name: "token revoke",
            kill: |world, tokens| {
                world.server.cli(&["token", "revoke", tokens.access()]).expect_status(0);
            },
        },
        Case {
            name: "grant revoke",
            kill: |world, tokens| {
                let grant = jwt::claims(tokens.access())["gid"].as_str().expect("gid").to_owned();
                world.server.cli(&["grant", "revoke", &grant]).expect_status(0);
            },
        },
        Case {
            name: "session revoke",
            kill: |world, tokens| {
                let sid = jwt::claims(tokens.access())["sid"].as_str().expect("sid").to_owned();
                world.server.cli(&["session", "revoke", &sid]).expect_status(0);
            },
        },
        Case {
            name: "client disable",
            kill: |world, _| {
                world.server.cli(&["client", "disable", &world.web.id]).expect_status(0);
            },
        },
        Case {
            name: "user disable",
            kill: |world, _| {
                world.server.cli(&["user", "disable", "alice"]).expect_status(0);
            },
        },
    ];
    for Case { name, kill } in cases {
        let world = World::start();
        let tokens = world.sign_in(&world.web, "openid orders:read");
        let other = world.server.user("bob");
        let mut browser = Browser::default();
        let bystander = world.sign_in_with(&mut browser, &world.spa, "openid", &other);
        kill(&world, &tokens);
        wait::until_true(BOUND, &format!("{name} is felt"), || {
            world.server.userinfo(tokens.access()).status == 401
        });
        assert_eq!(world.server.userinfo(bystander.access()).status, 200, "{name}: only hers");
    }
}

#[test]
fn a_disabled_user_can_neither_sign_in_nor_refresh() {
    let world = World::start();
    let mut browser = Browser::default();
    let tokens = world.sign_in_with(&mut browser, &world.web, OFFLINE, &world.alice);
    world.server.cli(&["user", "disable", "alice"]).expect_status(0);
    world.server.refresh(&world.web, tokens.refresh()).expect_error(400, "invalid_grant");
    let flow = crate::support::Authorize::new(&world.server, &world.web);
    // The old session is dead, and the right password opens no new one.
    let page = browser.open(&flow.url());
    let page = browser.sign_in(&page, &world.alice);
    assert!(page.has("login-error"), "CONTRACT-4: {page}");
    world.server.cli(&["user", "enable", "alice"]).expect_status(0);
    let page = browser.open(&flow.url());
    browser.finish(page, &world.alice).expect_callback().code();
}

#[test]
fn a_new_password_ends_what_the_old_one_opened() {
    let world = World::start();
    let mut browser = Browser::default();
    let tokens = world.sign_in_with(&mut browser, &world.web, OFFLINE, &world.alice);
    let fresh = "Another-Sesame-for-alice-77";
    crate::support::secrets::note(world.server.authority(), fresh);
    let args = ["user", "set-password", "alice", "--password-stdin"];
    world.server.cli_with(&args, fresh).expect_status(0);
    world.server.refresh(&world.web, tokens.refresh()).expect_error(400, "invalid_grant");
    let flow = crate::support::Authorize::new(&world.server, &world.web);
    let page = browser.open(&flow.url());
    let old = browser.sign_in(&page, &world.alice);
    assert!(old.has("login-error"), "CONTRACT-3: the old password is gone");
    let alice = crate::support::User { password: fresh.to_owned(), ..world.alice.clone() };
    let page = browser.sign_in(&old, &alice);
    browser.finish(page, &alice).expect_callback().code();
}

/// The emergency switch shows its blast radius first, and does nothing without `--confirm`.
#[test]
fn the_emergency_switch_is_previewed() {
    let world = World::start();
    let server = &world.server;
    let tokens = world.sign_in(&world.web, OFFLINE);
    let bystander = world.sign_in(&world.spa, "openid");
    let args = ["revoke", "--client", world.web.id.as_str()];
    let preview = server.cli(&[&args[..], &["--preview"]].concat()).json();
    assert_eq!(preview["target"]["id"], world.web.id.as_str(), "{preview}");
    assert_eq!((&preview["grants"], &preview["users"]), (&1.into(), &1.into()), "{preview}");
    assert!(preview["access_tokens"].as_u64().is_some_and(|n| n >= 1), "{preview}");
    server.cli(&args);
    assert_eq!(server.userinfo(tokens.access()).status, 200, "CONTRACT-2: only shown");
    server.cli(&[&args[..], &["--confirm"]].concat()).expect_status(0);
    wait::until_true(BOUND, "it is felt", || server.userinfo(tokens.access()).status == 401);
    server.refresh(&world.web, tokens.refresh()).expect_error(400, "invalid_grant");
    assert_eq!(server.userinfo(bystander.access()).status, 200, "nobody else");
    // What is issued afterwards is alive: the switch is no ban.
    let again = world.sign_in(&world.web, OFFLINE);
    assert_eq!(server.userinfo(again.access()).status, 200, "DESIGN-5.4: everything before T");
}

/// Times in tokens are whole seconds: what is issued between two revocations of one second must
/// die by the second of them all the same, and what comes after it must live.
#[test]
fn revocations_within_one_second() {
    let world = World::start();
    let server = &world.server;
    let revoke = || {
        let args = ["revoke", "--client", world.service.id.as_str(), "--confirm"];
        server.cli(&args).expect_status(0);
    };
    for round in 0..4 {
        revoke();
        let between = server.client_credentials(&world.service, "orders:read");
        assert!(server.is_active(&world.service, between.access()), "round {round}: born alive");
        revoke();
        let dead = !server.is_active(&world.service, between.access());
        assert!(dead, "round {round}: DESIGN-5.4: everything before T");
    }
}
