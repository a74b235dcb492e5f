//! The schema's versions. A migration that was released is never changed: its checksum says so.

use keywright_jose::sha256;

use super::column::Columns as _;
use super::connection::{Connection, Plans};
use super::pool::Place;
use super::roll_back;
use crate::StoreFault;

/// What the schema is made of, in order; the version is the place, from 1.
const MIGRATIONS: &[Migration] = &[
    Migration { name: "first", sql: include_str!("migrations/0001_first.sql") },
    Migration { name: "epoch", sql: include_str!("migrations/0002_epoch.sql") },
    Migration { name: "failure", sql: include_str!("migrations/0003_failure.sql") },
];

/// How often beginning is tried: several nodes may start on an empty database at once, and all but
/// one of them find that a table was made under their hands.
const TRIES_MAX: u32 = 20;

#[derive(Clone, Copy)]
struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// Brings the schema up to date in one transaction; several nodes may do so at once.
pub(super) async fn migrate(place: &Place) -> Result<(), StoreFault> {
    let db = Connection::open(place, Plans::Estimated).await?;
    let name = place.address.to_string();
    refuse_foreign(&db, &name).await?;
    if pending(&db, &name).await?.is_empty() {
        return Ok(());
    }
    begin(&db).await?;
    let migrated = apply(&db, &name).await;
    if migrated.is_err() {
        roll_back(&db).await;
    }
    migrated
}

async fn apply(db: &Connection, name: &str) -> Result<(), StoreFault> {
    db.batch("BEGIN; SET LOCAL statement_timeout = 0").await?;
    db.batch("LOCK TABLE migration IN ACCESS EXCLUSIVE MODE").await?;
    for (version, migration) in pending(db, name).await? {
        tracing::info!(schema.version = version, schema.name = migration.name, "migrating");
        db.batch(migration.sql).await?;
        db.run(
            "INSERT INTO migration (version, name, sha256) VALUES ($1, $2, $3)",
            &[&version, &migration.name, &sha256(migration.sql.as_bytes()).as_slice()],
        )
        .await?;
    }
    db.batch("COMMIT").await
}

/// Refuses a schema that another program made, before anything in it is changed.
pub(super) async fn refuse_foreign(db: &Connection, name: &str) -> Result<(), StoreFault> {
    let sql = "SELECT current_schema(), current_setting('server_encoding'),
            (SELECT count(*) FROM information_schema.tables
             WHERE table_schema = current_schema()),
            (SELECT count(*) FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = 'migration'
             AND column_name IN ('version', 'name', 'sha256'))";
    let row = db.one(sql, &[]).await?;
    let row = row.ok_or_else(|| StoreFault::Corrupt("no answer to a question".to_owned()))?;
    let (schema, encoding): (Option<&str>, &str) = (row.value(0)?, row.value(1)?);
    let (tables, ours): (i64, i64) = (row.value(2)?, row.value(3)?);
    let why = if schema.is_none() {
        "has no schema that the user may see"
    } else if encoding != "UTF8" {
        "is not in UTF-8: create it WITH ENCODING 'UTF8'"
    } else if tables > 0 && ours != 3 {
        "holds another program's tables: name another database or search_path in [store] url"
    } else {
        return Ok(());
    };
    Err(StoreFault::Incompatible(format!("{name} {why}")))
}

/// Makes the table of versions.
async fn begin(db: &Connection) -> Result<(), StoreFault> {
    let sql = "CREATE TABLE IF NOT EXISTS migration (
            version bigint NOT NULL PRIMARY KEY,
            name text NOT NULL,
            sha256 bytea NOT NULL
        )";
    let mut tries = 1;
    loop {
        match db.batch(sql).await {
            Err(_) if db.is_usable() && tries < TRIES_MAX => tries += 1,
            made => return made,
        }
    }
}

/// The version of the database's schema, and the names of what it lacks.
pub(super) async fn state(
    db: &Connection,
    name: &str,
) -> Result<(usize, Vec<&'static str>), StoreFault> {
    let pending = pending(db, name).await?;
    let names = pending.iter().map(|(_, migration)| migration.name).collect();
    Ok((MIGRATIONS.len() - pending.len(), names))
}

/// What the database lacks: version, name and statements.
pub(super) async fn pending_steps(
    db: &Connection,
    name: &str,
) -> Result<Vec<(usize, &'static str, &'static str)>, StoreFault> {
    let pending = pending(db, name).await?;
    let first = MIGRATIONS.len() - pending.len() + 1;
    Ok((first..).zip(pending).map(|(version, (_, m))| (version, m.name, m.sql)).collect())
}

/// What the database lacks.
async fn pending(
    db: &Connection,
    name: &str,
) -> Result<Vec<(i64, &'static Migration)>, StoreFault> {
    let applied = applied(db).await?;
    if applied.len() > MIGRATIONS.len() {
        let (has, ours) = (applied.len(), MIGRATIONS.len());
        return Err(StoreFault::Incompatible(format!(
            "{name} was written by a newer Keywright: its schema is {has}, this program knows \
             {ours}. Run the newer program, or restore a backup made before the upgrade."
        )));
    }
    for ((version, named, checksum), migration) in applied.iter().zip(MIGRATIONS) {
        if *checksum != sha256(migration.sql.as_bytes()) {
            return Err(StoreFault::Incompatible(format!(
                "{name} has another migration {version} ({named}) than this program. Run the \
                 program that made it, or restore a backup that this one made."
            )));
        }
    }
    let versions = (1..).zip(MIGRATIONS);
    Ok(versions.skip(applied.len()).collect())
}

/// The versions of the database: numbered from 1 without gaps, as they were written.
async fn applied(db: &Connection) -> Result<Vec<(i64, String, Vec<u8>)>, StoreFault> {
    let exists = "SELECT 1 FROM information_schema.tables
         WHERE table_schema = current_schema() AND table_name = 'migration'";
    if db.one(exists, &[]).await?.is_none() {
        return Ok(Vec::new());
    }
    let rows = db.all("SELECT version, name, sha256 FROM migration ORDER BY version", &[]).await?;
    rows.iter().map(|row| Ok((row.value(0)?, row.text(1)?, row.value(2)?))).collect()
}
