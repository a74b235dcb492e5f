//! What people granted to clients.

use async_trait::async_trait;
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::id::{ClientId, Subject, TenantId};

use crate::{Listed, Page, StoreFault};

/// The verbs of grants; giving one is part of issuing a code, revoking one of the revocation log.
#[async_trait]
pub trait GrantStore {
    /// What a user granted to a client.
    async fn load_grant(
        &self,
        tenant: &TenantId,
        sub: &Subject,
        client: &ClientId,
    ) -> Result<Option<StoredGrant>, StoreFault>;

    /// Live grants, by identifier.
    async fn list_grants(
        &self,
        tenant: &TenantId,
        filter: GrantFilter,
        page: Page,
    ) -> Result<Listed<StoredGrant>, StoreFault>;
}

/// Which grants.
#[derive(Clone, Debug, Default)]
pub struct GrantFilter {
    /// Of this user.
    pub sub: Option<Subject>,
    /// To this client.
    pub client: Option<ClientId>,
}
