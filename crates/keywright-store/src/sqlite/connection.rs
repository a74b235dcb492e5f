//! How the database file is opened.

use std::fs::OpenOptions;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use super::migrate;
use crate::StoreFault;

/// How often a locked database is tried again, a millisecond apart: two seconds in all. SQLite's
/// own delays grow to 100 ms, at which a command line would rarely find a busy server's gap.
const LOCK_TRIES: i32 = 2000;
/// Prepared statements that a connection keeps: more than there are in this crate.
const STATEMENTS_MAX: usize = 128;
/// The page cache of the writer, KiB.
const WRITER_CACHE_KIB: i32 = 16 * 1024;
/// The page cache of a reader, KiB.
const READER_CACHE_KIB: i32 = 2 * 1024;
/// The log file is cut to this size when it begins anew, bytes.
const LOG_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// Opens the database, makes it if there is none, and brings its schema up to date.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreFault> {
    create_private(path)?;
    let mut db = connect(path)?;
    migrate::refuse_foreign(&db, path)?;
    use_write_ahead_log(&db)?;
    // FULL: a commit is on the disk before anybody is told. Group commit pays for it.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // Another thread moves the log into the file, so that commits never wait for it.
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    migrate::migrate(&mut db, path)?;
    Ok(db)
}

/// Opens a connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreFault> {
    let db = connect(path)?;
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(db)
}

/// Opens a connection that moves the log into the file.
pub(super) fn checkpointer(path: &Path) -> Result<Connection, StoreFault> {
    let db = connect(path)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    Ok(db)
}

pub(super) fn connect(path: &Path) -> Result<Connection, StoreFault> {
    let mut db = Connection::open(path)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    db.busy_handler(Some(try_again))?;
    // One plan for a statement, whatever is bound to it: planning again costs more than running.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(db)
}

fn try_again(tries: i32) -> bool {
    thread::sleep(Duration::from_millis(1));
    tries < LOCK_TRIES
}

/// SQLite gives its log files the mode of the database.
pub(super) fn create_private(path: &Path) -> Result<(), StoreFault> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(path);
    opened.map(drop).map_err(|e| StoreFault::Unavailable(format!("{}: {e}", path.display())))
}

/// Switching needs the file for itself and does not ask the busy handler.
fn use_write_ahead_log(db: &Connection) -> Result<(), StoreFault> {
    let mut tries = 0;
    loop {
        match db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)) {
            Ok(mode) => {
                let mode: String = mode;
                return if mode == "wal" {
                    Ok(())
                } else {
                    Err(StoreFault::Unavailable(format!("no write-ahead log here, only {mode}")))
                };
            }
            Err(error) if is_lock(&error) && try_again(tries) => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_lock(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
