//! A server whose store is PostgreSQL.

use std::time::Duration;

use crate::support::postgres::{Postgres, database, query};
use crate::support::tls::Certificates;
use crate::support::{Server, World};

const BOUND: Duration = Duration::from_secs(20);
const OFFLINE: &str = "openid offline_access";

/// What everybody does, and what an operator looks at afterwards.
fn works(world: World) {
    let tokens = world.sign_in(&world.web, OFFLINE);
    assert_eq!(world.server.userinfo(tokens.access()).status, 200);
    assert_eq!(world.server.refresh(&world.web, tokens.refresh()).status, 200);
    let machine = world.server.client_credentials(&world.service, "orders:read");
    assert!(world.server.is_active(&world.service, machine.access()));
    assert_eq!(world.server.revoke(&world.service, machine.access()).status, 200);
    assert!(!world.server.is_active(&world.service, machine.access()));
    world.server.cli(&["audit", "verify"]).expect_status(0);
    world.server.stop();
}

#[track_caller]
fn refused(server: &mut Server) -> String {
    server.spawn();
    let status = server.wait_exit(BOUND);
    assert_eq!(status.code(), Some(3), "CONTRACT-2: {}", server.log_text());
    server.log_text()
}

/// A key that a node made up would look like the one that it was not given.
#[test]
fn a_node_that_lacks_the_master_key_makes_none() {
    let url = database();
    let _first = Server::builder().postgres(&url).start();
    let mut second = Server::builder().postgres(&url).prepare();
    second.spawn();
    assert!(!second.wait_exit(BOUND).success());
    let log = second.log_text();
    assert!(log.contains("the master key is missing"), "{log}");
    assert!(!second.folder.join("data/master.key").exists());
}

#[test]
fn a_first_start_and_the_usual_flows() {
    let url = database();
    let server = Server::builder().postgres(&url).start();
    assert!(server.folder.join("data/master.key").exists(), "CONTRACT-2: made on first start");
    assert_eq!(query(&url, "SELECT count(*) FROM tenant"), "1");
    works(World::in_server(server));
    assert_eq!(query(&url, "SELECT count(*) FROM audit_outbox"), "0", "all is in the chain");
}

#[test]
fn a_restart_finds_everything_again() {
    let mut world = World::in_server(Server::builder().postgres(&database()).start());
    let tokens = world.sign_in(&world.spa, OFFLINE);
    world.server.signal("TERM");
    assert!(world.server.wait_exit(BOUND).success());
    world.server.spawn();
    world.server.wait_ready();
    assert_eq!(world.server.refresh(&world.spa, tokens.refresh()).status, 200);
    assert_eq!(world.server.userinfo(tokens.access()).status, 200);
}

#[test]
fn another_master_key_is_refused() {
    let url = database();
    let first = Server::builder().postgres(&url).start();
    let mut second = Server::builder().postgres(&url).prepare();
    second.spawn();
    assert!(!second.wait_exit(BOUND).success());
    assert!(second.log_text().contains("master key"), "{}", second.log_text());
    let third = Server::builder().postgres(&url).node_of(&first).start();
    assert_eq!(third.get("/jwks").status, 200, "the same key is accepted");
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    for url in ["postgres://kw:hidden-7391@127.0.0.1:9/kw", "postgres://kw:hidden-7391@[::1]:9/kw"]
    {
        let mut server = Server::builder().postgres(url).prepare();
        let log = refused(&mut server);
        assert!(log.contains("PostgreSQL at") && log.contains("/kw"), "{log}");
        assert!(!log.contains("hidden-7391"), "{log}");
    }
    let url = database();
    query(&url, "CREATE TABLE theirs (x bigint)");
    let log = refused(&mut Server::builder().postgres(&url).prepare());
    assert!(log.contains("another program's tables"), "{log}");
}

#[test]
fn tls_and_a_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificates = Certificates::generate(folder.path());
    let read = |path| std::fs::read_to_string(path).expect("readable");
    let (certificate, key) = (read(&certificates.certificate), read(&certificates.key));
    let postgres = Postgres::with_tls("s3cret-word", &certificate, &key);
    let address = format!("postgres://keywright:s3cret-word@{}/postgres", postgres.authority());
    let authority = certificates.authority.display();
    let trusting = format!("{address}?sslmode=verify-full&sslrootcert={authority}");
    works(World::in_server(Server::builder().postgres(&trusting).start()));
    query(&format!("{address}?sslmode=require"), "CREATE DATABASE second");
    let unchecked = address.replace("/postgres", "/second") + "?sslmode=require";
    works(World::in_server(Server::builder().postgres(&unchecked).start()));
    // The nearest neighbours: nobody vouches for the certificate, no encryption, a wrong password.
    let wrong = trusting.replace("s3cret-word", "s3cret-wort");
    for url in [format!("{address}?sslmode=verify-full"), address, wrong] {
        let log = refused(&mut Server::builder().postgres(&url).prepare());
        assert!(!log.contains("s3cret"), "{log}");
    }
}
