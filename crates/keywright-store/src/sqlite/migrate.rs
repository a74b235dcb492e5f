//! The versions of the schema in a SQLite file.

use std::path::Path;

use keywright_jose::sha256;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::column::Statements as _;
use super::connection;
use crate::StoreFault;
use crate::schema::{self, Applied, Migration, Undo};

/// What the schema is made of, in order.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "first",
        sql: include_str!("migrations/0001_first.sql"),
        needs: 1,
        undo: Undo { sql: "", loses: Some(("SELECT true", "everything")) },
    },
    Migration {
        name: "lease",
        sql: include_str!("migrations/0002_lease.sql"),
        needs: 2,
        undo: Undo { sql: "DROP TABLE lease", loses: None },
    },
    Migration {
        name: "epoch",
        sql: include_str!("migrations/0003_epoch.sql"),
        needs: 3,
        undo: Undo {
            sql: "DROP TABLE epoch; DROP TABLE copying; ALTER TABLE family DROP COLUMN epoch",
            loses: Some((
                "SELECT number > 0 OR EXISTS (SELECT 1 FROM copying) FROM epoch",
                "what is known of a restore",
            )),
        },
    },
    Migration {
        name: "status",
        sql: include_str!("migrations/0004_status.sql"),
        needs: 3,
        undo: Undo {
            sql: "DROP TABLE listed_token",
            loses: Some((
                "SELECT EXISTS (SELECT 1 FROM listed_token)",
                "the status lists of living tokens: let no resource have them, and wait until the \
                 last of its tokens is dead",
            )),
        },
    },
];

/// Marks the file as this program's: "Kywr".
const APPLICATION_ID: i64 = 0x4b79_7772;

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

/// The same to the schema of `known`.
pub(super) fn migrate_to(
    db: &mut Connection,
    path: &Path,
    known: &'static [Migration],
) -> Result<(), StoreFault> {
    if pending(db, path, known)?.is_empty() {
        return Ok(());
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    begin(&transaction)?;
    for (version, migration) in pending(&transaction, path, known)? {
        let Migration { name, sql, needs, .. } = migration;
        tracing::info!(schema.version = version, schema.name = name, "migrating");
        transaction.execute_batch(sql)?;
        transaction.run(
            "INSERT INTO migration (version, name, sha256, needs) VALUES (?1, ?2, ?3, ?4)",
            (version, name, sha256(sql.as_bytes()), needs),
        )?;
    }
    transaction.commit()?;
    Ok(())
}

/// Takes steps back, the newest first and all or none; answers which.
pub fn migrate_back(
    path: &Path,
    version: u32,
    dry_run: bool,
) -> Result<Vec<(u32, &'static str)>, StoreFault> {
    let mut db = connection::connect(path)?;
    refuse_foreign(&db, path)?;
    let transaction = db.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let steps = go_back(&transaction, path, version)?;
    if dry_run {
        transaction.rollback()?;
    } else {
        transaction.commit()?;
    }
    Ok(steps)
}

fn go_back(
    transaction: &Transaction<'_>,
    path: &Path,
    version: u32,
) -> Result<Vec<(u32, &'static str)>, StoreFault> {
    let applied = applied(transaction)?;
    let store = path.display().to_string();
    let mut taken = Vec::new();
    for (version, migration) in schema::way_back(MIGRATIONS, &applied, &store, version)? {
        if let Some((question, what)) = migration.undo.loses
            && transaction.query_row(question, [], |row| row.get::<_, bool>(0))?
        {
            return Err(schema::would_lose(version, migration, what));
        }
        transaction.execute_batch(migration.undo.sql)?;
        transaction.run("DELETE FROM migration WHERE version = ?1", [version])?;
        taken.push((version, migration.name));
    }
    Ok(taken)
}

/// The version of the database's schema, and the names of what it lacks.
pub(super) fn state(db: &Connection, path: &Path) -> Result<(u32, Vec<&'static str>), StoreFault> {
    let pending = pending(db, path, MIGRATIONS)?;
    let names = pending.iter().map(|(_, migration)| migration.name).collect();
    Ok((schema::version_of(&applied(db)?), names))
}

/// What the database lacks.
pub(super) fn pending(
    db: &Connection,
    path: &Path,
    known: &'static [Migration],
) -> Result<Vec<(u32, &'static Migration)>, StoreFault> {
    schema::pending(known, &applied(db)?, &path.display().to_string())
}

/// The versions of the database: numbered from 1 without gaps, as they were written.
fn applied(db: &Connection) -> Result<Vec<Applied>, StoreFault> {
    let needs = match columns(db)? {
        0 => return Ok(Vec::new()),
        3 => "NULL",
        _ => "needs",
    };
    let sql = format!("SELECT name, sha256, {needs} FROM migration ORDER BY version");
    let applied = db.all(&sql, [], |row| {
        Ok(Applied { name: row.get(0)?, sha256: row.get(1)?, needs: row.get(2)? })
    });
    Ok(applied?)
}

/// Claims an empty file.
fn begin(db: &Connection) -> Result<(), StoreFault> {
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    let sql = match columns(db)? {
        0 => {
            "CREATE TABLE migration (
                version INTEGER PRIMARY KEY,
                name TEXT NOT NULL,
                sha256 BLOB NOT NULL,
                needs INTEGER
            ) STRICT"
        }
        3 => "ALTER TABLE migration ADD COLUMN needs INTEGER",
        _ => return Ok(()),
    };
    Ok(db.execute_batch(sql)?)
}

/// How many columns the table of versions has: none if it is not there, three if it was made before
/// it was written down what a version needs.
fn columns(db: &Connection) -> Result<i64, StoreFault> {
    let sql = "SELECT count(*) FROM pragma_table_info('migration')";
    Ok(db.query_row(sql, [], |row| row.get(0))?)
}
