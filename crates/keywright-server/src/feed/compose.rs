//! Messages: composed and signed once for all who stand at the same place.

use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use keywright_jose::{Algorithm, sign_compact};
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::revocations::{ENTRIES_MAX, FeedEntry, FeedMessage, TYP};

use super::log::TenantLog;
use super::{Feeds, TenantFeed};
use crate::error::ServerFault;
use crate::tenants::TenantState;

/// How long a message may be given to others: it carries the moment of its making.
const COMPOSED_KEPT: Duration = Duration::from_secs(1);
/// How many messages of a tenant are kept: followers that are in step need one.
const COMPOSED_MAX: usize = 16;

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
    cursor: Cursor,
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
        let mut composed = feed.composed.lock().unwrap_or_else(PoisonError::into_inner);
        composed.retain(|kept| now.since(kept.at) < COMPOSED_KEPT && now >= kept.at);
        // The date first: what is followed after it can only add.
        let as_of = self.current_as_of();
        let reached = feed.log(TenantLog::head).max(cursor.seq());
        let fits = |kept: &&Composed| {
            let same_place = kept.cursor == cursor && kept.kid == key.kid();
            same_place && (kept.message.more || kept.message.seq == reached)
        };
        if let Some(kept) = composed.iter().find(fits) {
            return Ok(kept.message.clone());
        }
        let told = feed.tell(cursor, now);
        let payload = FeedMessage {
            iss: tenant.issuer.clone(),
            iat_s: as_of.as_unix_s(),
            since: cursor.seq(),
            seq: told.seq,
            snapshot: cursor == Cursor::Start,
            more: told.more,
            entries: told.entries,
        };
        let jws = Bytes::from(sign_compact(key, Some(TYP), &payload.encode()?)?);
        let is_empty = payload.entries.is_empty() && cursor != Cursor::Start;
        let message = Message { jws, seq: told.seq, more: told.more, is_empty };
        if composed.len() >= COMPOSED_MAX {
            composed.remove(0);
        }
        let kid = key.kid().to_owned();
        composed.push(Composed { cursor, kid, at: now, message: message.clone() });
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
}

struct Told {
    entries: Vec<FeedEntry>,
    seq: u64,
    more: bool,
}

impl TenantFeed {
    fn tell(&self, cursor: Cursor, now: Timestamp) -> Told {
        self.log(|log| {
            let mut later = log.after(cursor.seq(), now);
            let (mut entries, mut last) = (Vec::new(), 0);
            for logged in later.by_ref().take(ENTRIES_MAX) {
                entries.push(logged.entry);
                last = logged.seq;
            }
            let more = later.next().is_some();
            // What is passed over at the end has expired: it is reached too.
            let seq = if more { last } else { log.head().max(cursor.seq()) };
            Told { entries, seq, more }
        })
    }
}
