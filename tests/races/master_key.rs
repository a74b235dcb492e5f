//! The master key: kept to its owner, never replaced by accident, and named when it is wrong.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::support::{Server, World};

const BOUND: Duration = Duration::from_secs(20);

#[track_caller]
fn refuses(server: &mut Server, why: &str) {
    server.spawn();
    let status = server.wait_exit(BOUND);
    assert!(!status.success(), "{why}: it must not start");
    let log = server.log_text().to_lowercase();
    assert!(log.contains("master"), "{why}: says which key: {log}");
}

/// Writes a key as its owner keeps it.
fn put(path: &Path, key: &[u8]) {
    std::fs::write(path, key).expect("writable");
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).expect("owned");
}

#[test]
fn a_wrong_key_is_refused_and_the_right_one_works_again() {
    let mut world = World::start();
    let token = world.server.client_credentials(&world.service, "orders:read");
    let other = Server::start();
    let path = world.server.folder.join("data/master.key");
    let right = std::fs::read(&path).expect("CONTRACT-2: made on first start");
    let wrong = std::fs::read(other.folder.join("data/master.key")).expect("another");
    assert_ne!(right, wrong, "no default secret exists");
    world.server.signal("TERM");
    world.server.wait_exit(BOUND);

    put(&path, &wrong);
    refuses(&mut world.server, "another server's key");
    put(&path, b"short");
    refuses(&mut world.server, "not a key");
    std::fs::remove_file(&path).expect("removable");
    refuses(&mut world.server, "no key beside a store that needs one");
    assert!(!path.exists(), "and none was made up");

    put(&path, &right);
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("owned");
    // Mounted secrets often are readable by a group: the operator is told, and it works.
    world.server.spawn();
    world.server.wait_ready();
    assert!(world.server.is_active(&world.service, token.access()), "nothing was lost");
    assert!(world.server.log_text().contains("chmod 600"), "others can read it, and it is said");
}

#[test]
fn the_key_is_its_owner_s_alone() {
    let server = Server::start();
    let path = server.folder.join("data/master.key");
    let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "CONTRACT-2: 0600");
}

/// Neither private keys nor secrets lie in the store as they are.
#[test]
fn the_store_holds_no_secret_in_the_clear() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, "openid offline_access");
    let key = std::fs::read(world.server.folder.join("data/master.key")).expect("there");
    world.server.signal("TERM");
    let mut world = world;
    world.server.wait_exit(BOUND);
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(world.server.folder.join("data")).expect("readable") {
        let path = entry.expect("readable").path();
        if path.file_name().is_some_and(|name| name != "master.key") {
            bytes.extend(std::fs::read(path).unwrap_or_default());
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let secrets = [
        ("a refresh token", tokens.refresh()),
        ("a password", world.alice.password.as_str()),
        ("a client secret", world.service.secret()),
        ("a private key", "PRIVATE KEY"),
    ];
    for (what, secret) in secrets {
        assert!(!text.contains(secret), "DESIGN-4: {what} lies in the store");
    }
    assert!(!bytes.windows(key.len()).any(|window| window == key), "the master key is not in it");
    assert!(text.contains("alice"), "the positive twin: the store was read");
}
