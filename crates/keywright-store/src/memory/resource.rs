//! Protected resources in memory.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::TenantId;
use keywright_protocol::resource::{ProtectedResource, ResourceIndicator};

use super::MemoryStore;
use crate::StoreFault;
use crate::attempt::{Undo, either};
use crate::change::Changed;
use crate::client::{Create, Update};
use crate::resource::ResourceStore;

#[async_trait]
impl ResourceStore for MemoryStore {
    async fn create_resource(
        &self,
        tenant: &TenantId,
        resource: ProtectedResource,
        record: Record,
    ) -> Result<Create, StoreFault> {
        let created = self.write(|state| {
            let key = (tenant.clone(), resource.identifier.clone());
            if state.resources.contains_key(&key) {
                return Err(Undo::Verdict(Create::Exists));
            }
            state.admit(&record)?;
            state.resources.insert(key, resource);
            state.changed(tenant, Changed::Resources, record.now);
            Ok(Create::Created)
        })?;
        Ok(either(created))
    }

    async fn replace_resource(
        &self,
        tenant: &TenantId,
        resource: ProtectedResource,
        record: Record,
    ) -> Result<Update<()>, StoreFault> {
        let replaced = self.write(|state| {
            let key = (tenant.clone(), resource.identifier.clone());
            if !state.resources.contains_key(&key) {
                return Err(Undo::Verdict(Update::Missing));
            }
            state.admit(&record)?;
            state.resources.insert(key, resource);
            state.changed(tenant, Changed::Resources, record.now);
            Ok(Update::Done { value: (), revoked: Vec::new() })
        })?;
        Ok(either(replaced))
    }

    async fn delete_resource(
        &self,
        tenant: &TenantId,
        identifier: &ResourceIndicator,
        record: Record,
    ) -> Result<Update<()>, StoreFault> {
        let deleted = self.write(|state| {
            let key = (tenant.clone(), identifier.clone());
            if !state.resources.contains_key(&key) {
                return Err(Undo::Verdict(Update::Missing));
            }
            state.admit(&record)?;
            state.resources.remove(&key);
            state.changed(tenant, Changed::Resources, record.now);
            Ok(Update::Done { value: (), revoked: Vec::new() })
        })?;
        Ok(either(deleted))
    }

    async fn list_resources(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<ProtectedResource>, StoreFault> {
        self.read(|state| {
            let rows = state.resources.iter().filter(|((of, _), _)| of == tenant);
            rows.map(|(_, resource)| resource.clone()).collect()
        })
    }
}
