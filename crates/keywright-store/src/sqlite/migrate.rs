//! The schema's versions. A migration that was released is never changed: its checksum says so.

use std::path::Path;

use keywright_jose::sha256;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::column::Statements as _;
use crate::StoreFault;

/// What the schema is made of, in order; the version is the place, from 1.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { name: "first", sql: include_str!("migrations/0001_first.sql") },
    Migration { name: "lease", sql: include_str!("migrations/0002_lease.sql") },
    Migration { name: "epoch", sql: include_str!("migrations/0003_epoch.sql") },
];

/// Marks the file as this program's: "Kywr".
const APPLICATION_ID: i64 = 0x4b79_7772;

#[derive(Clone, Copy)]
pub(super) struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// Refuses a file that another program made, before anything in it is changed.
pub(super) fn refuse_foreign(db: &Connection, path: &Path) -> Result<(), StoreFault> {
    let foreign = || {
        let path = path.display();
        StoreFault::Incompatible(format!(
            "{path} is not a Keywright database: name another file in [store] url"
        ))
    };
    let id = db.query_row("PRAGMA application_id", [], |row| row.get::<_, i64>(0));
    let id = match id {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(foreign());
        }
        id => id?,
    };
    let empty = "SELECT count(*) = 0 FROM sqlite_schema";
    let empty = db.query_row(empty, [], |row| row.get::<_, bool>(0))?;
    if id == APPLICATION_ID || (id == 0 && empty) { Ok(()) } else { Err(foreign()) }
}

/// Brings the schema up to date in one transaction; several processes may do so at once.
pub(super) fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreFault> {
    migrate_to(db, path, MIGRATIONS)
}

pub(super) fn migrate_to(
    db: &mut Connection,
    path: &Path,
    known: &[Migration],
) -> Result<(), StoreFault> {
    if pending(db, path, known)?.is_empty() {
        return Ok(());
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    begin(&transaction)?;
    for (version, migration) in pending(&transaction, path, known)? {
        tracing::info!(schema.version = version, schema.name = migration.name, "migrating");
        transaction.execute_batch(migration.sql)?;
        transaction.run(
            "INSERT INTO migration (version, name, sha256) VALUES (?1, ?2, ?3)",
            (version, migration.name, sha256(migration.sql.as_bytes())),
        )?;
    }
    transaction.commit()?;
    Ok(())
}

/// The version of the database's schema, and the names of what it lacks.
pub(super) fn state(
    db: &Connection,
    path: &Path,
) -> Result<(usize, Vec<&'static str>), StoreFault> {
    let pending = pending(db, path, MIGRATIONS)?;
    let names = pending.iter().map(|(_, migration)| migration.name).collect();
    Ok((MIGRATIONS.len() - pending.len(), names))
}

/// What the database lacks: version, name and statements.
pub(super) fn pending_steps(
    db: &Connection,
    path: &Path,
) -> Result<Vec<(usize, &'static str, &'static str)>, StoreFault> {
    let pending = pending(db, path, MIGRATIONS)?;
    let first = MIGRATIONS.len() - pending.len() + 1;
    Ok((first..).zip(pending).map(|(version, (_, m))| (version, m.name, m.sql)).collect())
}

/// What the database lacks.
fn pending<'a>(
    db: &Connection,
    path: &Path,
    known: &'a [Migration],
) -> Result<Vec<(i64, &'a Migration)>, StoreFault> {
    let applied = applied(db)?;
    if applied.len() > known.len() {
        let (path, has, ours) = (path.display(), applied.len(), known.len());
        return Err(StoreFault::Incompatible(format!(
            "{path} was written by a newer Keywright: its schema is {has}, this program knows \
             {ours}. Run the newer program, or restore a backup made before the upgrade."
        )));
    }
    for ((version, name, checksum), migration) in applied.iter().zip(known) {
        if *checksum != sha256(migration.sql.as_bytes()) {
            let path = path.display();
            return Err(StoreFault::Incompatible(format!(
                "{path} has another migration {version} ({name}) than this program. Run the \
                 program that made it, or restore a backup that this one made."
            )));
        }
    }
    let versions = (1..).zip(known);
    Ok(versions.skip(applied.len()).collect())
}

/// The versions of the database: numbered from 1 without gaps, as they were written.
fn applied(db: &Connection) -> Result<Vec<(i64, String, [u8; 32])>, StoreFault> {
    let exists = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'migration'";
    if !db.query_row(exists, [], |row| row.get::<_, bool>(0))? {
        return Ok(Vec::new());
    }
    let rows =
        db.all("SELECT version, name, sha256 FROM migration ORDER BY version", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    Ok(rows)
}

/// Claims an empty file.
fn begin(db: &Connection) -> Result<(), StoreFault> {
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (
            version INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            sha256 BLOB NOT NULL
        ) STRICT",
    )?;
    Ok(())
}
