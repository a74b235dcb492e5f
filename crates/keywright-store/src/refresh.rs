//! Refresh families: one row each.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::grant::refresh_token::{FamilyOrigin, StoredFamily};
use keywright_protocol::id::{ClientId, FamilyId, TenantId};
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::RefreshHash;
use keywright_protocol::wire::response::Receipt;

use crate::StoreFault;

/// The verbs of refresh families; revoking one is [`crate::revocation::RevocationStore::revoke`].
#[async_trait]
pub trait RefreshStore {
    /// The snapshot of a family, revoked or not, as long as it is remembered.
    async fn load_family(
        &self,
        tenant: &TenantId,
        family: &FamilyId,
    ) -> Result<Option<StoredFamily>, StoreFault>;

    /// Uses a refresh token: one conditional update.
    async fn rotate(&self, rotation: Rotation) -> Result<Rotate, StoreFault>;
}

/// A family that begins.
#[derive(Clone, Debug)]
pub struct NewFamily {
    /// Its identifier.
    pub id: FamilyId,
    /// What never changes.
    pub origin: FamilyOrigin,
    /// The hash of its first token.
    pub current: RefreshHash,
    /// When it ends if it is not used.
    pub idle_expires_at: Timestamp,
    /// When it ends, however often it is used.
    pub absolute_expires_at: Timestamp,
}

/// The use of a refresh token: the facts of the decision, repeated by the commit.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Whose.
    pub tenant: TenantId,
    /// Which family.
    pub family: FamilyId,
    /// Which client.
    pub client: ClientId,
    /// The hash of the presented token.
    pub presented: RefreshHash,
    /// What it does.
    pub step: RotationStep,
    /// Events, the assertion that must be unused, and the moment.
    pub record: Record,
}

/// What the use of a refresh token does.
#[derive(Clone, Debug)]
pub enum RotationStep {
    /// The store went back in time since the row was written, and the presented token is of a later
    /// generation than the row: its child becomes the current one.
    Adopt {
        /// The presented token's generation.
        generation: u64,
        /// What takes its place.
        child: Child,
    },
    /// The presented token is the current one: its child takes its place.
    Advance(Child),
    /// The presented token is the parent of the current one, and the rotation is not long ago:
    /// nothing changes, the same child is handed out again.
    Retry {
        /// The rotation was after this moment.
        since: Timestamp,
    },
}

/// The token that takes the place of a used one.
#[derive(Clone, Debug)]
pub struct Child {
    /// Its hash.
    pub hash: RefreshHash,
    /// Its secret under the used token's own key.
    pub sealed: Vec<u8>,
    /// The new idle end; never beyond the absolute one.
    pub idle_expires_at: Timestamp,
}

/// How the use of a refresh token ends.
#[derive(Debug)]
#[must_use = "only `Committed` may leave the process as a token response"]
pub enum Rotate {
    /// The client's assertion was used before.
    AssertionReplayed,
    /// Durable.
    Committed(Receipt),
    /// The family is no longer as it was judged: load and decide again.
    LostRace,
    /// Grant, user, client or tenant are no longer live.
    SubjectGone,
}
