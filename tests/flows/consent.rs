//! The consent page: allow, deny, untick; what is granted is remembered, what is not is told.

use std::time::Duration;

use crate::support::{Authorize, Browser, Tokens, World, wait};

const SCOPE: &str = "openid email orders:read orders:write";

#[test]
fn denial_is_told_to_the_client() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web).scope(SCOPE);
    let mut browser = Browser::default();
    let page = browser.open(&flow.url());
    let page = browser.sign_in(&page, &world.alice);
    let form = page.expect_form("consent-form");
    let callback = browser.submit(&page, &form, "consent-deny").expect_callback();
    assert_eq!(callback.get("error"), "access_denied", "RFC6749-4.1.2.1");
    assert_eq!(callback.get("state"), flow.value("state"), "RFC6749-4.1.2.1");
    assert_eq!(callback.get("iss"), world.server.issuer, "RFC9207-2");
    assert_eq!(callback.get("code"), "", "no code with an error");
    // The positive twin: the same browser may still allow.
    browser.authorize(&flow, &world.alice);
    world.server.stop();
}

#[test]
fn a_consent_to_nothing_is_a_denial() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web).scope("orders:read");
    let mut browser = Browser::default();
    let page = browser.open(&flow.url());
    let page = browser.sign_in(&page, &world.alice);
    let form = page.expect_form("consent-form");
    let nothing = form.clone().untick("orders:read");
    let callback = browser.submit(&page, &nothing, "consent-allow").expect_callback();
    assert_eq!(callback.get("error"), "access_denied", "RFC6749-4.1.2.1");
    wait::until_true(Duration::from_secs(10), "the log has it", || {
        let log = world.server.cli(&["audit", "export"]);
        log.stdout.contains("consent.denied")
    });
    // The positive twin.
    let callback = browser.submit(&page, &form, "consent-allow").expect_callback();
    assert!(!callback.code().is_empty(), "a box that stays ticked is granted");
}

#[test]
fn unticked_scopes_are_dropped_and_told() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web).scope(SCOPE);
    let mut browser = Browser::default();
    let page = browser.open(&flow.url());
    let page = browser.sign_in(&page, &world.alice);
    let form = page.expect_form("consent-form");
    let offered = form.boxes("scope");
    for scope in ["email", "orders:read", "orders:write"] {
        assert!(offered.contains(&scope), "CONTRACT-4: one box per optional scope: {offered:?}");
    }
    let form = form.clone().untick("orders:write").untick("email");
    let callback = browser.submit(&page, &form, "consent-allow").expect_callback();
    let tokens = Tokens::from(&world.server.redeem(&world.web, &flow, callback.code()));
    assert_eq!(tokens.scope(), ["openid", "orders:read"], "RFC6749-3.3");
    let info = world.server.userinfo(tokens.access()).expect(200);
    assert!(info["email"].is_null(), "what was unticked is not told: {info}");
}

#[test]
fn a_box_that_was_not_offered_gives_nothing() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web).scope("openid orders:read");
    let mut browser = Browser::default();
    let page = browser.open(&flow.url());
    let page = browser.sign_in(&page, &world.alice);
    let mut form = page.expect_form("consent-form");
    let offered = form.controls.iter_mut().find(|c| c.value == "orders:read").expect("a box");
    "orders:write".clone_into(&mut offered.value);
    let page = browser.submit(&page, &form, "consent-allow");
    if let Some(code) = page.callback().and_then(|c| c.parameters.get("code").cloned()) {
        let tokens = Tokens::from(&world.server.redeem(&world.web, &flow, &code));
        assert_eq!(tokens.scope(), ["openid"], "a forged box widens nothing");
    }
}

#[test]
fn the_page_names_the_client_and_its_host() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web).scope(SCOPE);
    let mut browser = Browser::default();
    let page = browser.open(&flow.url());
    assert!(page.text().contains("Orders Web"), "CONTRACT-4: sign in shows the client's name");
    let page = browser.sign_in(&page, &world.alice);
    assert!(page.text().contains("Orders Web"), "CONTRACT-4: the client's name");
    assert!(page.text().contains("app.example.com"), "CONTRACT-4: the client's host");
}

#[test]
fn consent_is_asked_again_when_it_must_be() {
    let world = World::start();
    let mut browser = Browser::default();
    let flow = || Authorize::new(&world.server, &world.web).scope("openid orders:read");
    browser.authorize(&flow(), &world.alice);
    let more = Authorize::new(&world.server, &world.web).scope(SCOPE);
    browser.open(&more.url()).expect_form("consent-form");
    let asked = flow().set("prompt", "consent");
    browser.open(&asked.url()).expect_form("consent-form");
}

