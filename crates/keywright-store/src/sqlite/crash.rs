//! A process that is killed at any moment: what it acknowledged is there, and nothing by halves.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use keywright_protocol::grant::authorization_code::CodeState;
use keywright_protocol::id::TenantId;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::token::CodeHash;
use rusqlite::Connection;

use super::SqliteStore;
use crate::SharedStore;
use crate::code::Redeem;
use crate::contract::audit::{verify, whole_log};
use crate::contract::fixture::{World, at_s, bytes};
use crate::refresh::Rotate;

/// Where the child finds the database, and the first of its seeds.
const FILE: &str = "KEYWRIGHT_CRASH_FILE";
const SEED: &str = "KEYWRIGHT_CRASH_SEED";
const THIS: &str = "sqlite::crash::a_killed_process_loses_nothing_that_it_acknowledged";
const ROUNDS: u32 = 10;
const TASKS: u32 = 16;
const FAMILIES: u32 = 40;
const ROTATIONS: u32 = 4;
/// Events of the world itself: a client, a user, a sign-in.
const WORLD_EVENTS: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    if let (Ok(file), Ok(seed)) = (std::env::var(FILE), std::env::var(SEED)) {
        write_until_killed(Path::new(&file), seed.parse().unwrap()).await;
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keywright.db");
    let store: SharedStore = std::sync::Arc::new(SqliteStore::open(&file).unwrap());
    World::new(store.clone()).await;
    store.close().await;
    for round in 0..ROUNDS {
        // Another moment in each round, early or late, of a child that has 280 things to say.
        let acknowledged = kill_after(&file, round, 1 + (round as usize * 137) % 260);
        let store: SharedStore = std::sync::Arc::new(SqliteStore::open(&file).unwrap());
        let world = World::found(store, TenantId::default_tenant());
        for line in acknowledged {
            check_acknowledged(&world, &line).await;
        }
        check_whole(&world, round).await;
        world.store.close().await;
        let integrity: String = Connection::open(&file)
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(integrity, "ok");
    }
}

/// Runs this test as a child and kills it after so many acknowledgements; answers all it made.
fn kill_after(file: &Path, round: u32, lines: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([THIS, "--exact", "--nocapture", "--test-threads=1"])
        .env(FILE, file)
        .env(SEED, seed_of(round, 0).to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = BufReader::new(child.stdout.take().unwrap()).lines();
    let acknowledged = |line: &String| line.starts_with("done ");
    let mut seen: Vec<String> =
        pipe.by_ref().map_while(Result::ok).filter(acknowledged).take(lines).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    // What is still in the pipe was acknowledged too.
    seen.extend(pipe.map_while(Result::ok).filter(acknowledged));
    assert!(seen.len() >= lines, "the child ended by itself after {}", seen.len());
    seen
}

const fn seed_of(round: u32, family: u32) -> u32 {
    10_000 + round * 1000 + family
}

async fn write_until_killed(file: &Path, seed: u32) {
    let store: SharedStore = std::sync::Arc::new(SqliteStore::open(file).unwrap());
    let world = World::found(store, TenantId::default_tenant());
    let tasks = (0..TASKS).map(|task| {
        let world = world.clone();
        tokio::spawn(async move {
            for family in (task..FAMILIES).step_by(TASKS as usize) {
                live_once(&world, seed + family).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

/// A family's life; each step is told when it is durable.
async fn live_once(world: &World, seed: u32) {
    let redeem = world.issued(seed, at_s(1)).await;
    acknowledge(&format!("issued {seed} 0"));
    assert!(matches!(world.redeem(&redeem).await, Redeem::Committed(_)));
    acknowledge(&format!("redeemed {seed} 0"));
    for generation in 0..ROTATIONS {
        let rotated = world.rotate(world.rotation(seed, generation, at_s(2))).await;
        assert!(matches!(rotated, Rotate::Committed(_)));
        acknowledge(&format!("rotated {seed} {}", generation + 1));
    }
    drop(world.revoke(RevocationTarget::Family(world.family_id(seed)), at_s(3)).await);
    acknowledge(&format!("revoked {seed} 0"));
}

fn acknowledge(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\ndone {what}").unwrap();
    out.flush().unwrap();
}

async fn check_acknowledged(world: &World, line: &str) {
    let words: Vec<_> = line.split(' ').collect();
    let [_, what, seed, generation] = words[..] else { panic!("{line}") };
    let (seed, generation): (u32, u64) = (seed.parse().unwrap(), generation.parse().unwrap());
    let hash = CodeHash::from_bytes(bytes(seed));
    let code = world.store.load_code(&world.tenant, hash).await.unwrap();
    let code = code.unwrap_or_else(|| panic!("lost: {line}"));
    let family = world.load(&world.family_id(seed)).await;
    let kept = match what {
        "issued" => true,
        "redeemed" => matches!(code.state, CodeState::Redeemed { .. }),
        "rotated" => family.is_some_and(|family| family.generation >= generation),
        "revoked" => family.is_some_and(|family| family.revoked),
        other => panic!("{other}"),
    };
    assert!(kept, "lost: {line}");
}

/// Every effect has its event and every event its effect; a code and its family agree.
async fn check_whole(world: &World, last_round: u32) {
    let mut effects = WORLD_EVENTS;
    for round in 0..=last_round {
        for seed in (0..FAMILIES).map(|family| seed_of(round, family)) {
            let hash = CodeHash::from_bytes(bytes(seed));
            let code = world.store.load_code(&world.tenant, hash).await.unwrap();
            let family = world.load(&world.family_id(seed)).await;
            let redeemed =
                code.as_ref().is_some_and(|code| matches!(code.state, CodeState::Redeemed { .. }));
            assert_eq!(redeemed, family.is_some(), "round {round}, seed {seed}");
            effects += u64::from(code.is_some()) + u64::from(redeemed);
            effects += family.map_or(0, |family| family.generation);
        }
    }
    effects += world.revocations().await.len() as u64;
    let log = whole_log(&world.store, &world.tenant).await;
    verify(&world.tenant, &log);
    assert_eq!(log.len() as u64, effects);
}
