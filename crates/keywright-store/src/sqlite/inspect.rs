//! Looking at a SQLite store from outside: what it is, and what a migration would do to it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use keywright_protocol::time::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use super::column::Statements as _;
use super::migrate::MIGRATIONS;
use super::{connection, migrate};
use crate::StoreFault;
use crate::schema::{Inspection, Rehearsal, RehearsedStep, version_of};

/// What the database in a file is like; nothing is made or changed.
pub fn inspect(path: &Path) -> Result<Inspection, StoreFault> {
    let db = open(path)?;
    let (schema, pending) = migrate::state(&db, path)?;
    let leases = if pending.is_empty() { leases(&db)? } else { Vec::new() };
    Ok(Inspection {
        engine: format!("SQLite {}", rusqlite::version()),
        schema,
        known: version_of(MIGRATIONS),
        pending,
        clock: None,
        bytes: length(path),
        leases,
        log_bytes: Some(length(&beside(path, "-wal"))),
    })
}

fn leases(db: &Connection) -> rusqlite::Result<Vec<(String, String, Timestamp)>> {
    db.all("SELECT name, holder, until FROM lease ORDER BY name", [], |row| {
        Ok((row.get(0)?, row.get(1)?, Timestamp::from_millis(row.get(2)?)))
    })
}

/// Migrates a copy of the database, measures it, and throws it away.
pub fn rehearse(path: &Path) -> Result<Rehearsal, StoreFault> {
    let db = open(path)?;
    let tables = db.all(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
         ORDER BY name",
        [],
        |row| row.get::<_, String>(0),
    )?;
    let mut rows = Vec::new();
    for table in tables {
        let count = format!("SELECT count(*) FROM \"{table}\"");
        let count: i64 = db.query_row(&count, [], |row| row.get(0))?;
        rows.push((table, count.cast_unsigned()));
    }
    if migrate::state(&db, path)?.1.is_empty() {
        return Ok(Rehearsal { steps: Vec::new(), rows });
    }
    let copy = Copy::of(&db, path)?;
    Ok(Rehearsal { steps: copy.migrate()?, rows })
}

fn open(path: &Path) -> Result<Connection, StoreFault> {
    if !path.exists() {
        return Err(StoreFault::Unavailable(format!("{}: no such file", path.display())));
    }
    let db = connection::connect(path)?;
    migrate::refuse_foreign(&db, path)?;
    Ok(db)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// A copy of a database beside it; dropping it deletes it.
struct Copy(PathBuf);

impl Copy {
    fn of(db: &Connection, path: &Path) -> Result<Self, StoreFault> {
        let copy = Self(beside(path, ".rehearsal"));
        copy.delete();
        // Made first, so that its mode is the owner's alone; SQLite fills an empty file.
        connection::create_private(&copy.0)?;
        db.run("VACUUM INTO ?1", [copy.0.to_string_lossy()])?;
        Ok(copy)
    }

    fn migrate(&self) -> Result<Vec<RehearsedStep>, StoreFault> {
        let mut db = connection::connect(&self.0)?;
        let transaction = db.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        let mut steps = Vec::new();
        for (version, migration) in migrate::pending(&transaction, &self.0, MIGRATIONS)? {
            let begun = Instant::now();
            transaction.execute_batch(migration.sql)?;
            let took = begun.elapsed();
            steps.push(RehearsedStep { version, name: migration.name, took });
        }
        transaction.rollback()?;
        Ok(steps)
    }

    fn delete(&self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // It may not be there.
            let _gone = std::fs::remove_file(beside(&self.0, suffix));
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.delete();
    }
}
