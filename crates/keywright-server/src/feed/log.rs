//! One tenant's revocations that matter still, in the order of the store.

use std::collections::VecDeque;

use keywright_protocol::revocation::RevocationEntry;
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::revocations::FeedEntry;

/// Whether a log keeps the identifiers themselves beside their digests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identifiers {
    /// The digests are enough: the feed tells nothing else.
    Dropped,
    /// A sink writes them elsewhere.
    Kept,
}

/// An entry of the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Logged {
    /// Its place.
    pub seq: u64,
    /// As the feed tells it.
    pub entry: FeedEntry,
    /// What it names, if that is kept.
    pub named: Option<Box<Named>>,
}

/// What an entry names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    /// The identifier.
    pub identifier: Box<str>,
    /// When it was revoked.
    pub at: Timestamp,
}

impl Logged {
    /// An entry as it is kept; `floor_s` is where its floor stands with it.
    pub fn new(entry: &RevocationEntry, floor_s: Option<i64>, identifiers: Identifiers) -> Self {
        let named =
            || Box::new(Named { identifier: entry.target.identifier().into(), at: entry.at });
        Self {
            seq: entry.seq,
            entry: FeedEntry::new(&entry.target, entry.expires_at, floor_s),
            named: (identifiers == Identifiers::Kept).then(named),
        }
    }
}

/// The log of one tenant.
#[derive(Debug, Default)]
pub(super) struct TenantLog {
    entries: VecDeque<Logged>,
    head: u64,
}

impl TenantLog {
    /// The place of the last entry that ever was.
    pub(super) const fn head(&self) -> u64 {
        self.head
    }

    /// Adds the next entry; one that is there already is passed over.
    pub(super) fn push(&mut self, entry: Logged) {
        if entry.seq > self.head {
            self.head = entry.seq;
            self.entries.push_back(entry);
        }
    }

    /// The entries after a place that matter still, oldest first.
    pub(super) fn after(&self, seq: u64, now: Timestamp) -> impl Iterator<Item = &Logged> {
        let from = self.entries.partition_point(|logged| logged.seq <= seq);
        self.entries.range(from..).filter(move |logged| logged.matters(now))
    }

    /// Forgets what can concern no living token.
    pub(super) fn forget_expired(&mut self, now: Timestamp) {
        self.entries.retain(|logged| logged.matters(now));
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to_fit();
        }
    }
}

impl Logged {
    const fn matters(&self, now: Timestamp) -> bool {
        self.entry.ends_s > now.as_unix_s()
    }
}