/// What is unticked later is withdrawn: the next request asks for it again.
#[test]
fn unticking_withdraws_what_was_granted_before() {
    let world = World::start();
    let mut browser = Browser::default();
    let flow = || Authorize::new(&world.server, &world.web).scope("openid email orders:read");
    browser.authorize(&flow(), &world.alice);
    let silent = flow().set("prompt", "none");
    assert_eq!(browser.open(&silent.url()).expect_callback().get("error"), "", "granted");
    let page = browser.open(&flow().set("prompt", "consent").url());
    let form = page.expect_form("consent-form").untick("email");
    browser.submit(&page, &form, "consent-allow").expect_callback().code();
    let callback = browser.open(&silent.url()).expect_callback();
    assert_eq!(callback.get("error"), "consent_required", "CONTRACT-3: what was unticked");
}

/// The back button, and the same click again: whatever comes of it is an answer to the very same
/// request, and worth no more than the first.
#[test]
fn a_consent_answers_only_its_own_request() {
    let world = World::start();
    let mut browser = Browser::default();
    let flow = Authorize::new(&world.server, &world.web).scope(SCOPE);
    let page = browser.open(&flow.url());
    let page = browser.sign_in(&page, &world.alice);
    let first = browser.allow(&page).expect_callback();
    let again = browser.submit(&page, &page.expect_form("consent-form"), "consent-allow");
    assert!(again.response.status < 500, "{again}");
    if let Some(second) = again.callback() {
        assert_eq!(second.get("state"), first.get("state"), "RFC6749-4.1.2: the same request");
        assert!(flow.answers_to(&second.url), "the same client");
    }
    Tokens::from(&world.server.redeem(&world.web, &flow, first.code()));
}

/// What a withdrawn scope has issued ends with it.
#[test]
fn unticking_ends_what_was_issued_under_it() {
    let world = World::start();
    let mut browser = Browser::default();
    let flow = || Authorize::new(&world.server, &world.web).scope("openid email offline_access");
    let first = flow();
    let code = browser.authorize(&first, &world.alice);
    let tokens = Tokens::from(&world.server.redeem(&world.web, &first, code.code()));
    assert!(world.server.is_active(&world.web, tokens.access()), "before");
    let second = flow().set("prompt", "consent");
    let page = browser.open(&second.url());
    let form = page.expect_form("consent-form").untick("email");
    let callback = browser.submit(&page, &form, "consent-allow").expect_callback();
    let narrowed = Tokens::from(&world.server.redeem(&world.web, &second, callback.code()));
    assert!(world.server.is_active(&world.web, narrowed.access()), "what was left is issued");
    assert!(!world.server.is_active(&world.web, tokens.access()), "the wider token");
    assert_eq!(world.server.refresh(&world.web, tokens.refresh()).status, 400, "its family");
    assert_eq!(world.server.refresh(&world.web, narrowed.refresh()).status, 200, "the new one");
}

/// Consent for one API is none for another that has a scope of the same name, and a resource that
/// is registered later joins no grant.
#[test]
fn consent_is_for_the_resources_that_were_shown() {
    let world = World::start();
    world.server.resource("https://other.example.com", &["orders:read"], &[]);
    let mut browser = Browser::default();
    let at = |resource: &str| {
        Authorize::new(&world.server, &world.web)
            .scope("openid offline_access orders:read")
            .set("resource", resource)
    };
    let flow = at("https://api.example.com");
    let code = browser.authorize(&flow, &world.alice);
    let tokens = Tokens::from(&world.server.redeem(&world.web, &flow, code.code()));
    let again = at("https://api.example.com").set("prompt", "none");
    assert_eq!(browser.open(&again.url()).expect_callback().get("error"), "", "the same API");
    let other = at("https://other.example.com").set("prompt", "none");
    let refused = browser.open(&other.url()).expect_callback();
    assert_eq!(refused.get("error"), "consent_required", "another API");
    world.server.resource("https://third.example.com", &["orders:read"], &[]);
    let refreshed = Tokens::from(&world.server.refresh(&world.web, tokens.refresh()));
    let audience = crate::support::jwt::claims(refreshed.access())["aud"].to_string();
    assert!(audience.contains("https://api.example.com"), "{audience}");
    assert!(!audience.contains("third.example.com"), "RFC8707-2.2: {audience}");
}
