//! Messages: composed and signed once for all who stand at the same place.

use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use keywright_jose::{Algorithm, sign_compact};
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::revocations::{FeedEntry, FeedMessage, TYP};

use super::Feeds;
use super::log::TenantLog;
use crate::error::ServerFault;
use crate::tenants::TenantState;

/// How long a message may be given to others: it carries the moment of its making.
const COMPOSED_KEPT: Duration = Duration::from_secs(1);
/// How long a message may that is no sign of life, since there is more after it.
const PIECE_KEPT: Duration = Duration::from_secs(10);
/// How many messages of a tenant are kept: followers that are in step need one.
const COMPOSED_MAX: usize = 128;
/// A follower that misses more than this gets a whole piece of the log, which is composed once for
/// all, rather than what it misses exactly: else anybody could have large messages made to measure.
pub(super) const EXACT_ENTRIES_MAX: usize = 3000;

/// Where a follower stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cursor {
    /// It has the log up to this place.
    After(u64),
    /// It has nothing.
    Start,
}

/// A signed message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The JWS.
    pub jws: Bytes,
    /// The place that is reached with it.
    pub seq: u64,
    /// There is more already.
    pub more: bool,
    /// It says nothing but that the node lives.
    pub is_empty: bool,
}

/// A message that is kept.
#[derive(Debug)]
pub(super) struct Composed {
    stretch: Stretch,
    kid: String,
    at: Timestamp,
    message: Message,
}

impl Feeds {
    /// Where a follower stands who says that it has the log up to a place. A place that this log
    /// never reached is that of another log, such as one from before a restored backup.
    pub fn cursor(&self, since: Option<u64>) -> Cursor {
        match since {
            Some(seq) if seq <= *self.followed.borrow() => Cursor::After(seq),
            _ => Cursor::Start,
        }
    }

    /// The message for a follower of a tenant.
    pub fn message(
        &self,
        tenant: &TenantState,
        cursor: Cursor,
        now: Timestamp,
    ) -> Result<Message, ServerFault> {
        let feed = self.tenant(&tenant.id());
        let keys = tenant.keys.load();
        let key = keys.active(Algorithm::Es256, now);
        let key = key.ok_or_else(|| ServerFault::Key("no key signs the feed".to_owned()))?;
        // The date first: what is followed after it can only add.
        let as_of = self.current_as_of();
        let mut composed = feed.composed.lock().unwrap_or_else(PoisonError::into_inner);
        composed.retain(|kept| kept.is_young(now));
        let stretch = feed.log(|log| Stretch::of(log, cursor, now));
        let fits = |kept: &&Composed| kept.stretch == stretch && kept.kid == key.kid();
        if let Some(kept) = composed.iter().find(fits) {
            return Ok(kept.message.clone());
        }
        let entries = feed.log(|log| stretch.entries(log, now));
        let is_empty = entries.is_empty() && cursor != Cursor::Start;
        let payload = FeedMessage {
            iss: tenant.issuer.to_string(),
            iat_s: as_of.as_unix_s(),
            since: stretch.cursor.seq(),
            seq: stretch.seq,
            snapshot: stretch.cursor == Cursor::Start,
            more: stretch.more,
            entries,
        };
        let jws = Bytes::from(sign_compact(key, Some(TYP), &payload.encode()?)?);
        let message = Message { jws, seq: stretch.seq, more: stretch.more, is_empty };
        if composed.len() >= COMPOSED_MAX {
            composed.remove(0);
        }
        let kid = key.kid().to_owned();
        composed.push(Composed { stretch, kid, at: now, message: message.clone() });
        Ok(message)
    }
}

impl Cursor {
    const fn seq(self) -> u64 {
        match self {
            Self::After(seq) => seq,
            Self::Start => 0,
        }
    }

    /// An earlier place that all share who miss the same; a start stays one.
    fn lowered(self, to: impl FnOnce(u64) -> u64) -> Self {
        match self {
            Self::After(seq) => Self::After(to(seq)),
            Self::Start => Self::Start,
        }
    }
}

/// What a message tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stretch {
    /// It begins there: where the follower stands, or before.
    cursor: Cursor,
    /// The place that is reached with it.
    seq: u64,
    more: bool,
}

impl Stretch {
    fn of(log: &TenantLog, cursor: Cursor, now: Timestamp) -> Self {
        let missed = log.after(cursor.seq(), now).take(EXACT_ENTRIES_MAX + 1).count();
        // What is passed over at the end has expired: it is reached too. Not the follower's own
        // place, which may be later: nobody can have a message signed for each place there is.
        let reached = log.head();
        if missed <= EXACT_ENTRIES_MAX {
            let cursor = cursor.lowered(|seq| log.step(seq));
            return Self { cursor, seq: reached, more: false };
        }
        let piece = log.piece(cursor.seq());
        let cursor = cursor.lowered(|_| piece.since);
        Self { cursor, seq: piece.next.unwrap_or(reached), more: piece.next.is_some() }
    }

    fn entries(&self, log: &TenantLog, now: Timestamp) -> Vec<FeedEntry> {
        let later = log.after(self.cursor.seq(), now);
        // The log may have grown since the stretch was measured.
        later
            .take_while(|logged| logged.seq <= self.seq)
            .map(|logged| logged.entry.clone())
            .collect()
    }
}

impl Composed {
    fn is_young(&self, now: Timestamp) -> bool {
        let kept_for = if self.message.more { PIECE_KEPT } else { COMPOSED_KEPT };
        now.since(self.at) < kept_for && now >= self.at
    }
}
