//! Work that nobody waits for.

use async_trait::async_trait;
use keywright_protocol::time::Timestamp;

use crate::StoreFault;

/// The verbs of housekeeping.
#[async_trait]
pub trait JobStore {
    /// Deletes, in small transactions, what can matter no more: expired codes that need not be
    /// remembered, dead families, sessions, one-time values, revocations, keys long gone, nodes
    /// that ceased to report. Expiry never depends on it.
    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreFault>;

    /// Answers once the store can write: for readiness.
    async fn ping(&self) -> Result<(), StoreFault>;

    /// Flushes and closes; later verbs fail.
    async fn close(&self);
}

/// How many rows a sweep deleted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Swept {
    /// Of all kinds together.
    pub rows: u64,
}
