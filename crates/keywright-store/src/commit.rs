//! What a store tells of its commits, for metrics.

use std::time::Duration;

/// A transaction that was committed, for metrics.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// How many verbs it held.
    pub verbs: usize,
    /// From its beginning until it was durable.
    pub took: Duration,
}

/// Who wants to know of commits.
pub(crate) type Observer = Box<dyn Fn(Commit) + Send + Sync>;
