//! A store that went back in time.

use std::time::Duration;

use keywright_protocol::audit::{OneTime, Record};
use keywright_protocol::limits::CLOCK_SKEW_MAX;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::time::Timestamp;

use super::audit::{verify, whole_log};
use super::fixture::{TOKENS, World, at_s, targets, token};
use crate::SharedStore;
use crate::audit::Recorded;
use crate::change::Changed;
use crate::code::Redeem;
use crate::epoch::{Epoch, RaiseEpoch, SEQUENCE_GAP};
use crate::refresh::Rotate;

pub(crate) async fn raise(store: &SharedStore, now: Timestamp) -> Epoch {
    let tokens_expire_at = now.plus(TOKENS);
    let raise = RaiseEpoch { now, tokens_expire_at, reason: "restored".to_owned() };
    store.raise_epoch(raise).await.unwrap()
}

pub(super) async fn an_epoch_burns_codes_and_spares_sessions(store: SharedStore) {
    let world = World::new(store.clone()).await;
    assert_eq!(store.load_epoch().await.unwrap(), Epoch::default());
    let (before, spent) = (world.issued(1, at_s(1)).await, world.issued(2, at_s(1)).await);
    assert!(matches!(world.redeem(&spent).await, Redeem::Committed(_)));
    let epoch = raise(&store, at_s(2)).await;
    assert_eq!(epoch, Epoch { number: 1, raised_at: at_s(2) });
    assert_eq!(store.load_epoch().await.unwrap(), epoch);
    assert!(matches!(world.redeem(&before).await, Redeem::LostRace));
    assert!(matches!(world.redeem(&spent).await, Redeem::LostRace));
    let after = world.issued(3, at_s(3)).await;
    assert!(matches!(world.redeem(&after).await, Redeem::Committed(_)), "the session lives");
    // A clock that steps back must not make anything younger.
    assert_eq!(raise(&store, at_s(1)).await, Epoch { number: 2, raised_at: at_s(2) });
}

pub(super) async fn an_epoch_revokes_access_tokens_alone(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let elsewhere = World::elsewhere(store.clone(), "elsewhere").await;
    world.family(1, at_s(1)).await;
    raise(&store, at_s(2)).await;
    let log = world.revocations().await;
    let of = |world: &World| log.iter().find(|e| e.tenant == world.tenant).cloned().unwrap();
    for entry in [of(&world), of(&elsewhere)] {
        assert_eq!(entry.target, RevocationTarget::Tenant);
        assert_eq!((entry.at, entry.expires_at), (at_s(3), at_s(2).plus(TOKENS)));
    }
    assert_eq!(targets(log).len(), 2);
    assert!(matches!(world.rotate(world.rotation(1, 0, at_s(4))).await, Rotate::Committed(_)));
}

pub(super) async fn an_epoch_leaves_gaps_that_followers_see(store: SharedStore) {
    let world = World::new(store.clone()).await;
    drop(world.revoke(RevocationTarget::User(world.sub.clone()), at_s(1)).await);
    let heads = store.log_heads().await.unwrap();
    let (audit, count) = (world.audit_head().await, whole_log(&store, &world.tenant).await.len());
    raise(&store, at_s(2)).await;
    let (later, log) = (store.log_heads().await.unwrap(), whole_log(&store, &world.tenant).await);
    assert!(later.change > heads.change + SEQUENCE_GAP);
    assert!(later.revocation > heads.revocation + SEQUENCE_GAP);
    assert_eq!(log.len(), count + 1);
    assert_eq!(world.audit_head().await, audit + SEQUENCE_GAP);
    let changes = store.changes_since(heads.change, 10).await.unwrap();
    assert_eq!(changes.into_iter().map(|c| c.changed).collect::<Vec<_>>(), [Changed::Everything]);
    let revoked = store.revocations_since(heads.revocation, 10).await.unwrap();
    assert_eq!(revoked.len(), 1);
    drop(store.record(world.event(at_s(3))).await.unwrap());
    assert_eq!(world.audit_head().await, audit + SEQUENCE_GAP + 1);
    let log = whole_log(&store, &world.tenant).await;
    verify(&world.tenant, &log);
    for second in 4..12 {
        raise(&store, at_s(second)).await;
    }
    let request = super::fixture::request_id(9);
    let found = store.audit_of_request(&request).await.unwrap();
    assert_eq!(found.last(), log.last(), "beyond one gap and before many");
    assert_eq!(found.len(), log.len() - 1);
}

pub(super) async fn an_epoch_goes_on_at_a_place_of_its_moment(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let heads = async || {
        let heads = store.log_heads().await.unwrap();
        (heads.change, heads.revocation)
    };
    raise(&store, at_s(2)).await;
    let place = u64::try_from(at_s(2).as_millis()).unwrap() << 10;
    assert_eq!(heads().await, (place + 1, place + 1), "one entry in each");
    assert!(place < 1 << 53, "exact for every reader of JSON");
    drop(world.revoke(RevocationTarget::User(world.sub.clone()), at_s(2)).await);
    // A second later; then by a clock that was set back.
    raise(&store, at_s(3)).await;
    let later = place + (1000 << 10);
    assert_eq!(heads().await, (later + 1, later + 1));
    raise(&store, at_s(1)).await;
    let further = later + 1 + SEQUENCE_GAP;
    assert_eq!(heads().await, (further + 1, further + 1));
}

