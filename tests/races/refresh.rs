//! One refresh token, many uses at once: one child, no fork.

use std::collections::HashSet;

use super::together;
use crate::support::{Tokens, World};

const RACERS: usize = 50;
const OFFLINE: &str = "openid offline_access";

/// CVE-2026-53517: read, validate, revoke, mint in four steps forks the family.
#[test]
fn rfc9700_4_14_2_fifty_refreshes_one_child() {
    fifty_refreshes_one_child(World::start());
}

pub(super) fn fifty_refreshes_one_child(world: World) {
    for client in [&world.spa, &world.web] {
        let first = world.sign_in(client, OFFLINE);
        let answers = together(RACERS, |_| world.server.refresh(client, first.refresh()));
        let children: HashSet<String> = answers
            .iter()
            .filter(|answer| answer.status == 200)
            .map(|answer| Tokens::from(answer).refresh().to_owned())
            .collect();
        assert_eq!(children.len(), 1, "all who succeed hold the same child");
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.expect_error(400, "invalid_grant");
        }
        // No fork: the child works once, and its own child after it.
        let child = children.into_iter().next().expect("one");
        let next = Tokens::from(&world.server.refresh(client, &child));
        let last = Tokens::from(&world.server.refresh(client, next.refresh()));
        // The first is no longer anybody's retry: its use is theft.
        world.server.refresh(client, first.refresh()).expect_error(400, "invalid_grant");
        world.server.refresh(client, last.refresh()).expect_error(400, "invalid_grant");
    }
    world.server.stop();
}

/// DESIGN 5.5: a retry is honoured; whoever waits for an answer is not logged out.
#[test]
fn all_retries_of_one_client_succeed() {
    let world = World::start();
    let mut tokens = world.sign_in(&world.spa, OFFLINE);
    for _ in 0..10 {
        let answers = together(4, |_| world.server.refresh(&world.spa, tokens.refresh()));
        let children: HashSet<String> =
            answers.iter().map(|answer| Tokens::from(answer).refresh().to_owned()).collect();
        assert_eq!(children.len(), 1, "a retry gets the same child");
        tokens = Tokens::from(&answers[0]);
    }
}

/// A revocation and a rotation at once: whichever comes first, the family ends dead.
#[test]
fn revocation_wins_over_rotation() {
    revocation_wins(&World::start());
}

pub(super) fn revocation_wins(world: &World) {
    for _ in 0..5 {
        let tokens = world.sign_in(&world.spa, OFFLINE);
        let children: Vec<Option<String>> = together(10, |n| {
            if n == 5 {
                assert_eq!(world.server.revoke(&world.spa, tokens.refresh()).status, 200);
                return None;
            }
            let answer = world.server.refresh(&world.spa, tokens.refresh());
            (answer.status == 200).then(|| Tokens::from(&answer).refresh().to_owned())
        });
        for child in children.iter().flatten() {
            let answer = world.server.refresh(&world.spa, child);
            answer.expect_error(400, "invalid_grant");
        }
    }
}

/// The positive twin: many families at the same time.
#[test]
fn many_families_rotate_at_once() {
    let world = World::start();
    let mut browser = crate::support::Browser::default();
    let families: Vec<Tokens> = (0..RACERS)
        .map(|_| world.sign_in_with(&mut browser, &world.spa, OFFLINE, &world.alice))
        .collect();
    let ends = together(RACERS, |n| {
        let mut tokens = families[n].clone();
        for _ in 0..5 {
            tokens = Tokens::from(&world.server.refresh(&world.spa, tokens.refresh()));
        }
        tokens.refresh().to_owned()
    });
    let distinct: HashSet<&String> = ends.iter().collect();
    assert_eq!(distinct.len(), RACERS, "each its own");
}
