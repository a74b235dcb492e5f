//! What only a file can do: be locked, full, foreign, old, new, or open twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keywright_protocol::id::TenantId;
use rusqlite::Connection;
use tempfile::TempDir;

use super::column::Statements as _;
use super::migrate;
use super::{QUEUE_MAX, SqliteStore};
use crate::audit::{AuditStore as _, Recorded};
use crate::client::UpdateClient;
use crate::contract::audit::{verify, whole_log};
use crate::contract::fixture::{World, at_s, event};
use crate::job::JobStore as _;
use crate::refresh::Rotate;
use crate::schema::version_of;
use crate::{SharedStore, StoreFault};

struct Place {
    _folder: TempDir,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keywright.db");
        Self { _folder: folder, file }
    }

    fn open(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&self.file).unwrap())
    }

    /// Another program that opens the same file.
    fn other(&self) -> Connection {
        Connection::open(&self.file).unwrap()
    }

    fn refused(&self) -> String {
        match SqliteStore::open(&self.file) {
            Err(StoreFault::Incompatible(why)) => why,
            other => panic!("{other:?}"),
        }
    }
}

async fn record(store: &SqliteStore) -> Result<Recorded, StoreFault> {
    store.record(event(&TenantId::default_tenant(), at_s(1))).await
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let store = place.open();
    drop(record(&store).await.unwrap());
    for entry in place.file.parent().unwrap().read_dir().unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let place = Place::new();
    let world = World::new(place.open()).await;
    let id = world.family(1, at_s(1)).await;
    let before = world.load(&id).await;
    world.store.close().await;
    assert!(!place.file.with_extension("db-wal").exists(), "closing moves the log into the file");
    let world = World::found(place.open(), world.tenant.clone());
    assert_eq!(world.load(&id).await, before);
    let rotated = world.rotate(world.rotation(1, 0, at_s(2))).await;
    assert!(matches!(rotated, Rotate::Committed(_)), "{rotated:?}");
    verify(&world.tenant, &whole_log(&world.store, &world.tenant).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_is_waited_for_and_then_told() {
    let place = Place::new();
    let store = place.open();
    let other = place.other();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    let locked = record(&store).await;
    assert!(matches!(locked, Err(StoreFault::Busy(_))), "{locked:?}");
    let waited = begun.elapsed();
    assert!(waited > Duration::from_secs(1) && waited < Duration::from_secs(8), "{waited:?}");
    assert_eq!(store.audit_head(&TenantId::default_tenant()).await.unwrap(), 0, "readers go on");
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { record(&store).await }
    });
    tokio::task::yield_now().await;
    other.execute_batch("ROLLBACK").unwrap();
    assert!(matches!(waiting.await.unwrap(), Ok(Recorded::Committed(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_queued_shares_a_commit_and_the_queue_has_an_end() {
    let place = Place::new();
    let store = place.open();
    let (commits, verbs) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, sum) = (commits.clone(), verbs.clone());
    store.observe(move |commit| {
        count.fetch_add(1, Ordering::Relaxed);
        sum.fetch_add(commit.verbs, Ordering::Relaxed);
    });
    let other = place.other();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let tasks: Vec<_> = (0..QUEUE_MAX * 2)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { record(&store).await })
        })
        .collect();
    while !tasks.iter().any(tokio::task::JoinHandle::is_finished) {
        tokio::task::yield_now().await;
    }
    other.execute_batch("ROLLBACK").unwrap();
    let (mut committed, mut busy) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(Recorded::Committed(_)) => committed += 1,
            Err(StoreFault::Busy(_)) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(busy > 0 && committed >= QUEUE_MAX, "{busy} busy, {committed} committed");
    assert_eq!(verbs.load(Ordering::Relaxed), committed);
    let commits = commits.load(Ordering::Relaxed);
    assert!(commits * 4 < committed, "{commits} commits for {committed} verbs");
    let shared: SharedStore = store;
    let log = whole_log(&shared, &TenantId::default_tenant()).await;
    assert_eq!(log.len(), committed);
    verify(&TenantId::default_tenant(), &log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_undoes_and_is_told() {
    let place = Place::new();
    let store = place.open();
    let limit = |store: Arc<SqliteStore>, more: i64| async move {
        let set = store.write::<_, ()>(move |tx| {
            let pages: i64 = tx.db.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            tx.db.pragma_update(None, "max_page_count", pages + more)?;
            Ok(())
        });
        set.await.unwrap().unwrap();
    };
    limit(store.clone(), 2).await;
    let tasks: Vec<_> = (0..500)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { record(&store).await })
        })
        .collect();
    let (mut committed, mut full) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(Recorded::Committed(_)) => committed += 1,
            Err(StoreFault::Full) => full += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(full > 0, "{committed} fitted");
    let tenant = TenantId::default_tenant();
    let shared: SharedStore = store.clone();
    assert_eq!(whole_log(&shared, &tenant).await.len(), committed);
    limit(store.clone(), 1000).await;
    assert!(matches!(record(&store).await, Ok(Recorded::Committed(_))));
    let log = whole_log(&shared, &tenant).await;
    assert_eq!(log.len(), committed + 1);
    verify(&tenant, &log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_callers_change_is_undone_and_told() {
    let place = Place::new();
    let world = World::new(place.open()).await;
    let update = UpdateClient {
        tenant: world.tenant.clone(),
        id: world.client.clone(),
        change: Box::new(|_| panic!("on purpose")),
        revoke_until: None,
        record: world.event(at_s(1)),
    };
    let head = world.audit_head().await;
    let updated = world.store.update_client(update).await;
    assert!(matches!(updated, Err(StoreFault::Unavailable(_))), "{updated:?}");
    assert_eq!(world.audit_head().await, head);
    world.store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_share_one_chain() {
    let place = Place::new();
    let stores = [place.open(), place.open()];
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move { drop(record(&store).await.unwrap()) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let tenant = TenantId::default_tenant();
    let log = whole_log(&(stores[0].clone() as SharedStore), &tenant).await;
    assert_eq!(log.len(), 100);
    verify(&tenant, &log);
}

#[tokio::test]
async fn several_processes_may_make_the_database_at_once() {
    let place = Place::new();
    let open = |file: PathBuf| thread::spawn(move || SqliteStore::open(&file).map(drop));
    let threads: Vec<_> = (0..8).map(|_| open(place.file.clone())).collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    place.open().ping().await.unwrap();
}

/// What SQLite would do for a statement.
fn plan(sql: &str) -> String {
    let place = Place::new();
    let store = place.open();
    let explained = store.read(|db| {
        Ok(db.all(&format!("EXPLAIN QUERY PLAN {sql}"), [None::<i64>], |row| {
            row.get::<_, String>(3)
        })?)
    });
    explained.unwrap().join("; ")
}

#[test]
fn the_events_of_a_request_are_not_searched_in_the_whole_log() {
    let plan = plan(super::audit::OF_REQUEST);
    assert!(
        plan.contains("SEARCH a USING INDEX audit_of_request (tenant=? AND <expr>=?"),
        "{plan}"
    );
}

#[test]
fn a_changed_migration_is_refused() {
    let place = Place::new();
    drop(place.open());
    drop(place.open());
    place.other().execute("UPDATE migration SET sha256 = zeroblob(32)", []).unwrap();
    let why = place.refused();
    assert!(why.contains("another migration 1 (first)") && why.contains("restore"), "{why}");
}

/// A later program's step, and what it needs.
fn add_step(place: &Place, needs: u32) {
    let newer = "INSERT INTO migration SELECT max(version) + 1, 'newer', sha256, ?1 FROM migration";
    place.other().execute(newer, [needs]).unwrap();
}

#[test]
fn a_newer_schema_is_refused_unless_it_fits() {
    let place = Place::new();
    drop(place.open());
    let known = version_of(migrate::MIGRATIONS);
    add_step(&place, known);
    drop(place.open());
    let inspected = super::inspect(&place.file).unwrap();
    assert_eq!((inspected.schema, inspected.known), (known + 1, known));
    assert!(inspected.pending.is_empty());
    let back = super::migrate_back(&place.file, 1, true).unwrap_err().to_string();
    assert!(back.contains("only the program whose schema it has"), "{back}");
    add_step(&place, known + 2);
    let why = place.refused();
    assert!(why.contains("newer Keywright") && why.contains("Run the newer program"), "{why}");
}

#[test]
fn what_another_program_made_is_left_alone() {
    let place = Place::new();
    place.other().execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)").unwrap();
    let before = std::fs::read(&place.file).unwrap();
    assert!(place.refused().contains("not a Keywright database"));
    assert_eq!(std::fs::read(&place.file).unwrap(), before);
    let place = Place::new();
    std::fs::write(&place.file, "a letter to somebody, long enough to be no header".repeat(50))
        .unwrap();
    assert!(place.refused().contains("not a Keywright database"));
}

#[test]
fn a_folder_that_is_missing_is_told() {
    let opened = SqliteStore::open(Path::new("no/such/folder/keywright.db"));
    match opened {
        Err(StoreFault::Unavailable(why)) => assert!(why.contains("no/such/folder"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_verb_that_breaks_its_word_takes_the_transaction_with_it() {
    use super::transaction::Refusal;
    use crate::attempt::Undo;
    let place = Place::new();
    let store = place.open();
    let verb = |refusal| {
        store.write_as(refusal, |tx| {
            tx.append(&event(&TenantId::default_tenant(), at_s(1)).events)?;
            Err::<(), _>(Undo::Verdict("refused"))
        })
    };
    assert!(matches!(verb(Refusal::IsUndone).await, Ok(Err("refused"))));
    let broken = verb(Refusal::ChangesNothing).await;
    assert!(matches!(broken, Err(StoreFault::Unavailable(_))), "{broken:?}");
    assert_eq!(store.audit_head(&TenantId::default_tenant()).await.unwrap(), 0);
    assert!(matches!(record(&store).await, Ok(Recorded::Committed(_))));
    assert_eq!(store.audit_head(&TenantId::default_tenant()).await.unwrap(), 1);
}

/// Every column of every table.
fn columns(db: &Connection) -> Vec<(String, String, String)> {
    let sql = "SELECT m.name, c.name, c.type FROM sqlite_schema m, pragma_table_xinfo(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid";
    db.all(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
}

#[tokio::test]
async fn live_tokens_survive_a_migration_from_every_earlier_schema() {
    let latest = version_of(migrate::MIGRATIONS);
    for version in 1..latest {
        let place = Place::new();
        let world = World::new(place.open()).await;
        let id = world.family(1, at_s(1)).await;
        assert!(matches!(world.rotate(world.rotation(1, 0, at_s(2))).await, Rotate::Committed(_)));
        let (before, tenant) = (world.load(&id).await, world.tenant.clone());
        let log = whole_log(&world.store, &tenant).await;
        let code = world.issued(2, at_s(2)).await;
        world.store.close().await;
        drop(world);
        let db = place.other();
        super::migrate_back(&place.file, version, true).unwrap();
        assert_eq!(super::inspect(&place.file).unwrap().schema, latest, "nothing was changed");
        let taken = super::migrate_back(&place.file, version, false).unwrap();
        assert_eq!(version_of(&taken), latest - version);
        let reference = Place::new();
        let mut fresh = reference.other();
        migrate::migrate_to(&mut fresh, &reference.file, &migrate::MIGRATIONS[..version as usize])
            .unwrap();
        assert_eq!(columns(&db), columns(&fresh), "it is version {version}");
        drop(db);

        let plan = super::rehearse(&place.file).unwrap();
        assert_eq!(version_of(&plan.steps), latest - version);
        assert_eq!(super::inspect(&place.file).unwrap().schema, version, "nothing was changed");
        let world = World::found(place.open(), tenant);
        assert_eq!(super::inspect(&place.file).unwrap().schema, latest);
        assert_eq!(world.load(&id).await, before);
        assert_eq!(whole_log(&world.store, &world.tenant).await[..log.len()], log);
        assert!(matches!(world.rotate(world.retry(1, 0, at_s(3))).await, Rotate::Committed(_)));
        assert!(matches!(world.rotate(world.rotation(1, 1, at_s(3))).await, Rotate::Committed(_)));
        assert!(matches!(world.redeem(&code).await, crate::code::Redeem::Committed(_)));
        verify(&world.tenant, &whole_log(&world.store, &world.tenant).await);
    }
}

#[test]
fn a_step_back_that_would_lose_something_is_refused() {
    let place = Place::new();
    drop(place.open());
    let latest = version_of(migrate::MIGRATIONS);
    for wrong in [latest, latest + 1] {
        let why = super::migrate_back(&place.file, wrong, false).unwrap_err().to_string();
        assert!(why.contains("no way back"), "{why}");
    }
    let why = super::migrate_back(&place.file, 0, false).unwrap_err().to_string();
    assert!(why.contains("would lose everything"), "{why}");
    place.other().execute("UPDATE epoch SET number = 1", []).unwrap();
    let why = super::migrate_back(&place.file, 2, false).unwrap_err().to_string();
    assert!(why.contains("would lose what is known of a restore"), "{why}");
    assert_eq!(super::inspect(&place.file).unwrap().schema, latest, "all or nothing");
    place.other().execute("UPDATE epoch SET number = 0", []).unwrap();
    super::migrate_back(&place.file, 2, false).unwrap();
    assert_eq!(super::inspect(&place.file).unwrap().schema, 2);
}
