//! Headers of every page: requirement A13, A14, A38.

use crate::support::html::tags;
use crate::support::world::{web_metadata, with};
use crate::support::{Authorize, Browser, Page, World, http};

#[track_caller]
fn check(name: &str, page: &Page) {
    let header = |name: &str| page.response.headers(name).join(", ").to_lowercase();
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "A14: {name}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "RFC9700-4.16: {name}: {policy}");
    assert!(policy.contains("base-uri 'none'"), "{name}: {policy}");
    // Where a form leads in the end is the client's affair; everything else is ours alone.
    let loads = policy.split("; ").filter(|directive| !directive.starts_with("form-action"));
    for directive in loads {
        for weak in ["unsafe-inline", "unsafe-eval", "http:", "https:", " *"] {
            assert!(!directive.contains(weak), "A38: {name}: {weak} in {policy}");
        }
        assert!(!directive.contains("data:") || directive.starts_with("img-src"), "{policy}");
    }
    assert_eq!(header("x-content-type-options"), "nosniff", "{name}");
    assert_eq!(header("referrer-policy"), "no-referrer", "RFC9700-4.2.4: {name}");
    assert!(header("cache-control").contains("no-store"), "{name}: {}", header("cache-control"));
    assert!(header("content-type").starts_with("text/html; charset=utf-8"), "{name}");
    assert!(page.response.header("x-request-id").is_some(), "CONTRACT-6: {name}");
    for tag in tags(&page.text()) {
        let handler = tag.attributes.keys().find(|attribute| attribute.starts_with("on"));
        assert_eq!(handler, None, "{name}: an inline handler");
        assert!(!tag.attributes.contains_key("style"), "{name}: an inline style");
        for attribute in ["src", "href"] {
            let link = tag.text(attribute);
            let loads = ["script", "img", "link", "iframe"].contains(&tag.name.as_str());
            let away = link.contains("//") && !link.starts_with(http::origin(&page.url));
            assert!(!(loads && away), "A38: {name} loads {link}");
        }
    }
}

#[test]
fn every_page_is_closed() {
    let world = World::start();
    let logo = serde_json::json!({ "logo_uri": "https://app.example.com/logo.png" });
    let client = world.server.client(&with(web_metadata(), &logo));
    let mut browser = Browser::default();
    let flow = Authorize::new(&world.server, &client).scope("openid email");
    let login = browser.open(&flow.url());
    login.expect_form("login-form");
    check("sign in", &login);

    let wrong = login.expect_form("login-form").fill("username", "alice");
    let failed = browser.submit(&login, &wrong.fill("password", "not it"), "login-submit");
    assert!(failed.has("login-error"), "{failed}");
    check("failed sign in", &failed);

    let consent = browser.sign_in(&failed, &world.alice);
    consent.expect_form("consent-form");
    check("consent", &consent);

    let posted = flow.clone().set("response_mode", "form_post");
    let form_post = browser.run(&posted, &world.alice);
    form_post.expect_form("form-post");
    check("form_post", &form_post);

    let logout = browser.open(&world.server.url("/logout"));
    let form = logout.expect_form("logout-form");
    check("logout", &logout);
    let signed_out = browser.submit(&logout, &form, "logout-confirm");
    assert!(signed_out.has("signed-out"), "{signed_out}");
    check("signed out", &signed_out);

    let error = browser.open(&world.server.url("/authorize"));
    error.expect_error();
    check("error", &error);
    world.server.stop();
}

/// Cookies of an http issuer on loopback; `__Host-` and Secure belong to https issuers.
#[test]
fn cookies_are_kept_from_scripts_and_other_sites() {
    let world = World::start();
    let mut browser = Browser::default();
    let flow = Authorize::new(&world.server, &world.web);
    let page = browser.open(&flow.url());
    let form = page.expect_form("login-form").fill("username", "alice");
    let answer =
        browser.click(&page, &form.fill("password", &world.alice.password), "login-submit");
    let mut cookies: Vec<&str> = page.response.headers("set-cookie");
    cookies.extend(answer.response.headers("set-cookie"));
    assert!(!cookies.is_empty(), "a session is kept in a cookie");
    for cookie in cookies {
        let lower = cookie.to_lowercase();
        assert!(lower.contains("httponly"), "CONTRACT-3: {cookie}");
        assert!(lower.contains("samesite=lax") || lower.contains("samesite=strict"), "{cookie}");
        assert!(!lower.contains("domain="), "BBA-6.1.3.2: {cookie}");
    }
}

/// RFC 9700 §4.12: a 307 would post the password to the client.
#[test]
fn rfc9700_4_12_303_after_a_post() {
    let world = World::start();
    let mut browser = Browser::default();
    let flow = Authorize::new(&world.server, &world.web).scope("openid email");
    let page = browser.open(&flow.url());
    let form = page.expect_form("login-form").fill("username", "alice");
    let answer =
        browser.click(&page, &form.fill("password", &world.alice.password), "login-submit");
    assert_eq!(answer.response.status, 303, "RFC9700-4.12: {answer}");
    let consent = browser.open(&answer.redirect().expect("a location"));
    let answer = browser.click(&consent, &consent.expect_form("consent-form"), "consent-allow");
    assert_eq!(answer.response.status, 303, "RFC9700-4.12: {answer}");
}

/// GHSA-rg35-5v25-mqvp: whoever planted a session identifier before must not share it after.
#[test]
fn a_sign_in_makes_a_new_session() {
    let world = World::start();
    let mut browser = Browser::default();
    let flow = Authorize::new(&world.server, &world.web);
    let page = browser.open(&flow.url());
    let mut planted = browser.clone();
    browser.finish(page, &world.alice).expect_callback().code();
    let silent = Authorize::new(&world.server, &world.web).set("prompt", "none");
    let answer = planted.open(&silent.url()).expect_callback();
    assert_eq!(answer.get("error"), "login_required", "fixation: the old cookie is worth nothing");
    let answer = browser.open(&silent.url()).expect_callback();
    assert_eq!(answer.get("error"), "", "the positive twin");
}
