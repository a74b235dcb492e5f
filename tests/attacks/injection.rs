//! What a client or a request chose never comes alive: in pages, in headers, in logs.

use serde_json::json;

use crate::support::html::tags;
use crate::support::world::{web_metadata, with};
use crate::support::{Authorize, Browser, Page, Request, World};

const PAYLOADS: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "&lt;script&gt;&#x3c;script>",
    "\u{202e}gpj.exe<b>",
];

/// No element of the page was made by the payload.
#[track_caller]
fn inert(page: &Page, what: &str) {
    let text = page.text();
    for tag in tags(&text) {
        let alive = tag.attributes.keys().any(|name| name.starts_with("on"))
            || tag.text("href").to_lowercase().starts_with("javascript:")
            || tag.text("src") == "x"
            || ["svg/onload=alert(1)", "b"].contains(&tag.name.as_str());
        assert!(!alive, "XSS by {what}: {tag:?}");
    }
    assert!(!text.contains("<script>alert"), "XSS by {what}: {page}");
    assert!(!text.contains("49$49"), "template injection by {what}");
}

#[test]
fn names_of_clients_are_text() {
    let world = World::start();
    for payload in PAYLOADS {
        let args = ["client", "create", "--metadata", "-"];
        let metadata = with(web_metadata(), &json!({ "client_name": payload }));
        // Refusing such a name is as good as escaping it.
        if world.server.cli_with(&args, &metadata.to_string()).status != 0 {
            continue;
        }
        let client = world.server.client(&metadata);
        let mut browser = Browser::default();
        let flow = Authorize::new(&world.server, &client).scope("openid email");
        let page = browser.open(&flow.url());
        inert(&page, payload);
        let page = browser.sign_in(&page, &world.alice);
        inert(&page, payload);
        browser.allow(&page).expect_callback().code();
    }
    world.server.stop();
}

#[test]
fn parameters_are_text() {
    let world = World::start();
    for payload in PAYLOADS {
        for name in ["login_hint", "state", "scope", "ui_locales", "nonce", "client_id", "prompt"] {
            let flow = Authorize::new(&world.server, &world.web).set(name, payload);
            let mut browser = Browser::default();
            let page = browser.open(&flow.url());
            inert(&page, &format!("{name}={payload}"));
            let posted = flow.set("response_mode", "form_post");
            inert(&browser.run(&posted, &world.alice), &format!("{name}={payload}, form_post"));
        }
        let page = Browser::default().open(&world.server.url(&format!(
            "/logout?state={0}&client_id={0}&post_logout_redirect_uri={0}",
            crate::support::http::encode(payload)
        )));
        inert(&page, &format!("logout: {payload}"));
    }
}

#[test]
fn what_was_typed_is_text() {
    let world = World::start();
    for payload in PAYLOADS.into_iter().take(4) {
        let mut browser = Browser::default();
        let page = browser.open(&Authorize::new(&world.server, &world.web).url());
        let form = page.expect_form("login-form").fill("username", payload);
        let page = browser.submit(&page, &form.fill("password", payload), "login-submit");
        inert(&page, payload);
    }
}

/// A line break in a value that reaches a header would start a header of its own.
#[test]
fn values_start_no_headers() {
    let world = World::start();
    let mut browser = Browser::default();
    for payload in ["a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\r\n\r\n<html>", "a\u{85}b"] {
        let flow = Authorize::new(&world.server, &world.web).set("state", payload);
        let page = browser.run(&flow, &world.alice);
        assert_eq!(page.response.header("x-injected"), None, "{payload:?}: {page}");
        if let Some(callback) = page.callback() {
            assert!(["", payload].contains(&callback.get("state")), "{payload:?}");
        }
        let answer = world.server.userinfo(&crate::support::http::encode(payload));
        assert_eq!(answer.header("x-injected"), None, "{payload:?}");
    }
}

/// CVE-2023-6484: what is logged stays on one line of the log.
#[test]
fn values_start_no_log_lines() {
    let world = World::start();
    let forged = "nobody\n2026-01-01T00:00:00Z INFO forged.entry outcome=success";
    let grant = [("grant_type", "client_credentials")];
    Request::post(&world.server.url("/token")).basic(forged, "x").form(&grant).send();
    let mut browser = Browser::default();
    let page = browser.open(&Authorize::new(&world.server, &world.web).url());
    let form = page.expect_form("login-form").fill("username", forged);
    browser.submit(&page, &form.fill("password", "x"), "login-submit");
    let agent = Request::get(&world.server.url("/jwks")).header("User-Agent", "\u{1b}[31mforged");
    agent.send();
    let log = world.server.log_text();
    let starts = log.lines().any(|line| line.trim_start().starts_with("2026-01-01T00:00:00Z"));
    assert!(!starts, "a forged line: {log}");
    assert!(!log.contains("\u{1b}[31mforged"), "an escape sequence reached the terminal");
}
