//! Tenants.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::TenantId;
use keywright_protocol::tenant::Tenant;
use keywright_protocol::time::Timestamp;

use crate::StoreFault;
use crate::client::{Change, Create, Update};

/// The verbs of tenants.
#[async_trait]
pub trait TenantStore {
    /// Creates a tenant.
    async fn create_tenant(&self, tenant: Tenant, record: Record) -> Result<Create, StoreFault>;

    /// Changes a tenant inside one transaction.
    async fn update_tenant(&self, update: UpdateTenant) -> Result<Update<Tenant>, StoreFault>;

    /// Every tenant, by name.
    async fn list_tenants(&self) -> Result<Vec<Tenant>, StoreFault>;
}

/// A change to a tenant.
pub struct UpdateTenant {
    /// Which.
    pub id: TenantId,
    /// What.
    pub change: Change<Tenant>,
    /// If all its tokens must die too: when the last access token is dead anyway. The store then
    /// raises `not_before` to the record's moment and appends to the log.
    pub revoke_until: Option<Timestamp>,
    /// Events, and the moment.
    pub record: Record,
}
