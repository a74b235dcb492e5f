//! Copies from one store to another, and dumps.

use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::secret::Secret;

use super::audit::{verify, whole_log};
use super::epoch::raise;
use super::fixture::{World, at_s, id_bytes, request_id};
use super::revocation::{list, listing};
use crate::SharedStore;
use crate::StoreFault;
use crate::audit::{Recorded, RefusedRequest};
use crate::client::DeleteClient;
use crate::code::Redeem;
use crate::copy::{
    BATCH_ROWS, CopyStore, DumpFault, DumpHeader, DumpReader, DumpWriter, Progress, Rows, Snapshot,
    Table, load, prove, transfer,
};
use crate::refresh::Rotate;

static KEY: Secret<[u8; 32]> = Secret::new([5; 32]);
const FINGERPRINT: &str = "finger";

/// A store with something in every table, and more than a page of events.
async fn inhabited(store: SharedStore) -> World {
    let world = World::new(store.clone()).await;
    let elsewhere = World::elsewhere(store.clone(), "elsewhere").await;
    world.family(1, at_s(1)).await;
    elsewhere.family(1, at_s(1)).await;
    for generation in 0..2 {
        drop(world.rotate(world.rotation(1, generation, at_s(2))).await);
    }
    world.issued(2, at_s(2)).await;
    let doomed = world.family(3, at_s(2)).await;
    drop(world.revoke(RevocationTarget::Family(doomed), at_s(3)).await);
    drop(store.record(world.with_assertion(at_s(3), "spent")).await.unwrap());
    drop(store.record(listing(&world, 7, at_s(20))).await.unwrap());
    store.keep_secret("one", vec![1, 2, 3]).await.unwrap();
    let mut many = world.event(at_s(4));
    let event = many.events[0].clone();
    many.events = vec![event; BATCH_ROWS as usize + 10];
    drop(store.record(many).await.unwrap());
    let refusal = RefusedRequest {
        request_id: request_id(5),
        tenant: world.tenant.clone(),
        time: at_s(4),
        endpoint: "token".to_owned(),
        client_id: None,
        checks: vec!["a".to_owned()],
        failed: "b".to_owned(),
        reason: "c\nd".to_owned(),
        error: "invalid_grant".to_owned(),
    };
    store.keep_refusals(vec![refusal]).await.unwrap();
    world
}

async fn copy(from: &SharedStore, to: &SharedStore) {
    to.begin_copy("there").await.unwrap();
    let proofs = transfer(&mut *from.snapshot().await.unwrap(), &**to, &|_, _, _| {}).await;
    for proof in proofs.unwrap() {
        assert!(proof.holds(), "{proof:?}");
    }
    to.end_copy().await.unwrap();
}

