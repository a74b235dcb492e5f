//! Guesses that several nodes count together.

use std::time::Duration;

use async_trait::async_trait;
use keywright_protocol::time::Timestamp;

use crate::StoreFault;

/// The verbs of throttles.
///
/// A store that one process serves from has nothing to add to what that process counts: that is
/// what the verbs do unless a backend does more.
#[async_trait]
pub trait ThrottleStore {
    /// Counts a failure, and answers what all nodes counted within the window; nothing where the
    /// caller's own count is all there is.
    ///
    /// `key` is the hash of who guessed at what.
    async fn count_failure(
        &self,
        key: [u8; 32],
        window: Duration,
        now: Timestamp,
    ) -> Result<Option<Failures>, StoreFault> {
        let _ = (key, window, now);
        Ok(None)
    }

    /// Forgets the failures of a key that has proven itself.
    async fn forget_failures(&self, key: [u8; 32]) -> Result<(), StoreFault> {
        let _ = key;
        Ok(())
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// When the window began.
    pub since: Timestamp,
}
