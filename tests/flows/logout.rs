//! OpenID Connect RP-Initiated Logout 1.0, by the conformance suite's module names.

use serde_json::json;

use crate::support::http::query;
use crate::support::world::{web_metadata, with};
use crate::support::{Authorize, Browser, Client, Page, Server, Tokens, World, jwt};

const DONE: &str = "https://app.example.com/bye";

struct Setting {
    world: World,
    client: Client,
}

impl Setting {
    fn new() -> Self {
        let world = World::start();
        let client = world.server.client(&with(
            web_metadata(),
            &json!({ "post_logout_redirect_uris": [DONE, "https://app.example.com/bye?a=1"] }),
        ));
        Self { world, client }
    }

    fn signed_in(&self) -> (Browser, Tokens) {
        let mut browser = Browser::default();
        let world = &self.world;
        let tokens = world.sign_in_with(&mut browser, &self.client, "openid", &world.alice);
        (browser, tokens)
    }

    fn is_signed_in(&self, browser: &mut Browser) -> bool {
        let flow = Authorize::new(&self.world.server, &self.client).set("prompt", "none");
        let callback = browser.open(&flow.url()).expect_callback();
        match callback.get("error") {
            "" => true,
            error => {
                assert_eq!(error, "login_required", "OIDCC-3.1.2.6");
                false
            }
        }
    }
}

/// Opens the logout endpoint, and confirms if asked.
fn leave(server: &Server, browser: &mut Browser, pairs: &[(&str, &str)]) -> Page {
    let page = browser.open(&format!("{}?{}", server.url("/logout"), query(pairs)));
    match page.form("logout-form") {
        Some(form) => browser.submit(&page, &form, "logout-confirm"),
        None => page,
    }
}

#[test]
fn happy() {
    let setting = Setting::new();
    let (mut browser, tokens) = setting.signed_in();
    assert!(setting.is_signed_in(&mut browser), "the positive twin");
    let pairs =
        [("id_token_hint", tokens.id()), ("post_logout_redirect_uri", DONE), ("state", "s 1&")];
    let callback = leave(&setting.world.server, &mut browser, &pairs).expect_callback();
    assert!(callback.url.starts_with(DONE), "OIDCRIL-3: {}", callback.url);
    assert_eq!(callback.get("state"), "s 1&", "OIDCRIL-3");
    assert!(!setting.is_signed_in(&mut browser), "OIDCRIL-2: the session is over");
    setting.world.server.stop();
}

#[test]
fn without_state_none_comes_back() {
    let setting = Setting::new();
    let (mut browser, tokens) = setting.signed_in();
    let pairs = [("id_token_hint", tokens.id()), ("post_logout_redirect_uri", DONE)];
    let callback = leave(&setting.world.server, &mut browser, &pairs).expect_callback();
    assert_eq!(callback.url, DONE, "OIDCRIL-3: exactly as registered");
}

#[test]
fn signed_out_pages() {
    struct Case {
        must: &'static str,
        name: &'static str,
        hint: bool,
        state: bool,
    }
    let setting = Setting::new();
    let cases = [
        Case { must: "OIDCRIL-2", name: "no parameters", hint: false, state: false },
        Case { must: "OIDCRIL-2", name: "only state", hint: false, state: true },
        Case { must: "OIDCRIL-3", name: "no redirect URI", hint: true, state: true },
    ];
    for Case { must, name, hint, state } in cases {
        let (mut browser, tokens) = setting.signed_in();
        let mut pairs = Vec::new();
        pairs.extend(hint.then_some(("id_token_hint", tokens.id())));
        pairs.extend(state.then_some(("state", "abc")));
        let page = leave(&setting.world.server, &mut browser, &pairs);
        assert!(page.has("signed-out"), "{must}: {name}: {page}");
        assert!(!setting.is_signed_in(&mut browser), "{must}: {name}");
    }
}

