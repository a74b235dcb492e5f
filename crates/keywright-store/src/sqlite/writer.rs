//! One thread writes. It takes whatever verbs are waiting, runs them in one transaction, commits
//! once, and only then answers all of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::column::Statements as _;
use super::transaction::{Refusal, Transaction};
use crate::StoreFault;
use crate::attempt::{Attempt, Undo};
use crate::commit::{Commit, Observer};

/// Verbs that may wait for the writer; one more is told that the store is busy. At the writer's
/// slowest this is about two seconds of work.
pub(super) const QUEUE_MAX: usize = 4096;
/// Verbs in one transaction: beyond this, a bigger one saves no more syncs worth waiting for.
const BATCH_MAX: usize = 1024;
/// After so many verbs the log is worth moving into the file: some thousand pages.
const CHECKPOINT_VERBS: usize = 512;
/// After so many commits the log begins anew, however short it is. The pages that all of them
/// change are in it once for each, and whoever looks for one of these passes all the others.
const LOG_COMMITS_MAX: usize = 256;

/// A verb that waits for its turn.
pub(super) trait Job: Send {
    /// Runs the verb inside the transaction.
    fn run(&mut self, transaction: &mut Transaction<'_>);

    /// Tells the caller, once the transaction has committed or failed.
    fn answer(self: Box<Self>, committed: Result<(), &StoreFault>);
}

/// A verb, and who waits for its answer.
struct Call<F, T, O> {
    verb: Option<F>,
    refusal: Refusal,
    /// None until it ran.
    attempt: Option<Attempt<T, O>>,
    caller: oneshot::Sender<Attempt<T, O>>,
}

/// Pairs a verb with the answer to wait for.
pub(super) fn call<F, T, O>(
    refusal: Refusal,
    verb: F,
) -> (Box<dyn Job>, oneshot::Receiver<Attempt<T, O>>)
where
    F: FnOnce(&mut Transaction<'_>) -> Attempt<T, O> + Send + 'static,
    T: Send + 'static,
    O: Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    (Box::new(Call { verb: Some(verb), refusal, attempt: None, caller }), answer)
}

impl<F, T, O> Job for Call<F, T, O>
where
    F: FnOnce(&mut Transaction<'_>) -> Attempt<T, O> + Send,
    T: Send,
    O: Send,
{
    fn run(&mut self, transaction: &mut Transaction<'_>) {
        let Some(verb) = self.verb.take() else { return };
        self.attempt = Some(transaction.attempt(self.refusal, |transaction| {
            // A caller's own closure may run in here: its panic must not take the writer along.
            let result = catch_unwind(AssertUnwindSafe(|| verb(transaction)));
            result.unwrap_or_else(|_| {
                Err(StoreFault::Unavailable("a verb panicked".to_owned()).into())
            })
        }));
    }

    fn answer(self: Box<Self>, committed: Result<(), &StoreFault>) {
        let attempt = match (self.attempt, committed) {
            (Some(Err(Undo::Fault(fault))), _) => Err(Undo::Fault(fault)),
            (Some(attempt), Ok(())) => attempt,
            // Even a refusal was judged by what others did in the transaction that failed.
            (_, Err(fault)) => Err(Undo::Fault(fault.clone())),
            (None, Ok(())) => {
                Err(StoreFault::Unavailable("the verb did not run".to_owned()).into())
            }
        };
        // A caller that has gone away needs no answer.
        drop(self.caller.send(attempt));
    }
}

/// Puts a verb into the queue.
pub(super) fn enqueue(
    queue: &SyncSender<Box<dyn Job>>,
    job: Box<dyn Job>,
) -> Result<(), StoreFault> {
    queue.try_send(job).map_err(|refused| match refused {
        TrySendError::Disconnected(_) => StoreFault::Unavailable("closed".to_owned()),
        TrySendError::Full(_) => {
            StoreFault::Busy(format!("{QUEUE_MAX} changes are waiting to be written"))
        }
    })
}

/// What the writer's thread owns.
pub(super) struct Writer {
    pub(super) db: Connection,
    pub(super) queue: Receiver<Box<dyn Job>>,
    /// Wakes the thread that moves the log into the file.
    pub(super) checkpoint: SyncSender<()>,
    /// Set by that thread when the log has grown long under a load that never pauses.
    pub(super) log_is_long: Arc<AtomicBool>,
    pub(super) observer: Arc<std::sync::OnceLock<Observer>>,
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(super) fn run(self) {
        let (mut verbs, mut commits) = (0, 0);
        while let Ok(first) = self.queue.recv() {
            let mut batch = vec![first];
            batch.extend(self.queue.try_iter().take(BATCH_MAX - 1));
            verbs += batch.len();
            self.write(batch);
            commits += 1;
            if self.log_is_long.swap(false, Ordering::Relaxed) || commits >= LOG_COMMITS_MAX {
                self.finish_checkpoint();
                commits = 0;
            }
            if verbs >= CHECKPOINT_VERBS || commits == LOG_COMMITS_MAX / 2 {
                verbs = 0;
                // If it is awake already, it will see these pages too.
                let _ = self.checkpoint.try_send(());
            }
        }
    }

    fn write(&self, batch: Vec<Box<dyn Job>>) {
        let mut waiting = batch.into_iter();
        while waiting.len() > 0 {
            let mut done = Vec::with_capacity(waiting.len());
            let begun = Instant::now();
            let committed = self.transaction(&mut waiting, &mut done);
            if let Err(fault) = &committed {
                self.roll_back();
                if done.is_empty() {
                    // It did not even begin: nobody's turn will come.
                    done.extend(waiting.by_ref());
                }
                tracing::warn!(verbs = done.len(), error = %fault, "a transaction failed");
            } else if let Some(observer) = self.observer.get() {
                observer(Commit { verbs: done.len(), took: begun.elapsed() });
            }
            for job in done {
                job.answer(committed.as_ref().copied());
            }
        }
    }

    /// Runs the waiting verbs, each of which moves to `done`, and commits.
    fn transaction(
        &self,
        waiting: &mut impl Iterator<Item = Box<dyn Job>>,
        done: &mut Vec<Box<dyn Job>>,
    ) -> Result<(), StoreFault> {
        let mut transaction = Transaction::begin(&self.db)?;
        for mut job in waiting {
            job.run(&mut transaction);
            done.push(job);
            if let Some(fault) = transaction.undone.take() {
                return Err(fault);
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn roll_back(&self) {
        if self.db.is_autocommit() {
            return;
        }
        if let Err(error) = self.db.run("ROLLBACK", []) {
            tracing::error!(error = %error, "a transaction could not be undone");
        }
    }

    /// The log begins anew only when all of it is in the file and nobody adds to it: for that the
    /// writer has to stop for a moment. The other thread has moved nearly all of it.
    fn finish_checkpoint(&self) {
        if let Err(error) = self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::warn!(error = %error, "the log could not be moved into the file");
        }
    }
}
