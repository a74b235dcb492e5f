//! The least durable store: one conditional update and one row beside it, committed in groups.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rusqlite::{Connection, Transaction, params};
use tokio::sync::oneshot;

const FAMILIES: u32 = 100_000;
/// As long as an audit event commonly is.
const EVENT_LEN: usize = 400;

pub(crate) struct Store {
    queue: Sender<Job>,
}

struct Job {
    family: u32,
    committed: oneshot::Sender<bool>,
}

impl Store {
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut connection = Connection::open(folder.join("bare.db"))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE family (id INTEGER PRIMARY KEY, current BLOB, parent BLOB,
                 generation INTEGER NOT NULL, used_at INTEGER, revoked INTEGER NOT NULL);
             CREATE TABLE audit (seq INTEGER PRIMARY KEY, event TEXT NOT NULL);",
        )?;
        let transaction = connection.transaction()?;
        for id in 0..FAMILIES {
            let sql = "INSERT INTO family VALUES (?1, zeroblob(32), zeroblob(32), 0, 0, 0)";
            transaction.prepare_cached(sql)?.execute([id])?;
        }
        transaction.commit()?;
        let (queue, jobs) = channel();
        thread::spawn(move || write(&mut connection, &jobs));
        Ok(Self { queue })
    }

    /// One rotation; true when it is on disk.
    pub(crate) async fn rotate(&self, serial: u64) -> bool {
        let (committed, outcome) = oneshot::channel();
        // Spread over the table, as live families are.
        let spread = serial.wrapping_mul(0x9E37_79B9_7F4A_7C15) % u64::from(FAMILIES);
        let family = u32::try_from(spread).unwrap_or_default();
        self.queue.send(Job { family, committed }).is_ok() && outcome.await.unwrap_or(false)
    }
}

/// Commits whatever is queued, then whatever was queued meanwhile.
fn write(connection: &mut Connection, jobs: &Receiver<Job>) {
    let event = "e".repeat(EVENT_LEN);
    while let Ok(first) = jobs.recv() {
        let batch: Vec<Job> = std::iter::once(first).chain(jobs.try_iter()).collect();
        let done = commit(connection, &batch, &event).is_ok();
        for job in batch {
            let _ = job.committed.send(done);
        }
    }
}

fn commit(connection: &mut Connection, batch: &[Job], event: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for job in batch {
        rotate(&transaction, job, event)?;
    }
    transaction.commit()
}

fn rotate(transaction: &Transaction<'_>, job: &Job, event: &str) -> rusqlite::Result<()> {
    let next = [7_u8; 32];
    transaction
        .prepare_cached(
            "UPDATE family SET parent = current, current = ?2, generation = generation + 1
             WHERE id = ?1 AND revoked = 0",
        )?
        .execute(params![job.family, next])?;
    transaction.prepare_cached("INSERT INTO audit (event) VALUES (?1)")?.execute([event])?;
    Ok(())
}
