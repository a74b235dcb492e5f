//! The revocation feed: DESIGN 5.4, CONTRACT 3.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::feed::{Message, Stream, name, poll};
use crate::support::{Request, Server, Tokens, World, jwt, wait};

/// DESIGN 5.4: a second, and one for a machine that runs all tests at once.
const BOUND: Duration = Duration::from_secs(2);

fn claim(tokens: &Tokens, claim: &str) -> String {
    jwt::claims(tokens.access())[claim].as_str().expect(claim).to_owned()
}

/// Polls until an entry is there.
#[track_caller]
fn hear(server: &Server, letter: &str, name: &str) -> Message {
    wait::until(BOUND, &format!("the feed tells of {letter} {name}"), || {
        Some(poll(&server.issuer, "")).filter(|message| message.entry(letter, name).is_some())
    })
}

#[test]
fn it_is_in_the_metadata_and_begins_empty() {
    let server = Server::start();
    let metadata = server.get("/.well-known/openid-configuration").expect(200);
    assert_eq!(metadata["revocations_endpoint"], server.url("/revocations"));
    let message = poll(&server.issuer, "");
    assert!(message.is_snapshot() && message.entries().is_empty());
    assert_eq!(message.0["more"], json!(false));
    server.stop();
}

#[test]
fn it_tells_of_every_kind_and_names_nothing() {
    let world = World::start();
    let server = &world.server;
    let tokens = world.sign_in(&world.web, "openid offline_access orders:read");
    let other = world.sign_in(&world.spa, "openid offline_access orders:read");
    let kid = jwt::header(tokens.access())["kid"].as_str().expect("kid").to_owned();
    let (jti, sub) = (claim(&tokens, "jti"), claim(&tokens, "sub"));
    let online = world.sign_in(&world.spa, "openid orders:read");
    let (fid, gid, sid) = (claim(&tokens, "fid"), claim(&other, "gid"), claim(&online, "sid"));
    assert_eq!(server.revoke(&world.web, tokens.access()).status, 200);
    assert_eq!(server.revoke(&world.web, tokens.refresh()).status, 200);
    server.cli(&["grant", "revoke", &gid]).expect_status(0);
    server.cli(&["session", "revoke", &sid]).expect_status(0);
    server.cli(&["client", "disable", &world.web.id]).expect_status(0);
    server.cli(&["user", "disable", "alice"]).expect_status(0);
    server.cli(&["key", "revoke", &kid]).expect_status(0);
    for (letter, kind, id) in [
        ("t", "token", &jti),
        ("f", "family", &fid),
        ("g", "grant", &gid),
        ("s", "session", &sid),
        ("c", "client", &world.web.id),
        ("u", "user", &sub),
        ("k", "signing_key", &kid),
    ] {
        let message = hear(server, letter, &name(kind, id));
        let entry = message.entry(letter, &name(kind, id)).expect("just seen");
        let life = entry[2].as_i64().expect("a life");
        assert!((1..=700).contains(&life), "the longest token and a minute: {entry}");
        let floor = entry.get(3).and_then(serde_json::Value::as_i64);
        assert_eq!(floor.is_some(), matches!(letter, "c" | "u"), "{entry}");
        assert!(floor.is_none_or(|floor| (wait::now_s() - floor) < 60), "{entry}");
        assert!(!message.0.to_string().contains(id.as_str()), "no raw identifier: {kind}");
    }
}

#[test]
fn it_goes_on_where_a_follower_stands() {
    let world = World::start();
    let server = &world.server;
    let issuer = server.issuer.as_str();
    let revoke = || {
        let tokens = server.client_credentials(&world.service, "orders:read");
        assert_eq!(server.revoke(&world.service, tokens.access()).status, 200);
        let name = name("token", &claim(&tokens, "jti"));
        hear(server, "t", &name);
        name
    };
    let first = revoke();
    let seq = poll(issuer, "").seq();
    let nothing = poll(issuer, &format!("?since={seq}"));
    assert!(!nothing.is_snapshot() && nothing.entries().is_empty() && nothing.seq() == seq);
    let second = revoke();
    let delta = poll(issuer, &format!("?since={seq}"));
    assert!(!delta.is_snapshot() && delta.seq() > seq && delta.0["since"] == seq);
    assert!(delta.entry("t", &second).is_some() && delta.entry("t", &first).is_none());
    let all = poll(issuer, "?since=0");
    assert!(all.entry("t", &second).is_some() && all.entry("t", &first).is_some());
    // A place that this log never reached is one of another log: a backup was restored.
    let anew = poll(issuer, &format!("?since={}", delta.seq() + 1000));
    assert!(anew.is_snapshot() && anew.entries().len() == 2 && anew.seq() == delta.seq());
}

#[test]
fn a_poll_waits_for_what_is_new() {
    let world = World::start();
    let server = &world.server;
    let tokens = server.client_credentials(&world.service, "orders:read");
    let seq = poll(&server.issuer, "").seq();
    let start = Instant::now();
    let sign_of_life = poll(&server.issuer, &format!("?since={seq}&wait=1"));
    let waited = start.elapsed();
    assert!(sign_of_life.entries().is_empty() && waited >= Duration::from_millis(900));
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    let told = std::thread::scope(|scope| {
        let poll = scope.spawn(|| poll(&server.issuer, &format!("?since={seq}&wait=25")));
        followers(server, 1);
        assert_eq!(server.revoke(&world.service, tokens.access()).status, 200);
        let revoked_at = Instant::now();
        let told = poll.join().expect("an answer");
        assert!(revoked_at.elapsed() < BOUND, "{:?}", revoked_at.elapsed());
        told
    });
    assert!(told.entry("t", &name("token", &claim(&tokens, "jti"))).is_some());
}

