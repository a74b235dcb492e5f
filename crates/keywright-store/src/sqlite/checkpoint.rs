//! Moves the log into the file beside the writer, so that no commit waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use rusqlite::Connection;

/// A log of so many pages (64 MiB) makes the writer pause, so that the log can begin anew.
const LOG_PAGES_MAX: i64 = 16 * 1024;

/// What the thread owns.
pub(super) struct Checkpointer {
    pub(super) db: Connection,
    /// The writer's calls; closed when the writer ends.
    pub(super) calls: Receiver<()>,
    pub(super) log_is_long: Arc<AtomicBool>,
}

impl Checkpointer {
    /// Works until the writer ends.
    pub(super) fn run(self) {
        while let Ok(()) = self.calls.recv() {
            let pages = self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1));
            match pages {
                Ok(pages) => {
                    let pages: i64 = pages;
                    self.log_is_long.store(pages > LOG_PAGES_MAX, Ordering::Relaxed);
                }
                Err(error) => tracing::warn!(error = %error, "a checkpoint failed"),
            }
        }
    }
}
