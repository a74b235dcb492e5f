//! The audit log.

use keywright_protocol::audit::{Actor, AuditEvent, EventType, OneTime, Origin, Record};
use keywright_protocol::id::{RequestId, TenantId};
use keywright_protocol::time::Timestamp;

use super::fixture::{World, at_s, event, request_id};
use crate::SharedStore;
use crate::audit::{REFUSALS_MAX, Recorded, RefusedRequest, StoredEvent, check_link};
use crate::client::Create;

pub(crate) async fn whole_log(store: &SharedStore, tenant: &TenantId) -> Vec<StoredEvent> {
    let mut log: Vec<StoredEvent> = Vec::new();
    loop {
        let last = log.last().map_or(0, |event| event.seq);
        let part = store.audit_since(tenant, last, 300).await.unwrap();
        if part.is_empty() {
            return log;
        }
        log.extend(part);
    }
}

pub(crate) fn verify(tenant: &TenantId, log: &[StoredEvent]) {
    let mut last = (0, [0; 32]);
    for stored in log {
        assert_eq!(check_link(tenant, last, stored), Ok(()), "{}", stored.seq);
        last = (stored.seq, stored.hash);
    }
}

pub(super) async fn the_chain_has_no_gap_after_many_tasks(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let elsewhere = World::elsewhere(store, "elsewhere").await;
    let tasks = (0..20u32).map(|task| {
        let (world, elsewhere) = (world.clone(), elsewhere.clone());
        tokio::spawn(async move {
            let mut committed = 0;
            world.family(task + 100, at_s(1)).await;
            for generation in 0..12 {
                let rotation = world.rotation(task + 100, generation, at_s(2));
                drop(world.rotate(rotation.clone()).await);
                // Refused: it leaves no event, and no gap.
                drop(world.rotate(rotation).await);
                let mut both = world.event(at_s(3));
                both.events.extend(elsewhere.event(at_s(3)).events);
                drop(world.store.record(both).await.unwrap());
                let taken = world.a_client("pos-web");
                let taken = world.store.create_client(taken, world.event(at_s(3))).await.unwrap();
                assert_eq!(taken, Create::Exists);
                committed += 2;
            }
            committed + 2
        })
    });
    let mut committed = 3;
    for task in tasks.collect::<Vec<_>>() {
        committed += task.await.unwrap();
    }
    let log = whole_log(&world.store, &world.tenant).await;
    verify(&world.tenant, &log);
    assert_eq!((log.len(), world.audit_head().await), (committed, committed as u64));
    let other = whole_log(&world.store, &elsewhere.tenant).await;
    verify(&elsewhere.tenant, &other);
    assert_eq!(other.len(), 4 + 20 * 12);
}

pub(super) async fn each_tenant_has_its_own_chain(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let elsewhere = World::elsewhere(store.clone(), "elsewhere").await;
    let unknown = TenantId::from_trusted("unknown");
    assert_eq!(store.audit_head(&unknown).await.unwrap(), 0);
    assert_eq!(store.audit_since(&unknown, 0, 10).await.unwrap(), []);
    let (mine, theirs) = (world.audit_head().await, elsewhere.audit_head().await);
    drop(store.record(world.event(at_s(1))).await.unwrap());
    assert_eq!((world.audit_head().await, elsewhere.audit_head().await), (mine + 1, theirs));
    let after = store.audit_since(&world.tenant, mine, 10).await.unwrap();
    assert_eq!((after.len(), after[0].seq), (1, mine + 1));
}

pub(super) async fn a_refused_commit_leaves_no_event(store: SharedStore) {
    let world = World::new(store).await;
    let redeem = world.issued(1, at_s(1)).await;
    drop(world.redeem(&redeem).await);
    let head = world.audit_head().await;
    drop(world.redeem(&redeem).await);
    let record = world.event(at_s(2));
    let taken = world.store.create_client(world.a_client("pos-web"), record).await.unwrap();
    assert_eq!(taken, Create::Exists);
    assert_eq!(world.audit_head().await, head);
}