pub(super) async fn an_epoch_refuses_older_one_time_values(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let once = |jti: &str, made_at: Option<Timestamp>, now: Timestamp| {
        let once = OneTime::new("assertion", &["pos-web", jti], now.plus(TOKENS));
        let once = made_at.map_or(once.clone(), |at| once.made_at(at));
        world.event(now).once(Some(&once))
    };
    let spends = async |record: Record| {
        matches!(store.record(record).await.unwrap(), Recorded::Committed(_))
    };
    assert!(spends(once("a", None, at_s(1))).await, "no epoch: nothing is too old");
    assert!(spends(once("b", Some(at_s(1)), at_s(1))).await);
    raise(&store, at_s(100)).await;
    let now = at_s(111);
    let edge = at_s(100).plus(CLOCK_SKEW_MAX);
    assert!(!spends(once("c", Some(at_s(99)), now)).await);
    assert!(!spends(once("d", Some(edge), now)).await, "its maker's clock may be ahead");
    assert!(spends(once("e", Some(edge.plus(Duration::from_millis(1))), now)).await);
    assert!(!spends(once("e", Some(now), now)).await, "and only once");
    assert!(!spends(once("f", None, now)).await, "it may be as old as any");
    assert!(spends(once("f", None, at_s(100 + 3600))).await);
}

pub(super) async fn a_restored_family_goes_on_from_a_later_token(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let id = world.family(1, at_s(1)).await;
    assert!(matches!(world.rotate(world.rotation(1, 0, at_s(2))).await, Rotate::Committed(_)));
    assert!(!world.load(&id).await.unwrap().restored);
    let early = world.adoption(1, 4, at_s(3));
    assert!(matches!(world.rotate(early).await, Rotate::LostRace), "the row is the truth");
    raise(&store, at_s(4)).await;
    let family = world.load(&id).await.unwrap();
    assert!(family.restored && !family.revoked && family.generation == 1);
    for old in [0, 1] {
        let lost = world.rotate(world.adoption(1, old, at_s(5))).await;
        assert!(matches!(lost, Rotate::LostRace), "generation {old}: {lost:?}");
    }
    assert!(matches!(world.rotate(world.adoption(1, 4, at_s(5))).await, Rotate::Committed(_)));
    let family = world.load(&id).await.unwrap();
    assert_eq!((family.parent, family.current), (Some(token(1, 4)), token(1, 5)));
    assert_eq!((family.generation, family.rotated_at, family.restored), (5, at_s(5), false));
    // Once: neither the same, nor a later one, nor what the row knew before.
    for lost in [4, 5, 9] {
        assert!(matches!(world.rotate(world.adoption(1, lost, at_s(6))).await, Rotate::LostRace));
    }
    assert!(matches!(world.rotate(world.rotation(1, 1, at_s(6))).await, Rotate::LostRace));
    assert!(matches!(world.rotate(world.retry(1, 4, at_s(6))).await, Rotate::Committed(_)));
    assert!(matches!(world.rotate(world.rotation(1, 5, at_s(7))).await, Rotate::Committed(_)));
}

pub(super) async fn a_restored_family_goes_on_from_its_own_token(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let id = world.family(1, at_s(1)).await;
    raise(&store, at_s(2)).await;
    assert!(matches!(world.rotate(world.rotation(1, 0, at_s(3))).await, Rotate::Committed(_)));
    assert!(!world.load(&id).await.unwrap().restored);
    assert!(matches!(world.rotate(world.adoption(1, 4, at_s(4))).await, Rotate::LostRace));
    // Born after: never restored until the next time.
    let young = world.family(2, at_s(5)).await;
    assert!(!world.load(&young).await.unwrap().restored);
    raise(&store, at_s(6)).await;
    assert!(world.load(&young).await.unwrap().restored && world.load(&id).await.unwrap().restored);
    drop(world.revoke(RevocationTarget::Family(id), at_s(7)).await);
    assert!(matches!(world.rotate(world.adoption(1, 4, at_s(8))).await, Rotate::LostRace));
    assert!(matches!(world.rotate(world.adoption(2, 1, at_s(8))).await, Rotate::Committed(_)));
}

pub(super) async fn fifty_adoptions_one_winner(store: SharedStore) {
    let world = World::new(store.clone()).await;
    world.family(1, at_s(1)).await;
    raise(&store, at_s(2)).await;
    let tasks = (0..50u32).map(|task| {
        let world = world.clone();
        tokio::spawn(async move { world.rotate(world.adoption(1, task % 5 + 1, at_s(3))).await })
    });
    let mut won = 0;
    for task in tasks.collect::<Vec<_>>() {
        match task.await.unwrap() {
            Rotate::Committed(_) => won += 1,
            Rotate::LostRace => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
}
