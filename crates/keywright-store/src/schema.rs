//! The versions of a store's schema: what a program does with a store that is older or newer than
//! itself, and what a store is like from outside, before anybody opens it.
//!
//! A migration that was released is never changed: its checksum says so.

use std::time::Duration;

use keywright_jose::sha256;
use keywright_protocol::time::Timestamp;

use crate::StoreFault;

/// A step of a schema; its version is its place in the list, from 1.
#[derive(Clone, Copy)]
pub(crate) struct Migration {
    /// What it is called.
    pub name: &'static str,
    /// The statements that make it.
    pub sql: &'static str,
    /// The oldest schema that a program must know to work with a store that has this one: an
    /// earlier one where this only adds, its own version where it takes away.
    pub needs: u32,
    /// What takes it back.
    pub undo: Undo,
}

/// How a step is taken back.
#[derive(Clone, Copy)]
pub(crate) struct Undo {
    /// The statements.
    pub sql: &'static str,
    /// A question that is answered with true while something would be lost, and what.
    pub loses: Option<(&'static str, &'static str)>,
}

/// A step that a store has.
pub(crate) struct Applied {
    /// Its name.
    pub name: String,
    /// The checksum of its statements.
    pub sha256: Vec<u8>,
    /// Its [`Migration::needs`]; none in stores that were made before it was written down.
    pub needs: Option<u32>,
}

/// What a store lacks of the schema that this program knows; none if it has that or more.
///
/// # Errors
///
/// [`StoreFault::Incompatible`] if the store has a step that this program cannot work with.
pub(crate) fn pending<'a>(
    known: &'a [Migration],
    applied: &[Applied],
    store: &str,
) -> Result<Vec<(u32, &'a Migration)>, StoreFault> {
    for (version, (step, migration)) in (1..).zip(applied.iter().zip(known)) {
        if step.sha256 != sha256(migration.sql.as_bytes()) {
            let name = &step.name;
            return Err(StoreFault::Incompatible(format!(
                "{store} has another migration {version} ({name}) than this program. Run the \
                 program that made it, or restore a backup that this one made."
            )));
        }
    }
    let (has, ours) = (version_of(applied), version_of(known));
    let unknown = (1..).zip(applied).skip(known.len());
    let needed = unknown.map(|(own, step)| step.needs.unwrap_or(own)).max();
    if let Some(needed) = needed.filter(|needed| *needed > ours) {
        return Err(StoreFault::Incompatible(format!(
            "{store} was written by a newer Keywright: its schema is {has} and needs a program \
             that knows {needed}, this one knows {ours}. Run the newer program, let it go back \
             (`keywright migrate --to {ours}`), or restore a backup made before the upgrade."
        )));
    }
    if has > ours {
        tracing::info!(schema.version = has, schema.known = ours, "the schema is newer, and fits");
    }
    Ok((1..).zip(known).skip(applied.len()).collect())
}

/// The steps that are taken back to get from what a store has to `version`, the newest first.
///
/// # Errors
///
/// [`StoreFault::Incompatible`] unless the store has exactly the schema that this program knows,
/// and `version` is an earlier one.
pub(crate) fn way_back<'a>(
    known: &'a [Migration],
    applied: &[Applied],
    store: &str,
    version: u32,
) -> Result<Vec<(u32, &'a Migration)>, StoreFault> {
    pending(known, applied, store)?;
    let (has, ours) = (version_of(applied), version_of(known));
    if version >= has {
        return Err(StoreFault::Incompatible(format!(
            "{store} has schema {has}: {version} is no way back"
        )));
    }
    if has != ours {
        return Err(StoreFault::Incompatible(format!(
            "{store} has schema {has}, this program knows {ours}: only the program whose schema \
             it has can take it back"
        )));
    }
    let mut steps: Vec<_> = (1..).zip(known).filter(|(own, _)| *own > version).collect();
    steps.reverse();
    Ok(steps)
}

/// The version of a schema that is made of these steps.
pub(crate) fn version_of<T>(steps: &[T]) -> u32 {
    u32::try_from(steps.len()).unwrap_or(u32::MAX)
}

/// A store keeps something that taking back a step would lose.
pub(crate) fn would_lose(version: u32, migration: &Migration, what: &str) -> StoreFault {
    let name = migration.name;
    StoreFault::Incompatible(format!("taking back {version} ({name}) would lose {what}"))
}

/// What a store is like.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The program that keeps it, and its version.
    pub engine: String,
    /// The version of its schema; 0 if it has none yet.
    pub schema: u32,
    /// The version that this program makes.
    pub known: u32,
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
    pub version: u32,
    /// Its name.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
}
