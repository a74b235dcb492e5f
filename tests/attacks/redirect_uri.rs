//! requirement A1 to A4: exact redirect URIs, and never a redirect to an unproven one.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::http::{encode, query};
use crate::support::world::{spa_metadata, with};
use crate::support::{Authorize, Browser, Page, Request, World};

#[track_caller]
fn refused(page: &Page) {
    let error = page.expect_error();
    assert!(!error.is_empty(), "RFC6749-4.1.2.1: a page that says so");
}

/// Every way to change one byte of the URI, to insert one, to remove one.
fn mutations(uri: &str) -> BTreeSet<Vec<u8>> {
    const INTERESTING: &[u8] = b"%/?#@:.\\;&*~a0 \0\xff";
    let bytes = uri.as_bytes();
    let mut all = BTreeSet::new();
    for at in 0..=bytes.len() {
        for &byte in INTERESTING {
            all.insert([&bytes[..at], &[byte], &bytes[at..]].concat());
        }
        if at < bytes.len() {
            all.insert([&bytes[..at], &bytes[at + 1..]].concat());
            for flip in [0x01, 0x20, 0x80] {
                let mut changed = bytes.to_vec();
                changed[at] ^= flip;
                all.insert(changed);
            }
        }
    }
    all.remove(bytes);
    // RFC 6749 §3.1: a parameter without a value is as if left out, and this client has one URI.
    all.remove(&b""[..]);
    all
}

fn percent(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| format!("%{byte:02X}").into_bytes()).map(char::from).collect()
}

#[test]
fn rfc9700_2_1_every_one_byte_mutation() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web);
    let rest = flow.clone().remove("redirect_uri");
    let mutations = mutations(&flow.redirect_uri);
    assert!(mutations.len() > 500, "{}", mutations.len());
    for mutation in mutations {
        let url = format!("{}&redirect_uri={}", rest.url(), percent(&mutation));
        let page = Browser::default().send(&url, Request::get(&url));
        assert_eq!(page.redirect(), None, "A1: {}", String::from_utf8_lossy(&mutation));
        refused(&page);
    }
    Browser::default().authorize(&flow, &world.alice);
    world.server.stop();
}

/// What has fooled others: docs/attacks.md, "Redirect URI parsing".
#[test]
fn rfc9700_2_1_tricks_of_the_trade() {
    let world = World::start();
    let registered = "https://app.example.com/callback";
    let tricks = [
        "https://app.example.com/callback/../evil",
        "https://app.example.com/callback..;/evil",
        "https://app.example.com/callback%2f..%2fevil",
        "https://app.example.com/callback?next=https://evil.example",
        "https://app.example.com/callback#",
        "https://app.example.com/callback#@evil.example",
        "https://app.example.com:443/callback",
        "https://app.example.com.evil.example/callback",
        "https://app.example.com@evil.example/callback",
        "https://a@b@app.example.com/callback",
        "https://evil.example\\@app.example.com/callback",
        "https://evil.example/?https://app.example.com/callback",
        "HTTPS://app.example.com/callback",
        "https://APP.example.com/callback",
        "http://app.example.com/callback",
        "//app.example.com/callback",
        "/callback",
        "javascript://app.example.com/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        " https://app.example.com/callback",
        "https://app.example.com/callback\r\nSet-Cookie: a=b",
        "https://app.example.com/call\u{430}back",
        "https://xn--app-8cd.example.com/callback",
    ];
    for trick in tricks {
        let flow = Authorize::new(&world.server, &world.web).set("redirect_uri", trick);
        let page = Browser::default().open(&flow.url());
        refused(&page);
        assert!(page.response.header("set-cookie").is_none_or(|c| !c.starts_with("a=")), "{trick}");
    }
    let flow = Authorize::new(&world.server, &world.web);
    assert_eq!(flow.value("redirect_uri"), registered, "the twin");
    Browser::default().authorize(&flow, &world.alice);
}

