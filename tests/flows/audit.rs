//! `audit tail|export|verify`: complete, chained, without secrets.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Server, World, secrets, wait};

const MEMBERS: [&str; 8] =
    ["seq", "time", "tenant", "type", "outcome", "request_id", "prev_hash", "hash"];

fn export(server: &Server) -> Vec<Value> {
    let output = server.cli(&["audit", "export"]);
    output.expect_status(0);
    let leaked = secrets::found_in(server.authority(), &output.stdout);
    assert!(leaked.is_empty(), "CONTRACT-7: no secret ever: {leaked:?}");
    let lines = output.stdout.lines();
    lines.map(|line| serde_json::from_str(line).expect("one event a line")).collect()
}

fn busy_world() -> World {
    let world = World::start();
    let tokens = world.sign_in(&world.web, "openid offline_access");
    let tokens = crate::support::Tokens::from(&world.server.refresh(&world.web, tokens.refresh()));
    world.server.revoke(&world.web, tokens.refresh());
    world.server.client_credentials(&world.service, "orders:read");
    world
}

#[test]
fn events_are_complete_and_chained() {
    let world = busy_world();
    let events = export(&world.server);
    for event in &events {
        for member in MEMBERS {
            assert!(!event[member].is_null() || member == "request_id", "{member}: {event}");
        }
        let kind = event["type"].as_str().expect("type");
        let (noun, verb) = kind.split_once('.').expect("CONTRACT-7: noun.verb");
        assert!(!noun.is_empty() && !verb.is_empty(), "{kind}");
    }
    let issued: Vec<&Value> = events.iter().filter(|e| e["type"] == "token.issued").collect();
    assert!(issued.len() >= 3, "code, refresh, client credentials: {}", issued.len());
    for event in issued {
        assert!(event["client_id"].is_string() && event["jti"].is_string(), "{event}");
        assert!(event["ip"].is_string(), "{event}");
    }
    for pair in events.windows(2) {
        assert_eq!(pair[1]["prev_hash"], pair[0]["hash"], "DESIGN-5.7: chained");
        let (a, b) = (pair[0]["seq"].as_i64(), pair[1]["seq"].as_i64());
        assert!(a < b, "in order");
    }
    world.server.cli(&["audit", "verify"]).expect_status(0);
    world.server.stop();
}

#[test]
fn tail_shows_the_latest() {
    let world = busy_world();
    let output = world.server.cli(&["audit", "tail"]);
    output.expect_status(0);
    assert!(output.stdout.contains("token.issued"), "{}", output.stdout);
}

/// The table that holds the events, and a column of it that is text.
fn tamper(database: &std::path::Path, sql: &str) {
    let connection = rusqlite::Connection::open(database).expect("the store is SQLite");
    connection.busy_timeout(Duration::from_secs(10)).expect("set");
    let find = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%audit%'";
    let mut statement = connection.prepare(find).expect("prepared");
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0)).expect("rows").map(Result::unwrap).collect();
    let mut changed = 0;
    for table in &tables {
        changed += connection.execute(&sql.replace("AUDIT", table), []).unwrap_or(0);
    }
    assert!(changed > 0, "something was tampered with in {tables:?}");
}

#[test]
fn verify_finds_what_was_edited() {
    let cases = [
        ("a removed event", "DELETE FROM AUDIT WHERE seq = 3"),
        (
            "an edited event",
            "UPDATE AUDIT SET body = replace(body, 'token.issued', 'token.denied')",
        ),
    ];
    for (name, sql) in cases {
        let mut world = busy_world();
        world.server.cli(&["audit", "verify"]).expect_status(0);
        world.server.signal("TERM");
        world.server.wait_exit(Duration::from_secs(10));
        tamper(&world.server.folder.join("data/keywright.db"), sql);
        let found = world.server.cli(&["audit", "verify"]);
        assert_eq!(found.status, 1, "DESIGN-5.7: {name}: {}", found.stdout);
    }
}

#[test]
fn failures_are_events_too() {
    let world = World::start();
    world.server.token(&world.web, &[("grant_type", "client_credentials")]);
    let flow = crate::support::Authorize::new(&world.server, &world.web);
    let mut browser = crate::support::Browser::default();
    let page = browser.open(&flow.url());
    let wrong = crate::support::User { password: "not her password".into(), ..world.alice.clone() };
    browser.sign_in(&page, &wrong);
    wait::until_true(Duration::from_secs(3), "the failed login is recorded", || {
        export(&world.server).iter().any(|event| {
            let kind = event["type"].as_str().unwrap_or_default();
            (kind.starts_with("login.") || kind.starts_with("user."))
                && event["outcome"] != "success"
        })
    });
}

/// `audit.issuance = "buffered"`: what was buffered is written when the server stops.
#[test]
fn buffered_events_survive_a_clean_stop() {
    let server = Server::builder().set("audit", "issuance = \"buffered\"").start();
    let mut world = World::in_server(server);
    for _ in 0..20 {
        world.server.client_credentials(&world.service, "orders:read");
    }
    world.server.signal("TERM");
    assert!(world.server.wait_exit(Duration::from_secs(10)).success(), "CONTRACT-5: exits 0");
    let events = export(&world.server);
    let issued = events.iter().filter(|event| event["type"] == "token.issued").count();
    assert_eq!(issued, 20, "CONTRACT-5: flushed");
    world.server.cli(&["audit", "verify"]).expect_status(0);
}
