//! What only a server can do: be shared, restart, refuse, and hold another program's tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keywright_protocol::id::TenantId;
use keywright_protocol::revocation::RevocationTarget;
use tokio::time::timeout;
use tokio_postgres::NoTls;

use super::migrate::MIGRATIONS;
use super::pool::Place;
use super::{Address, PostgresStore};
use crate::audit::{AuditStore as _, Recorded};
use crate::change::ChangeStore as _;
use crate::contract::audit::{verify, whole_log};
use crate::contract::fixture::{World, at_s, event};
use crate::epoch::EpochStore as _;
use crate::job::JobStore as _;
use crate::key::KeyStore as _;
use crate::refresh::Rotate;
use crate::schema::version_of;
use crate::tenant::TenantStore as _;
use crate::{SharedStore, StoreFault};

/// The URL of a server that the tests may use, as its superuser.
const SERVER: &str = "KEYWRIGHT_TEST_POSTGRES";

/// An empty schema of its own on that server, as an address.
pub(crate) async fn empty_schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var(SERVER).expect("KEYWRIGHT_TEST_POSTGRES: see `cargo xtask test`");
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let schema = format!("test_{process}_{number}");
    administer(&server, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}"))
        .await;
    let and = if server.contains('?') { '&' } else { '?' };
    format!("{server}{and}options=-c%20search_path%3D{schema}")
}

/// Another program on the same server.
pub(super) async fn administer(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

pub(crate) async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(Address::parse(url).unwrap()).await.unwrap()
}

async fn record(store: &PostgresStore) -> Result<Recorded, StoreFault> {
    store.record(event(&TenantId::default_tenant(), at_s(1))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_nodes_may_make_the_schema_at_once_and_share_one_chain() {
    let schema = empty_schema().await;
    let nodes: Vec<_> = (0..4)
        .map(|_| {
            let schema = schema.clone();
            tokio::spawn(async move { Arc::new(open(&schema).await) })
        })
        .collect();
    let mut stores = Vec::new();
    for node in nodes {
        stores.push(node.await.unwrap());
    }
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let store = stores[n % 4].clone();
            tokio::spawn(async move {
                drop(record(&store).await.unwrap());
                // Readers chain what waits, all at the same time.
                store.audit_head(&TenantId::default_tenant()).await.unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap() > 0, "a reader sees its own event");
    }
    let tenant = TenantId::default_tenant();
    let log = whole_log(&(stores[0].clone() as SharedStore), &tenant).await;
    assert_eq!(log.len(), 200);
    verify(&tenant, &log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_waits_shares_a_commit_and_the_queue_has_an_end() {
    let schema = empty_schema().await;
    let store = Arc::new(open(&schema).await);
    let (commits, verbs) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, sum) = (commits.clone(), verbs.clone());
    store.observe(move |commit| {
        count.fetch_add(1, Ordering::Relaxed);
        sum.fetch_add(commit.verbs, Ordering::Relaxed);
    });
    let tasks: Vec<_> = (0..10_000)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { record(&store).await })
        })
        .collect();
    let (mut committed, mut busy) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(Recorded::Committed(_)) => committed += 1,
            Err(StoreFault::Busy(_)) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(committed >= 4096, "{busy} busy, {committed} committed");
    assert_eq!(verbs.load(Ordering::Relaxed), committed);
    let commits = commits.load(Ordering::Relaxed);
    assert!(commits * 4 < committed, "{commits} commits for {committed} verbs");
    let shared: SharedStore = store;
    let log = whole_log(&shared, &TenantId::default_tenant()).await;
    assert_eq!(log.len(), committed);
    verify(&TenantId::default_tenant(), &log);
}

