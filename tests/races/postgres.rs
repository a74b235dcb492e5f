//! The same races over PostgreSQL, on three nodes, and with the database gone meanwhile.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::crash::{Ledger, OFFLINE, resume, work};
use super::{code, crash, refresh, together};
use crate::support::network::{Loss, Network};
use crate::support::postgres::{Postgres, database};
use crate::support::tokens::authenticated;
use crate::support::{Authorize, Browser, Client, Server, Tokens, World, wait};

const CLIENTS: usize = 50;
/// The longest that the database's return may go unnoticed.
const RECOVERED_IN: Duration = Duration::from_secs(5);

fn world() -> World {
    World::in_server(Server::builder().postgres(&database()).start())
}

#[test]
fn rfc6749_4_1_2_fifty_redemptions_one_success() {
    code::fifty_redemptions_one_success(world());
}

#[test]
fn many_codes_at_once_all_succeed() {
    code::many_codes_succeed(&world());
}

#[test]
fn rfc9700_4_14_2_fifty_refreshes_one_child() {
    refresh::fifty_refreshes_one_child(world());
}

#[test]
fn revocation_wins_over_rotation() {
    refresh::revocation_wins(&world());
}

#[test]
fn two_hundred_clients_survive_a_kill() {
    crash::clients_survive_a_kill(world());
}

/// Three nodes on one database; requests go to each in turn.
fn three_nodes() -> (World, Vec<Server>) {
    let url = database();
    let world = World::in_server(Server::builder().postgres(&url).start());
    let node = || Server::builder().postgres(&url).node_of(&world.server).start();
    let nodes = vec![node(), node()];
    (world, nodes)
}

#[test]
fn fifty_uses_on_three_nodes_have_one_winner() {
    let (world, nodes) = three_nodes();
    let all = [&world.server, &nodes[0], &nodes[1]];
    let flow = Authorize::new(&world.server, &world.spa).scope(OFFLINE);
    let callback = Browser::default().authorize(&flow, &world.alice);
    let answers = together(50, |n| all[n % 3].redeem(&world.spa, &flow, callback.code()));
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "RFC6749-4.1.2");
    let first = world.sign_in(&world.spa, OFFLINE);
    let answers = together(50, |n| all[n % 3].refresh(&world.spa, first.refresh()));
    let winners = answers.iter().filter(|answer| answer.status == 200);
    let children: HashSet<String> =
        winners.map(|answer| Tokens::from(answer).refresh().to_owned()).collect();
    assert_eq!(children.len(), 1, "RFC9700-4.14.2: no fork, whatever the node");
}

#[test]
fn what_one_node_does_the_others_know() {
    let (world, nodes) = three_nodes();
    let tokens = world.sign_in(&world.spa, OFFLINE);
    let next = Tokens::from(&nodes[0].refresh(&world.spa, tokens.refresh()));
    assert_eq!(nodes[1].userinfo(next.access()).status, 200);
    let client = nodes[1].client(&crate::support::world::service_metadata("orders:read"));
    let machine = wait::until(Duration::from_secs(2), "a client is known everywhere", || {
        let pairs = [("grant_type", "client_credentials"), ("scope", "orders:read")];
        let answer = nodes[0].token(&client, &pairs);
        (answer.status == 200).then(|| Tokens::from(&answer))
    });
    assert!(world.server.is_active(&client, machine.access()));
    assert_eq!(world.server.revoke(&client, machine.access()).status, 200);
    wait::until_true(Duration::from_secs(1), "a revocation is known everywhere", || {
        nodes.iter().all(|node| !node.is_active(&client, machine.access()))
    });
    world.server.cli(&["audit", "verify"]).expect_status(0);
}

