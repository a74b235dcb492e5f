//! From SQLite to PostgreSQL and back: nobody notices.

use std::process::Command;
use std::time::Duration;

use crate::support::{Tokens, World};

const OFFLINE: &str = "openid offline_access";
const BOUND: Duration = Duration::from_mins(1);
/// The URL of a server that the tests may use, as its superuser.
const SERVER: &str = "KEYWRIGHT_TEST_POSTGRES";

/// An empty schema of its own on that server, as an address.
fn empty_schema(name: &str) -> String {
    let server = std::env::var(SERVER).expect("KEYWRIGHT_TEST_POSTGRES: see `cargo xtask test`");
    let schema = format!("flow_{name}_{}", std::process::id());
    let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    let made = Command::new("psql").args([&server, "-qc", &sql]).status();
    assert!(made.expect("psql is installed").success());
    let and = if server.contains('?') { '&' } else { '?' };
    format!("{server}{and}options=-c%20search_path%3D{schema}")
}

/// Moves the stopped store, and starts the server on the new one.
fn relocate(world: &mut World, from: &str, to: &str) {
    world.server.signal("TERM");
    world.server.wait_exit(BOUND);
    let copied = world.server.cli(&["store", "copy", "--to", to]);
    let rows = copied.items();
    assert!(rows.iter().all(|row| row["same"] == true), "{rows:?}");
    let key = world.server.folder.join("data/master.key");
    let text = std::fs::read_to_string(&world.server.config).expect("readable");
    let text = text.replace(&format!("url = \"{from}\""), &format!("url = \"{to}\""));
    let keys = format!("[keys]\nmaster = \"file:{}\"\n", key.display());
    let text = if text.contains("[keys]") { text } else { text + "\n" + &keys };
    std::fs::write(&world.server.config, text).expect("writable");
    world.server.spawn();
    world.server.wait_ready();
}

#[test]
fn a_store_moves_to_postgresql_and_back() {
    let mut world = World::start();
    let first = world.sign_in(&world.web, OFFLINE);
    let second = Tokens::from(&world.server.refresh(&world.web, first.refresh()));
    let revoked = world.sign_in(&world.spa, OFFLINE);
    world.server.revoke(&world.spa, revoked.refresh()).expect(200);
    let folder = world.server.folder.clone();
    let file = format!("sqlite:{}", folder.join("data/keywright.db").display());
    let database = empty_schema("there");
    relocate(&mut world, &file, &database);

    assert!(world.server.is_active(&world.web, second.access()), "a move ends nothing");
    let third = Tokens::from(&world.server.refresh(&world.web, second.refresh()));
    world.server.refresh(&world.spa, revoked.refresh()).expect_error(400, "invalid_grant");
    world.server.cli(&["audit", "verify"]).expect_status(0);
    let health = world.server.cli(&["doctor"]).json();
    let checks: Vec<_> = health["checks"].as_array().expect("checks").iter().collect();
    let clock = checks.iter().find(|check| check["check"] == "clock").expect("a clock");
    assert_eq!(clock["level"], "ok", "{health}");
    assert_eq!(world.server.cli(&["migrate", "--dry-run"]).json()["steps"], serde_json::json!([]));
    let backup = folder.join("there.kwb");
    world.server.cli(&["backup", backup.to_str().expect("text")]).expect_status(0);

    let back = format!("sqlite:{}", folder.join("back/keywright.db").display());
    relocate(&mut world, &database, &back);
    let fourth = Tokens::from(&world.server.refresh(&world.web, third.refresh()));
    world.server.refresh(&world.spa, revoked.refresh()).expect_error(400, "invalid_grant");
    world.server.cli(&["audit", "verify"]).expect_status(0);

    // A backup of one kind of store is one of every kind.
    world.server.signal("TERM");
    world.server.wait_exit(BOUND);
    let args = ["restore", backup.to_str().expect("text"), "--dangerous-replace"];
    assert_eq!(world.server.cli(&args).json()["epoch"], 1);
    world.server.spawn();
    world.server.wait_ready();
    let fifth = Tokens::from(&world.server.refresh(&world.web, fourth.refresh()));
    assert!(world.server.is_active(&world.web, fifth.access()));
    assert!(!world.server.is_active(&world.web, fourth.access()), "issued before the restore");
    world.server.refresh(&world.web, third.refresh()).expect_error(400, "invalid_grant");
    world.server.stop();
}
