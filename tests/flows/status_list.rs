//! Token Status List, draft-ietf-oauth-status-list: CONTRACT 3.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::postgres::database;
use crate::support::world::{service_metadata, spa_metadata, web_metadata, with};
use crate::support::{Client, Request, Server, Tokens, World, jwt, wait};

const LISTED: &str = "https://listed.example.com";
/// A list is made anew each second.
const BOUND: Duration = Duration::from_secs(3);
const SCOPE: &str = "openid offline_access listed:read";

/// A world with a resource whose tokens are listed, and a client for it.
fn world_in(server: Server) -> (World, Client) {
    server.resource(LISTED, &["listed:read"], &["--status-list"]);
    let world = World::in_server(server);
    let client = world.server.client(&service_metadata("listed:read orders:read"));
    (world, client)
}

fn world() -> (World, Client) {
    world_in(Server::start())
}

/// Where the status of a token is: the list's address and the place in it.
#[track_caller]
fn place(token: &str) -> (String, usize) {
    let reference = &jwt::claims(token)["status"]["status_list"];
    let idx = reference["idx"].as_u64().expect("TSL-6.2: idx");
    let uri = reference["uri"].as_str().expect("TSL-6.2: uri");
    (uri.to_owned(), usize::try_from(idx).expect("small"))
}

/// A list's bits, from its verified token, as the node of an issuer tells them.
#[track_caller]
fn bits(issuer: &str, uri: &str) -> Vec<u8> {
    let (_, id) = uri.rsplit_once('/').expect("an address");
    let response = Request::get(&format!("{issuer}/statuslists/{id}"))
        .header("Accept", "application/statuslist+jwt")
        .send();
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/statuslist+jwt"), "TSL-8.1");
    assert_eq!(response.header("cache-control"), Some("public, max-age=10"), "TSL-13.7");
    let signed = response.text();
    assert_eq!(jwt::header(&signed)["typ"], "statuslist+jwt", "TSL-5.1");
    let claims = jwt::verify(issuer, &signed);
    assert_eq!(claims["sub"], uri, "TSL-5.1: sub is the list's own address");
    let (iat, exp) = (claims["iat"].as_i64(), claims["exp"].as_i64());
    assert!(iat.expect("iat") <= wait::now_s() && exp > iat, "{claims}");
    assert_eq!(claims["ttl"], 10);
    assert_eq!(claims["status_list"]["bits"], 1, "TSL-4.2");
    let lst = claims["status_list"]["lst"].as_str().expect("TSL-4.2: lst");
    let compressed = BASE64_URL_SAFE_NO_PAD.decode(lst).expect("base64url");
    miniz_oxide::inflate::decompress_to_vec_zlib(&compressed).expect("TSL-4.1: zlib")
}

/// The status of a token, by the list that it names.
#[track_caller]
fn is_revoked(issuer: &str, token: &str) -> bool {
    let (uri, idx) = place(token);
    let bits = bits(issuer, &uri);
    bits.get(idx / 8).expect("TSL-8.3: a place in the list") >> (idx % 8) & 1 == 1
}

#[track_caller]
fn until_revoked(issuer: &str, token: &str, what: &str) {
    wait::until_true(BOUND, what, || is_revoked(issuer, token));
}

fn machine(server: &Server, client: &Client) -> Tokens {
    server.client_credentials(client, "listed:read")
}

#[test]
fn tsl_6_1_only_tokens_of_a_resource_that_wants_it_are_listed() {
    let (world, client) = world();
    let listed = machine(&world.server, &client);
    let (uri, idx) = place(listed.access());
    assert!(uri.starts_with(&format!("{}/statuslists/", world.server.issuer)), "{uri}");
    assert!(idx < 16_384);
    let plain = world.server.client_credentials(&client, "orders:read");
    assert!(jwt::claims(plain.access()).get("status").is_none());
    let both = world.server.client_credentials(&client, "listed:read orders:read");
    assert_eq!(place(both.access()).0, uri, "one that wants it suffices");
    assert_ne!(place(both.access()).1, idx);
    let shown = world.server.cli(&["resource", "show", LISTED]).json();
    assert_eq!(shown["status_list"], json!(true));
    world.server.cli(&["resource", "update", LISTED, "--status-list=false"]).expect_status(0);
    let after = machine(&world.server, &client);
    assert!(jwt::claims(after.access()).get("status").is_none());
    world.server.stop();
}

#[test]
fn tsl_7_1_each_kind_of_revocation_sets_the_bit_and_no_other() {
    let (world, client) = world();
    let server = &world.server;
    let issuer = &server.issuer;
    let neighbour = machine(server, &client);
    let own = |tokens: &Tokens, name: &str| {
        jwt::claims(tokens.access())[name].as_str().expect("a claim").to_owned()
    };
    assert!(!is_revoked(issuer, neighbour.access()));

    let token = machine(server, &client);
    assert!(!is_revoked(issuer, token.access()));
    assert_eq!(server.revoke(&client, token.access()).status, 200);
    until_revoked(issuer, token.access(), "a revoked token");

    let scope = json!({ "scope": "openid offline_access listed:read" });
    let web = server.client(&with(web_metadata(), &scope));
    let spa = server.client(&with(spa_metadata(), &scope));
    let family = world.sign_in(&web, SCOPE);
    assert!(!is_revoked(issuer, family.access()));
    assert_eq!(server.revoke(&web, family.refresh()).status, 200);
    until_revoked(issuer, family.access(), "a revoked family");

    let grant = world.sign_in(&spa, SCOPE);
    let next = Tokens::from(&server.refresh(&spa, grant.refresh()));
    server.cli(&["grant", "revoke", &own(&grant, "gid")]).expect_status(0);
    until_revoked(issuer, grant.access(), "a revoked grant");
    until_revoked(issuer, next.access(), "a token that was refreshed");

    let session = world.sign_in(&spa, "openid listed:read");
    server.cli(&["session", "revoke", &own(&session, "sid")]).expect_status(0);
    until_revoked(issuer, session.access(), "a revoked session");

    let user = world.sign_in(&web, SCOPE);
    server.cli(&["user", "disable", "alice"]).expect_status(0);
    until_revoked(issuer, user.access(), "a disabled user");

    let other = server.client(&with(service_metadata("listed:read"), &json!({})));
    let theirs = machine(server, &other);
    server.cli(&["client", "disable", &other.id]).expect_status(0);
    until_revoked(issuer, theirs.access(), "a disabled client");
    assert!(!is_revoked(issuer, neighbour.access()), "nobody revoked this one");

    let kid = jwt::header(neighbour.access())["kid"].as_str().expect("kid").to_owned();
    server.cli(&["key", "revoke", &kid]).expect_status(0);
    until_revoked(issuer, neighbour.access(), "a revoked key");
    world.server.stop();
}