/// The other calls of its batch do not suffer for one that cannot be written.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_cannot_be_written_fails_alone() {
    let store = Arc::new(open(&empty_schema().await).await);
    // PostgreSQL keeps no zero byte in a text.
    let odd = TenantId::from_trusted("odd\0tenant");
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let (store, odd) = (store.clone(), odd.clone());
            tokio::spawn(async move {
                let tenant = if n == 25 { odd } else { TenantId::default_tenant() };
                store.record(event(&tenant, at_s(1))).await.is_ok()
            })
        })
        .collect();
    let mut written = 0;
    for task in tasks {
        written += usize::from(task.await.unwrap());
    }
    assert_eq!(written, 49);
    assert_eq!(store.audit_head(&TenantId::default_tenant()).await.unwrap(), 49);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ends_are_replaced() {
    let schema = empty_schema().await;
    let name = schema.rsplit("%3D").next().unwrap();
    let store = open(&format!("{schema}&application_name={name}")).await;
    for _ in 0..3 {
        drop(record(&store).await.unwrap());
        store.ping().await.unwrap();
        // Of this test's own connections only: others have other names.
        administer(
            &schema,
            &format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = '{name}' AND pid <> pg_backend_pid()"
            ),
        )
        .await;
        // Nobody is told of it: nothing had been asked of them.
        drop(record(&store).await.unwrap());
        store.ping().await.unwrap();
        store.list_tenants().await.unwrap();
        store.load_secret("none").await.unwrap();
    }
    assert_eq!(store.audit_head(&TenantId::default_tenant()).await.unwrap(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_is_waited_for_and_then_told() {
    let schema = empty_schema().await;
    let world = World::new(Arc::new(open(&schema).await)).await;
    let (client, connection) = tokio_postgres::connect(&schema, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("BEGIN; LOCK TABLE liveness IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let begun = Instant::now();
    let locked = world.store.record(world.event(at_s(1))).await;
    assert!(matches!(locked, Err(StoreFault::Busy(_))), "{locked:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    world.store.load_client(&world.tenant, &world.client).await.unwrap();
    client.batch_execute("ROLLBACK").await.unwrap();
    assert!(world.store.record(world.event(at_s(1))).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_heard_of_on_another_node() {
    let schema = empty_schema().await;
    let (here, there) = (open(&schema).await, Arc::new(open(&schema).await));
    let world = World::new(there).await;
    // Heard before it listened, or while: there is a signal for both.
    timeout(Duration::from_secs(5), here.wait_for_change()).await.unwrap();
    let before = here.log_heads().await.unwrap();
    world.add_client("other").await;
    let heard = async {
        while here.log_heads().await.unwrap() == before {
            here.wait_for_change().await;
        }
    };
    timeout(Duration::from_secs(5), heard).await.unwrap();
}

/// Alone and together, on two nodes: no family of a deleted consent goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revocation_on_one_node_beats_rotations_on_another() {
    let schema = empty_schema().await;
    let (here, there) = (Arc::new(open(&schema).await), Arc::new(open(&schema).await));
    let world = World::new(here).await;
    let families: Vec<u32> = (1..=20).collect();
    for family in &families {
        world.family(*family, at_s(1)).await;
    }
    let rotating: Vec<_> = families
        .iter()
        .map(|family| {
            let (world, family) = (world.clone(), *family);
            tokio::spawn(async move {
                let mut generation = 0;
                while let Rotate::Committed(_) =
                    world.rotate(world.rotation(family, generation, at_s(2))).await
                {
                    generation += 1;
                    assert!(generation < 250, "the revocation came at last");
                }
                generation
            })
        })
        .collect();
    let elsewhere = World::found(there, world.tenant.clone());
    let grant = RevocationTarget::Grant(world.grant().id);
    drop(elsewhere.revoke(grant, at_s(2)).await);
    for (family, rotations) in families.iter().zip(rotating) {
        let generation = rotations.await.unwrap();
        let stored = world.load(&world.family_id(*family)).await.unwrap();
        assert_eq!((stored.generation, stored.revoked), (u64::from(generation), true));
    }
}

async fn refused(schema: &str) -> String {
    match PostgresStore::open(Address::parse(schema).unwrap()).await {
        Err(StoreFault::Incompatible(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn other_schemas_are_refused_and_left_alone() {
    let schema = empty_schema().await;
    administer(&schema, "CREATE TABLE theirs (x bigint)").await;
    assert!(refused(&schema).await.contains("another program's tables"));
    let schema = empty_schema().await;
    drop(open(&schema).await);
    drop(open(&schema).await);
    let newer = |needs: u32| {
        format!(
            "INSERT INTO migration
             SELECT max(version) + 1, 'newer', 'x'::bytea, {needs} FROM migration"
        )
    };
    let known = version_of(MIGRATIONS);
    administer(&schema, &newer(known)).await;
    drop(open(&schema).await);
    let address = || Address::parse(&schema).unwrap();
    let inspected = super::inspect(address()).await.unwrap();
    assert_eq!((inspected.schema, inspected.known), (known + 1, known));
    assert!(inspected.pending.is_empty());
    let back = super::migrate_back(address(), 1, true).await.unwrap_err().to_string();
    assert!(back.contains("only the program whose schema it has"), "{back}");
    administer(&schema, &newer(known + 2)).await;
    assert!(refused(&schema).await.contains("newer Keywright"));
    administer(
        &schema,
        "DELETE FROM migration WHERE name = 'newer';
         UPDATE migration SET sha256 = decode(repeat('00', 32), 'hex')",
    )
    .await;
    let why = refused(&schema).await;
    assert!(why.contains("another migration 1 (first)") && why.contains("restore"), "{why}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once() {
    let begun = Instant::now();
    let opened = PostgresStore::open(Address::parse("postgres://u:hidden@127.0.0.1:9/k").unwrap());
    match opened.await {
        Err(StoreFault::Unavailable(why)) => {
            assert!(why.contains("127.0.0.1:9/k") && !why.contains("hidden"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn another_timeline_begins_an_epoch() {
    let url = empty_schema().await;
    let world = World::new(Arc::new(open(&url).await)).await;
    let again = open(&url).await;
    assert_eq!(again.load_epoch().await.unwrap().number, 0, "the same timeline");
    let log = again.log_heads().await.unwrap();
    administer(&url, "UPDATE epoch SET timeline = '0000BEEF'").await;
    let (first, second) = tokio::join!(open(&url), open(&url));
    for store in [&first, &second] {
        assert_eq!(store.load_epoch().await.unwrap().number, 1, "once, whoever notices");
        assert!(store.log_heads().await.unwrap().revocation > log.revocation);
    }
    let events = first.audit_since(&world.tenant, 0, 100).await.unwrap();
    let last = events.last().unwrap();
    assert!(last.body.contains("epoch.raised") && last.body.contains("0000BEEF"), "{}", last.body);
    verify(&world.tenant, &events);
    assert_eq!(open(&url).await.load_epoch().await.unwrap().number, 1, "and known from then on");
}

/// Every column of every table.
async fn columns(url: &str) -> String {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let sql = "SELECT string_agg(concat_ws(' ', table_name, column_name, data_type, is_nullable,
            column_default), E'\\n' ORDER BY table_name, column_name)
         FROM information_schema.columns WHERE table_schema = current_schema()";
    let columns = client.query_one(sql, &[]).await.unwrap().get(0);
    drop(client);
    connection.await.unwrap().unwrap();
    columns
}

#[tokio::test]
async fn live_tokens_survive_a_migration_from_every_earlier_schema() {
    let latest = version_of(MIGRATIONS);
    for version in 1..latest {
        let url = empty_schema().await;
        let address = || Address::parse(&url).unwrap();
        let world = World::new(Arc::new(open(&url).await)).await;
        let id = world.family(1, at_s(1)).await;
        assert!(matches!(world.rotate(world.rotation(1, 0, at_s(2))).await, Rotate::Committed(_)));
        let (before, tenant) = (world.load(&id).await, world.tenant.clone());
        let log = whole_log(&world.store, &tenant).await;
        let code = world.issued(2, at_s(2)).await;
        world.store.close().await;
        drop(world);

        super::migrate_back(address(), version, true).await.unwrap();
        assert_eq!(super::inspect(address()).await.unwrap().schema, latest, "nothing was changed");
        let taken = super::migrate_back(address(), version, false).await.unwrap();
        assert_eq!(version_of(&taken), latest - version);
        let reference = empty_schema().await;
        let place = Address::parse(&reference).unwrap();
        let place = Place { connector: place.connector().unwrap(), address: place };
        super::migrate::migrate_to(&place, &MIGRATIONS[..version as usize]).await.unwrap();
        assert_eq!(columns(&url).await, columns(&reference).await, "it is version {version}");

        let plan = super::rehearse(address()).await.unwrap();
        assert_eq!(version_of(&plan.steps), latest - version);
        assert_eq!(super::inspect(address()).await.unwrap().schema, version, "nothing was changed");
        let world = World::found(Arc::new(open(&url).await), tenant);
        assert_eq!(super::inspect(address()).await.unwrap().schema, latest);
        assert_eq!(world.load(&id).await, before);
        assert_eq!(whole_log(&world.store, &world.tenant).await[..log.len()], log);
        assert!(matches!(world.rotate(world.retry(1, 0, at_s(3))).await, Rotate::Committed(_)));
        assert!(matches!(world.rotate(world.rotation(1, 1, at_s(3))).await, Rotate::Committed(_)));
        assert!(matches!(world.redeem(&code).await, crate::code::Redeem::Committed(_)));
        verify(&world.tenant, &whole_log(&world.store, &world.tenant).await);
    }
}

#[tokio::test]
async fn a_step_back_that_would_lose_something_is_refused() {
    let url = empty_schema().await;
    let address = || Address::parse(&url).unwrap();
    drop(open(&url).await);
    let latest = version_of(MIGRATIONS);
    for (version, why) in [(latest, "no way back"), (0, "would lose everything")] {
        let refused = super::migrate_back(address(), version, false).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    administer(&url, "UPDATE epoch SET number = 1").await;
    let refused = super::migrate_back(address(), 1, false).await.unwrap_err().to_string();
    assert!(refused.contains("would lose what is known of a restore"), "{refused}");
    assert_eq!(super::inspect(address()).await.unwrap().schema, latest, "all or nothing");
    administer(&url, "UPDATE epoch SET number = 0").await;
    super::migrate_back(address(), 1, false).await.unwrap();
    assert_eq!(super::inspect(address()).await.unwrap().schema, 1);
}
