//! Epochs: how often a store went back in time, and what that ends.
//!
//! A restored backup, and a copy that lagged when it took over, have forgotten what was consumed
//! and revoked in the gap. Raising the epoch ends, in one transaction, everything that this could
//! bring back; docs/decisions/0010-epoch.md says why each of it, and what it cannot know.

use std::time::Duration;

use async_trait::async_trait;
use keywright_protocol::audit::{Actor, AuditEvent, EventType, Origin};
use keywright_protocol::id::TenantId;
use keywright_protocol::time::Timestamp;

use crate::StoreFault;
use crate::audit::StoredEvent;

/// The verbs of epochs.
#[async_trait]
pub trait EpochStore {
    /// The epoch that the store is in.
    async fn load_epoch(&self) -> Result<Epoch, StoreFault>;

    /// Begins another epoch, in one transaction:
    ///
    /// * codes that are not redeemed are burned;
    /// * every tenant's access tokens are revoked, in the log alone: families and sessions go on;
    /// * one-time values that can have been used before are refused from now on;
    /// * the rows of families count as restored until they are used again;
    /// * every audit log goes on [`SEQUENCE_GAP`] further, the change log and the revocation log at
    ///   [`RaiseEpoch::place_after`], so that nobody who followed the lost part takes a new entry
    ///   for one that he has;
    /// * the change log says that everything must be loaded again.
    async fn raise_epoch(&self, raise: RaiseEpoch) -> Result<Epoch, StoreFault>;
}

/// How far the logs jump: more entries than were ever lost.
pub const SEQUENCE_GAP: u64 = 1 << 32;
/// The logs of changes and revocations have 2^10 places for each millisecond since 1970: more than
/// were ever taken, and few enough that a place is below 2^53, exact for every reader of JSON.
const MILLISECOND_PLACES_LOG2: u32 = 10;
/// How far ahead of its moment the `iat` of an access token lies that was issued in the second of
/// one revocation: see `earliest_iat_s`. Several in one second put it further; what they spare then
/// ends with its own lifetime.
const IAT_AHEAD_MAX: Duration = Duration::from_secs(1);

/// How long the access tokens may live that were issued in the gap, of whose lifetimes the store
/// knows nothing: beyond what it does know, a week.
pub const TOKENS_LIVE_MAX: Duration = Duration::from_hours(24 * 7);

/// An epoch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Epoch {
    /// 0 for a store that never went back.
    pub number: u64,
    /// When it began.
    pub raised_at: Timestamp,
}

/// Another epoch.
#[derive(Clone, Debug)]
pub struct RaiseEpoch {
    /// The moment.
    pub now: Timestamp,
    /// When the last access token that was issued until then is dead anyway.
    pub tokens_expire_at: Timestamp,
    /// Why, for the audit log.
    pub reason: String,
}

impl RaiseEpoch {
    /// What every tenant's audit log says of it.
    pub(crate) fn event(&self, tenant: &TenantId) -> AuditEvent {
        let origin =
            Origin { tenant: tenant.clone(), request_id: None, ip: None, user_agent: None };
        origin.event(EventType::EpochRaised, Actor::Server, self.now).because(self.reason.clone())
    }

    /// That event in its place: further than the last one, and chained to it all the same.
    pub(crate) fn chain(
        &self,
        tenant: &TenantId,
        last: (u64, [u8; 32]),
    ) -> Result<StoredEvent, StoreFault> {
        StoredEvent::chain(tenant, last.0 + SEQUENCE_GAP, last.1, &self.event(tenant))
    }

    /// Where the log of changes or of revocations goes on whose last place is `head`.
    ///
    /// At a place that the moment gives: two copies of one dump that are restored one after the
    /// other go on at different places. Where the clock has fallen behind the log, further than the
    /// lost part can have been.
    pub(crate) fn place_after(&self, head: u64) -> u64 {
        let clock = self.clock_place();
        if clock > head { clock } else { head + SEQUENCE_GAP }
    }

    /// The place that the moment gives, [`Self::place_after`].
    pub(crate) fn clock_place(&self) -> u64 {
        u64::try_from(self.now.as_millis()).unwrap_or(0) << MILLISECOND_PLACES_LOG2
    }

    /// Until when access tokens were issued that are dead.
    pub(crate) fn issued_until(&self) -> Timestamp {
        self.now.plus(IAT_AHEAD_MAX)
    }

    /// The next epoch after another.
    pub(crate) fn after(&self, last: Epoch) -> Epoch {
        Epoch { number: last.number + 1, raised_at: last.raised_at.max(self.now) }
    }
}
