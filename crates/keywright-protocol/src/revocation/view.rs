//! What a validator knows of an issuer's revocations: what the feed has told it.
//!
//! Messages only add. A revocation is never undone, so what an earlier message told is kept until
//! it concerns no living token, even when a snapshot of a node that is a moment behind does not
//! have it. Applying a message twice, or an older one again, changes nothing.
//!
//! A revoked key is never forgotten: whoever has it can sign tokens as young as he likes.

use std::collections::HashMap;
use std::time::Duration;

use crate::limits::CLOCK_SKEW_MAX;
use crate::revocation::{Floor, RevocationKind, TokenFacts};
use crate::time::Timestamp;
use crate::wire::revocations::{FeedEntry, FeedMessage, RevocationDigest};

/// How far a node's clock may be behind a validator's before it counts as silence.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(5);

/// Why a message is not applied.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ViewError {
    /// It comes from the future.
    #[error("the message is dated ahead of this clock")]
    Future,
    /// What lies between the last message and this one is missing.
    #[error("messages are missing")]
    Gap,
    /// It is another issuer's.
    #[error("the message is of another issuer")]
    Issuer,
    /// The key that signed it is revoked.
    #[error("the key of the message is revoked")]
    KeyRevoked,
}

/// The revocations of one issuer, as far as they were told.
#[derive(Debug)]
pub struct RevocationView {
    issuer: String,
    marks: HashMap<RevocationDigest, Mark>,
    /// Whether there ever was a mark of a kind: without one there is nothing to look up.
    seen: [bool; RevocationKind::ALL.len()],
    seq: Option<u64>,
    whole_as_of: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    ends_s: i64,
    floor: Option<Floor>,
}

impl Mark {
    fn of(entry: &FeedEntry) -> Self {
        let ends_s = match entry.kind {
            RevocationKind::SigningKey => i64::MAX,
            _ => entry.ends_s,
        };
        Self { ends_s, floor: entry.floor.as_deref().copied() }
    }
}

impl RevocationView {
    /// A view that knows nothing yet.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            marks: HashMap::new(),
            seen: [false; RevocationKind::ALL.len()],
            seq: None,
            whole_as_of: None,
        }
    }

    /// The place to ask on from; nothing asks for a snapshot.
    pub const fn position(&self) -> Option<u64> {
        self.seq
    }

    /// How many revocations are held.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// How old this knowledge is; nothing before the first snapshot is complete.
    ///
    /// A validator that decides by this view should refuse to decide when it is too old: a token
    /// may have been revoked meanwhile.
    pub fn lag(&self, now: Timestamp) -> Option<Duration> {
        self.whole_as_of.map(|moment| now.since(moment))
    }

    /// Takes over a message that `kid` has signed.
    ///
    /// # Errors
    /// Nothing is taken over then. After [`ViewError::Gap`] ask again from [`Self::position`].
    pub fn apply(
        &mut self,
        message: &FeedMessage,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<(), ViewError> {
        if message.iss != self.issuer {
            return Err(ViewError::Issuer);
        }
        if Timestamp::from_unix_s(message.iat_s) > now.plus(CLOCK_SKEW_MAX) {
            return Err(ViewError::Future);
        }
        if self.knows(RevocationKind::SigningKey, kid) {
            return Err(ViewError::KeyRevoked);
        }
        if !message.snapshot && self.seq.is_none_or(|seq| message.since > seq) {
            return Err(ViewError::Gap);
        }
        for entry in &message.entries {
            let new = Mark::of(entry);
            let mark = self.marks.entry(entry.digest).or_insert(new);
            mark.ends_s = mark.ends_s.max(new.ends_s);
            mark.floor = mark.floor.into_iter().chain(new.floor).max_by_key(|floor| floor.seq);
            if let Some(seen) = self.seen.get_mut(entry.kind as usize) {
                *seen = true;
            }
        }
        // A snapshot counts even where it leads back: the log that it tells may be a restored one.
        let reached = if message.snapshot { None } else { self.seq };
        self.seq = reached.max(Some(message.seq));
        if !message.more {
            self.hear(message.iat_s, now);
        }
        Ok(())
    }

    /// A message that was held back, or is repeated, is no sign of life: its own date counts.
    fn hear(&mut self, iat_s: i64, now: Timestamp) {
        let told = Timestamp::from_unix_s(iat_s).plus(CLOCK_DIFFERENCE).min(now);
        self.whole_as_of = self.whole_as_of.max(Some(told));
    }

    /// Whether a token is revoked.
    pub fn revokes(&self, token: &TokenFacts<'_>) -> bool {
        use RevocationKind as Kind;
        let dead_by_name = self.knows(Kind::Token, Some(token.jti))
            || self.knows(Kind::Family, token.family)
            || self.knows(Kind::Grant, token.grant)
            || self.knows(Kind::Session, token.session)
            || self.knows(Kind::SigningKey, token.kid);
        let hangs_on = [(Kind::Client, token.client), (Kind::User, token.sub), (Kind::Tenant, "")];
        let floors = hangs_on.map(|(kind, identifier)| self.mark(kind, identifier)?.floor);
        dead_by_name || token.iat_s <= Floor::dead_until_s(floors)
    }

    /// Forgets what can concern no living token; revoked keys are kept.
    pub fn forget_expired(&mut self, now: Timestamp) {
        let now_s = now.as_unix_s();
        self.marks.retain(|_, mark| mark.ends_s > now_s);
    }

    fn knows(&self, kind: RevocationKind, identifier: Option<&str>) -> bool {
        identifier.is_some_and(|identifier| self.mark(kind, identifier).is_some())
    }

    fn mark(&self, kind: RevocationKind, identifier: &str) -> Option<Mark> {
        let seen = self.seen.get(kind as usize).is_some_and(|seen| *seen);
        if !seen {
            return None;
        }
        self.marks.get(&RevocationDigest::of(kind, identifier)).copied()
    }
}

#[cfg(test)]
mod tests;