/// Waits until this many validators listen.
#[track_caller]
fn followers(server: &Server, count: usize) {
    let line = format!("keywright_revocation_feed_followers {count}");
    wait::until_true(Duration::from_secs(5), &line, || {
        Request::get(&format!("{}/metrics", server.ops)).send().text().contains(&line)
    });
}

#[test]
fn a_stream_tells_at_once_and_is_resumed() {
    let world = World::start();
    let server = &world.server;
    let revoke = || {
        let tokens = server.client_credentials(&world.service, "orders:read");
        assert_eq!(server.revoke(&world.service, tokens.access()).status, 200);
        name("token", &claim(&tokens, "jti"))
    };
    let mut stream = Stream::open(&server.issuer, "", "");
    assert_eq!(stream.status, 200, "{}", stream.head);
    assert!(stream.head.contains("text/event-stream"), "{}", stream.head);
    let first = stream.next().expect("a snapshot at once");
    assert!(first.message.is_snapshot() && first.id == first.message.seq());
    followers(server, 1);
    let one = revoke();
    let event = stream.until_entry(BOUND);
    assert!(event.message.entry("t", &one).is_some() && !event.message.is_snapshot());
    assert_eq!(event.message.0["since"], first.id);
    let start = Instant::now();
    let silent = stream.next().expect("a sign of life");
    assert!(silent.message.entries().is_empty() && silent.id == event.id);
    assert!(start.elapsed() < Duration::from_secs(7), "every 5 s: {:?}", start.elapsed());
    drop(stream);
    followers(server, 0);
    let two = revoke();
    let header = format!("Last-Event-ID: {}\r\n", event.id);
    let resumed = Stream::open(&server.issuer, "?since=0", &header).until_entry(BOUND);
    assert!(resumed.message.entry("t", &two).is_some(), "what it missed");
    assert!(resumed.message.entry("t", &one).is_none(), "and no more");
}

#[test]
fn it_outlives_a_crash() {
    let mut world = World::start();
    let tokens = world.server.client_credentials(&world.service, "orders:read");
    assert_eq!(world.server.revoke(&world.service, tokens.access()).status, 200);
    let name = name("token", &claim(&tokens, "jti"));
    let before = hear(&world.server, "t", &name).seq();
    world.server.kill();
    world.server.spawn();
    world.server.wait_ready();
    let issuer = world.server.issuer.as_str();
    assert!(poll(issuer, "").entry("t", &name).is_some(), "told from the store");
    let delta = poll(issuer, &format!("?since={before}"));
    assert!(!delta.is_snapshot() && delta.entries().is_empty(), "a follower loses no place");
}

#[test]
fn those_who_wait_do_not_hold_up_the_end() {
    let server = Server::start();
    let issuer = server.issuer.clone();
    let mut stream = Stream::open(&issuer, "", "");
    assert!(stream.next().is_some());
    let seq = poll(&issuer, "").seq();
    let polling = std::thread::spawn(move || poll_until_end(&issuer, seq));
    followers(&server, 2);
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(stream.next().is_none(), "it ends between two events");
    assert_eq!(polling.join().expect("an answer"), 200, "and a poll with a sign of life");
}

fn poll_until_end(issuer: &str, seq: u64) -> u16 {
    Request::get(&format!("{issuer}/revocations?since={seq}&wait=25")).send().status
}

/// Behind a round-robin a validator meets nodes that are a moment apart.
#[test]
fn nodes_of_one_store_tell_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let world = World::in_server(Server::builder().data(folder.path()).start());
    let other = Server::builder().data(folder.path()).start();
    let (here, there) = (world.server.issuer.as_str(), other.issuer.as_str());
    let mut stream = Stream::open(there, "", "");
    assert!(stream.next().is_some_and(|event| event.message.is_snapshot()));
    for round in 0..5 {
        let tokens = world.server.client_credentials(&world.service, "orders:read");
        assert_eq!(world.server.revoke(&world.service, tokens.access()).status, 200);
        let revoked_at = Instant::now();
        let name = name("token", &claim(&tokens, "jti"));
        let seq = hear(&world.server, "t", &name).seq();
        // The other node waits until it has come as far, rather than begin anew.
        let delta = poll(there, &format!("?since={seq}"));
        assert!(!delta.is_snapshot() && delta.entries().is_empty(), "round {round}: {delta:?}");
        let told = stream.until_entry(BOUND).message;
        assert!(told.entry("t", &name).is_some(), "round {round}: {told:?}");
        assert!(revoked_at.elapsed() < BOUND, "{:?}", revoked_at.elapsed());
    }
    let (ours, theirs) = (poll(here, ""), poll(there, ""));
    assert_eq!(ours.seq(), theirs.seq());
    let names = |message: &Message| {
        message.entries().iter().map(|entry| entry[1].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&ours), names(&theirs));
}