pub(super) async fn a_copy_goes_on_where_the_original_was(from: SharedStore, to: SharedStore) {
    let world = inhabited(from.clone()).await;
    assert!(to.is_empty().await.unwrap() && !from.is_empty().await.unwrap());
    copy(&from, &to).await;
    assert!(!to.is_empty().await.unwrap());
    let mut snapshot = to.snapshot().await.unwrap();
    for table in Table::ALL {
        let bare = [Table::SigningKey, Table::Resource].contains(table);
        assert_eq!(snapshot.count(*table).await.unwrap() == 0, bare, "{table:?}");
    }
    assert_eq!(to.log_heads().await.unwrap(), from.log_heads().await.unwrap());
    let (id, there) = (world.family_id(1), World::found(to.clone(), world.tenant.clone()));
    assert_eq!(there.load(&id).await, world.load(&id).await);
    assert_eq!(there.revocations().await, world.revocations().await);
    let listed = to.listed_tokens(&world.tenant, &list(), at_s(5)).await.unwrap();
    assert_eq!(listed, from.listed_tokens(&world.tenant, &list(), at_s(5)).await.unwrap());
    let log = whole_log(&to, &world.tenant).await;
    assert_eq!(log, whole_log(&from, &world.tenant).await);
    verify(&world.tenant, &log);
    // What is live goes on; what is dead stays so.
    assert!(matches!(there.rotate(there.rotation(1, 1, at_s(5))).await, Rotate::LostRace));
    assert!(matches!(there.rotate(there.rotation(1, 2, at_s(5))).await, Rotate::Committed(_)));
    assert!(matches!(there.rotate(there.rotation(3, 0, at_s(5))).await, Rotate::LostRace));
    let (replayed, fresh) = ("spent", "fresh");
    let spends = async |jti| to.record(there.with_assertion(at_s(5), jti)).await.unwrap();
    assert!(matches!(spends(replayed).await, Recorded::AssertionReplayed));
    assert!(matches!(spends(fresh).await, Recorded::Committed(_)));
    let issue = there.a_code(2, at_s(2));
    let code = there.redemption(&issue, 2, at_s(5));
    assert!(matches!(there.redeem(&code).await, Redeem::Committed(_)));
    assert_eq!(whole_log(&to, &world.tenant).await.len(), log.len() + 3);
    verify(&world.tenant, &whole_log(&to, &world.tenant).await);
    // The next of everything that is numbered is new.
    drop(there.revoke(RevocationTarget::Family(id), at_s(6)).await);
    let revoked = there.revocations().await;
    assert!(revoked.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    there.add_client("late").await;
    world.store.sweep(at_s(10)).await.unwrap();
    to.sweep(at_s(10)).await.unwrap();
}

/// A follower from between two restores of one dump hears what the second one revokes.
pub(super) async fn copies_that_raise_the_epoch_take_different_places(
    from: SharedStore,
    to: SharedStore,
) {
    World::new(from.clone()).await;
    raise(&from, at_s(1)).await;
    copy(&from, &to).await;
    raise(&from, at_s(2)).await;
    let between = from.log_heads().await.unwrap();
    raise(&to, at_s(3)).await;
    assert_eq!(to.revocations_since(between.revocation, 10).await.unwrap().len(), 1);
    assert_eq!(to.changes_since(between.change, 10).await.unwrap().len(), 1);
}

/// The mark goes last, so that no store is served before what has to begin there has begun.
pub(super) async fn what_begins_before_a_copy_ends_goes_on_from_it(
    from: SharedStore,
    to: SharedStore,
) {
    let world = inhabited(from.clone()).await;
    // The second time, an attempt was cut off just before its end.
    for attempt in 1..=2 {
        if attempt == 1 {
            to.begin_copy("there").await.unwrap();
        }
        let proofs = transfer(&mut *from.snapshot().await.unwrap(), &*to, &|_, _, _| {}).await;
        assert!(proofs.unwrap().iter().all(crate::copy::Proof::holds));
        let copied = whole_log(&to, &world.tenant).await;
        assert_eq!(copied, whole_log(&from, &world.tenant).await);
        assert_eq!(raise(&to, at_s(8)).await.number, 1);
        // Reading is also what chains, where events are chained later than they happen.
        let log = whole_log(&to, &world.tenant).await;
        assert_eq!(log.len(), copied.len() + 1);
        verify(&world.tenant, &log);
    }
    to.end_copy().await.unwrap();
    let there = World::found(to.clone(), world.tenant.clone());
    drop(there.revoke(RevocationTarget::Family(there.family_id(1)), at_s(9)).await);
    verify(&there.tenant, &whole_log(&to, &there.tenant).await);
}

/// Fails when it is asked to write once too often.
struct Failing {
    inner: SharedStore,
    left: AtomicUsize,
}

#[async_trait]
impl CopyStore for Failing {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreFault> {
        self.inner.snapshot().await
    }

    async fn is_empty(&self) -> Result<bool, StoreFault> {
        self.inner.is_empty().await
    }

    async fn unfinished_copy(&self) -> Result<Option<String>, StoreFault> {
        self.inner.unfinished_copy().await
    }

    async fn begin_copy(&self, source: &str) -> Result<(), StoreFault> {
        self.inner.begin_copy(source).await
    }

    async fn copied_until(&self, table: Table) -> Result<Progress, StoreFault> {
        self.inner.copied_until(table).await
    }

    async fn clear_table(&self, table: Table) -> Result<(), StoreFault> {
        self.inner.clear_table(table).await
    }

    async fn put_rows(&self, table: Table, page: Rows) -> Result<(), StoreFault> {
        let left =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        left.map_err(|_| StoreFault::Unavailable("cut".to_owned()))?;
        self.inner.put_rows(table, page).await
    }

    async fn end_copy(&self) -> Result<(), StoreFault> {
        self.inner.end_copy().await
    }
}

pub(super) async fn an_interrupted_copy_goes_on(from: SharedStore, to: SharedStore) {
    let world = inhabited(from.clone()).await;
    to.begin_copy("there").await.unwrap();
    let (mut tries, mut pages) = (0, 0);
    loop {
        let failing = Failing { inner: to.clone(), left: AtomicUsize::new(3) };
        tries += 1;
        let mut snapshot = from.snapshot().await.unwrap();
        let copied = transfer(&mut *snapshot, &failing, &|_, _, _| {}).await;
        pages += 3 - failing.left.load(Ordering::Relaxed);
        assert_eq!(to.unfinished_copy().await.unwrap().as_deref(), Some("there"));
        match copied {
            Ok(proofs) => {
                assert!(proofs.iter().all(super::super::copy::Proof::holds));
                break;
            }
            Err(StoreFault::Unavailable(why)) => assert_eq!(why, "cut"),
            Err(other) => panic!("{other:?}"),
        }
        // Nothing that is copied already may be asked for again, and what changes meanwhile shows.
        if tries == 2 {
            drop(world.revoke(RevocationTarget::Token(jti()), at_s(5)).await);
        }
    }
    assert!(tries > 4, "{tries} attempts");
    assert!(pages <= Table::ALL.len() + 4, "{pages} pages: none is written twice");
    to.end_copy().await.unwrap();
    assert_eq!(to.unfinished_copy().await.unwrap(), None);
    let there = World::found(to, world.tenant.clone());
    assert_eq!(there.revocations().await, world.revocations().await);
}

fn jti() -> keywright_protocol::id::Jti {
    keywright_protocol::id::Jti::from_random(id_bytes(3))
}

pub(super) async fn what_changed_behind_a_copy_is_copied_anew(from: SharedStore, to: SharedStore) {
    let world = inhabited(from.clone()).await;
    copy(&from, &to).await;
    to.begin_copy("there").await.unwrap();
    let mut before = from.snapshot().await.unwrap();
    let proofs = transfer(&mut *before, &*to, &|_, _, _| {}).await.unwrap();
    drop(world.rotate(world.rotation(1, 2, at_s(7))).await);
    let proofs_again = transfer(&mut *before, &*to, &|_, _, _| {}).await.unwrap();
    assert_eq!(proofs, proofs_again, "a snapshot does not move");
    let mut after = from.snapshot().await.unwrap();
    let proofs = transfer(&mut *after, &*to, &|_, _, _| {}).await.unwrap();
    let family = |p: &&crate::copy::Proof| p.table == Table::Family;
    assert_ne!(proofs.iter().find(family), proofs_again.iter().find(family));
    assert!(proofs.iter().all(crate::copy::Proof::holds));
    to.end_copy().await.unwrap();
    let there = World::found(to, world.tenant.clone());
    assert_eq!(there.load(&there.family_id(1)).await.unwrap().generation, 3);
}

async fn dump(store: &SharedStore) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = DumpHeader::new(at_s(9), "sqlite", "https://id.test", FINGERPRINT);
    let mut writer = DumpWriter::begin(&mut bytes, &header).unwrap();
    let mut snapshot = store.snapshot().await.unwrap();
    writer.tables(&mut *snapshot, &|_, _| {}).await.unwrap();
    let summary = writer.end(&KEY).unwrap();
    assert_eq!(summary.tables.len(), Table::ALL.len());
    bytes
}

