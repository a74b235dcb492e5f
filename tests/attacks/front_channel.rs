//! What leaks by way of the browser: requirement A10, A12, A38.

use crate::support::{Authorize, Browser, Request, World};

/// RFC 9207: on success and on every error, byte for byte.
#[test]
fn rfc9207_2_the_issuer_is_in_every_answer() {
    let world = World::start();
    let mut browser = Browser::default();
    let flow = || Authorize::new(&world.server, &world.web);
    let answers = [
        browser.run(&flow(), &world.alice),
        browser.run(&flow().set("scope", "openid no:such"), &world.alice),
        browser.run(&flow().set("prompt", "none login"), &world.alice),
        browser.run(&flow().remove("code_challenge"), &world.alice),
        browser.run(&flow().set("response_type", "token"), &world.alice),
        Browser::default().open(&flow().set("prompt", "none").url()),
    ];
    for page in answers {
        let callback = page.expect_callback();
        assert_eq!(callback.get("iss"), world.server.issuer, "RFC9207-2: {:?}", callback.url);
    }
}

/// RFC 9700 §2.1.2: only a code travels by the browser.
#[test]
fn no_token_in_the_front_channel() {
    let world = World::start();
    for mode in ["query", "form_post"] {
        let flow = Authorize::new(&world.server, &world.web).set("response_mode", mode);
        let callback = Browser::default().run(&flow, &world.alice).expect_callback();
        let names: Vec<&str> = callback.parameters.keys().map(String::as_str).collect();
        for token in ["access_token", "id_token", "refresh_token", "token_type"] {
            assert!(!names.contains(&token), "RFC9700-2.1.2: {mode}: {names:?}");
        }
    }
}

/// The issuer in documents and answers comes from the configuration, not from the request.
#[test]
fn rfc8414_3_3_a_spoofed_host_changes_nothing() {
    let world = World::start();
    let spoofs = [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "host=evil.example;proto=https"),
        ("X-Original-URL", "/admin"),
        ("X-Forwarded-Prefix", "/evil"),
    ];
    for (name, value) in spoofs {
        for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
        {
            let answer = Request::get(&world.server.url(path)).header(name, value).send();
            assert!(!answer.text().contains("evil.example"), "A35: {name}: {}", answer.text());
            if answer.status == 200 {
                let issuer = answer.json()["issuer"].clone();
                assert_eq!(issuer, serde_json::json!(world.server.issuer), "RFC8414-3.3: {name}");
            } else {
                assert!([400, 421].contains(&answer.status), "A35: {name}: {}", answer.status);
            }
        }
        let url = Authorize::new(&world.server, &world.web).url();
        let page = Browser::default().send(&url, Request::get(&url).header(name, value));
        let location = page.response.header("location").unwrap_or_default();
        assert!(!location.contains("evil.example"), "A35: {name}: {location}");
        assert!(!page.text().contains("evil.example"), "A35: {name}: {page}");
    }
    assert_eq!(world.server.get("/.well-known/openid-configuration").status, 200, "the twin");
}
