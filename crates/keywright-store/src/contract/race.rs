//! Many callers, one winner.

use keywright_protocol::grant::authorization_code::CodeState;
use keywright_protocol::id::Jti;
use keywright_protocol::revocation::RevocationTarget;

use super::fixture::{World, at_s, bytes, id_bytes, token};
use crate::SharedStore;
use crate::audit::Recorded;
use crate::client::Create;
use crate::code::Redeem;
use crate::refresh::{Rotate, RotationStep};

const RACERS: u32 = 50;

/// Runs a task per racer at once; answers what they said.
async fn race<T, F>(racer: impl Fn(u32) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let tasks: Vec<_> = (0..RACERS).map(|n| tokio::spawn(racer(n))).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

pub(super) async fn fifty_redemptions_one_winner(store: SharedStore) {
    let world = World::new(store).await;
    let redeem = world.issued(1, at_s(1)).await;
    let head = world.audit_head().await;
    let outcomes = race(|racer| {
        let (world, mut redeem) = (world.clone(), redeem.clone());
        redeem.jti = Jti::from_random(id_bytes(500 + racer));
        redeem.family.as_mut().unwrap().id = world.family_id(500 + racer);
        async move { (racer, world.redeem(&redeem).await) }
    });
    let outcomes = outcomes.await;
    let won = |o: &&(u32, Redeem)| matches!(o.1, Redeem::Committed(_));
    let winners: Vec<_> = outcomes.iter().filter(won).map(|o| o.0).collect();
    assert_eq!(winners.len(), 1);
    assert!(outcomes.iter().all(|o| won(&o) || matches!(o.1, Redeem::LostRace)));
    for racer in 0..RACERS {
        let family = world.load(&world.family_id(500 + racer)).await;
        assert_eq!(family.is_some(), racer == winners[0], "only the winner's family lives");
    }
    let code = world.store.load_code(&world.tenant, redeem.hash).await.unwrap().unwrap();
    let jti = Jti::from_random(id_bytes(500 + winners[0]));
    let family = Some(world.family_id(500 + winners[0]));
    assert_eq!(code.state, CodeState::Redeemed { jti, family });
    assert_eq!(world.audit_head().await, head + 1);
}

pub(super) async fn fifty_rotations_one_winner(store: SharedStore) {
    let world = World::new(store).await;
    let id = world.family(1, at_s(1)).await;
    let head = world.audit_head().await;
    let outcomes = race(|racer| {
        let world = world.clone();
        let mut rotation = world.rotation(1, 0, at_s(2));
        if let RotationStep::Advance(child) = &mut rotation.step {
            child.hash = token(900 + racer, 7);
        }
        async move { (racer, world.rotate(rotation).await) }
    });
    let outcomes = outcomes.await;
    let won = |o: &&(u32, Rotate)| matches!(o.1, Rotate::Committed(_));
    let winners: Vec<_> = outcomes.iter().filter(won).map(|o| o.0).collect();
    assert_eq!(winners.len(), 1);
    assert!(outcomes.iter().all(|o| won(&o) || matches!(o.1, Rotate::LostRace)));
    let family = world.load(&id).await.unwrap();
    assert_eq!((family.current, family.generation), (token(900 + winners[0], 7), 1));
    assert_eq!(world.audit_head().await, head + 1);
}

pub(super) async fn fifty_assertions_one_winner(store: SharedStore) {
    let world = World::new(store).await;
    let outcomes = race(|_| {
        let world = world.clone();
        async move { world.store.record(world.with_assertion(at_s(1), "a")).await.unwrap() }
    });
    let won = outcomes.await.into_iter().filter(|o| matches!(o, Recorded::Committed(_))).count();
    assert_eq!(won, 1);
}

pub(super) async fn fifty_names_one_winner(store: SharedStore) {
    let world = World::new(store).await;
    let outcomes = race(|racer| {
        let world = world.clone();
        let sub = keywright_protocol::id::Subject::from_random(id_bytes(700 + racer));
        async move { world.add_user(World::a_user("bob", sub)).await }
    });
    let created = outcomes.await.into_iter().filter(|o| *o == Create::Created).count();
    assert_eq!(created, 1);
    let sealed = race(|racer| {
        let world = world.clone();
        async move { world.store.keep_secret("s", bytes(racer).to_vec()).await.unwrap() }
    });
    let mut sealed = sealed.await;
    sealed.dedup();
    assert_eq!(sealed.len(), 1, "all got the same secret");
}

pub(super) async fn a_revocation_beats_rotations_for_good(store: SharedStore) {
    let world = World::new(store).await;
    let id = world.family(1, at_s(1)).await;
    let revoking = {
        let (world, id) = (world.clone(), id.clone());
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            drop(world.revoke(RevocationTarget::Family(id), at_s(2)).await);
        })
    };
    let mut generation = 0;
    while matches!(world.rotate(world.rotation(1, generation, at_s(2))).await, Rotate::Committed(_))
    {
        generation = (generation + 1) % 200;
        if generation == 199 {
            break;
        }
    }
    revoking.await.unwrap();
    let family = world.load(&id).await.unwrap();
    assert!(family.revoked);
    let generation = u32::try_from(family.generation).unwrap();
    let rotated = world.rotate(world.rotation(1, generation, at_s(3))).await;
    assert!(matches!(rotated, Rotate::LostRace), "{rotated:?}");
}
