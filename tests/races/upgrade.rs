//! From the previous program to this one and back, node by node, while two hundred clients refresh:
//! nobody is logged out, nothing is spent twice.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::crash::{Ledger, OFFLINE, resume};
use super::postgres::work_anywhere;
use crate::support::postgres::database;
use crate::support::server::program;
use crate::support::{Browser, Server, World, wait};

const HOLDERS: usize = 200;
const BOUND: Duration = Duration::from_mins(2);

/// The program as it was before the newest step of the schema.
fn previous() -> PathBuf {
    let previous = std::env::var_os("KEYWRIGHT_TEST_PREVIOUS");
    previous.expect("KEYWRIGHT_TEST_PREVIOUS: see `cargo xtask test`").into()
}

/// Signs clients in and lets them refresh at whatever node answers while something happens to the
/// nodes, which may ask that all clients are busy.
fn nobody_is_lost_by(
    world: World,
    others: Vec<Server>,
    happen: impl FnOnce(&mut [Server], &dyn Fn()),
) -> World {
    let mut browser = Browser::default();
    let ledgers: Vec<Ledger> = (0..HOLDERS)
        .map(|_| {
            let tokens = world.sign_in_with(&mut browser, &world.spa, OFFLINE, &world.alice);
            Ledger { last: tokens.refresh().to_owned(), seen: Vec::new() }
        })
        .collect();
    let World { server, alice, web, spa, service } = world;
    let mut nodes: Vec<Server> = std::iter::once(server).chain(others).collect();
    let urls: Vec<String> = nodes.iter().map(|node| node.url("/token")).collect();
    let (done, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ledgers: Vec<Ledger> = std::thread::scope(|scope| {
        let (urls, spa, told) = (&urls, &spa, (&done, &over));
        let start = |ledger| scope.spawn(move || work_anywhere(urls, spa, ledger, told));
        let workers: Vec<_> = ledgers.into_iter().map(start).collect();
        let busy = || {
            let before = done.load(Ordering::Relaxed);
            wait::until_true(BOUND, "they are busy", || {
                done.load(Ordering::Relaxed) > before + HOLDERS
            });
        };
        busy();
        happen(&mut nodes, &busy);
        busy();
        over.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().expect("a ledger")).collect()
    });
    let mut nodes = nodes.into_iter();
    let world = World { server: nodes.next().expect("the first"), alice, web, spa, service };
    nodes.for_each(Server::stop);
    let ledgers: Vec<Ledger> = ledgers.into_iter().map(|ledger| resume(&world, ledger)).collect();
    for ledger in ledgers.iter().filter(|ledger| ledger.seen.len() > 1).take(20) {
        let old = ledger.seen.first().expect("at least one rotation");
        world.server.refresh(&world.spa, old).expect_error(400, "invalid_grant");
    }
    world
}

/// Ends a node as an operator does, and starts another version of the program in its place.
fn replace(node: &mut Server, by: PathBuf) {
    node.signal("TERM");
    assert_eq!(node.wait_exit(BOUND).code(), Some(0), "{}", node.log_text());
    node.program = by;
    node.spawn();
    node.wait_ready();
}

/// The schema goes back while nobody serves, and the previous program goes on with it.
fn the_schema_goes_back(mut world: World, newer: &Server, versions: (u64, u64)) {
    let (before, after) = versions;
    let back = ["migrate", "--to", &before.to_string()];
    let refused = newer.cli(&back);
    refused.expect_status(1);
    assert!(refused.stderr.contains("a server is running"), "{}", refused.stderr);
    let tokens = world.sign_in(&world.spa, OFFLINE);
    world.server.signal("TERM");
    world.server.wait_exit(BOUND);
    assert_eq!(newer.cli(&[back.as_slice(), &["--dry-run"]].concat()).json()["from"], after);
    assert_eq!(newer.cli(&back).json()["to"], before);
    world.server.program = previous();
    world.server.spawn();
    world.server.wait_ready();
    assert_eq!(world.server.refresh(&world.spa, tokens.refresh()).status, 200);
    world.server.cli(&["audit", "verify"]).expect_status(0);
    world.server.stop();
}

#[test]
fn three_nodes_are_replaced_one_by_one_and_back() {
    let url = database();
    let previous_node = || Server::builder().postgres(&url).program(&previous());
    let world = World::in_server(previous_node().start());
    let others: Vec<_> = (0..2).map(|_| previous_node().node_of(&world.server).start()).collect();
    let newer = Server::builder().postgres(&url).node_of(&world.server).prepare();
    let mut versions = (0, 0);
    let world = nobody_is_lost_by(world, others, |nodes, busy| {
        let migrated = newer.cli(&["migrate"]).json();
        let version = |name: &str| migrated[name].as_u64().expect("a version");
        versions = (version("from"), version("to"));
        assert!(versions.0 < versions.1, "{migrated}");
        busy();
        for by in [program(), previous()] {
            for node in &mut *nodes {
                replace(node, by.clone());
                busy();
            }
        }
        // What the previous program would leave out, it does not copy.
        let kept = nodes[0].cli(&["backup", "left-out.kwb"]);
        kept.expect_status(1);
        assert!(kept.stderr.contains("run the newer program"), "{}", kept.stderr);
        let looked = nodes[0].cli_plain(&["doctor"], "");
        assert!(looked.stdout.contains("which it fits"), "{}", looked.stdout);
    });
    the_schema_goes_back(world, &newer, versions);
}

#[test]
fn one_node_with_its_own_file_is_replaced_and_back() {
    let world = World::in_server(Server::builder().program(&previous()).start());
    let data = world.server.folder.join("data");
    let newer = Server::builder().data(&data).node_of(&world.server).prepare();
    let mut versions = (0, 0);
    let world = nobody_is_lost_by(world, Vec::new(), |nodes, busy| {
        let migrated = newer.cli(&["migrate"]).json();
        let version = |name: &str| migrated[name].as_u64().expect("a version");
        versions = (version("from"), version("to"));
        assert!(versions.0 < versions.1, "{migrated}");
        for by in [program(), previous(), program()] {
            busy();
            replace(&mut nodes[0], by);
        }
    });
    the_schema_goes_back(world, &newer, versions);
}
