//! `kill -9`: nobody loses a login, nothing is spent twice.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::tokens::authenticated;
use crate::support::{Authorize, Browser, Client, Server, Tokens, World, wait};

pub(super) const OFFLINE: &str = "openid offline_access";
const CLIENTS: usize = 200;

/// What a careful client keeps on its own disk.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    /// The newest refresh token that it has seen.
    pub(super) last: String,
    /// Everything that it was ever given, oldest first.
    pub(super) seen: Vec<String>,
}

fn refresh_request(world: &World, client: &Client, token: &str) -> crate::support::Request {
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", token)];
    authenticated(&world.server.url("/token"), client, &pairs)
}

/// Refreshes until the server is gone; the ledger holds what was really received.
pub(super) fn work(
    world: &World,
    mut ledger: Ledger,
    done: &AtomicUsize,
    gone: &AtomicBool,
) -> Ledger {
    while !gone.load(Ordering::Relaxed) {
        let Ok(answer) = refresh_request(world, &world.spa, &ledger.last).try_send() else {
            break;
        };
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

#[test]
fn two_hundred_clients_survive_a_kill() {
    clients_survive_a_kill(World::start());
}

pub(super) fn clients_survive_a_kill(mut world: World) {
    let mut browser = Browser::default();
    let mut ledgers: Vec<Ledger> = (0..CLIENTS)
        .map(|_| {
            let tokens = world.sign_in_with(&mut browser, &world.spa, OFFLINE, &world.alice);
            Ledger { last: tokens.refresh().to_owned(), seen: Vec::new() }
        })
        .collect();
    for round in 1..=3 {
        let (done, gone) = (AtomicUsize::new(0), AtomicBool::new(false));
        let pid = world.server.pid().to_string();
        ledgers = std::thread::scope(|scope| {
            let (world, done, gone) = (&world, &done, &gone);
            let workers: Vec<_> = ledgers
                .drain(..)
                .map(|ledger| scope.spawn(move || work(world, ledger, done, gone)))
                .collect();
            wait::until_true(Duration::from_mins(2), "they are all busy", || {
                done.load(Ordering::Relaxed) > CLIENTS * round
            });
            let killed = std::process::Command::new("kill").args(["-9", &pid]).status();
            assert!(killed.expect("kill exists").success());
            gone.store(true, Ordering::Relaxed);
            workers.into_iter().map(|worker| worker.join().expect("a ledger")).collect()
        });
        world.server.wait_exit(Duration::from_secs(10));
        world.server.spawn();
        world.server.wait_ready();
        ledgers = ledgers.into_iter().map(|ledger| resume(&world, ledger)).collect();
    }
    for ledger in ledgers.iter().take(20) {
        // Spent once and for all, kill or no kill.
        let old = ledger.seen.first().expect("at least one rotation");
        world.server.refresh(&world.spa, old).expect_error(400, "invalid_grant");
    }
    world.server.cli(&["audit", "verify"]).expect_status(0);
    world.server.stop();
}

/// The first thing after the restart: the last known token, or its retry, still works.
pub(super) fn resume(world: &World, mut ledger: Ledger) -> Ledger {
    let answer = world.server.refresh(&world.spa, &ledger.last);
    assert_eq!(answer.status, 200, "nobody loses a login: {}", answer.text());
    let child = Tokens::from(&answer).refresh().to_owned();
    assert!(!ledger.seen.contains(&child), "nothing is given twice");
    ledger.seen.push(ledger.last.clone());
    ledger.last = child;
    ledger
}

/// While no node ran nobody could ask again: that time does not count, and the time after it does.
#[test]
fn an_answer_may_be_asked_for_after_a_long_absence() {
    let server = Server::builder().set("tokens", "refresh_retry = \"2s\"").start();
    let mut world = World::in_server(server);
    let first = world.sign_in(&world.spa, OFFLINE);
    let child = Tokens::from(&world.server.refresh(&world.spa, first.refresh()));
    world.server.kill();
    // A few seconds are not told from the time between two signs of life.
    std::thread::sleep(Duration::from_secs(8));
    world.server.spawn();
    world.server.wait_ready();
    let again = Tokens::from(&world.server.refresh(&world.spa, first.refresh()));
    assert_eq!(again.refresh(), child.refresh(), "the same child");
    std::thread::sleep(Duration::from_secs(4));
    world.server.refresh(&world.spa, first.refresh()).expect_error(400, "invalid_grant");
    let answer = world.server.refresh(&world.spa, child.refresh());
    answer.expect_error(400, "invalid_grant");
}

/// The kill at every moment of one request: before, during and after its commit.
#[test]
fn a_kill_between_commit_and_response() {
    let mut world = World::start();
    let mut tokens = world.sign_in(&world.spa, OFFLINE);
    for step in 0..14_u64 {
        let request = refresh_request(&world, &world.spa, tokens.refresh());
        let pid = world.server.pid().to_string();
        let answer = std::thread::scope(|scope| {
            let sender = scope.spawn(|| request.try_send());
            // Not an order of events but a sweep over them.
            std::thread::sleep(Duration::from_micros(400 * step));
            let killed = std::process::Command::new("kill").args(["-9", &pid]).status();
            assert!(killed.expect("kill exists").success());
            sender.join().expect("an answer or an end")
        });
        world.server.wait_exit(Duration::from_secs(10));
        world.server.spawn();
        world.server.wait_ready();
        let again = Tokens::from(&world.server.refresh(&world.spa, tokens.refresh()));
        if let Ok(answer) = answer {
            let first = Tokens::from(&answer);
            assert_eq!(first.refresh(), again.refresh(), "what was said is what was stored");
        }
        tokens = again;
    }
    world.server.cli(&["audit", "verify"]).expect_status(0);
}

/// A code is redeemed at most once, even around a kill.
#[test]
fn a_code_is_not_spent_twice_by_a_kill() {
    let mut world = World::start();
    let mut browser = Browser::default();
    for step in 0..8_u64 {
        let flow = Authorize::new(&world.server, &world.spa);
        let callback = browser.authorize(&flow, &world.alice);
        let pairs = crate::support::tokens::redemption(&flow, callback.code());
        let request = authenticated(&world.server.url("/token"), &world.spa, &pairs);
        let pid = world.server.pid().to_string();
        let first = std::thread::scope(|scope| {
            let sender = scope.spawn(|| request.try_send());
            std::thread::sleep(Duration::from_micros(600 * step));
            let killed = std::process::Command::new("kill").args(["-9", &pid]).status();
            assert!(killed.expect("kill exists").success());
            sender.join().expect("an answer or an end")
        });
        world.server.wait_exit(Duration::from_secs(10));
        world.server.spawn();
        world.server.wait_ready();
        let second = world.server.redeem(&world.spa, &flow, callback.code());
        if first.is_ok_and(|answer| answer.status == 200) {
            second.expect_error(400, "invalid_grant");
        } else {
            assert!(second.status == 200 || second.error() == "invalid_grant");
        }
        // The person is still signed in: sessions are durable.
        let silent = Authorize::new(&world.server, &world.spa).set("prompt", "none");
        assert_eq!(browser.open(&silent.url()).expect_callback().get("error"), "");
    }
}

/// What was acknowledged is there after the kill.
#[test]
fn acknowledged_changes_are_durable() {
    let mut world = World::start();
    let tokens = world.sign_in(&world.web, OFFLINE);
    assert_eq!(world.server.revoke(&world.web, tokens.refresh()).status, 200);
    let client = world.server.client(&crate::support::world::service_metadata("orders:read"));
    let machine = world.server.client_credentials(&client, "orders:read");
    assert_eq!(world.server.revoke(&client, machine.access()).status, 200);
    world.server.kill();
    world.server.spawn();
    world.server.wait_ready();
    world.server.refresh(&world.web, tokens.refresh()).expect_error(400, "invalid_grant");
    assert_eq!(world.server.userinfo(tokens.access()).status, 401, "revoked stays revoked");
    assert!(!world.server.is_active(&client, machine.access()), "revoked stays revoked");
    world.server.client_credentials(&client, "orders:read");
}
