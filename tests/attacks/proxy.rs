//! Forwarded headers count only from a declared proxy: requirement A36.

use serde_json::Value;

use crate::support::tokens::authenticated;
use crate::support::{Server, World};

/// The addresses that the audit log holds for token requests.
fn addresses(world: &World, forwarded: &str) -> Vec<String> {
    let grant = [("grant_type", "client_credentials"), ("scope", "orders:read")];
    let request = authenticated(&world.server.url("/token"), &world.service, &grant);
    request.header("X-Forwarded-For", forwarded).send().expect(200);
    let export = world.server.cli(&["audit", "export"]).stdout;
    let events = export.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let ours = events.filter(|event| event["type"] == "token.issued");
    ours.map(|event| event["ip"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn spoofed_addresses_are_ignored() {
    let world = World::start();
    for forwarded in ["203.0.113.9", "203.0.113.9, 127.0.0.1", "' OR 1=1 --", "::1%evil"] {
        let seen = addresses(&world, forwarded);
        assert!(seen.iter().all(|ip| ip == "127.0.0.1"), "A36: {forwarded}: {seen:?}");
    }
    world.server.stop();
}

#[test]
fn a_declared_proxy_is_believed_about_the_last_hop() {
    let server = Server::builder().set("server", "trusted_proxies = [\"127.0.0.1\"]").start();
    let world = World::in_server(server);
    // What stands left of the first untrusted hop was written by the client itself.
    let seen = addresses(&world, "198.51.100.1, 203.0.113.9");
    assert_eq!(seen.last().map(String::as_str), Some("203.0.113.9"), "A36: {seen:?}");
    // CVE-2024-47070: what cannot be read must not switch anything off.
    let seen = addresses(&world, "not an address");
    assert_eq!(seen.last().map(String::as_str), Some("127.0.0.1"), "A36: {seen:?}");
}
