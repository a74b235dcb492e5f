//! Protected resources.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::TenantId;
use keywright_protocol::resource::{ProtectedResource, ResourceIndicator};

use crate::StoreFault;
use crate::client::{Create, Update};

/// The verbs of resources.
#[async_trait]
pub trait ResourceStore {
    /// Registers a resource.
    async fn create_resource(
        &self,
        tenant: &TenantId,
        resource: ProtectedResource,
        record: Record,
    ) -> Result<Create, StoreFault>;

    /// Replaces a resource of the same identifier.
    async fn replace_resource(
        &self,
        tenant: &TenantId,
        resource: ProtectedResource,
        record: Record,
    ) -> Result<Update<()>, StoreFault>;

    /// Deletes a resource.
    async fn delete_resource(
        &self,
        tenant: &TenantId,
        identifier: &ResourceIndicator,
        record: Record,
    ) -> Result<Update<()>, StoreFault>;

    /// Every resource of a tenant, by identifier.
    async fn list_resources(&self, tenant: &TenantId)
    -> Result<Vec<ProtectedResource>, StoreFault>;
}
