//! Housekeeping.

use std::time::Duration;

use keywright_protocol::limits::CODE_REMEMBERED;
use keywright_protocol::revocation::RevocationTarget;

use super::fixture::{World, at_s};
use super::revocation::{a_key, listing};
use crate::change::{LogHeads, NodeReport};
use crate::job::Lease;
use crate::refresh::Rotate;
use crate::throttle::Failures;
use crate::{SharedStore, StoreFault};

fn node(seen_at: keywright_protocol::time::Timestamp) -> NodeReport {
    let followed = LogHeads::default();
    NodeReport { id: "node".to_owned(), machine: "m".to_owned(), seen_at, followed }
}

pub(super) async fn a_sweep_bounds_the_tables(store: SharedStore) {
    let world = World::new(store.clone()).await;
    for seed in 1..=30 {
        world.family(seed, at_s(1)).await;
    }
    drop(world.revoke(RevocationTarget::Family(world.family_id(1)), at_s(2)).await);
    drop(store.record(world.with_assertion(at_s(2), "a")).await.unwrap());
    store.report_node(node(at_s(2))).await.unwrap();
    let mut key = a_key(&world, "old");
    key.times.gone_at = Some(at_s(2));
    assert_eq!(
        store.create_key(key, world.event(at_s(2))).await.unwrap(),
        crate::client::Create::Created
    );
    drop(store.record(listing(&world, 1, at_s(20))).await.unwrap());
    let heads = store.log_heads().await.unwrap();
    let log = world.audit_head().await;
    let much_later = at_s(0).plus(Duration::from_hours(24 * 40));
    let swept = store.sweep(much_later).await.unwrap();
    // Codes, families, session, one-time value, revocation, key, two changes, node, listed token.
    assert_eq!(swept.rows, 30 + 30 + 1 + 1 + 1 + 1 + 2 + 1 + 1);
    assert_eq!(store.sweep(much_later).await.unwrap().rows, 0);
    assert!(world.load(&world.family_id(2)).await.is_none());
    assert_eq!(world.revocations().await, []);
    assert_eq!(store.changes_since(0, 10).await.unwrap(), []);
    assert!(store.list_keys(&world.tenant).await.unwrap().is_empty());
    assert_eq!(store.log_heads().await.unwrap(), heads, "places are never given twice");
    assert_eq!(world.audit_head().await, log, "the audit log is not swept");
    assert!(store.load_client(&world.tenant, &world.client).await.unwrap().is_some());
    assert!(store.load_user(&world.tenant, &world.sub).await.unwrap().is_some());
}

pub(super) async fn a_sweep_keeps_what_matters(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let redeem = world.issued(1, at_s(1)).await;
    drop(world.redeem(&redeem).await);
    let family = redeem.family.unwrap();
    drop(store.record(world.with_assertion(at_s(2), "a")).await.unwrap());
    let almost = redeem.code.created_at.plus(CODE_REMEMBERED).minus(Duration::from_millis(1));
    store.sweep(almost).await.unwrap();
    let code = store.load_code(&world.tenant, redeem.hash).await.unwrap();
    assert!(code.is_some(), "a replay on the same day still kills");
    store.sweep(almost.plus(Duration::from_millis(1))).await.unwrap();
    assert!(store.load_code(&world.tenant, redeem.hash).await.unwrap().is_none());
    let ended = family.absolute_expires_at;
    store
        .sweep(ended.plus(Duration::from_hours(24)).minus(Duration::from_millis(1)))
        .await
        .unwrap();
    assert!(world.load(&family.id).await.is_some());
    let grant = store.load_grant(&world.tenant, &world.sub, &world.client).await.unwrap();
    assert!(grant.is_some(), "a consent has no end of its own");
    let rotated = world.rotate(world.rotation(1, 0, at_s(3))).await;
    assert!(matches!(rotated, Rotate::Committed(_)), "the clock stepped back: {rotated:?}");
    store.sweep(ended.plus(Duration::from_hours(24))).await.unwrap();
    assert!(world.load(&family.id).await.is_none());
}

