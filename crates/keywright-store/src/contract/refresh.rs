//! Refresh families.

use std::time::Duration;

use keywright_protocol::id::ClientId;
use keywright_protocol::revocation::RevocationTarget;

use super::code::{KILLS, killed};
use super::fixture::{World, at_s, token};
use crate::SharedStore;
use crate::refresh::{Rotate, Rotation, RotationStep};

pub(super) async fn a_rotation_moves_child_and_parent(store: SharedStore) {
    let world = World::new(store).await;
    let id = world.family(1, at_s(1)).await;
    let born = world.load(&id).await.unwrap();
    for generation in 0..3 {
        let now = at_s(i64::from(generation) + 2);
        let rotated = world.rotate(world.rotation(1, generation, now)).await;
        assert!(matches!(rotated, Rotate::Committed(_)), "{rotated:?}");
        let family = world.load(&id).await.unwrap();
        assert_eq!(family.origin, born.origin);
        assert_eq!(family.current, token(1, generation + 1));
        assert_eq!(family.parent, Some(token(1, generation)));
        assert_eq!(family.sealed_child, Some(vec![u8::try_from(generation).unwrap(); 48]));
        assert_eq!(family.generation, u64::from(generation) + 1);
        assert_eq!(family.rotated_at, now);
        assert_eq!(family.absolute_expires_at, born.absolute_expires_at);
    }
}

pub(super) async fn a_used_token_loses(store: SharedStore) {
    let world = World::new(store).await;
    let id = world.family(1, at_s(1)).await;
    for generation in 0..2 {
        let rotated = world.rotate(world.rotation(1, generation, at_s(2))).await;
        assert!(matches!(rotated, Rotate::Committed(_)));
    }
    let before = (world.load(&id).await, world.audit_head().await);
    for used in [0, 1, 7] {
        let rotated = world.rotate(world.rotation(1, used, at_s(3))).await;
        assert!(matches!(rotated, Rotate::LostRace), "generation {used}: {rotated:?}");
    }
    assert_eq!((world.load(&id).await, world.audit_head().await), before);
    drop(world.revoke(RevocationTarget::Family(id), at_s(4)).await);
    assert!(matches!(world.rotate(world.rotation(1, 2, at_s(5))).await, Rotate::LostRace));
}

pub(super) async fn a_retry_changes_nothing(store: SharedStore) {
    let world = World::new(store).await;
    let id = world.family(1, at_s(1)).await;
    assert!(matches!(world.rotate(world.retry(1, 0, at_s(2))).await, Rotate::LostRace));
    assert!(matches!(world.rotate(world.rotation(1, 0, at_s(2))).await, Rotate::Committed(_)));
    let before = world.load(&id).await;
    let head = world.audit_head().await;
    for _ in 0..2 {
        assert!(matches!(world.rotate(world.retry(1, 0, at_s(3))).await, Rotate::Committed(_)));
    }
    assert_eq!(world.load(&id).await, before);
    assert_eq!(world.audit_head().await, head + 2, "each use is an event");
    // The child was used: now the parent is two generations old.
    assert!(matches!(world.rotate(world.rotation(1, 1, at_s(4))).await, Rotate::Committed(_)));
    assert!(matches!(world.rotate(world.retry(1, 0, at_s(4))).await, Rotate::LostRace));
    drop(world.revoke(RevocationTarget::Family(id), at_s(5)).await);
    assert!(matches!(world.rotate(world.retry(1, 1, at_s(5))).await, Rotate::LostRace));
}

pub(super) async fn the_retry_window_has_edges(store: SharedStore) {
    let world = World::new(store).await;
    world.family(1, at_s(1)).await;
    assert!(matches!(world.rotate(world.rotation(1, 0, at_s(2))).await, Rotate::Committed(_)));
    let end = at_s(12);
    assert!(matches!(world.rotate(world.retry(1, 0, end)).await, Rotate::LostRace));
    let just_before = end.minus(Duration::from_millis(1));
    assert!(matches!(world.rotate(world.retry(1, 0, just_before)).await, Rotate::Committed(_)));
    assert!(matches!(world.rotate(world.retry(1, 0, at_s(2))).await, Rotate::Committed(_)));
}

