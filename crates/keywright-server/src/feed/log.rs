//! One tenant's revocations that matter still, in the order of the store.

use std::collections::VecDeque;

use keywright_protocol::revocation::{Floor, RevocationEntry};
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::revocations::{ENTRIES_MAX, FeedEntry};

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
    /// An entry as it is kept; `floor` is where its floor stands with it.
    pub fn new(entry: &RevocationEntry, floor: Option<Floor>, identifiers: Identifiers) -> Self {
        let named =
            || Box::new(Named { identifier: entry.target.identifier().into(), at: entry.at });
        Self {
            seq: entry.seq,
            entry: FeedEntry::new(&entry.target, entry.expires_at, floor),
            named: (identifiers == Identifiers::Kept).then(named),
        }
    }
}

/// The log of one tenant.
#[derive(Debug, Default)]
pub(super) struct TenantLog {
    entries: VecDeque<Logged>,
    head: u64,
    /// The places after which pieces begin; the first begins at 0.
    pieces: VecDeque<u64>,
    /// Entries that were added to the last piece.
    in_last_piece: usize,
}

/// A stretch of the log that fits into one message, the same for whoever asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Piece {
    /// It begins after this place.
    pub(super) since: u64,
    /// The next one begins after this place, if there is a next one.
    pub(super) next: Option<u64>,
}

impl TenantLog {
    /// The place of the last entry that ever was.
    pub(super) const fn head(&self) -> u64 {
        self.head
    }

    /// Adds the next entry; one that is there already is passed over.
    pub(super) fn push(&mut self, entry: Logged) {
        if entry.seq <= self.head {
            return;
        }
        if self.in_last_piece == ENTRIES_MAX {
            self.pieces.push_back(self.head);
            self.in_last_piece = 0;
        }
        self.in_last_piece += 1;
        self.head = entry.seq;
        self.entries.push_back(entry);
    }

    /// Adds what another log of the tenant has beyond the end of this one.
    pub(super) fn go_on_with(&mut self, other: &Self) {
        let from = other.entries.partition_point(|logged| logged.seq <= self.head);
        other.entries.range(from..).cloned().for_each(|logged| self.push(logged));
    }

    /// The piece that a follower needs who has the log up to a place.
    pub(super) fn piece(&self, seq: u64) -> Piece {
        let index = self.pieces.partition_point(|since| *since <= seq);
        let before = index.checked_sub(1).and_then(|index| self.pieces.get(index));
        let (since, next) = (before.copied().unwrap_or_default(), self.pieces.get(index).copied());
        Piece { since, next }
    }

    /// The place of the last entry that is not after a place, or 0: whoever stands between it and
    /// the next misses the same.
    pub(super) fn step(&self, seq: u64) -> u64 {
        let from = self.entries.partition_point(|logged| logged.seq <= seq);
        let before = from.checked_sub(1).and_then(|index| self.entries.get(index));
        before.map_or(0, |logged| logged.seq)
    }

    /// The entries after a place that matter still, oldest first.
    pub(super) fn after(&self, seq: u64, now: Timestamp) -> impl Iterator<Item = &Logged> {
        let from = self.entries.partition_point(|logged| logged.seq <= seq);
        self.entries.range(from..).filter(move |logged| logged.matters(now))
    }

    /// Forgets what can concern no living token.
    pub(super) fn forget_expired(&mut self, now: Timestamp) {
        self.entries.retain(|logged| logged.matters(now));
        // A piece whose entries are all gone is joined to the next.
        let first = self.entries.front().map_or(self.head, |logged| logged.seq);
        while self.pieces.front().is_some_and(|since| *since < first) {
            self.pieces.pop_front();
        }
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
