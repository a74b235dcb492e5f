//! What the server fetches for a client stays within bounds: docs/attacks.md, "SSRF".

use std::time::Duration;

use serde_json::json;

use crate::support::jwt::{ASSERTION_TYPE, Key, assertion_claims};
use crate::support::tls::{Canary, Certificates};
use crate::support::world::{service_metadata, with};
use crate::support::{Client, Request, Response, Server, World};

fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// Registers a client whose keys are at the address.
fn register(world: &World, address: &str) -> Client {
    world.server.client(&with(
        service_metadata("orders:read"),
        &json!({
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks_uri": format!("https://{address}/jwks"),
        }),
    ))
}

/// Lets a client ask for a token by its key.
fn present(world: &World, key: &Key, client_id: &str) -> Response {
    let assertion = key.sign(&assertion_claims(&world.server, client_id));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &assertion),
    ];
    Request::post(&world.server.url("/token")).form(&form).send()
}

fn ask(world: &World, key: &Key, address: &str) -> Response {
    let client = register(world, address);
    present(world, key, &client.id)
}

/// A server that may fetch from loopback and trusts the test's authority.
fn open_world(certificates: &Certificates) -> World {
    let settings = format!(
        "allow_addresses = [\"127.0.0.1/32\"]\nextra_ca = [\"{}\"]",
        certificates.authority.display()
    );
    World::in_server(Server::builder().set("outbound", &settings).start())
}

/// CVE-2026-1180, CVE-2020-10770: inner addresses are not asked, not even connected to.
#[test]
fn inner_addresses_are_not_reached() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::generate(folder.path());
    let key = Key::generate();
    let canary = Canary::serve(&certificates, ok(&key.set().to_string()));
    let port = canary.address.rsplit(':').next().expect("a port").to_owned();
    let world = World::start();
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "[::1]"] {
        let answer = ask(&world, &key, &format!("{host}:{port}"));
        answer.expect_error(401, "invalid_client");
        assert!(!answer.text().contains("refused"), "no port scanner: {}", answer.text());
    }
    assert_eq!(canary.hits(), 0, "SSRF: nobody was asked");

    let open = open_world(&certificates);
    let answer = ask(&open, &key, &canary.address);
    assert_eq!(answer.status, 200, "the positive twin: {}", answer.text());
    assert!(canary.hits() > 0, "the positive twin was fetched");
    open.server.stop();
}

/// CVE-2026-4366: a redirect would lead past the check of the address.
#[test]
fn redirects_are_not_followed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::generate(folder.path());
    let key = Key::generate();
    let target = Canary::serve(&certificates, ok(&key.set().to_string()));
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: https://{}/jwks\r\nContent-Length: 0\r\n\r\n",
        target.address
    );
    let first = Canary::serve(&certificates, redirect.into_bytes());
    let world = open_world(&certificates);
    ask(&world, &key, &first.address).expect_error(401, "invalid_client");
    assert!(first.hits() > 0, "the first was asked");
    assert_eq!(target.hits(), 0, "SSRF: the second was not");
}

#[test]
fn answers_are_bounded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::generate(folder.path());
    let key = Key::generate();
    let mut world = open_world(&certificates);
    let large = format!("{{\"x\":\"{}\",\"keys\":[]}}", "a".repeat(8_000_000));
    for answer in [ok(&large), b"HTTP/1.1 200 OK\r\n\r\nnot JSON".to_vec(), b"junk".to_vec()] {
        let canary = Canary::serve(&certificates, answer);
        ask(&world, &key, &canary.address).expect_error(401, "invalid_client");
        assert!(canary.hits() > 0, "it was asked");
    }
    assert!(world.server.is_alive());
    // Nobody listens any more: a refusal, not a fault of ours.
    let gone = crate::support::server::free_address();
    ask(&world, &key, &gone).expect_error(401, "invalid_client");
    world.server.client_credentials(&world.service, "orders:read");
}

/// A client whose keys are where they can be fetched.
struct Fetched {
    world: World,
    key: Key,
    canary: Canary,
    client: Client,
}

impl Fetched {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificates = Certificates::generate(folder.path());
        let key = Key::generate();
        let canary = Canary::serve(&certificates, ok(&key.set().to_string()));
        let world = open_world(&certificates);
        let client = register(&world, &canary.address);
        Self { world, key, canary, client }
    }
}

/// Whoever knows a client's name must not make the server fetch at every request.
#[test]
fn keys_are_not_fetched_for_every_request() {
    let Fetched { world, key, canary, client } = Fetched::start();
    for _ in 0..10 {
        assert_eq!(present(&world, &key, &client.id).status, 200, "the right key");
        let forged = Key::generate();
        present(&world, &forged, &client.id).expect_error(401, "invalid_client");
    }
    assert!((1..=10).contains(&canary.hits()), "fetched {} times", canary.hits());
}

/// A stranger's guess makes the server ask again; that nobody answers must not cost the keys that
/// it knows.
#[test]
fn keys_outlive_an_address_that_fails() {
    let Fetched { world, key, canary, client } = Fetched::start();
    assert_eq!(present(&world, &key, &client.id).status, 200, "the right key");
    drop(canary);
    // So long the server does not ask again.
    std::thread::sleep(Duration::from_secs(11));
    present(&world, &Key::generate(), &client.id).expect_error(401, "invalid_client");
    assert_eq!(present(&world, &key, &client.id).status, 200, "the keys are known still");
    world.server.stop();
}