#[test]
fn tsl_8_what_is_asked_wrongly_is_refused() {
    let (world, client) = world();
    let token = machine(&world.server, &client);
    let (uri, _) = place(token.access());
    for accept in ["application/statuslist+jwt", "*/*", "text/html, application/*;q=0.5"] {
        assert_eq!(Request::get(&uri).header("Accept", accept).send().status, 200, "{accept}");
    }
    assert_eq!(Request::get(&uri).send().status, 200, "who does not say takes everything");
    let refused = Request::get(&uri).header("Accept", "application/statuslist+cwt").send();
    assert_eq!(refused.status, 406, "TSL-8.1");
    assert_eq!(Request::get(&format!("{uri}?time=1686925000")).send().status, 501, "TSL-8.4");
    assert_eq!(Request::post(&uri).send().status, 405);
    for unknown in ["AAAAAAAAAAAAAAAAAAAAAA", "short", "../jwks", "%ff", ""] {
        let path = format!("/statuslists/{unknown}");
        assert_eq!(world.server.get(&path).status, 404, "{unknown}");
    }
    world.server.cli(&["tenant", "create", "acme"]).expect_status(0);
    let theirs = uri.replace("/statuslists/", "/t/acme/statuslists/");
    assert_eq!(Request::get(&theirs).send().status, 404, "another tenant's");
    let sealed = ["resource", "update", LISTED, "--token-format", "opaque"];
    let refused = world.server.cli(&sealed);
    refused.expect_status(1);
    assert!(refused.stderr.contains("status_list"), "{}", refused.stderr);
    world.server.stop();
}

#[test]
fn a_token_is_listed_even_where_issuance_is_not_waited_for() {
    let builder = Server::builder().set("audit", "issuance = \"buffered\"");
    let (mut world, client) = world_in(builder.start());
    let token = machine(&world.server, &client);
    world.server.kill();
    world.server.spawn();
    world.server.wait_ready();
    assert!(!is_revoked(&world.server.issuer, token.access()));
    assert_eq!(world.server.revoke(&client, token.access()).status, 200);
    until_revoked(&world.server.issuer, token.access(), "a token from before the kill");
    world.server.stop();
}

#[test]
fn a_list_is_gone_when_its_tokens_are_dead() {
    let (world, client) = world();
    world.server.cli(&["resource", "update", LISTED, "--lifetime", "2s"]).expect_status(0);
    let token = machine(&world.server, &client);
    let (uri, _) = place(token.access());
    assert_eq!(Request::get(&uri).send().status, 200);
    wait::until_true(Duration::from_secs(10), "the list is gone", || {
        Request::get(&uri).send().status == 404
    });
    world.server.stop();
}

#[test]
fn every_node_tells_the_status_of_every_token() {
    let url = database();
    let (world, client) = world_in(Server::builder().postgres(&url).start());
    let other = Server::builder().postgres(&url).node_of(&world.server).start();
    let known = || other.token(&client, &[("grant_type", "client_credentials")]).status == 200;
    wait::until_true(BOUND, "the client is known everywhere", known);
    let (here, there) = (machine(&world.server, &client), machine(&other, &client));
    let lists = [place(here.access()).0, place(there.access()).0];
    assert_ne!(lists[0], lists[1], "a node has its own");
    assert_eq!(other.revoke(&client, here.access()).status, 200);
    assert_eq!(world.server.revoke(&client, there.access()).status, 200);
    for node in [&world.server, &other] {
        for token in [&here, &there] {
            until_revoked(&node.issuer, token.access(), "revoked everywhere");
        }
    }
    other.stop();
    world.server.stop();
}

#[test]
fn a_restored_list_knows_only_dead_tokens() {
    let (mut world, client) = world();
    let before = machine(&world.server, &client);
    let dump = world.server.folder.join("status.kwb");
    let dump: &str = dump.to_str().expect("a path that is text");
    world.server.cli(&["backup", dump]).expect_status(0);
    let gap = machine(&world.server, &client);
    assert_eq!(place(gap.access()).0, place(before.access()).0, "one list");
    world.server.signal("TERM");
    world.server.wait_exit(Duration::from_secs(20));
    world.server.cli(&["restore", dump, "--dangerous-replace"]).expect_status(0);
    world.server.spawn();
    world.server.wait_ready();
    assert!(is_revoked(&world.server.issuer, before.access()), "the epoch ended them all");
    assert!(is_revoked(&world.server.issuer, gap.access()), "also what the backup never knew");
    let after = machine(&world.server, &client);
    assert!(!is_revoked(&world.server.issuer, after.access()));
    world.server.stop();
}