pub(super) async fn lifetimes_end_without_a_sweeper(store: SharedStore) {
    let world = World::new(store).await;
    world.family(1, at_s(0)).await;
    let idle_end = at_s(24 * 3600);
    assert!(matches!(world.rotate(world.rotation(1, 0, idle_end)).await, Rotate::LostRace));
    let mut now = idle_end.minus(Duration::from_millis(1));
    let absolute_end = at_s(72 * 3600);
    let mut generation = 0;
    while now < absolute_end {
        let rotated = world.rotate(world.rotation(1, generation, now)).await;
        assert!(matches!(rotated, Rotate::Committed(_)), "{now:?}: {rotated:?}");
        generation += 1;
        now = now.plus(Duration::from_hours(20));
    }
    let rotation = world.rotation(1, generation, absolute_end);
    assert!(matches!(world.rotate(rotation).await, Rotate::LostRace), "used, but too old");
    let rotation = world.rotation(1, generation, absolute_end.minus(Duration::from_millis(1)));
    assert!(matches!(world.rotate(rotation).await, Rotate::Committed(_)));
}

pub(super) async fn idle_never_outlives_absolute(store: SharedStore) {
    let world = World::new(store).await;
    let id = world.family(1, at_s(0)).await;
    let mut rotation = world.rotation(1, 0, at_s(2));
    if let RotationStep::Advance(child) = &mut rotation.step {
        child.idle_expires_at = at_s(1_000_000);
    }
    assert!(matches!(world.rotate(rotation).await, Rotate::Committed(_)));
    let family = world.load(&id).await.unwrap();
    assert_eq!(family.idle_expires_at, family.absolute_expires_at);
}

pub(super) async fn a_family_belongs_to_tenant_and_client(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let elsewhere = World::elsewhere(store, "elsewhere").await;
    let id = world.family(1, at_s(1)).await;
    assert!(world.store.load_family(&elsewhere.tenant, &id).await.unwrap().is_none());
    let foreign = Rotation { tenant: elsewhere.tenant, ..world.rotation(1, 0, at_s(2)) };
    assert!(matches!(world.rotate(foreign).await, Rotate::LostRace));
    world.add_client("other").await;
    let client = ClientId::parse("other").unwrap();
    let stolen = Rotation { client, ..world.rotation(1, 0, at_s(2)) };
    assert!(matches!(world.rotate(stolen).await, Rotate::LostRace));
    assert!(matches!(world.rotate(world.rotation(1, 0, at_s(2))).await, Rotate::Committed(_)));
}

pub(super) async fn a_family_dies_with_all_it_depends_on(store: SharedStore) {
    for what in KILLS {
        let (world, _) = killed(&store, what).await;
        let head = world.audit_head().await;
        let rotated = world.rotate(world.rotation(2, 0, at_s(3))).await;
        let as_expected = match what {
            // An offline family outlives its session.
            "session ended" => matches!(rotated, Rotate::Committed(_)),
            "client deleted" => matches!(rotated, Rotate::LostRace),
            _ => matches!(rotated, Rotate::SubjectGone),
        };
        assert!(as_expected, "{what}: {rotated:?}");
        if what != "session ended" {
            assert_eq!(world.audit_head().await, head, "{what}: a refusal leaves no event");
        }
    }
}

pub(super) async fn a_replayed_assertion_leaves_the_family_alone(store: SharedStore) {
    let world = World::new(store).await;
    let id = world.family(1, at_s(1)).await;
    let with = |generation, jti| Rotation {
        record: world.with_assertion(at_s(2), jti),
        ..world.rotation(1, generation, at_s(2))
    };
    assert!(matches!(world.rotate(with(0, "a")).await, Rotate::Committed(_)));
    let before = world.load(&id).await;
    assert!(matches!(world.rotate(with(1, "a")).await, Rotate::AssertionReplayed));
    assert_eq!(world.load(&id).await, before);
    assert!(matches!(world.rotate(with(0, "b")).await, Rotate::LostRace));
    assert!(matches!(world.rotate(with(1, "b")).await, Rotate::Committed(_)));
}

pub(super) async fn clocks_that_step_back_bring_nothing_to_life(store: SharedStore) {
    let world = World::new(store).await;
    let id = world.family(1, at_s(1)).await;
    assert!(matches!(world.rotate(world.rotation(1, 0, at_s(100))).await, Rotate::Committed(_)));
    // Back: the used token stays used, the current one works.
    assert!(matches!(world.rotate(world.rotation(1, 0, at_s(50))).await, Rotate::LostRace));
    assert!(matches!(world.rotate(world.rotation(1, 1, at_s(50))).await, Rotate::Committed(_)));
    drop(world.revoke(RevocationTarget::User(world.sub.clone()), at_s(200)).await);
    // Back again: what was revoked later is dead earlier too.
    let rotated = world.rotate(world.rotation(1, 2, at_s(150))).await;
    assert!(matches!(rotated, Rotate::SubjectGone), "{rotated:?}");
    // Forth, beyond every lifetime, a sweep, and back.
    world.store.sweep(at_s(73 * 3600)).await.unwrap();
    assert!(world.load(&id).await.is_some(), "dead for less than a day");
}