/// RFC 8252 §7.3 and CVE-2020-15233, CVE-2024-8883: only the port of a loopback address may vary.
#[test]
fn rfc8252_7_3_loopback_rule_is_no_hole() {
    let world = World::start();
    let register = |uri: &str| {
        let change = json!({ "redirect_uris": [uri], "application_type": "native" });
        world.server.client(&with(spa_metadata(), &change))
    };
    let native = register("http://127.0.0.1/cb");
    let strict = register("https://127.0.0.1.example.com/cb");
    let cases = [
        (&native, "http://127.0.0.1:8000/other"),
        (&native, "http://127.0.0.1:8000/cb?x=1"),
        (&native, "http://127.0.0.2:8000/cb"),
        (&native, "http://localhost:8000/cb"),
        (&native, "http://[::1]:8000/cb"),
        (&native, "https://127.0.0.1:8000/cb"),
        (&native, "http://127.0.0.1:8000@evil.example/cb"),
        (&native, "http://127.0.0.1:80:80/cb"),
        (&native, "http://127.0.0.1:99999/cb"),
        (&native, "http://127.0.0.1:/cb"),
        (&native, "http://user@127.0.0.1:8000/cb"),
        (&native, "http://127.1:8000/cb"),
        (&native, "http://2130706433:8000/cb"),
        (&strict, "https://127.0.0.1.example.com:8000/cb"),
        (&strict, "http://127.0.0.1/cb"),
    ];
    for (client, uri) in cases {
        let flow = Authorize::new(&world.server, client).set("redirect_uri", uri);
        refused(&Browser::default().open(&flow.url()));
    }
    let mut flow = Authorize::new(&world.server, &native);
    flow = flow.set("redirect_uri", "http://127.0.0.1:8000/cb");
    flow.redirect_uri = "http://127.0.0.1:8000/cb".into();
    Browser::default().authorize(&flow, &world.alice);
}

#[test]
fn rfc6749_4_1_2_1_unproven_clients_get_a_page() {
    struct Case {
        must: &'static str,
        name: &'static str,
        pairs: &'static [(&'static str, &'static str)],
    }
    let world = World::start();
    let cases = [
        Case { must: "RFC6749-4.1.2.1", name: "nothing at all", pairs: &[] },
        Case {
            must: "RFC6749-4.1.2.1",
            name: "unknown client",
            pairs: &[("client_id", "nobody"), ("redirect_uri", "https://app.example.com/callback")],
        },
        Case {
            must: "RFC6749-4.1.2.1",
            name: "empty client",
            pairs: &[("client_id", ""), ("redirect_uri", "https://app.example.com/callback")],
        },
        Case {
            must: "RFC6749-4.1.2.1",
            name: "SQL as a client",
            pairs: &[("client_id", "' OR 1=1 --")],
        },
    ];
    for Case { must, name, pairs } in cases {
        let url = format!("{}?response_type=code&{}", world.server.url("/authorize"), query(pairs));
        let page = Browser::default().open(&url);
        assert_eq!(page.redirect(), None, "{must}: {name}");
        refused(&page);
    }
    // A machine without redirect URIs has no business at this endpoint.
    let url = format!(
        "{}?response_type=code&client_id={}&redirect_uri={}",
        world.server.url("/authorize"),
        world.service.id,
        encode("https://app.example.com/callback"),
    );
    refused(&Browser::default().open(&url));
}

/// RFC 9700 §4.11.2: what a client may ask for is told after a sign-in, and only to the client. A
/// request that is malformed in itself goes back at once, RFC 6749 §4.1.2.1: its redirect URI was
/// registered by the operator.
#[test]
fn rfc9700_4_11_2_no_open_redirector() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web).set("scope", "no:such");
    let page = Browser::default().open(&flow.url());
    assert_eq!(page.redirect(), None, "A4: {page}");
    page.expect_form("login-form");
    let mut browser = Browser::default();
    world.sign_in_with(&mut browser, &world.web, "openid", &world.alice);
    let page = browser.open(&flow.url());
    assert_eq!(page.expect_callback().get("error"), "invalid_scope", "RFC6749-4.1.2.1");

    for (name, value) in [("response_type", "token"), ("code_challenge", "")] {
        let flow = Authorize::new(&world.server, &world.web).set(name, value);
        let page = Browser::default().open(&flow.url());
        assert_ne!(page.expect_callback().get("error"), "", "RFC6749-4.1.2.1: {name}={value}");
    }
}

/// A redemption names the same URI as its request did, or none at all.
#[test]
fn rfc6749_4_1_3_redemption_repeats_it() {
    let world = World::start();
    for wrong in ["https://app.example.com/callback/", "https://evil.example/", ""] {
        let flow = Authorize::new(&world.server, &world.web);
        let callback = Browser::default().authorize(&flow, &world.alice);
        let mut bent = flow.clone();
        wrong.clone_into(&mut bent.redirect_uri);
        if !wrong.is_empty() {
            let refused = world.server.redeem(&world.web, &bent, callback.code());
            refused.expect_error(400, "invalid_grant");
        }
        let answer = world.server.redeem(&world.web, &flow, callback.code());
        assert_eq!(answer.status, 200, "a failed redemption burns nothing: {}", answer.text());
    }
}
