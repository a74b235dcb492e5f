//! The pages in headless Chromium.

use serde_json::json;

use crate::support::world::{web_metadata, with};
use crate::support::{World, peers};

/// Runs one scenario of `pages.mjs` against a world of its own.
fn run(scenario: &str) {
    let world = World::start();
    let callback = format!("http://{}/callback", crate::support::server::free_address());
    let client = world.server.client(&with(
        web_metadata(),
        &json!({
            "redirect_uris": [callback],
            "post_logout_redirect_uris": [callback],
            "client_uri": "https://app.example.com/",
            "policy_uri": "https://app.example.com/privacy",
            "tos_uri": "https://app.example.com/terms",
        }),
    ));
    peers::node(
        "browser/pages.mjs",
        &[
            ("SCENARIO", scenario),
            ("ISSUER", &world.server.issuer),
            ("CLIENT_ID", &client.id),
            ("CLIENT_SECRET", client.secret()),
            ("REDIRECT_URI", &callback),
            ("USERNAME", &world.alice.username),
            ("PASSWORD", &world.alice.password),
        ],
    );
    world.server.stop();
}

#[test]
fn the_code_flow_by_clicking() {
    run("code-flow");
}

#[test]
fn the_code_flow_without_javascript() {
    run("no-javascript");
}

#[test]
fn form_post_with_and_without_javascript() {
    run("form-post");
}

#[test]
fn two_tabs_and_the_back_button() {
    run("tabs");
}

#[test]
fn every_page_is_accessible_and_breaks_no_policy() {
    run("pages");
}
