//! OAuth 2.0 Multiple Response Types and Form Post Response Mode.

use crate::support::{Authorize, Browser, Tokens, World};

#[test]
fn query_and_form_post() {
    let world = World::start();
    for mode in ["query", "form_post"] {
        let flow = Authorize::new(&world.server, &world.web).set("response_mode", mode);
        let page = Browser::default().run(&flow, &world.alice);
        let callback = page.expect_callback();
        assert_eq!(page.form("form-post").is_some(), mode == "form_post", "{mode}");
        assert!(flow.answers_to(&callback.url), "{mode}");
        assert_eq!(callback.get("state"), flow.value("state"), "OIDC form_post 2: {mode}");
        assert_eq!(callback.get("iss"), world.server.issuer, "RFC9207-2: {mode}");
        Tokens::from(&world.server.redeem(&world.web, &flow, callback.code()));
    }
    world.server.stop();
}

#[test]
fn the_form_carries_errors_too() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web).set("response_mode", "form_post");
    let page = Browser::default().open(&flow.set("prompt", "none").url());
    let form = page.expect_form("form-post");
    assert_eq!(form.method, "post", "form_post 2");
    let callback = page.expect_callback();
    assert_eq!(callback.get("error"), "login_required", "form_post 2");
    assert!(page.has("form-post-submit"), "CONTRACT-4: a button without JavaScript");
    assert_eq!(page.response.header("cache-control"), Some("no-store"), "form_post 4");
}

#[test]
fn fragment_and_unknown_modes_are_refused() {
    let world = World::start();
    for mode in ["fragment", "web_message", "query.jwt", "QUERY"] {
        let flow = Authorize::new(&world.server, &world.web).set("response_mode", mode);
        let page = Browser::default().run(&flow, &world.alice);
        let error = match page.callback() {
            Some(callback) => callback.get("error").to_owned(),
            None => page.expect_error(),
        };
        assert_eq!(error, "invalid_request", "RFC6749-4.1.2.1: {mode}");
    }
}

#[test]
fn response_types_beyond_code_are_refused() {
    struct Case {
        must: &'static str,
        value: Option<&'static str>,
        want: &'static str,
    }
    let world = World::start();
    let cases = [
        Case { must: "RFC9700-2.1.2", value: Some("token"), want: "unsupported_response_type" },
        Case {
            must: "RFC9700-2.1.2",
            value: Some("code token"),
            want: "unsupported_response_type",
        },
        Case { must: "RFC9700-2.1.2", value: Some("id_token"), want: "unsupported_response_type" },
        Case { must: "RFC6749-3.1.1", value: Some("Code"), want: "unsupported_response_type" },
        Case { must: "RFC6749-4.1.2.1", value: Some(""), want: "invalid_request" },
        Case { must: "RFC6749-3.1.1", value: None, want: "invalid_request" },
    ];
    for Case { must, value, want } in cases {
        let flow = Authorize::new(&world.server, &world.web);
        let flow = match value {
            Some(value) => flow.set("response_type", value),
            None => flow.remove("response_type"),
        };
        let callback = Browser::default().run(&flow, &world.alice).expect_callback();
        assert_eq!(callback.get("error"), want, "{must}: {value:?}");
        assert_eq!(callback.get("state"), flow.value("state"), "{must}: {value:?}");
        assert!(!callback.url.contains('#'), "nothing in the fragment");
    }
}
