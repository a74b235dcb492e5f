//! From SQLite to PostgreSQL and back, and from a primary to a standby that lags.

use std::time::Duration;

use crate::support::postgres::{Postgres, database, query};
use crate::support::{Server, Tokens, World, wait};

const OFFLINE: &str = "openid offline_access";
const BOUND: Duration = Duration::from_mins(1);
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
    let database = database();
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

/// The standby takes over without the last things that the primary answered.
#[test]
fn a_fail_over_that_lost_something_logs_nobody_out_and_revives_nothing() {
    let mut primary = Postgres::start();
    let mut standby = primary.standby();
    let url =
        format!("postgres://keywright@{},{}/postgres", primary.authority(), standby.authority());
    let world = World::in_server(Server::builder().postgres(&url).start());
    let busy = world.sign_in(&world.web, OFFLINE);
    let idle = world.sign_in(&world.spa, OFFLINE);
    // From here on the standby hears of nothing, and the primary does not wait for it.
    query(&primary.url(), "ALTER SYSTEM SET synchronous_standby_names = ''");
    query(&primary.url(), "SELECT pg_reload_conf()");
    standby.stop("fast");
    let first = Tokens::from(&world.server.refresh(&world.web, busy.refresh()));
    let second = Tokens::from(&world.server.refresh(&world.web, first.refresh()));
    let machine = world.server.client_credentials(&world.service, "orders:read");
    world.server.revoke(&world.service, machine.access()).expect(200);
    primary.stop("immediate");
    standby.start_again();
    standby.promote();

    let third = wait::until(BOUND, "the server finds the new primary", || {
        let answer = world.server.refresh(&world.web, second.refresh());
        (answer.status == 200).then(|| Tokens::from(&answer))
    });
    Tokens::from(&world.server.refresh(&world.spa, idle.refresh()));
    assert!(!world.server.is_active(&world.service, machine.access()), "revoked stays revoked");
    // A revocation reaches a node within a second; what it minted in that second may be dead, too.
    wait::until_true(Duration::from_secs(2), "what was issued before is dead", || {
        !world.server.is_active(&world.web, second.access())
    });
    let third = Tokens::from(&world.server.refresh(&world.web, third.refresh()));
    assert!(world.server.is_active(&world.web, third.access()));
    assert_eq!(query(&standby.url(), "SELECT number FROM epoch"), "1");
    // What was used in the gap is used: the family ends as ever.
    world.server.refresh(&world.web, first.refresh()).expect_error(400, "invalid_grant");
    world.server.refresh(&world.web, third.refresh()).expect_error(400, "invalid_grant");
    world.server.cli(&["audit", "verify"]).expect_status(0);
    let events = world.server.cli(&["audit", "export", "--type", "epoch.raised"]).stdout;
    assert!(events.contains("timeline 00000001 to 00000002"), "{events}");
    world.server.stop();
}

/// A snapshot of a machine's disk goes back on the same timeline: the node that runs sees that the
/// log ends before what it has followed.
#[test]
fn a_database_that_goes_back_under_a_running_node_is_seen() {
    let url = database();
    let world = World::in_server(Server::builder().postgres(&url).start());
    let busy = world.sign_in(&world.web, OFFLINE);
    assert_eq!(query(&url, "SELECT number FROM epoch"), "0");
    query(&url, "UPDATE log_head SET seq = seq - 1 WHERE seq > 0");
    wait::until_true(BOUND, "the epoch is raised", || {
        query(&url, "SELECT number FROM epoch") == "1"
    });
    Tokens::from(&world.server.refresh(&world.web, busy.refresh()));
    wait::until_true(Duration::from_secs(2), "what was issued before is dead", || {
        !world.server.is_active(&world.web, busy.access())
    });
    world.server.stop();
}