/// Ten guesses are allowed at an account from one network; they are no more for being spread.
#[test]
fn guesses_on_three_nodes_are_counted_together() {
    let (world, nodes) = three_nodes();
    let all = [&world.server, &nodes[0], &nodes[1]];
    let stranger = Client { secret: Some("kwx_wrong".to_owned()), ..world.service.clone() };
    let asked = [("grant_type", "client_credentials")];
    let guess = |node: &Server| node.token(&stranger, &asked).status;
    let (mut tried, mut refused) = (0, 0);
    for node in all.iter().cycle().take(60) {
        // What one node counts reaches the others while nobody waits for it.
        std::thread::sleep(Duration::from_millis(20));
        match guess(node) {
            401 => tried += 1,
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    // Each node has one try more: it learns of the others' with its own next failure.
    assert!((10..=10 + 2 * all.len()).contains(&tried), "{tried} tried, {refused} refused");
    assert!(all.iter().all(|node| guess(node) == 429));
}

#[test]
fn three_nodes_that_start_at_once_make_one_set_of_keys() {
    let alone = Server::builder().postgres(&database()).start();
    let kids = |server: &Server| {
        let keys = server.get("/jwks").expect(200);
        let keys = keys["keys"].as_array().expect("a list").clone();
        keys.iter().map(|key| key["kid"].to_string()).collect::<HashSet<_>>()
    };
    let url = database();
    let mut first = Server::builder().postgres(&url).prepare();
    let data = first.folder.join("data");
    std::fs::create_dir_all(&data).expect("writable");
    std::fs::copy(alone.folder.join("data/master.key"), data.join("master.key")).expect("a key");
    let mut others: Vec<Server> =
        (0..2).map(|_| Server::builder().postgres(&url).node_of(&first).prepare()).collect();
    first.spawn();
    others.iter_mut().for_each(Server::spawn);
    first.wait_ready();
    others.iter_mut().for_each(Server::wait_ready);
    let expected = kids(&alone).len();
    wait::until_true(Duration::from_secs(10), "all nodes publish the same keys", || {
        let published = kids(&first);
        published.len() == expected && others.iter().all(|node| kids(node) == published)
    });
}

/// Refreshes at whatever node answers, as behind a balancer; the ledger holds what was received.
pub(super) fn work_anywhere(
    urls: &[String],
    client: &Client,
    mut ledger: Ledger,
    (done, over): (&AtomicUsize, &AtomicBool),
) -> Ledger {
    let mut turn = done.load(Ordering::Relaxed);
    while !over.load(Ordering::Relaxed) {
        turn += 1;
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", ledger.last.as_str())];
        let answer = authenticated(&urls[turn % urls.len()], client, &pairs).try_send();
        // A node that is dead, or dies meanwhile: the next one is asked the same.
        let Ok(answer) = answer else { continue };
        if answer.status == 503 {
            continue;
        }
        let tokens = Tokens::from(&answer);
        ledger.seen.push(ledger.last.clone());
        tokens.refresh().clone_into(&mut ledger.last);
        done.fetch_add(1, Ordering::Relaxed);
    }
    ledger
}

/// A node dies, comes back while the next one dies, and so on: whoever holds a token goes on.
#[test]
fn nodes_that_die_in_turn_lose_nobody() {
    const HOLDERS: usize = 200;
    let (world, nodes) = three_nodes();
    let mut browser = Browser::default();
    let ledgers: Vec<Ledger> = (0..HOLDERS)
        .map(|_| {
            let tokens = world.sign_in_with(&mut browser, &world.spa, OFFLINE, &world.alice);
            Ledger { last: tokens.refresh().to_owned(), seen: Vec::new() }
        })
        .collect();
    let World { server, alice, web, spa, service } = world;
    let mut all: Vec<Server> = std::iter::once(server).chain(nodes).collect();
    let urls: Vec<String> = all.iter().map(|node| node.url("/token")).collect();
    let (done, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ledgers: Vec<Ledger> = std::thread::scope(|scope| {
        let (urls, spa, told) = (&urls, &spa, (&done, &over));
        let start = |ledger| scope.spawn(move || work_anywhere(urls, spa, ledger, told));
        let workers: Vec<_> = ledgers.into_iter().map(start).collect();
        for round in 0..6 {
            let before = done.load(Ordering::Relaxed);
            wait::until_true(Duration::from_mins(2), "they are busy", || {
                done.load(Ordering::Relaxed) > before + HOLDERS
            });
            let node = &mut all[round % 3];
            node.kill();
            node.spawn();
            node.wait_ready();
        }
        over.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().expect("a ledger")).collect()
    });
    let world = World { server: all.swap_remove(0), alice, web, spa, service };
    let ledgers: Vec<Ledger> = ledgers.into_iter().map(|ledger| resume(&world, ledger)).collect();
    for ledger in ledgers.iter().filter(|ledger| ledger.seen.len() > 1).take(20) {
        let old = ledger.seen.first().expect("at least one rotation");
        world.server.refresh(&world.spa, old).expect_error(400, "invalid_grant");
    }
    world.server.cli(&["audit", "verify"]).expect_status(0);
}

/// Signs clients in, lets them refresh all the time, and meanwhile takes the database away.
fn nobody_is_lost_by(world: &World, outage: impl FnOnce()) {
    let mut browser = Browser::default();
    let ledgers: Vec<Ledger> = (0..CLIENTS)
        .map(|_| {
            let tokens = world.sign_in_with(&mut browser, &world.spa, OFFLINE, &world.alice);
            Ledger { last: tokens.refresh().to_owned(), seen: Vec::new() }
        })
        .collect();
    let (done, gone) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ledgers: Vec<Ledger> = std::thread::scope(|scope| {
        let (done, gone) = (&done, &gone);
        let workers: Vec<_> = ledgers
            .into_iter()
            .map(|ledger| scope.spawn(move || work(world, ledger, done, gone)))
            .collect();
        let progress = |what: &str, bound| {
            let before = done.load(Ordering::Relaxed);
            wait::until_true(bound, what, || done.load(Ordering::Relaxed) > before + CLIENTS);
        };
        progress("all are busy", Duration::from_mins(1));
        outage();
        let back = Instant::now();
        progress("they go on", RECOVERED_IN);
        assert!(back.elapsed() < RECOVERED_IN);
        gone.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().expect("a worker")).collect()
    });
    let ledgers: Vec<Ledger> = ledgers.into_iter().map(|ledger| resume(world, ledger)).collect();
    for ledger in ledgers.iter().take(10) {
        let old = ledger.seen.first().expect("at least one rotation");
        world.server.refresh(&world.spa, old).expect_error(400, "invalid_grant");
    }
    world.server.cli(&["audit", "verify"]).expect_status(0);
}

#[test]
fn a_restart_of_the_database_loses_nobody() {
    for mode in ["fast", "immediate"] {
        let mut postgres = Postgres::start();
        let world = World::in_server(Server::builder().postgres(&postgres.url()).start());
        nobody_is_lost_by(&world, || {
            postgres.stop(mode);
            let asked = Instant::now();
            let answer = world.server.token(
                &world.service,
                &[("grant_type", "client_credentials"), ("scope", "orders:read")],
            );
            assert_eq!(answer.status, 503, "{mode}: {answer:?}");
            assert!(asked.elapsed() < Duration::from_secs(3), "{mode}: told at once");
            postgres.start_again();
        });
        world.server.stop();
    }
}

/// A world whose database is behind a network that can lose things, and nobody notices. The outages
/// last longer than a client has to ask again for an answer that was lost: they do not count.
fn behind(network: &Network, url: &str) -> World {
    let url = url.replace(&authority_of(url), &network.authority());
    let builder = Server::builder().set("tokens", "refresh_retry = \"3s\"");
    World::in_server(builder.postgres(&url).start())
}

#[test]
fn a_network_that_swallows_loses_nobody() {
    for loss in [Loss::OldConnections, Loss::OldAnswers] {
        let url = database();
        let network = Network::to(&authority_of(&url));
        let world = behind(&network, &url);
        // Nothing is closed: the node itself must see that nobody answers, and connect anew.
        nobody_is_lost_by(&world, || network.lose(loss));
        world.server.stop();
    }
}

#[test]
fn a_network_that_is_gone_hangs_nobody() {
    let url = database();
    let network = Network::to(&authority_of(&url));
    let world = behind(&network, &url);
    nobody_is_lost_by(&world, || {
        network.lose(Loss::Everything);
        for _ in 0..3 {
            let asked = Instant::now();
            let pairs = [("grant_type", "client_credentials"), ("scope", "orders:read")];
            let answer = world.server.token(&world.service, &pairs);
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(answer.header("retry-after").is_some(), "CONTRACT-6");
            assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        }
        network.lose(Loss::Nothing);
    });
    world.server.stop();
}

/// What is heard is only a hint: where it is swallowed, a node still looks.
#[test]
fn a_listener_that_hears_nothing_learns_of_revocations() {
    let url = database();
    let network = Network::to(&authority_of(&url));
    let world = behind(&network, &url);
    let other = Server::builder().postgres(&url).node_of(&world.server).start();
    let tokens = world.server.client_credentials(&world.service, "orders:read");
    network.lose(Loss::OldAnswers);
    wait::until_true(RECOVERED_IN, "the node works on new connections", || {
        let request = authenticated(
            &world.server.url("/introspect"),
            &world.service,
            &[("token", tokens.access())],
        );
        request.send().status == 200 && world.server.revoke(&world.service, "none").status == 200
    });
    assert_eq!(other.revoke(&world.service, tokens.access()).status, 200);
    wait::until_true(RECOVERED_IN, "the revocation arrives", || {
        !world.server.is_active(&world.service, tokens.access())
    });
    other.stop();
    world.server.stop();
}

fn authority_of(url: &str) -> String {
    let (_, rest) = url.split_once('@').expect("an address names a user");
    rest.split('/').next().expect("an authority").to_owned()
}

#[test]
fn a_standby_that_takes_over_loses_nobody() {
    let mut primary = Postgres::start();
    let standby = primary.standby();
    let url =
        format!("postgres://keywright@{},{}/postgres", primary.authority(), standby.authority());
    let world = World::in_server(Server::builder().postgres(&url).start());
    nobody_is_lost_by(&world, || {
        primary.stop("immediate");
        standby.promote();
    });
    // Everything else goes on too.
    world.sign_in(&world.web, OFFLINE);
    world.server.client_credentials(&world.service, "orders:read");
    world.server.stop();
}