pub(super) async fn an_event_is_stored_as_it_was_hashed(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let origin = Origin::local(world.tenant.clone());
    let event = origin.event(EventType::TokenIssued, Actor::CommandLine, at_s(1));
    let event = event.because("umlaut \u{fc}, quote \", line\nbreak, nul \u{0}");
    drop(store.record(Record::of(event.clone())).await.unwrap());
    let log = whole_log(&store, &world.tenant).await;
    verify(&world.tenant, &log);
    let body = &log.last().unwrap().body;
    assert_eq!(*body, serde_json::to_string(&event).unwrap());
    assert_eq!(serde_json::from_str::<AuditEvent>(body).unwrap(), event);
}

pub(super) async fn a_one_time_value_is_spent_once_until_it_expires(store: SharedStore) {
    let tenant = TenantId::default_tenant();
    let once = |end: Timestamp| OneTime::new("assertion", &["client", "jti"], end);
    let spend = |now: Timestamp, end: Timestamp| {
        let record = event(&tenant, now).once(Some(&once(end)));
        let store = store.clone();
        async move { matches!(store.record(record).await.unwrap(), Recorded::Committed(_)) }
    };
    assert!(spend(at_s(1), at_s(10)).await);
    assert!(!spend(at_s(2), at_s(20)).await);
    assert!(!spend(at_s(9), at_s(20)).await, "a refused one extends nothing");
    assert_eq!(store.audit_head(&tenant).await.unwrap(), 1);
    assert!(spend(at_s(10), at_s(20)).await, "over at its end");
    assert!(!spend(at_s(5), at_s(30)).await, "a clock that steps back");
    let other = OneTime::new("assertion", &["client", "other"], at_s(20));
    let record = event(&tenant, at_s(11)).once(Some(&other));
    assert!(matches!(store.record(record).await.unwrap(), Recorded::Committed(_)));
}

pub(super) async fn the_events_of_a_request_are_found(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let elsewhere = World::elsewhere(store.clone(), "elsewhere").await;
    let wanted = request_id(1234);
    let at_request = |tenant: &TenantId| {
        let request_id = Some(wanted.clone());
        let origin = Origin { tenant: tenant.clone(), request_id, ip: None, user_agent: None };
        origin.event(EventType::TokenIssued, Actor::Server, at_s(1))
    };
    let mut record = Record::of(at_request(&world.tenant));
    record.events.push(at_request(&elsewhere.tenant));
    record.events.extend(world.event(at_s(1)).events);
    record.events.push(at_request(&world.tenant));
    drop(store.record(record).await.unwrap());
    let found = store.audit_of_request(&wanted).await.unwrap();
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|event| event.body.contains(wanted.as_str())));
    let unknown = RequestId::from_trusted("req_unknown");
    assert_eq!(store.audit_of_request(&unknown).await.unwrap(), []);
}

fn refusal(number: u32) -> RefusedRequest {
    RefusedRequest {
        request_id: request_id(number),
        tenant: TenantId::default_tenant(),
        time: at_s(i64::from(number)),
        endpoint: "token".to_owned(),
        client_id: Some("pos-web".to_owned()),
        checks: vec!["client is known".to_owned()],
        failed: "credential".to_owned(),
        reason: "the secret is wrong or expired".to_owned(),
        error: "invalid_client".to_owned(),
    }
}

pub(super) async fn the_latest_refusals_are_kept(store: SharedStore) {
    let load = |number| {
        let (store, id) = (store.clone(), refusal(number).request_id);
        async move { store.load_refusal(&id).await.unwrap() }
    };
    store.keep_refusals((0..10).map(refusal).collect()).await.unwrap();
    assert_eq!(load(0).await, Some(refusal(0)));
    store.keep_refusals((10..=REFUSALS_MAX).map(refusal).collect()).await.unwrap();
    assert_eq!((load(0).await, load(1).await), (None, Some(refusal(1))));
    assert_eq!(load(REFUSALS_MAX).await, Some(refusal(REFUSALS_MAX)));
    store.keep_refusals(Vec::new()).await.unwrap();
    assert_eq!(load(1).await, Some(refusal(1)));
}
