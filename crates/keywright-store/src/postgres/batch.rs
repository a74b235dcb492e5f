//! What is used most is written in batches: whatever waits when a connection is free shares one
//! transaction, and so one sync of the server's disk. Two are in flight, so that one is filled
//! while the other is written.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use keywright_protocol::audit::Record;
use keywright_protocol::id::FamilyId;
use keywright_protocol::revocation::RevocationTarget;
use tokio::sync::{Notify, oneshot};

use super::pool::{Lane, closed, held};
use super::{Ending, Shared, TRIES_MAX, group, no_answer, roll_back};
use crate::StoreFault;
use crate::audit::Recorded;
use crate::commit::Commit;
use crate::refresh::{Rotate, Rotation};
use crate::revocation::{Revoke, Revoked};

/// Calls that may wait; one more is told that the store is busy.
const QUEUE_MAX: usize = 4096;
/// Calls in one transaction: beyond this, a bigger one saves no more syncs worth waiting for.
const BATCH_MAX: usize = 1024;

/// A verb that may share a transaction with others.
pub(super) enum Work {
    Record(Record),
    Revoke(Revoke),
    Rotate(Rotation),
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Record(Recorded),
    Revoke(Revoked),
    Rotate(Rotate),
}

impl Outcome {
    /// Another verb's outcome: this cannot be, and is told rather than believed.
    pub(super) fn unexpected(&self) -> StoreFault {
        StoreFault::Corrupt(format!("a batch answered {self:?}"))
    }
}

/// What only one call of a batch may touch, and only one batch at a time: one statement changes a
/// row once, and two batches that wait for each other's rows would wait for ever.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Touched {
    Family(FamilyId),
    OneTime([u8; 32]),
}

/// Whether a revocation can share a statement with others: it changes nothing but the log.
pub(super) fn can_share(revoke: &Revoke) -> bool {
    revoke.record.once.is_none() && matches!(revoke.target, RevocationTarget::Token(_))
}

impl Work {
    fn touched(&self) -> Option<Touched> {
        match self {
            Self::Record(record) => record.once.as_ref().map(|once| Touched::OneTime(once.key)),
            Self::Revoke(_) => None,
            Self::Rotate(rotation) => Some(Touched::Family(rotation.family.clone())),
        }
    }

    pub(super) const fn record(&self) -> &Record {
        match self {
            Self::Record(record) => record,
            Self::Revoke(revoke) => &revoke.record,
            Self::Rotate(rotation) => &rotation.record,
        }
    }
}

/// A verb and who waits for it.
struct Call {
    work: Work,
    caller: oneshot::Sender<Result<Outcome, StoreFault>>,
}

/// What waits to be written.
#[derive(Default)]
pub(super) struct Batches {
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Call>,
    touched: HashSet<Touched>,
    closed: bool,
}

impl Queue {
    /// The next calls that touch nothing that another batch or call touches.
    fn next(&mut self) -> Vec<Call> {
        let (mut batch, mut later) = (Vec::new(), VecDeque::new());
        while let Some(call) = self.waiting.pop_front() {
            let touched = call.work.touched();
            let free = touched.is_none_or(|touched| self.touched.insert(touched));
            if free {
                batch.push(call);
            } else {
                later.push_back(call);
            }
            if batch.len() == BATCH_MAX {
                break;
            }
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        batch
    }
}

impl Batches {
    /// Waits in the queue, and then for the answer.
    pub(super) async fn carry_out(&self, work: Work) -> Result<Outcome, StoreFault> {
        let (caller, answer) = oneshot::channel();
        {
            let mut queue = held(&self.queue);
            if queue.closed {
                return Err(closed());
            }
            if queue.waiting.len() >= QUEUE_MAX {
                let why = format!("{QUEUE_MAX} changes are waiting to be written");
                return Err(StoreFault::Busy(why));
            }
            queue.waiting.push_back(Call { work, caller });
        }
        self.wake.notify_one();
        answer.await.map_err(|_| closed())?
    }

    /// Refuses new calls; those that wait are still carried out.
    pub(super) fn close(&self) {
        held(&self.queue).closed = true;
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    async fn next(&self) -> Option<Vec<Call>> {
        loop {
            let woken = self.wake.notified();
            {
                let mut queue = held(&self.queue);
                let batch = queue.next();
                if !batch.is_empty() {
                    return Some(batch);
                }
                if queue.closed && queue.waiting.is_empty() {
                    return None;
                }
            }
            woken.await;
        }
    }

    fn release(&self, touched: &[Touched]) {
        let mut queue = held(&self.queue);
        for touched in touched {
            queue.touched.remove(touched);
        }
        // What waited for these may go on, on whichever connection is free.
        if queue.closed || !queue.waiting.is_empty() {
            self.wake.notify_one();
        }
    }
}

/// Writes batches until the store is closed.
pub(super) async fn run(shared: Arc<Shared>) {
    while let Some(calls) = shared.batches.next().await {
        let (works, callers): (Vec<_>, Vec<_>) =
            calls.into_iter().map(|call| (call.work, call.caller)).unzip();
        let touched: Vec<_> = works.iter().filter_map(Work::touched).collect();
        let outcomes = write(&shared, &works).await;
        shared.batches.release(&touched);
        for (caller, outcome) in callers.into_iter().zip(outcomes) {
            // A caller that has gone away needs no answer.
            drop(caller.send(outcome));
        }
    }
    // The other writer of batches waits for its end too.
    shared.batches.wake.notify_one();
}

/// Writes a batch; each gets its own outcome.
async fn write(shared: &Shared, works: &[Work]) -> Vec<Result<Outcome, StoreFault>> {
    match write_together(shared, works).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(Failed { fault, alone: true }) if works.len() > 1 => {
            // One of them cannot be written: the others shall not suffer for it.
            tracing::warn!(verbs = works.len(), error = %fault, "a batch is written one by one");
            let mut outcomes = Vec::new();
            for work in works {
                let outcome = write_together(shared, std::slice::from_ref(work)).await;
                let one = outcome.map_err(|failed| failed.fault);
                outcomes.push(one.and_then(|mut one| one.pop().ok_or_else(no_answer)));
            }
            outcomes
        }
        Err(Failed { fault, .. }) => works.iter().map(|_| Err(fault.clone())).collect(),
    }
}

/// A batch of which nothing is known to have been written.
struct Failed {
    fault: StoreFault,
    /// Whether the server refused it for what is in it, and it is certain that nothing of it was
    /// written.
    alone: bool,
}

impl From<StoreFault> for Failed {
    fn from(fault: StoreFault) -> Self {
        Self { fault, alone: false }
    }
}

async fn write_together(shared: &Shared, works: &[Work]) -> Result<Vec<Outcome>, Failed> {
    let mut tries = 1;
    loop {
        let connection = shared.pool.take(Lane::Batch).await?;
        let begun = Instant::now();
        let (ending, written) = shared.answer_to(group::write(&connection, works)).await?;
        if written.is_err() {
            roll_back(&connection).await;
        }
        let (conflict, lost) = (connection.take_conflict(), !connection.is_usable());
        connection.give_back();
        let fault = match written {
            Ok(outcomes) => {
                shared.committed(Commit { verbs: works.len(), took: begun.elapsed() });
                return Ok(outcomes);
            }
            Err(fault) => fault,
        };
        let again = conflict || (lost && ending == Ending::Certain);
        if !again {
            let alone = !lost && matches!(fault, StoreFault::Unavailable(_));
            return Err(Failed { fault, alone });
        }
        if tries >= TRIES_MAX {
            return Err(fault.into());
        }
        tries += 1;
    }
}
