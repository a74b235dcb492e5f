//! OpenID Connect Core §3.1.2.1: prompt, max_age, and the hints.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Authorize, Browser, Page, Tokens, World, jwt, wait};

fn auth_time(world: &World, flow: &Authorize, page: &Page) -> i64 {
    let callback = page.expect_callback();
    let tokens = Tokens::from(&world.server.redeem(&world.web, flow, callback.code()));
    jwt::claims(tokens.id())["auth_time"].as_i64().expect("OIDCC-2: auth_time")
}

#[test]
fn none_never_shows_a_page() {
    struct Case {
        must: &'static str,
        name: &'static str,
        scope: &'static str,
        prompt: &'static str,
        want: &'static str,
    }
    let world = World::start();
    let anonymous = Authorize::new(&world.server, &world.web).set("prompt", "none");
    let callback = Browser::default().open(&anonymous.url()).expect_callback();
    assert_eq!(callback.get("error"), "login_required", "OIDCC-3.1.2.6: nobody is signed in");

    let mut browser = Browser::default();
    world.sign_in_with(&mut browser, &world.web, "openid", &world.alice);
    let cases = [
        Case { must: "OIDCC-3.1.2.1", name: "granted", scope: "openid", prompt: "none", want: "" },
        Case {
            must: "OIDCC-3.1.2.6",
            name: "a scope not granted yet",
            scope: "openid orders:write",
            prompt: "none",
            want: "consent_required",
        },
        Case {
            must: "OIDCC-3.1.2.1",
            name: "none with another value",
            scope: "openid",
            prompt: "none login",
            want: "invalid_request",
        },
    ];
    for Case { must, name, scope, prompt, want } in cases {
        let flow = Authorize::new(&world.server, &world.web).scope(scope).set("prompt", prompt);
        let callback = browser.open(&flow.url()).expect_callback();
        assert_eq!(callback.get("error"), want, "{must}: {name}");
        assert_eq!(callback.get("code").is_empty(), !want.is_empty(), "{must}: {name}");
        assert_eq!(callback.get("iss"), world.server.issuer, "RFC9207-2: {name}");
    }
}

#[test]
fn login_asks_for_the_password_again() {
    let world = World::start();
    let mut browser = Browser::default();
    let first = Authorize::new(&world.server, &world.web);
    let page = browser.run(&first, &world.alice);
    let before = auth_time(&world, &first, &page);
    wait::until_true(Duration::from_secs(3), "the clock moves on", || wait::now_s() > before);

    let forced = Authorize::new(&world.server, &world.web).set("prompt", "login");
    let page = browser.open(&forced.url());
    assert!(page.has("reauthenticate-notice"), "CONTRACT-4: it says why: {page}");
    let page = browser.finish(page, &world.alice);
    assert!(auth_time(&world, &forced, &page) > before, "OIDCC-3.1.2.1: a new auth_time");
}

#[test]
fn max_age_bounds_the_age_of_a_login() {
    let world = World::start();
    let mut browser = Browser::default();
    let first = Authorize::new(&world.server, &world.web);
    let page = browser.run(&first, &world.alice);
    let before = auth_time(&world, &first, &page);

    let lax = Authorize::new(&world.server, &world.web).set("max_age", "10000");
    let page = browser.open(&lax.url());
    assert_eq!(auth_time(&world, &lax, &page), before, "OIDCC-3.1.2.1: no second login");

    wait::until_true(Duration::from_secs(5), "a second and more has passed", || {
        wait::now_s() > before + 1
    });
    let strict = Authorize::new(&world.server, &world.web).set("max_age", "1");
    let page = browser.open(&strict.url());
    assert!(page.has("reauthenticate-notice"), "OIDCC-3.1.2.1: login again: {page}");
    let page = browser.finish(page, &world.alice);
    let after = auth_time(&world, &strict, &page);
    assert!(after > before && wait::now_s() - after < 30, "OIDCC-3.1.2.1");
}

#[test]
fn an_unreadable_max_age_is_no_max_age_of_any_size() {
    let world = World::start();
    for max_age in ["-1", "1.5", "abc", "99999999999999999999"] {
        let flow = Authorize::new(&world.server, &world.web).set("max_age", max_age);
        let callback = Browser::default().run(&flow, &world.alice).expect_callback();
        assert_eq!(callback.get("error"), "invalid_request", "RFC6749-4.1.2.1: {max_age}");
    }
}

#[test]
fn hints_fill_in_and_never_decide() {
    let world = World::start();
    let mut browser = Browser::default();
    let flow = Authorize::new(&world.server, &world.web).set("login_hint", "alice");
    let form = browser.open(&flow.url()).expect_form("login-form");
    assert_eq!(form.value("username"), Some("alice"), "OIDCC-3.1.2.1: login_hint");
    assert_eq!(form.value("password").unwrap_or_default(), "", "no password is filled in");

    for (name, value) in [
        ("ui_locales", "fr-CA fr en"),
        ("ui_locales", "se"),
        ("claims_locales", "se"),
        ("acr_values", "1 2"),
        ("display", "page"),
        ("display", "popup"),
    ] {
        let flow = Authorize::new(&world.server, &world.web).set(name, value);
        let callback = browser.authorize(&flow, &world.alice);
        let tokens = Tokens::from(&world.server.redeem(&world.web, &flow, callback.code()));
        let acr = &jwt::claims(tokens.id())["acr"];
        assert!(*acr == Value::Null || acr.is_string(), "OIDCC-2: acr is a string");
    }
}

#[test]
fn a_hint_at_somebody_else_is_not_this_session() {
    let world = World::start();
    let bob = world.server.user("bob");
    let hers = world.sign_in(&world.web, "openid");
    let mut browser = Browser::default();
    let his = world.sign_in_with(&mut browser, &world.web, "openid", &bob);
    let flow = |hint: &str| {
        let flow = Authorize::new(&world.server, &world.web);
        flow.set("prompt", "none").set("id_token_hint", hint)
    };
    let own = browser.open(&flow(his.id()).url()).expect_callback();
    assert!(!own.code().is_empty(), "OIDCC-3.1.2.1: the person who is signed in");
    let foreign = browser.open(&flow(hers.id()).url()).expect_callback();
    assert_eq!(foreign.get("error"), "login_required", "OIDCC-3.1.2.1: somebody else");
    let forged = jwt::unsigned(&serde_json::json!({ "alg": "none" }), &jwt::claims(his.id()));
    let refused = browser.open(&flow(&forged).url()).expect_callback();
    assert_ne!(refused.get("error"), "", "an unsigned hint is no hint");
}
