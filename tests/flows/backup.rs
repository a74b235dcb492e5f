//! Backups, restores, moves, migrations: nobody is logged out, nothing that was dead comes back.

use std::collections::HashMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::Connection;

use crate::support::server::program;
use crate::support::{Authorize, Browser, Server, Tokens, World, wait};

const OFFLINE: &str = "openid offline_access";
const BOUND: Duration = Duration::from_mins(1);

impl World {
    fn store(&self) -> PathBuf {
        self.server.folder.join("data/keywright.db")
    }

    /// `keywright COMMAND FILE`.
    fn keep(&self, command: &str, file: &Path) -> crate::support::cli::Output {
        self.server.cli(&[command, file.to_str().expect("text")])
    }

    /// The disk is gone: nothing is left of the store, only the master key.
    fn lose_store(&mut self) {
        self.server.kill();
        for suffix in ["", "-wal", "-shm"] {
            let path = format!("{}{suffix}", self.store().display());
            assert!(std::fs::remove_file(&path).is_ok() || !suffix.is_empty(), "{path}");
        }
    }

    fn start_again(&mut self) {
        self.server.spawn();
        self.server.wait_ready();
    }
}

/// What a client holds: its newest token, and those it used before.
struct Held {
    newest: String,
    used: Vec<String>,
}

fn refresh(world: &World, held: &mut Held) {
    let tokens = Tokens::from(&world.server.refresh(&world.spa, &held.newest));
    held.used.push(std::mem::replace(&mut held.newest, tokens.refresh().to_owned()));
}