fn check(bytes: &[u8], key: &Secret<[u8; 32]>) -> Result<u64, DumpFault> {
    let mut input = Cursor::new(bytes);
    let (reader, header) = DumpReader::begin(&mut input, key, FINGERPRINT)?;
    assert_eq!(header.issuer, "https://id.test");
    Ok(reader.verify()?.rows())
}

pub(super) async fn a_dump_brings_a_store_back(from: SharedStore, to: SharedStore) {
    let world = inhabited(from.clone()).await;
    raise(&from, at_s(5)).await;
    let bytes = dump(&from).await;
    assert!(check(&bytes, &KEY).unwrap() > u64::from(BATCH_ROWS));
    // Changes after the dump are not in it.
    drop(world.rotate(world.rotation(1, 2, at_s(7))).await);
    to.begin_copy("a dump").await.unwrap();
    let mut input = Cursor::new(&bytes);
    let (mut reader, _) = DumpReader::begin(&mut input, &KEY, FINGERPRINT).unwrap();
    let tables = load(&mut reader, &*to, &|_, _, _| {}).await.unwrap();
    let proofs = prove(&tables, &*to, &|_, _, _| {}).await.unwrap();
    assert!(proofs.iter().all(crate::copy::Proof::holds), "{proofs:?}");
    to.end_copy().await.unwrap();
    let there = World::found(to.clone(), world.tenant.clone());
    let epoch = raise(&to, at_s(8)).await;
    assert_eq!(epoch.number, 2, "the epoch is in the dump");
    let family = there.load(&there.family_id(1)).await.unwrap();
    assert!(family.restored && family.generation == 2);
    assert!(matches!(there.rotate(there.adoption(1, 3, at_s(9))).await, Rotate::Committed(_)));
    verify(&there.tenant, &whole_log(&to, &there.tenant).await);
}

