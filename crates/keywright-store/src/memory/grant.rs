//! Grants in memory.

use async_trait::async_trait;
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::id::{ClientId, Subject, TenantId};

use super::{MemoryStore, page};
use crate::grant::{GrantFilter, GrantStore};
use crate::{Listed, Page, StoreFault};

#[async_trait]
impl GrantStore for MemoryStore {
    async fn load_grant(
        &self,
        tenant: &TenantId,
        sub: &Subject,
        client: &ClientId,
    ) -> Result<Option<StoredGrant>, StoreFault> {
        self.read(|state| {
            let mut grants = state.grants.iter().filter(|((of, _), _)| of == tenant);
            let grant = grants.find(|(_, grant)| grant.sub == *sub && grant.client == *client);
            grant.map(|(_, grant)| grant.clone())
        })
    }

    async fn list_grants(
        &self,
        tenant: &TenantId,
        filter: GrantFilter,
        part: Page,
    ) -> Result<Listed<StoredGrant>, StoreFault> {
        self.read(|state| {
            let rows = state.grants.iter().filter(|((of, _), grant)| {
                of == tenant
                    && filter.sub.as_ref().is_none_or(|sub| grant.sub == *sub)
                    && filter.client.as_ref().is_none_or(|client| grant.client == *client)
            });
            page(rows.map(|((_, id), grant)| (id.to_string(), grant.clone())), &part)
        })
    }
}
