//! Tenants in memory.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::tenant::Tenant;

use super::MemoryStore;
use crate::StoreFault;
use crate::attempt::{Undo, either, kept};
use crate::change::Changed;
use crate::client::{Create, Update};
use crate::tenant::{TenantStore, UpdateTenant};

#[async_trait]
impl TenantStore for MemoryStore {
    async fn create_tenant(&self, tenant: Tenant, record: Record) -> Result<Create, StoreFault> {
        let created = self.write(|state| {
            let id = tenant.id.clone();
            if state.tenants.contains_key(&id) {
                return Err(Undo::Verdict(Create::Exists));
            }
            state.admit(&record)?;
            state.changed(&id, Changed::Tenant, record.now);
            state.tenants.insert(id, tenant);
            Ok(Create::Created)
        })?;
        Ok(either(created))
    }

    async fn update_tenant(&self, update: UpdateTenant) -> Result<Update<Tenant>, StoreFault> {
        let updated = self.write(|state| {
            let id = &update.id;
            let Some(mut tenant) = state.tenants.get(id).cloned() else {
                return Ok(Update::Missing);
            };
            state.admit(&update.record)?;
            let now = update.record.now;
            (update.change)(&mut tenant);
            tenant.id = id.clone();
            if update.revoke_until.is_some() {
                tenant.not_before = tenant.not_before.max(now);
            }
            state.tenants.insert(id.clone(), tenant.clone());
            state.changed(id, Changed::Tenant, now);
            let revoked = update.revoke_until;
            let revoked = revoked.map(|end| state.revoked(id, RevocationTarget::Tenant, now, end));
            Ok(Update::Done { value: tenant, revoked: Vec::from_iter(revoked) })
        })?;
        Ok(kept(updated))
    }

    async fn list_tenants(&self) -> Result<Vec<Tenant>, StoreFault> {
        self.read(|state| state.tenants.values().cloned().collect())
    }
}
