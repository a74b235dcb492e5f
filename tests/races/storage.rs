//! The database locked by another process, the disk full or failing: a 503, nothing lost, nothing
//! dead.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;

use super::together;
use crate::support::{Browser, Response, Server, Tokens, World, wait};

const OFFLINE: &str = "openid offline_access";

#[track_caller]
fn expect_busy(answer: &Response) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some(), "CONTRACT-6: 503 always says when");
    assert_eq!(answer.error(), "temporarily_unavailable", "{}", answer.text());
    assert!(answer.header("x-request-id").is_some(), "CONTRACT-6");
}

#[test]
fn a_locked_database_is_a_503_and_passes() {
    let mut world = World::start();
    let tokens = world.sign_in(&world.web, OFFLINE);
    let database = world.server.folder.join("data/keywright.db");
    let lock = Connection::open(&database).expect("the store is SQLite");
    lock.busy_timeout(Duration::from_secs(10)).expect("set");
    lock.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let server = &world.server;
    let answers = together(3, |n| match n {
        0 => server.refresh(&world.web, tokens.refresh()),
        _ => server.token(&world.service, &[("grant_type", "client_credentials")]),
    });
    expect_busy(&answers[0]);
    for answer in &answers[1..] {
        // A token whose audit row cannot be written is not given out (DESIGN 5.7).
        expect_busy(answer);
    }
    // Reading goes on meanwhile.
    assert_eq!(server.get("/jwks").status, 200);
    assert!(server.is_active(&world.web, tokens.access()), "introspection needs no write");
    lock.execute_batch("ROLLBACK").expect("unlocked");
    drop(lock);
    let next = wait::until(Duration::from_secs(20), "the store is back", || {
        let answer = server.refresh(&world.web, tokens.refresh());
        (answer.status == 200).then(|| Tokens::from(&answer))
    });
    Tokens::from(&server.refresh(&world.web, next.refresh()));
    server.client_credentials(&world.service, "orders:read");
    assert!(world.server.is_alive());
    world.server.cli(&["audit", "verify"]).expect_status(0);
    world.server.stop();
}

/// A small file system of its own, unmounted when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// `None` where the test may not mount.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size},mode=700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(at)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).expect("writable");
        while file.write_all(&[0; 4096]).is_ok() {}
        // The last page may have been only half full.
        while file.write_all(&[0]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("removable");
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_a_503_and_passes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(disk) = Tmpfs::mount(folder.path(), "24m") else {
        println!("skipped: a small file system cannot be mounted here");
        return;
    };
    let mut world = World::in_server(Server::builder().data(folder.path()).start());
    let mut browser = Browser::default();
    let tokens = world.sign_in_with(&mut browser, &world.web, OFFLINE, &world.alice);
    disk.fill();
    // Room that the write-ahead log already owns may still take some.
    let mut last = tokens.clone();
    let refused = (0..2_000).find_map(|_| {
        let answer = world.server.refresh(&world.web, last.refresh());
        if answer.status == 200 {
            last = Tokens::from(&answer);
            return None;
        }
        Some(answer)
    });
    expect_busy(&refused.expect("a full disk is noticed"));
    assert!(world.server.is_alive(), "the process lives");
    assert_eq!(world.server.get("/jwks").status, 200, "reading goes on");
    disk.free();
    let next = wait::until(Duration::from_secs(20), "the store is back", || {
        let answer = world.server.refresh(&world.web, last.refresh());
        (answer.status == 200).then(|| Tokens::from(&answer))
    });
    Tokens::from(&world.server.refresh(&world.web, next.refresh()));
    world.server.cli(&["audit", "verify"]).expect_status(0);
    world.server.stop();
}

/// A library that lets syncs fail while the file that FAILING_SYNC names exists.
fn failing_sync(folder: &Path) -> PathBuf {
    let library = folder.join("failing-sync.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("races/failing-sync.c");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source);
    assert!(cc.status().expect("a C compiler").success());
    library
}

/// What a disk did not take was not promised to anybody: a 503, and the same token goes on, also
/// after the machine's end.
#[test]
fn a_disk_that_does_not_sync_is_a_503_and_passes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sign = folder.path().join("fails");
    let preload = format!("LD_PRELOAD={}", failing_sync(folder.path()).display());
    let told = format!("FAILING_SYNC={}", sign.display());
    let server = Server::builder().under(&["env", &preload, &told]).start();
    let mut world = World::in_server(server);
    let tokens = world.sign_in(&world.web, OFFLINE);
    std::fs::write(&sign, "").expect("writable");
    let asked = [("grant_type", "client_credentials"), ("scope", "orders:read")];
    expect_busy(&world.server.refresh(&world.web, tokens.refresh()));
    expect_busy(&world.server.token(&world.service, &asked));
    assert!(world.server.is_alive(), "the process lives");
    assert_eq!(world.server.get("/jwks").status, 200, "reading goes on");
    std::fs::remove_file(&sign).expect("there");
    let next = wait::until(Duration::from_secs(20), "the store is back", || {
        let answer = world.server.refresh(&world.web, tokens.refresh());
        (answer.status == 200).then(|| Tokens::from(&answer))
    });
    world.server.kill();
    world.server.spawn();
    world.server.wait_ready();
    Tokens::from(&world.server.refresh(&world.web, next.refresh()));
    world.server.cli(&["audit", "verify"]).expect_status(0);
    world.server.stop();
}