pub(super) async fn a_dump_that_was_changed_is_refused(from: SharedStore, _to: SharedStore) {
    let world = World::new(from.clone()).await;
    world.family(1, at_s(1)).await;
    let bytes = dump(&from).await;
    assert!(check(&bytes, &KEY).is_ok());
    assert!(matches!(check(&bytes, &Secret::new([6; 32])), Err(DumpFault::NotAsWritten(_))));
    for length in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        assert!(check(&bytes[..length], &KEY).is_err(), "cut to {length}");
    }
    for at in (0..bytes.len()).step_by(61) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let Ok(text) = String::from_utf8(changed) else { continue };
        assert!(check(text.as_bytes(), &KEY).is_err(), "byte {at}");
    }
    let text = String::from_utf8(bytes.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for missing in 1..lines.len() {
        let rest = lines.iter().enumerate().filter(|(n, _)| *n != missing).map(|(_, line)| *line);
        let rest = rest.collect::<Vec<_>>().join("\n") + "\n";
        assert!(check(rest.as_bytes(), &KEY).is_err(), "line {missing}");
    }
    assert!(check(&[&bytes[..], b"{}\n"].concat(), &KEY).is_err(), "and more");
    let mut input = Cursor::new(&bytes);
    let other = DumpReader::begin(&mut input, &KEY, "another");
    assert!(matches!(other.map(|_| ()), Err(DumpFault::AnotherKey { .. })));
    assert!(matches!(check(b"SQLite format 3\0\n", &KEY), Err(DumpFault::Unknown(_))));
}

pub(super) async fn what_belongs_to_nobody_stays_behind(from: SharedStore, to: SharedStore) {
    let world = inhabited(from.clone()).await;
    let delete = DeleteClient {
        tenant: world.tenant.clone(),
        id: world.client.clone(),
        tokens_expire_at: at_s(600),
        record: world.event(at_s(5)),
    };
    let deleted = from.delete_client(delete).await.unwrap();
    assert!(matches!(deleted, crate::client::Update::Done { .. }), "{deleted:?}");
    copy(&from, &to).await;
    let mut snapshot = to.snapshot().await.unwrap();
    let elsewhere = snapshot.page(Table::Family, None).await.unwrap();
    assert_eq!(elsewhere.rows.len(), 1, "only the other tenant's");
    assert_eq!(snapshot.count(Table::Grant).await.unwrap(), 1);
    let there = World::found(to.clone(), world.tenant.clone());
    there.add_client("pos-web").await;
    assert!(there.load(&there.family_id(1)).await.is_none(), "and nobody inherits it");
}
