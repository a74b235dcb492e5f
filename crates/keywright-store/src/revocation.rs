//! The revocation log: durable, ordered.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::{StatusListId, TenantId};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::status_list::TokenNames;
use keywright_protocol::time::Timestamp;

use crate::StoreFault;

/// The verbs of the revocation log.
#[async_trait]
pub trait RevocationStore {
    /// Revokes, in one transaction, the target and all that hangs on it:
    ///
    /// * `Token`: the log alone.
    /// * `Family`: the row is marked.
    /// * `Grant`: the row is deleted, its families are marked.
    /// * `Session`: as [`crate::session::SessionEnd::Revoked`].
    /// * `Client`, `User`, `Tenant`: `not_before` is raised to the moment; all that a user has ends
    ///   by name. A client that was deleted is revoked again while the log knows it.
    /// * `SigningKey`: the key is gone from the record's moment on.
    async fn revoke(&self, revoke: Revoke) -> Result<Revoked, StoreFault>;

    /// The log after a place, in order.
    async fn revocations_since(
        &self,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<RevocationEntry>, StoreFault>;

    /// The tokens of a status list that are alive, with their places.
    async fn listed_tokens(
        &self,
        tenant: &TenantId,
        list: &StatusListId,
        now: Timestamp,
    ) -> Result<Vec<(u32, TokenNames)>, StoreFault>;
}

/// A revocation.
#[derive(Clone, Debug)]
pub struct Revoke {
    /// Whose.
    pub tenant: TenantId,
    /// What.
    pub target: RevocationTarget,
    /// When the last access token that it could concern is dead anyway.
    pub tokens_expire_at: Timestamp,
    /// Events, the assertion that must be unused, and the moment.
    pub record: Record,
}

/// How a revocation ends.
#[derive(Debug)]
#[must_use]
pub enum Revoked {
    /// The client's assertion was used before.
    AssertionReplayed,
    /// Durable; the entries that the log gained. Revoking twice is done twice without harm.
    Done(Vec<RevocationEntry>),
    /// There is no such family, grant, session, client, user or key.
    Missing,
}

/// The moment of a change that takes back what was issued until now, once its turn has come: what
/// was issued while it waited for other writers is meant too. By the clock of whoever asked; one
/// that does not go with this machine's is taken as it is.
pub(crate) fn after_waiting(asked_at: Timestamp) -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "only how long the turn took is read from it")]
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let here = Timestamp::from_millis(i64::try_from(here).unwrap_or(i64::MAX));
    if here.since(asked_at) <= TURN_MAX { here.max(asked_at) } else { asked_at }
}

/// No verb waits so long for its turn.
const TURN_MAX: Duration = Duration::from_secs(30);
