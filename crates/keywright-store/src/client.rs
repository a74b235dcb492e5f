//! Registered clients.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::client::Client;
use keywright_protocol::id::{ClientId, TenantId};
use keywright_protocol::revocation::RevocationEntry;
use keywright_protocol::time::Timestamp;

use crate::{Listed, Page, StoreFault};

/// The verbs of clients.
#[async_trait]
pub trait ClientStore {
    /// Registers a client.
    async fn create_client(&self, client: Client, record: Record) -> Result<Create, StoreFault>;

    /// A client, disabled or not.
    async fn load_client(
        &self,
        tenant: &TenantId,
        id: &ClientId,
    ) -> Result<Option<Client>, StoreFault>;

    /// Changes a client inside one transaction.
    async fn update_client(&self, update: UpdateClient) -> Result<Update<Client>, StoreFault>;

    /// Deletes a client, its grants and families.
    async fn delete_client(&self, delete: DeleteClient) -> Result<Update<()>, StoreFault>;

    /// Clients, by identifier.
    async fn list_clients(
        &self,
        tenant: &TenantId,
        page: Page,
    ) -> Result<Listed<Client>, StoreFault>;

    /// Every client of every tenant, for the snapshot in memory.
    async fn all_clients(&self) -> Result<Vec<Client>, StoreFault>;
}

/// How creating something with a name ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Create {
    /// Durable.
    Created,
    /// The name is taken: nothing was changed.
    Exists,
}

/// How changing something ends.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Update<T> {
    /// Durable.
    Done {
        /// The thing as it is now.
        value: T,
        /// What was revoked with it.
        revoked: Vec<RevocationEntry>,
    },
    /// There is no such thing.
    Missing,
}

/// A change to a stored value; it may run more than once.
pub type Change<T> = Box<dyn Fn(&mut T) + Send + Sync>;

/// A change to a client.
pub struct UpdateClient {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: ClientId,
    /// What.
    pub change: Change<Client>,
    /// If all it holds must die too: when its last access token is dead anyway. The store then
    /// raises `not_before` to the record's moment and appends to the revocation log.
    pub revoke_until: Option<Timestamp>,
    /// Events, and the moment.
    pub record: Record,
}

/// A client to delete.
#[derive(Clone, Debug)]
pub struct DeleteClient {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: ClientId,
    /// When its last access token is dead anyway.
    pub tokens_expire_at: Timestamp,
    /// Events, and the moment.
    pub record: Record,
}
