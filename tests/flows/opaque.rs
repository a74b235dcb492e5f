//! Opaque (sealed) access tokens: DESIGN 5.3.

use std::collections::HashSet;

use crate::support::world::{service_metadata, web_metadata, with};
use crate::support::{Client, Server, World};

const VAULT: &str = "https://vault.example.com";

fn world() -> (World, Client) {
    let server = Server::start();
    server.resource(VAULT, &["vault:read"], &["--token-format", "opaque"]);
    let world = World::in_server(server);
    let client = world.server.client(&service_metadata("vault:read"));
    (world, client)
}

#[test]
fn they_say_nothing_and_introspect_like_the_others() {
    let (world, client) = world();
    let tokens = world.server.client_credentials(&client, "vault:read");
    assert!(tokens.access().starts_with("kwa_"), "DESIGN-4: one prefix per kind");
    assert_eq!(tokens.access().split('.').count(), 1, "not a JWT");
    let answer = world.server.introspect(&client, tokens.access());
    assert_eq!(answer["active"], true, "RFC7662-2.2");
    assert_eq!(answer["aud"], VAULT, "RFC7662-2.2");
    assert_eq!(answer["scope"], "vault:read", "RFC7662-2.2");
    assert_eq!(answer["sub"], answer["client_id"], "CONTRACT-6");
    assert!(answer["jti"].is_string() && answer["exp"].is_i64(), "RFC7662-2.2");
    assert_eq!(world.server.revoke(&client, tokens.access()).status, 200, "RFC7009-2.2");
    assert!(!world.server.is_active(&client, tokens.access()), "RFC7009-2.1");
    world.server.stop();
}

/// CVE-2026-27840: a token cut short was still valid.
#[test]
fn every_character_counts() {
    let (world, client) = world();
    let tokens = world.server.client_credentials(&client, "vault:read");
    let token = tokens.access();
    assert!(world.server.is_active(&client, token), "the positive twin");
    for cut in [1, 2, 4, 8] {
        assert!(!world.server.is_active(&client, &token[..token.len() - cut]), "cut by {cut}");
    }
    assert!(!world.server.is_active(&client, &format!("{token}A")), "lengthened");
    assert!(!world.server.is_active(&client, &token.to_lowercase()), "lower case");
    for at in (0..token.len()).step_by(7) {
        let mut changed = token.to_owned().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("ASCII");
        assert!(!world.server.is_active(&client, &changed), "changed at {at}");
    }
}

/// RFC 9700 §4.10 and requirement A29: 128 bits and more, no structure.
#[test]
fn values_are_unguessable() {
    let (world, client) = world();
    let mut seen = HashSet::new();
    for _ in 0..200 {
        let tokens = world.server.client_credentials(&client, "vault:read");
        assert!(tokens.access().len() >= 40, "A29: long enough");
        assert!(seen.insert(tokens.access().to_owned()), "A29: distinct");
    }
}

#[test]
fn a_person_s_opaque_token_and_userinfo() {
    let (world, _) = world();
    let metadata = with(web_metadata(), &serde_json::json!({ "scope": "openid vault:read" }));
    let client = world.server.client(&metadata);
    let tokens = world.sign_in(&client, "openid vault:read");
    assert!(tokens.access().starts_with("kwa_"), "the resource asks for opaque");
    let info = world.server.userinfo(tokens.access()).expect(200);
    let answer = world.server.introspect(&client, tokens.access());
    assert_eq!(info["sub"], answer["sub"], "OIDCC-5.3.2");
    assert_eq!(answer["username"], "alice", "CONTRACT-6");
}
