//! PostgreSQL, and what speaks its protocol: one database, many nodes.
//!
//! Verbs that end or change something on which others depend run alone, one at a time across all
//! nodes; the others run together and meet only in conditional statements and unique keys. The lock
//! between the two is a table's, whose queue is fair (`transaction.rs`). What is used most is
//! written in batches, so that one sync of the server's disk serves many callers (`batch.rs`).
//!
//! Events are written beside what they tell of and move into the chain a moment later, and always
//! before anybody reads it (`chain.rs`): a chain is a queue of one, and no verb waits in it.
//!
//! Only the primary is asked. A connection that was lost is made anew by whoever needs it next;
//! meanwhile callers are told at once.

mod address;
mod audit;
mod batch;
mod chain;
mod change;
mod client;
mod code;
mod column;
mod connection;
mod copy;
mod epoch;
mod fault;
mod grant;
mod group;
mod inspect;
mod job;
mod key;
mod listen;
mod migrate;
mod pool;
mod refresh;
mod resource;
mod revocation;
mod session;
mod tenant;
#[cfg(test)]
pub(crate) mod tests;
mod throttle;
mod tls;
mod transaction;
mod user;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tokio_postgres::Row;

use crate::StoreFault;
use crate::attempt::{Attempt, judged};
use crate::commit::{Commit, Observer};
use batch::Batches;
use connection::{Connection, Values};
use pool::{Lane, Place, Pool};
use transaction::{Mode, Transaction};

pub use address::Address;
pub use inspect::{inspect, rehearse};
pub use migrate::migrate_back;

/// The longest that a verb may take once it has a connection: beyond the server's own limits, for
/// a server that does not answer at all.
const VERB_MAX: Duration = Duration::from_millis(3500);
/// How often a transaction is tried that others stood in the way of, or whose connection turned out
/// to be lost before it was asked to commit.
const TRIES_MAX: u32 = 5;

/// What a verb does in its transaction. It may run more than once.
type Verb<I, T, O> = for<'a> fn(&'a Transaction<'a>, &'a I) -> Running<'a, T, O>;
type Running<'a, T, O> = Pin<Box<dyn Future<Output = Attempt<T, O>> + Send + 'a>>;

/// A store in a database that many nodes share.
pub struct PostgresStore {
    shared: Arc<Shared>,
    tasks: Vec<AbortHandle>,
    /// They end by themselves once the queue is closed and empty.
    writers: Mutex<Vec<JoinHandle<()>>>,
}

/// What verbs that run by themselves keep alive.
struct Shared {
    pool: Arc<Pool>,
    batches: Batches,
    observer: OnceLock<Observer>,
    /// Rings when another node may have changed something.
    changes: Notify,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.shared.pool.place.address;
        f.debug_struct("PostgresStore").field("address", address).finish_non_exhaustive()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.shared.batches.close();
    }
}

impl PostgresStore {
    /// Connects, and makes the schema or brings it up to date.
    pub async fn open(address: Address) -> Result<Self, StoreFault> {
        let place = Place { connector: address.connector()?, address };
        migrate::migrate(&place).await?;
        let pool = Arc::new(Pool::new(place));
        let (batches, changes) = (Batches::default(), Notify::new());
        let shared = Arc::new(Shared { pool, batches, observer: OnceLock::new(), changes });
        let tasks = vec![
            tokio::spawn(chain::run(Arc::clone(&shared))).abort_handle(),
            tokio::spawn(listen::run(Arc::clone(&shared))).abort_handle(),
        ];
        let writers = (0..Lane::Batch.width()).map(|_| tokio::spawn(batch::run(shared.clone())));
        let writers = Mutex::new(writers.collect());
        Ok(Self { shared, tasks, writers })
    }

    /// Tells somebody of every commit, for metrics; only the first asker is told.
    pub fn observe(&self, observer: impl Fn(Commit) + Send + Sync + 'static) {
        // Losing against an earlier asker is what the documentation says.
        drop(self.shared.observer.set(Box::new(observer)));
    }