#[test]
fn without_a_hint_a_person_confirms() {
    let setting = Setting::new();
    let (mut browser, _) = setting.signed_in();
    let pairs = [("client_id", setting.client.id.as_str()), ("post_logout_redirect_uri", DONE)];
    let url = format!("{}?{}", setting.world.server.url("/logout"), query(&pairs));
    let page = browser.open(&url);
    let form = page.expect_form("logout-form");
    browser.submit(&page, &form, "logout-cancel");
    assert!(setting.is_signed_in(&mut browser), "CONTRACT-4: cancelled");
    let page = browser.open(&url);
    let page = browser.submit(&page, &page.expect_form("logout-form"), "logout-confirm");
    assert_eq!(page.expect_callback().url, DONE, "OIDCRIL-2: client_id proves the URI");
    assert!(!setting.is_signed_in(&mut browser), "OIDCRIL-2");
}

#[test]
fn the_endpoint_takes_posts() {
    let setting = Setting::new();
    let (mut browser, tokens) = setting.signed_in();
    let url = setting.world.server.url("/logout");
    let pairs = [("id_token_hint", tokens.id()), ("post_logout_redirect_uri", DONE)];
    let page = browser.send(&url, crate::support::Request::post(&url).form(&pairs));
    let page = match page.redirect() {
        Some(next) if next.starts_with(&setting.world.server.issuer) => browser.open(&next),
        _ => page,
    };
    let page = match page.form("logout-form") {
        Some(form) => browser.submit(&page, &form, "logout-confirm"),
        None => page,
    };
    assert_eq!(page.expect_callback().url, DONE, "OIDCRIL-2: POST");
    assert!(!setting.is_signed_in(&mut browser), "OIDCRIL-2");
}

#[test]
fn bad_requests_end_on_our_own_page() {
    let setting = Setting::new();
    let (mut browser, tokens) = setting.signed_in();
    let foreign = Setting::new();
    let (_, other_issuer) = foreign.signed_in();
    let unsigned = jwt::unsigned(&json!({ "alg": "none" }), &jwt::claims(tokens.id()));
    let id = tokens.id();
    let cases = [
        ("unregistered URI", id, "https://evil.example.com/"),
        ("query added", id, "https://app.example.com/bye?x=1"),
        ("a redirect URI is no logout URI", id, "https://app.example.com/callback"),
        ("hint with alg none", &unsigned, DONE),
        ("hint with a foreign signature", other_issuer.id(), DONE),
        ("no hint, no client", "", DONE),
    ];
    for (name, hint, uri) in cases {
        let mut pairs = vec![("post_logout_redirect_uri", uri), ("state", "s")];
        pairs.extend((!hint.is_empty()).then_some(("id_token_hint", hint)));
        let page = leave(&setting.world.server, &mut browser, &pairs);
        assert_eq!(page.redirect(), None, "OIDCRIL-3: {name}: {page}");
        assert!(page.response.status < 500, "{name}");
        // Whether it ended the session or refused, start the next case signed in.
        setting.world.sign_in_with(&mut browser, &setting.client, "openid", &setting.world.alice);
    }
    let pairs = [("id_token_hint", id), ("post_logout_redirect_uri", DONE)];
    assert!(leave(&setting.world.server, &mut browser, &pairs).callback().is_some(), "the twin");
}

#[test]
fn an_expired_id_token_is_still_a_hint() {
    use crate::support::wait;
    use std::time::Duration;

    let server = Server::builder().set("tokens", "access_lifetime = \"2s\"").start();
    let world = World::in_server(server);
    let changes = json!({ "post_logout_redirect_uris": [DONE] });
    let client = world.server.client(&with(web_metadata(), &changes));
    let setting = Setting { world, client };
    let (mut browser, tokens) = setting.signed_in();
    let exp = jwt::claims(tokens.access())["exp"].as_i64().expect("exp");
    wait::until_true(Duration::from_secs(5), "it expires", || wait::now_s() > exp);
    let pairs = [("id_token_hint", tokens.id()), ("post_logout_redirect_uri", DONE)];
    let page = leave(&setting.world.server, &mut browser, &pairs);
    assert_eq!(page.expect_callback().url, DONE, "OIDCRIL-2: even when expired");
}
