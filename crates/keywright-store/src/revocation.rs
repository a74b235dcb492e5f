//! The revocation log: durable, ordered.

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
    /// * `Client`, `User`, `Tenant`: `not_before` is raised to the record's moment; a user's
    ///   sessions end.
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