    /// Carries out a verb that writes. It goes on to its end even if its caller goes away.
    async fn write<I, T, O>(
        &self,
        mode: Mode,
        input: I,
        verb: Verb<I, T, O>,
    ) -> Result<Result<T, O>, StoreFault>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        O: Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let verb = tokio::spawn(async move { shared.write(mode, &input, verb).await });
        // A caller's own closure may have panicked in there.
        let attempt =
            verb.await.unwrap_or_else(|e| Err(StoreFault::Unavailable(e.to_string()).into()));
        judged(attempt)
    }

    /// The first row of a short read, on a connection that others use at the same time.
    async fn one(&self, sql: &str, values: Values<'_>) -> Result<Option<Row>, StoreFault> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// All rows of a short read, on a connection that others use at the same time.
    async fn all(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, StoreFault> {
        let reading = async {
            let mut tries = 1;
            loop {
                let connection = self.shared.pool.reader().await?;
                let read = connection.all(sql, values).await;
                // One that was lost while nobody used it is replaced: reading changes nothing.
                if read.is_ok() || connection.is_usable() || tries == TRIES_MAX {
                    return read;
                }
                tries += 1;
            }
        };
        self.shared.answer_to(reading).await?
    }

    /// A read of many rows, where it keeps no other waiting.
    async fn scan(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, StoreFault> {
        let reading = async {
            let mut tries = 1;
            loop {
                let connection = self.shared.pool.take(Lane::Scan).await?;
                let read = connection.all(sql, values).await;
                let lost = !connection.is_usable();
                connection.give_back();
                if read.is_ok() || !lost || tries == TRIES_MAX {
                    return read;
                }
                tries += 1;
            }
        };
        self.shared.answer_to(reading).await?
    }
}

impl Shared {
    async fn write<I, T, O>(&self, mode: Mode, input: &I, verb: Verb<I, T, O>) -> Attempt<T, O> {
        let lane = match mode {
            Mode::Alone => Lane::Exclusive,
            Mode::Together => Lane::Verb,
        };
        let mut tries = 1;
        loop {
            let connection = self.pool.take(lane).await?;
            let begun = Instant::now();
            let asked = transact(&connection, mode, input, verb);
            let (ending, attempt) = self.answer_to(asked).await?;
            let conflict = connection.take_conflict();
            let lost = !connection.is_usable();
            connection.give_back();
            let again = match ending {
                // Committed, or refused by its own verdict.
                Ending::Certain if attempt.is_ok() => {
                    self.committed(Commit { verbs: 1, took: begun.elapsed() });
                    return attempt;
                }
                Ending::Certain => conflict || lost,
                // Whether a commit happened whose answer was lost, nobody knows: it is not tried
                // again here, and nobody is told that it happened.
                Ending::Uncertain => conflict,
            };
            let fault = matches!(&attempt, Err(undo) if undo.fault().is_some());
            if !(fault && again) || tries >= TRIES_MAX {
                return attempt;
            }
            tries += 1;
        }
    }

    /// Waits for an answer, within bounds. Who gets none suspects every connection from before: a
    /// network that swallows what it is given closes nothing.
    async fn answer_to<T>(&self, asked: impl Future<Output = T>) -> Result<T, StoreFault> {
        if let Ok(answer) = timeout(VERB_MAX, asked).await {
            return Ok(answer);
        }
        self.pool.give_up_old();
        Err(no_answer())
    }

    fn committed(&self, commit: Commit) {
        if let Some(observer) = self.observer.get() {
            observer(commit);
        }
    }
}

/// How sure it is what became of a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    /// It was committed, or it was not even asked to be.
    Certain,
    /// It was asked to commit and said no, or nothing.
    Uncertain,
}

async fn transact<I, T, O>(
    connection: &Connection,
    mode: Mode,
    input: &I,
    verb: Verb<I, T, O>,
) -> (Ending, Attempt<T, O>) {
    if let Err(fault) = connection.batch(mode.begin()).await {
        roll_back(connection).await;
        return (Ending::Certain, Err(fault.into()));
    }
    let transaction = Transaction::new(connection);
    match verb(&transaction, input).await {
        Ok(kept) => match transaction.commit().await {
            Ok(()) => (Ending::Certain, Ok(kept)),
            Err(fault) => {
                roll_back(connection).await;
                (Ending::Uncertain, Err(fault.into()))
            }
        },
        Err(undo) => {
            roll_back(connection).await;
            (Ending::Certain, Err(undo))
        }
    }
}

async fn roll_back(connection: &Connection) {
    if connection.is_usable() && connection.batch("ROLLBACK").await.is_err() {
        connection.condemn();
    }
}

fn no_answer() -> StoreFault {
    StoreFault::Unavailable("the database does not answer".to_owned())
}
