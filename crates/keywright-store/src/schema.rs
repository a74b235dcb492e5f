//! What a store is like from outside, before anybody opens it.

use std::time::Duration;

use keywright_protocol::time::Timestamp;

/// What a store is like.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The program that keeps it, and its version.
    pub engine: String,
    /// The version of its schema; 0 if it has none yet.
    pub schema: usize,
    /// The versions that this program would add, by name.
    pub pending: Vec<&'static str>,
    /// The store's own clock, where it has one.
    pub clock: Option<Timestamp>,
    /// How large it is.
    pub bytes: u64,
    /// Who does the work that one node does for all: its name, the node, and until when.
    pub leases: Vec<(String, String, Timestamp)>,
    /// How large the log is that has yet to move into the tables, where that can be seen.
    pub log_bytes: Option<u64>,
}

/// What bringing a store up to date would do.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// Each step, and how long it took on a copy of the data.
    pub steps: Vec<RehearsedStep>,
    /// The rows of each table as they are.
    pub rows: Vec<(String, u64)>,
}

/// A step of a migration.
#[derive(Clone, Debug)]
pub struct RehearsedStep {
    /// The version of the schema that it makes.
    pub version: usize,
    /// Its name.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
}
