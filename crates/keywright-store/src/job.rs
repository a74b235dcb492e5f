//! Work that nobody waits for.

use std::time::Duration;

use async_trait::async_trait;
use keywright_protocol::time::Timestamp;

use crate::StoreFault;

/// How long families are remembered after their absolute end, so that a late token is told why.
pub(crate) const FAMILY_REMEMBERED: Duration = Duration::from_hours(24);
/// How long sessions, one-time values and revocations are kept after their end: a clock that steps
/// ahead and back again must not have cost them.
pub(crate) const EXPIRED_REMEMBERED: Duration = Duration::from_hours(1);
/// How long keys are kept after they are gone from the key set.
pub(crate) const KEY_REMEMBERED: Duration = Duration::from_hours(720);
/// How long changes are kept; a node that was away for longer has started anew.
pub(crate) const CHANGE_REMEMBERED: Duration = Duration::from_hours(24);
/// How long a node is kept after its last report.
pub(crate) const NODE_REMEMBERED: Duration = Duration::from_hours(1);

/// The verbs of housekeeping.
#[async_trait]
pub trait JobStore {
    /// Deletes, in small transactions, what can matter no more: expired codes that need not be
    /// remembered, dead families, sessions, one-time values, revocations, keys long gone, nodes
    /// that ceased to report. Expiry never depends on it.
    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreFault>;

    /// Takes a lease, or renews one's own, until a moment. Of many holders one has it; what only
    /// one node shall do, the holder does.
    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreFault>;

    /// The clock of the machine that the store is on, where that has one of its own.
    async fn clock(&self) -> Result<Option<Timestamp>, StoreFault> {
        Ok(None)
    }

    /// Answers once the store can write: for readiness.
    async fn ping(&self) -> Result<(), StoreFault>;

    /// Flushes and closes; later verbs fail.
    async fn close(&self);
}

/// How taking a lease ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "only the holder may do the work"]
pub enum Lease {
    /// It is the asker's.
    Held,
    /// Somebody else has it.
    HeldByAnother {
        /// Until then, unless they renew it.
        until: Timestamp,
    },
}

/// How many rows a sweep deleted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Swept {
    /// Of all kinds together.
    pub rows: u64,
}
