//! The revocation feed is for everybody: it must tell nobody anything that is not theirs to know,
//! and nobody may take it from the others.

use std::time::Duration;

use serde_json::json;

use crate::support::feed::{Stream, name, poll};
use crate::support::tokens::authenticated;
use crate::support::world::{service_metadata, with};
use crate::support::{Request, Server, Tokens, World, jwt, wait};

#[test]
fn a_tenant_hears_nothing_of_another() {
    let world = World::start();
    let server = &world.server;
    server.cli(&["tenant", "create", "acme"]).expect_status(0);
    let acme = server.url("/t/acme");
    let metadata = with(service_metadata("openid"), &json!({ "scope": null }));
    let client = server.client_in(&["--tenant", "acme"], &metadata);
    let url = format!("{acme}/token");
    let pairs = [("grant_type", "client_credentials")];
    let theirs = Tokens::from(&authenticated(&url, &client, &pairs).send());
    let ours = server.client_credentials(&world.service, "orders:read");
    let revoke = format!("{acme}/revoke");
    let pairs = [("token", theirs.access())];
    assert_eq!(authenticated(&revoke, &client, &pairs).send().status, 200);
    assert_eq!(server.revoke(&world.service, ours.access()).status, 200);
    let jti =
        |tokens: &Tokens| name("token", jwt::claims(tokens.access())["jti"].as_str().expect("jti"));
    for (issuer, own, foreign) in [(&server.issuer, &ours, &theirs), (&acme, &theirs, &ours)] {
        let message = wait::until(Duration::from_secs(2), "it tells its own", || {
            Some(poll(issuer, "")).filter(|message| message.entry("t", &jti(own)).is_some())
        });
        assert!(message.entry("t", &jti(foreign)).is_none(), "{issuer}");
        assert_eq!(message.entries().len(), 1, "{issuer}");
    }
    // Signed with the tenant's own keys.
    let jws = Request::get(&format!("{acme}/revocations")).send().text();
    let kid = jwt::header(&jws)["kid"].as_str().expect("kid").to_owned();
    let keys = server.get("/jwks").text();
    assert!(!keys.contains(&kid), "DESIGN-5.1: keys are never shared");
    let unknown = Request::get(&server.url("/t/nobody/revocations")).send();
    assert_eq!(unknown.status, 404);
}

#[test]
fn a_changed_message_does_not_verify() {
    let server = Server::start();
    let jws = server.get("/revocations").text();
    let keys = server.get("/jwks").expect(200);
    jwt::verify_timeless(&keys, &jws).expect("as it came");
    let claims = with(jwt::claims(&jws), &json!({ "seq": 7 }));
    let bent = jwt::with_claims(&jws, &claims);
    jwt::verify_timeless(&keys, &bent).expect_err("with another place");
}

#[test]
fn nonsense_is_refused() {
    let server = Server::start();
    for query in [
        "since=x",
        "since=-1",
        "since=%2B1",
        "since=1e3",
        "since=9223372036854775808",
        "since=1&since=1",
        "wait=31",
        "wait=-1",
        "wait=1&wait=1",
        "since=%zz",
    ] {
        server.get(&format!("/revocations?{query}")).expect_error(400, "invalid_request");
        let accept = ("Accept", "text/event-stream");
        let stream = Request::get(&server.url(&format!("/revocations?{query}")));
        stream.header(accept.0, accept.1).send().expect_error(400, "invalid_request");
    }
    let resumed = Request::get(&server.url("/revocations")).header("Last-Event-ID", "x").send();
    resumed.expect_error(400, "invalid_request");
    // Their neighbours.
    for query in ["?since=0", "?wait=0", "?since=&unknown=1"] {
        poll(&server.issuer, query);
    }
    let posted = Request::post(&server.url("/revocations")).form(&[("since", "0")]).send();
    posted.expect_error(405, "invalid_request");
    assert_eq!(posted.header("allow"), Some("GET, HEAD"), "RFC9110-15.5.6");
}

#[test]
fn nobody_takes_all_places() {
    let limits = "feed_followers = 10\nfeed_followers_per_address = 2";
    let server = Server::builder().set("limits", limits).start();
    let mut streams: Vec<Stream> = (0..2).map(|_| Stream::open(&server.issuer, "", "")).collect();
    for stream in &mut streams {
        assert!(stream.next().is_some(), "{}", stream.head);
    }
    let seq = poll(&server.issuer, "").seq();
    let waiting = server.get(&format!("/revocations?since={seq}&wait=5"));
    waiting.expect_error(503, "temporarily_unavailable");
    assert!(waiting.header("retry-after").is_some(), "CONTRACT-6");
    let refused = Stream::open(&server.issuer, "", "");
    assert_eq!(refused.status, 503, "{}", refused.head);
    assert!(refused.head.to_ascii_lowercase().contains("retry-after: "), "{}", refused.head);
    poll(&server.issuer, &format!("?since={seq}"));
    drop(streams.pop());
    wait::until_true(Duration::from_secs(5), "a place is free again", || {
        Stream::open(&server.issuer, "", "").status == 200
    });
}

#[test]
fn a_page_of_another_origin_cannot_read_it() {
    let world = World::start();
    let origin = "https://app.example.com";
    let ask = |path: &str| Request::get(&world.server.url(path)).header("Origin", origin).send();
    assert!(ask("/jwks").header("access-control-allow-origin").is_some(), "CONTRACT-3");
    assert!(ask("/revocations").header("access-control-allow-origin").is_none(), "CONTRACT-3");
}
