//! What only a server can do: be shared, restart, refuse, and hold another program's tables.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::NoTls;

use super::{Address, PostgresStore};
use crate::audit::AuditStore as _;
use crate::change::ChangeStore as _;
use crate::epoch::EpochStore as _;

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

#[tokio::test]
async fn another_timeline_begins_an_epoch() {
    let url = empty_schema().await;
    let world = crate::contract::fixture::World::new(std::sync::Arc::new(open(&url).await)).await;
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
    crate::contract::audit::verify(&world.tenant, &events);
    assert_eq!(open(&url).await.load_epoch().await.unwrap().number, 1, "and known from then on");
}