/// Clients that refresh until they are told to stop, while `meanwhile` happens.
fn under_load<T>(world: &World, clients: &mut [Held], meanwhile: impl FnOnce() -> T) -> T {
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let busy = 3 * clients.len();
    std::thread::scope(|scope| {
        for held in clients {
            let (stop, done) = (&stop, &done);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    refresh(world, held);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let until = |count| {
            wait::until_true(BOUND, "they are busy", || done.load(Ordering::Relaxed) >= count);
        };
        until(busy);
        let result = meanwhile();
        until(done.load(Ordering::Relaxed) + busy);
        stop.store(true, Ordering::Relaxed);
        result
    })
}

#[test]
fn a_backup_under_load_comes_back_and_nobody_is_logged_out() {
    let mut world = World::start();
    let mut browser = Browser::default();
    let mut clients: Vec<Held> = (0..12)
        .map(|_| {
            let tokens = world.sign_in_with(&mut browser, &world.spa, OFFLINE, &world.alice);
            Held { newest: tokens.refresh().to_owned(), used: Vec::new() }
        })
        .collect();
    let revoked = world.sign_in(&world.web, OFFLINE);
    world.server.revoke(&world.web, revoked.refresh()).expect(200);
    let idle = world.sign_in(&world.web, OFFLINE);
    let flow = Authorize::new(&world.server, &world.web);
    let (unspent, spent) =
        (browser.authorize(&flow, &world.alice), browser.authorize(&flow, &world.alice));
    let file = world.server.folder.join("nightly.kwb");
    let summary = under_load(&world, &mut clients, || world.keep("backup", &file).json());
    assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(summary["tables"]["family"], 14);
    // The gap: what the backup does not know.
    Tokens::from(&world.server.redeem(&world.web, &flow, spent.code()));
    let access = world.server.client_credentials(&world.service, "orders:read");
    world.lose_store();

    let restored = world.keep("restore", &file).json();
    assert_eq!((&restored["epoch"], &restored["sha256"]), (&1.into(), &summary["sha256"]));
    world.start_again();
    for held in &mut clients {
        assert!(held.used.len() > 3);
        refresh(&world, held);
        refresh(&world, held);
    }
    // Once: what was used before the newest one is reuse, and ends the family, as ever.
    let thief = clients.first().expect("twelve");
    let used = thief.used.get(thief.used.len() - 4).expect("more than three");
    world.server.refresh(&world.spa, used).expect_error(400, "invalid_grant");
    world.server.refresh(&world.spa, &thief.newest).expect_error(400, "invalid_grant");
    // Who did nothing in the gap holds what the backup knows.
    Tokens::from(&world.server.refresh(&world.web, idle.refresh()));
    world.server.refresh(&world.web, revoked.refresh()).expect_error(400, "invalid_grant");
    for code in [&spent, &unspent] {
        world.server.redeem(&world.web, &flow, code.code()).expect_error(400, "invalid_grant");
    }
    assert!(!world.server.is_active(&world.service, access.access()), "issued before");
    let fresh = world.server.client_credentials(&world.service, "orders:read");
    assert!(world.server.is_active(&world.service, fresh.access()), "issued after");
    let page = browser.open(&flow.url());
    assert!(!page.has("login-form"), "the session lives");
    world.server.cli(&["audit", "verify"]).expect_status(0);
    let events = world.server.cli(&["audit", "export", "--type", "refresh.adopted"]).stdout;
    assert!(events.lines().count() >= 11, "{events}");
    world.server.stop();
}

#[test]
fn a_restore_checks_everything_before_it_changes_anything() {
    let mut world = World::start();
    let tokens = world.sign_in(&world.web, OFFLINE);
    let folder = world.server.folder.clone();
    let file = folder.join("good.kwb");
    world.keep("backup", &file).expect_status(0);
    world.keep("backup", &file).expect_status(1);
    let refused = world.keep("restore", &file);
    refused.expect_status(1);
    assert!(refused.stderr.contains("running"), "{}", refused.stderr);
    world.server.signal("TERM");
    world.server.wait_exit(BOUND);
    let refused = world.keep("restore", &file);
    refused.expect_status(1);
    assert!(refused.stderr.contains("not empty"), "{}", refused.stderr);

    let before = std::fs::read(world.store()).expect("readable");
    let good = std::fs::read_to_string(&file).expect("text");
    let lines: Vec<&str> = good.lines().collect();
    let tampered = good.replacen("alice@example.com", "mallo@example.com", 1);
    assert_ne!(tampered, good);
    let without_a_line = [&lines[..20], &lines[21..]].concat().join("\n") + "\n";
    let cut = &good[..good.len() / 2];
    for (name, text) in
        [("tampered", tampered.as_str()), ("a line less", &without_a_line), ("cut", cut), ("", "")]
    {
        let bad = folder.join("bad.kwb");
        std::fs::write(&bad, text).expect("writable");
        let bad = bad.to_str().expect("text");
        let refused = world.server.cli(&["restore", bad, "--dangerous-replace"]);
        refused.expect_status(1);
        assert!(
            refused.stderr.contains("damaged") || text.is_empty(),
            "{name}: {}",
            refused.stderr
        );
        assert_eq!(std::fs::read(world.store()).expect("readable"), before, "{name}");
    }
    // Another master key neither opens it nor vouches for it.
    let key = folder.join("data/master.key");
    let right = std::fs::read(&key).expect("readable");
    std::fs::write(&key, "another-key-that-is-long-enough-to-be-random").expect("writable");
    let name = file.to_str().expect("text");
    let refused = world.server.cli(&["restore", name, "--dangerous-replace"]);
    refused.expect_status(1);
    assert!(refused.stderr.contains("another master key"), "{}", refused.stderr);
    std::fs::write(&key, right).expect("writable");
    assert_eq!(std::fs::read(world.store()).expect("readable"), before);

    world.server.cli(&["restore", name, "--dangerous-replace"]).expect_status(0);
    world.start_again();
    Tokens::from(&world.server.refresh(&world.web, tokens.refresh()));
    world.server.stop();
}

/// Rows that take a while to copy.
fn fill(store: &Path) -> u64 {
    let rows = 150_000;
    let db = Connection::open(store).expect("a database");
    let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO one_time (key, expires_at)
        SELECT CAST(printf('%032d', i) AS BLOB), 9000000000000 FROM n";
    db.execute(sql, [rows]).expect("filled");
    u64::try_from(rows).expect("positive")
}

/// Whether a copy has come into the middle of the long table.
fn is_midway(target: &Path) -> bool {
    let Ok(db) = Connection::open(target) else { return false };
    let sql = "SELECT finished = 0 FROM copying WHERE name = 'table one_time'";
    db.query_row(sql, [], |row| row.get(0)).unwrap_or(false)
}

#[test]
fn an_interrupted_copy_goes_on_where_it_stopped() {
    let mut world = World::start();
    let tokens = world.sign_in(&world.web, OFFLINE);
    let target = world.server.folder.join("data/moved.db");
    let url = format!("sqlite:{}", target.display());
    let args = ["store", "copy", "--to", url.as_str()];
    let refused = world.server.cli(&args);
    refused.expect_status(1);
    assert!(refused.stderr.contains("--online-snapshot"), "{}", refused.stderr);
    world.server.signal("TERM");
    world.server.wait_exit(BOUND);
    let rows = fill(&world.store());

    let mut command = Command::new(program());
    command.args(args).arg("--config").arg(&world.server.config);
    command.current_dir(&world.server.folder).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    wait::until_true(BOUND, "it is midway", || is_midway(&target));
    child.kill().expect("still at work");
    child.wait().expect("a child");
    assert!(is_midway(&target), "killed in the middle");

    let moved = std::fs::read_to_string(&world.server.config).expect("readable");
    let moved = moved.replace("keywright.db", "moved.db");
    let original = std::fs::read_to_string(&world.server.config).expect("readable");
    std::fs::write(&world.server.config, &moved).expect("writable");
    let unfinished = world.server.cli(&["client", "list"]);
    unfinished.expect_status(3);
    assert!(unfinished.stderr.contains("not finished"), "{}", unfinished.stderr);
    std::fs::write(&world.server.config, original).expect("writable");

    let done = world.server.cli_plain(&args, "");
    done.expect_status(0);
    assert!(done.stderr.contains("goes on where it stopped"), "{}", done.stderr);
    let table: HashMap<&str, &str> = done
        .stdout
        .lines()
        .filter_map(|line| line.split_once(' ').map(|(name, rest)| (name, rest.trim())))
        .collect();
    assert!(table["one_time"].starts_with(&rows.to_string()), "{}", done.stdout);
    assert!(done.stdout.lines().skip(1).all(|line| line.ends_with("yes")), "{}", done.stdout);
    world.server.cli(&args).expect_status(1);
    let itself =
        format!("sqlite:{}", world.server.folder.join("data/../data/keywright.db").display());
    let itself = ["store", "copy", "--dangerous-replace", "--to", itself.as_str()];
    world.server.cli(&itself).expect_status(2);

    std::fs::write(&world.server.config, moved).expect("writable");
    world.start_again();
    let next = Tokens::from(&world.server.refresh(&world.web, tokens.refresh()));
    assert!(world.server.is_active(&world.web, tokens.access()), "a move ends nothing");
    Tokens::from(&world.server.refresh(&world.web, next.refresh()));
    world.server.cli(&["audit", "verify"]).expect_status(0);
    world.server.stop();
}

/// A refresh token as the first version minted them: without a generation.
fn without_generation(store: &Path, token: &str) -> String {
    let body = URL_SAFE_NO_PAD.decode(token.strip_prefix("kwr_").expect("a prefix"));
    let mut body = body.expect("base64url");
    let hash = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes).as_ref().to_vec();
    let carried = hash(&body[..body.len() - 4]);
    body.truncate(48);
    let db = Connection::open(store).expect("a database");
    let sql = "UPDATE family SET current = ?2 WHERE current = ?1";
    assert_eq!(db.execute(sql, [carried, hash(&body)]).expect("an update"), 1);
    let sum = hash(&[b"kwr_", &body[..]].concat());
    body.extend_from_slice(&sum[..4]);
    format!("kwr_{}", URL_SAFE_NO_PAD.encode(body))
}