pub(super) async fn a_lease_has_one_holder_until_it_ends(store: SharedStore) {
    let take = |name: &'static str, holder: &'static str, now, until| {
        let store = store.clone();
        async move { store.take_lease(name, holder, at_s(now), at_s(until)).await.unwrap() }
    };
    assert_eq!(take("work", "a", 1, 10).await, Lease::Held);
    assert_eq!(take("work", "b", 2, 11).await, Lease::HeldByAnother { until: at_s(10) });
    assert_eq!(take("other work", "b", 2, 11).await, Lease::Held, "by name");
    assert_eq!(take("work", "a", 8, 20).await, Lease::Held, "the holder renews");
    assert_eq!(take("work", "b", 12, 30).await, Lease::HeldByAnother { until: at_s(20) });
    assert_eq!(take("work", "b", 20, 30).await, Lease::Held, "over at its end");
    assert_eq!(take("work", "a", 21, 40).await, Lease::HeldByAnother { until: at_s(30) });
    assert_eq!(take("work", "b", 22, 22).await, Lease::Held, "the holder gives it up");
    assert_eq!(take("work", "a", 22, 40).await, Lease::Held);
}

pub(super) async fn fifty_nodes_one_holder(store: SharedStore) {
    let nodes: Vec<_> = (0..50)
        .map(|node| {
            let store = store.clone();
            tokio::spawn(async move {
                store.take_lease("work", &format!("node {node}"), at_s(1), at_s(10)).await.unwrap()
            })
        })
        .collect();
    let mut holders = 0;
    for node in nodes {
        holders += usize::from(node.await.unwrap() == Lease::Held);
    }
    assert_eq!(holders, 1);
}

pub(super) async fn a_closed_store_refuses(store: SharedStore) {
    let world = World::new(store.clone()).await;
    store.close().await;
    store.close().await;
    let write = store.record(world.event(at_s(1))).await;
    assert!(matches!(write, Err(StoreFault::Unavailable(_))), "{write:?}");
    let read = store.load_client(&world.tenant, &world.client).await;
    assert!(matches!(read, Err(StoreFault::Unavailable(_))), "{read:?}");
    assert!(store.ping().await.is_err());
}

pub(super) async fn a_ping_writes(store: SharedStore) {
    store.ping().await.unwrap();
    store.ping().await.unwrap();
}

pub(super) async fn failures_are_counted_together_or_not_at_all(store: SharedStore) {
    let count = |key: u8, now| {
        let store = store.clone();
        let window = Duration::from_mins(1);
        async move { store.count_failure([key; 32], window, at_s(now)).await.unwrap() }
    };
    let Some(first) = count(1, 100).await else {
        return assert_eq!(count(1, 101).await, None, "one process serves from it");
    };
    assert_eq!(first, Failures { count: 1, since: at_s(100) });
    assert_eq!(count(1, 159).await, Some(Failures { count: 2, since: at_s(100) }));
    assert_eq!(count(2, 159).await, Some(Failures { count: 1, since: at_s(159) }), "by key");
    assert_eq!(count(1, 160).await, Some(Failures { count: 1, since: at_s(160) }), "it is over");
    assert_eq!(count(1, 150).await, Some(Failures { count: 2, since: at_s(160) }), "any order");
    assert_eq!(count(1, 100).await, Some(Failures { count: 1, since: at_s(100) }), "set back");
    store.forget_failures([1; 32]).await.unwrap();
    assert_eq!(count(1, 101).await, Some(Failures { count: 1, since: at_s(101) }));
    let many = (0..50).map(|_| tokio::spawn(count(3, 200)));
    let mut counts = Vec::new();
    for one in many.collect::<Vec<_>>() {
        counts.push(one.await.unwrap().unwrap().count);
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=50).collect::<Vec<u32>>(), "none is lost");
    store.sweep(at_s(200).plus(Duration::from_hours(1))).await.unwrap();
    assert_eq!(count(3, 210).await.unwrap().count, 1, "swept");
}
