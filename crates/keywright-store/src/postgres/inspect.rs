//! Looking at a PostgreSQL store from outside: what it is, and what a migration would do to it.

use std::time::Instant;

use super::column::Columns as _;
use super::connection::{Connection, Plans};
use super::migrate::MIGRATIONS;
use super::pool::Place;
use super::{Address, migrate, roll_back};
use crate::StoreFault;
use crate::schema::{Inspection, Migration, Rehearsal, RehearsedStep, version_of};

/// Where a migration is tried; it is never committed.
const REHEARSAL: &str = "keywright_rehearsal";

/// What a database is like; nothing is made or migrated.
pub async fn inspect(address: Address) -> Result<Inspection, StoreFault> {
    let (db, name) = connect(address).await?;
    let (schema, pending) = migrate::state(&db, &name).await?;
    let sql = "SELECT current_setting('server_version'),
        (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
        pg_database_size(current_database())";
    let row = db.one(sql, &[]).await?;
    let row = row.ok_or_else(|| StoreFault::Corrupt("no answer to a question".to_owned()))?;
    let engine = format!("PostgreSQL {}", row.text(0)?);
    let (clock, bytes) = (Some(row.time(1)?), row.number(2)?);
    let leases = match pending.as_slice() {
        [] => db.all("SELECT name, holder, until FROM lease ORDER BY name", &[]).await?,
        _ => Vec::new(),
    };
    let leases = leases.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.time(2)?)));
    let leases = leases.collect::<Result<_, StoreFault>>()?;
    let known = version_of(MIGRATIONS);
    Ok(Inspection { engine, schema, known, pending, clock, bytes, leases, log_bytes: None })
}

/// Migrates a copy of the tables in a transaction, measures it, and undoes all of it.
pub async fn rehearse(address: Address) -> Result<Rehearsal, StoreFault> {
    let (db, name) = connect(address).await?;
    let pending = migrate::pending(&db, &name, MIGRATIONS).await?;
    let tables = db
        .all(
            "SELECT table_name::text, current_schema()::text FROM information_schema.tables
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1",
            &[],
        )
        .await?;
    let tables: Vec<(String, String)> = tables
        .iter()
        .map(|row| Ok((row.text(0)?, row.text(1)?)))
        .collect::<Result<_, StoreFault>>()?;
    if pending.is_empty() {
        let mut rows = Vec::new();
        for (table, schema) in tables {
            let sql = format!(r#"SELECT count(*) FROM "{schema}"."{table}""#);
            let count = db.one(&sql, &[]).await?.map_or(Ok(0), |row| row.number(0))?;
            rows.push((table, count));
        }
        return Ok(Rehearsal { steps: Vec::new(), rows });
    }
    let rehearsed = try_on_copy(&db, &tables, pending).await;
    roll_back(&db).await;
    rehearsed
}

async fn connect(address: Address) -> Result<(Connection, String), StoreFault> {
    let name = address.to_string();
    let place = Place { connector: address.connector()?, address };
    let db = Connection::open(&place, Plans::Estimated).await?;
    migrate::refuse_foreign(&db, &name).await?;
    Ok((db, name))
}

async fn try_on_copy(
    db: &Connection,
    tables: &[(String, String)],
    pending: Vec<(u32, &'static Migration)>,
) -> Result<Rehearsal, StoreFault> {
    db.batch(&format!(
        "BEGIN; SET LOCAL statement_timeout = 0;
         SET LOCAL idle_in_transaction_session_timeout = 0; CREATE SCHEMA {REHEARSAL}"
    ))
    .await?;
    let mut rows = Vec::new();
    for (table, schema) in tables {
        let (copy, original) =
            (format!(r#"{REHEARSAL}."{table}""#), format!(r#""{schema}"."{table}""#));
        db.batch(&format!("CREATE UNLOGGED TABLE {copy} (LIKE {original} INCLUDING ALL)")).await?;
        let fill = format!("INSERT INTO {copy} OVERRIDING SYSTEM VALUE SELECT * FROM {original}");
        rows.push((table.clone(), db.run(&fill, &[]).await?));
    }
    db.batch(&format!("SET LOCAL search_path = {REHEARSAL}")).await?;
    let mut steps = Vec::new();
    for (version, migration) in pending {
        let begun = Instant::now();
        db.batch(migration.sql).await?;
        steps.push(RehearsedStep { version, name: migration.name, took: begun.elapsed() });
    }
    Ok(Rehearsal { steps, rows })
}