#[test]
fn a_migration_is_rehearsed_and_live_tokens_survive_it() {
    let mut world = World::start();
    let (web, spa) = (world.sign_in(&world.web, OFFLINE), world.sign_in(&world.spa, OFFLINE));
    let access = world.server.client_credentials(&world.service, "orders:read");
    world.server.signal("TERM");
    world.server.wait_exit(BOUND);
    let bare = without_generation(&world.store(), web.refresh());
    world.server.cli(&["migrate", "--to", "1"]).expect_status(0);

    let found = world.server.cli(&["doctor"]);
    found.expect_status(1);
    assert!(found.stdout.contains("epoch"), "{}", found.stdout);
    let before = std::fs::read(world.store()).expect("readable");
    let plan = world.server.cli(&["migrate", "--dry-run"]).json();
    let names: Vec<_> =
        plan["steps"].as_array().expect("steps").iter().map(|s| &s["name"]).collect();
    assert!(names.contains(&&"epoch".into()), "{plan}");
    assert!(plan["tables"]["family"] == 2 && plan["steps"][0]["took_ms"].is_u64(), "{plan}");
    assert_eq!(std::fs::read(world.store()).expect("readable"), before, "nothing was changed");
    let left = world.store().parent().expect("a folder").read_dir().expect("readable");
    let mut left = left.map(|entry| entry.expect("an entry").file_name());
    assert!(!left.any(|name| name.to_string_lossy().contains("rehearsal")));
    let done = world.server.cli(&["migrate"]).json();
    assert_eq!((&done["from"], &done["applied"]), (&1.into(), &serde_json::json!(names)));
    assert_eq!(world.server.cli(&["migrate", "--dry-run"]).json()["steps"], serde_json::json!([]));

    world.start_again();
    let next = Tokens::from(&world.server.refresh(&world.web, &bare));
    assert!(next.refresh().len() > bare.len(), "its child carries a generation");
    let again = Tokens::from(&world.server.refresh(&world.web, &bare));
    assert_eq!(again.refresh(), next.refresh(), "a lost answer");
    Tokens::from(&world.server.refresh(&world.web, next.refresh()));
    Tokens::from(&world.server.refresh(&world.spa, spa.refresh()));
    assert!(world.server.is_active(&world.service, access.access()));
    world.server.stop();
}

#[test]
fn a_doctor_finds_what_is_wrong_and_only_that() {
    let server = Server::start();
    let healthy = server.cli(&["doctor"]).json();
    assert_eq!(healthy["problems"], 0, "{healthy}");
    let checks: Vec<_> = healthy["checks"].as_array().expect("checks").iter().collect();
    for name in ["master key", "store", "schema", "keys", "nodes", "disk", "issuer"] {
        let found = checks.iter().find(|check| check["check"] == name);
        assert_eq!(found.expect(name)["level"], "ok", "{name}");
    }
    let key = server.folder.join("data/master.key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("owned");
    let found = server.cli(&["doctor"]);
    found.expect_status(1);
    assert!(found.stdout.contains("chmod 600"), "{}", found.stdout);
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("owned");
    let right = std::fs::read(&key).expect("readable");
    std::fs::write(&key, "another-key-that-is-long-enough-to-be-random").expect("writable");
    let found = server.cli(&["doctor"]);
    found.expect_status(1);
    assert!(found.stdout.contains("put the right key back"), "{}", found.stdout);
    std::fs::write(&key, right).expect("writable");
    server.cli(&["doctor"]).expect_status(0);
    server.stop();
}
