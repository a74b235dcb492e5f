//! SQLite: one file, one thread that writes, readers beside it.
//!
//! A verb that writes is a closure in the writer's queue. Whatever is queued shares a transaction,
//! so that one sync of the disk serves many callers, and nobody is answered before it. Point reads
//! run where they are asked: they cost microseconds, a thread hop more.
//!
//! Other processes, such as the command line, may use the same file at the same time.

mod audit;
mod change;
mod checkpoint;
mod client;
mod code;
mod column;
mod connection;
mod copy;
#[cfg(test)]
mod crash;
mod epoch;
mod fault;
mod grant;
mod inspect;
mod job;
mod key;
mod migrate;
mod refresh;
mod resource;
mod revocation;
mod session;
mod tenant;
#[cfg(test)]
mod tests;
mod transaction;
mod user;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use crate::StoreFault;
use crate::attempt::{Attempt, judged};
use crate::commit::Observer;
use checkpoint::Checkpointer;
use transaction::{Refusal, Transaction};
use writer::{Job, QUEUE_MAX, Writer};

pub use crate::commit::Commit;
pub use inspect::{inspect, rehearse};
pub use migrate::migrate_back;

/// Connections that read: enough for the threads of a small machine, few enough for its memory.
const READERS: usize = 4;

/// A store in a file.
pub struct SqliteStore {
    path: PathBuf,
    /// None once closed.
    queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
    readers: Arc<Readers>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    observer: Arc<OnceLock<Observer>>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// One process serves from a file.
impl crate::throttle::ThrottleStore for SqliteStore {}

impl SqliteStore {
    /// Opens the database, makes it (for this user alone) if there is none, and brings its schema
    /// up to date. Blocks; meant for the start of a process.
    pub fn open(path: &Path) -> Result<Self, StoreFault> {
        let db = connection::writer(path)?;
        let calls_of_writer = connection::checkpointer(path)?;
        let readers = Readers::open(path)?;
        let (queue, verbs) = sync_channel(QUEUE_MAX);
        let (checkpoint, calls) = sync_channel(1);
        let log_is_long = Arc::new(AtomicBool::new(false));
        let observer = Arc::new(OnceLock::new());
        let checkpointer =
            Checkpointer { db: calls_of_writer, calls, log_is_long: log_is_long.clone() };
        let writer =
            Writer { db, queue: verbs, checkpoint, log_is_long, observer: observer.clone() };
        let threads = vec![
            spawn("store-writer", || writer.run())?,
            spawn("store-checkpoint", || checkpointer.run())?,
        ];
        Ok(Self {
            path: path.to_owned(),
            queue: Mutex::new(Some(queue)),
            readers: Arc::new(readers),
            threads: Mutex::new(threads),
            observer,
        })
    }

    /// Tells somebody of every commit, for metrics; only the first asker is told.
    pub fn observe(&self, observer: impl Fn(Commit) + Send + Sync + 'static) {
        // Losing against an earlier asker is what the documentation says.
        drop(self.observer.set(Box::new(observer)));
    }

    /// Carries out a verb that writes, and waits until it is durable or undone.
    async fn write<T, O>(
        &self,
        verb: impl FnOnce(&mut Transaction<'_>) -> Attempt<T, O> + Send + 'static,
    ) -> Result<Result<T, O>, StoreFault>
    where
        T: Send + 'static,
        O: Send + 'static,
    {
        self.write_as(Refusal::IsUndone, verb).await
    }

    /// As [`Self::write`], for a verb that says what its refusal leaves to undo.
    async fn write_as<T, O>(
        &self,
        refusal: Refusal,
        verb: impl FnOnce(&mut Transaction<'_>) -> Attempt<T, O> + Send + 'static,
    ) -> Result<Result<T, O>, StoreFault>
    where
        T: Send + 'static,
        O: Send + 'static,
    {
        let (job, answer) = writer::call(refusal, verb);
        match &*held(&self.queue) {
            Some(queue) => writer::enqueue(queue, job)?,
            None => return Err(closed()),
        }
        judged(answer.await.map_err(|_| closed())?)
    }

    /// Carries out a short read where it is asked.
    fn read<T>(
        &self,
        verb: impl FnOnce(&Connection) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        self.readers.read(verb)
    }

    /// Carries out a read of many rows where it keeps no request waiting.
    async fn scan<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&Connection) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        let readers = self.readers.clone();
        let scan = tokio::task::spawn_blocking(move || readers.read(verb));
        scan.await.map_err(|e| StoreFault::Unavailable(e.to_string()))?
    }

    /// Refuses new verbs at once; the answer, run where it may wait, lets the writer finish what is
    /// queued and closes every connection.
    fn closing(&self) -> impl FnOnce() + Send + 'static {
        drop(held(&self.queue).take());
        let threads = std::mem::take(&mut *held(&self.threads));
        let readers = self.readers.clone();
        move || {
            for thread in threads {
                // Its panic was reported when it happened.
                drop(thread.join());
            }
            readers.close();
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        (self.closing())();
    }
}

/// Connections that read, each used by one caller at a time.
struct Readers {
    connections: Vec<Mutex<Option<Connection>>>,
    next: AtomicUsize,
}

impl Readers {
    fn open(path: &Path) -> Result<Self, StoreFault> {
        let open = |_| connection::reader(path).map(|db| Mutex::new(Some(db)));
        let connections = (0..READERS).map(open).collect::<Result<_, _>>()?;
        Ok(Self { connections, next: AtomicUsize::new(0) })
    }

    fn read<T>(
        &self,
        verb: impl FnOnce(&Connection) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        match &*self.free() {
            Some(db) => verb(db),
            None => Err(closed()),
        }
    }

    /// A connection that nobody uses, or the next one when it is free.
    fn free(&self) -> MutexGuard<'_, Option<Connection>> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let nth = |n: usize| self.connections.get(n % READERS);
        for n in first..first + READERS {
            match nth(n).map(Mutex::try_lock) {
                Some(Ok(guard)) => return guard,
                Some(Err(TryLockError::Poisoned(poisoned))) => return poisoned.into_inner(),
                Some(Err(TryLockError::WouldBlock)) | None => {}
            }
        }
        held(nth(first).expect("READERS connections were opened"))
    }

    fn close(&self) {
        for connection in &self.connections {
            drop(held(connection).take());
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn closed() -> StoreFault {
    StoreFault::Unavailable("closed".to_owned())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreFault> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|e| StoreFault::Unavailable(e.to_string()))
}
