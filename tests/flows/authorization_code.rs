//! RFC 6749 §4.1 with RFC 7636 and RFC 9207, for public and confidential clients.

use serde_json::json;

use crate::support::http::parameters;
use crate::support::tokens::redemption;
use crate::support::world::{spa_metadata, with};
use crate::support::{Authorize, Browser, Request, Tokens, World, jwt};

#[test]
fn public_and_confidential_clients_get_tokens() {
    let world = World::start();
    for client in [&world.spa, &world.web] {
        let flow = Authorize::new(&world.server, client).scope("openid orders:read");
        let callback = Browser::default().authorize(&flow, &world.alice);
        assert_eq!(callback.get("state"), flow.value("state"), "RFC6749-4.1.2");
        assert_eq!(callback.get("iss"), world.server.issuer, "RFC9207-2");
        let tokens = Tokens::from(&world.server.redeem(client, &flow, callback.code()));
        assert_eq!(tokens.scope(), ["openid", "orders:read"], "RFC6749-5.1");
        let claims = jwt::verify(&world.server.issuer, tokens.access());
        assert_eq!(claims["client_id"], json!(client.id), "RFC9068-2.2");
        assert!(claims["gid"].is_string(), "CONTRACT-6: the grant");
        assert_eq!(claims["sub"], jwt::claims(tokens.id())["sub"], "RFC9068-2.2");
        assert!(!tokens.has("refresh_token"), "CONTRACT-3: not without offline_access");
    }
    world.server.stop();
}

#[test]
fn the_request_may_be_posted() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web);
    let mut browser = Browser::default();
    let post = Request::post(&flow.endpoint).form(&flow.parameters);
    let page = browser.send(&flow.endpoint, post);
    let page = match page.redirect() {
        Some(next) => browser.open(&next),
        None => page,
    };
    let callback = browser.finish(page, &world.alice).expect_callback();
    Tokens::from(&world.server.redeem(&world.web, &flow, callback.code()));
}

#[test]
fn optional_parameters() {
    struct Case {
        must: &'static str,
        name: &'static str,
        bend: fn(Authorize) -> Authorize,
    }
    let world = World::start();
    let cases: [Case; 5] = [
        Case { must: "OIDCC-3.1.2.1", name: "no nonce", bend: |flow| flow.remove("nonce") },
        Case { must: "RFC6749-4.1.1", name: "no state", bend: |flow| flow.remove("state") },
        Case {
            must: "RFC6749-3.1",
            name: "unknown parameter",
            bend: |flow| flow.add("extra", "foobar"),
        },
        Case {
            must: "RFC6749-3.1",
            name: "an empty parameter is as if left out",
            bend: |flow| flow.add("login_hint", ""),
        },
        Case {
            must: "CONTRACT-3",
            name: "the only redirect_uri left out",
            bend: |flow| flow.remove("redirect_uri"),
        },
    ];
    let mut browser = Browser::default();
    for Case { must, name, bend } in cases {
        let flow = bend(Authorize::new(&world.server, &world.web));
        let callback = browser.authorize(&flow, &world.alice);
        assert_eq!(callback.get("state"), flow.value("state"), "{must}: {name}");
        let mut pairs = redemption(&flow, callback.code());
        if flow.value("redirect_uri").is_empty() {
            pairs.retain(|(name, _)| *name != "redirect_uri");
        }
        let tokens = Tokens::from(&world.server.token(&world.web, &pairs));
        let nonce = jwt::claims(tokens.id())["nonce"].clone();
        assert_eq!(nonce.as_str().unwrap_or_default(), flow.value("nonce"), "{must}: {name}");
    }
}

#[test]
fn a_state_comes_back_as_it_was() {
    let world = World::start();
    let mut browser = Browser::default();
    for state in ["a b+c%20d", "&error=x", "<script>\"'", "#fragment?x=1", "~!@$^*()[]{}|"] {
        let flow = Authorize::new(&world.server, &world.web).set("state", state);
        let callback = browser.authorize(&flow, &world.alice);
        assert_eq!(callback.get("state"), state, "RFC6749-4.1.2");
    }
}

#[test]
fn the_query_of_a_redirect_uri_stays() {
    let world = World::start();
    let uri = "https://spa.example.com/done?tenant=7&x=%2F";
    let client = world.server.client(&with(spa_metadata(), &json!({ "redirect_uris": [uri] })));
    let flow = Authorize::new(&world.server, &client);
    let callback = Browser::default().authorize(&flow, &world.alice);
    assert!(callback.url.starts_with(&format!("{uri}&")), "RFC6749-3.1.2: {}", callback.url);
    assert_eq!(parameters(&callback.url).iter().filter(|(name, _)| name == "tenant").count(), 1);
    Tokens::from(&world.server.redeem(&client, &flow, callback.code()));
}

/// RFC 8252 §7.3: a native application listens on whatever port is free.
#[test]
fn the_port_of_a_loopback_address_may_vary() {
    let world = World::start();
    for registered in ["http://127.0.0.1/cb", "http://127.0.0.1:1234/cb", "http://[::1]/cb"] {
        let metadata = with(
            spa_metadata(),
            &json!({ "redirect_uris": [registered], "application_type": "native" }),
        );
        let client = world.server.client(&metadata);
        let host = if registered.contains("[::1]") { "[::1]" } else { "127.0.0.1" };
        let uri = format!("http://{host}:49152/cb");
        let mut flow = Authorize::new(&world.server, &client).set("redirect_uri", &uri);
        flow.redirect_uri.clone_from(&uri);
        let callback = Browser::default().authorize(&flow, &world.alice);
        Tokens::from(&world.server.redeem(&client, &flow, callback.code()));
        // The redemption repeats the URI of the request, port and all.
        let second = Browser::default().authorize(&flow, &world.alice);
        flow.redirect_uri = format!("http://{host}:49153/cb");
        let refused = world.server.redeem(&client, &flow, second.code());
        refused.expect_error(400, "invalid_grant");
    }
}

#[test]
fn a_second_redirect_uri_must_be_named() {
    let world = World::start();
    let two = json!({ "redirect_uris": ["https://a.example.com/", "https://b.example.com/"] });
    let client = world.server.client(&with(spa_metadata(), &two));
    let flow = Authorize::new(&world.server, &client);
    let unnamed = flow.clone().remove("redirect_uri");
    Browser::default().open(&unnamed.url()).expect_error();
    Browser::default().authorize(&flow, &world.alice);
}

#[test]
fn request_objects_are_refused_by_name() {
    let world = World::start();
    let cases = [
        ("request", jwt::unsigned(&json!({ "alg": "none" }), &json!({})), "request_not_supported"),
        ("request_uri", "https://x.example/r".to_owned(), "request_uri_not_supported"),
    ];
    for (name, value, error) in cases {
        let flow = Authorize::new(&world.server, &world.web).set(name, &value);
        let callback = Browser::default().run(&flow, &world.alice).expect_callback();
        assert_eq!(callback.get("error"), error, "OIDCC-6.1: {name}");
        assert_eq!(callback.get("iss"), world.server.issuer, "RFC9207-2: on errors too");
    }
}
