//! Keys and sealed secrets in memory.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::TenantId;

use super::MemoryStore;
use crate::StoreFault;
use crate::attempt::{Undo, either};
use crate::change::Changed;
use crate::client::{Create, Update};
use crate::key::{KeyChange, KeyStore, StoredKey};

#[async_trait]
impl KeyStore for MemoryStore {
    async fn create_key(&self, key: StoredKey, record: Record) -> Result<Create, StoreFault> {
        let created = self.write(|state| {
            let name = (key.tenant.clone(), key.kid.clone());
            if state.keys.contains_key(&name) {
                return Err(Undo::Verdict(Create::Exists));
            }
            state.admit(&record)?;
            state.changed(&key.tenant, Changed::Keys, record.now);
            state.keys.insert(name, key);
            Ok(Create::Created)
        })?;
        Ok(either(created))
    }

    async fn update_keys(
        &self,
        tenant: &TenantId,
        changes: Vec<KeyChange>,
        record: Record,
    ) -> Result<Update<()>, StoreFault> {
        let updated = self.write(|state| {
            let name = |change: &KeyChange| (tenant.clone(), change.kid.clone());
            if !changes.iter().all(|change| state.keys.contains_key(&name(change))) {
                return Err(Undo::Verdict(Update::Missing));
            }
            state.admit(&record)?;
            for change in &changes {
                if let Some(key) = state.keys.get_mut(&name(change)) {
                    (change.change)(&mut key.times);
                }
            }
            state.changed(tenant, Changed::Keys, record.now);
            Ok(Update::Done { value: (), revoked: Vec::new() })
        })?;
        Ok(either(updated))
    }

    async fn list_keys(&self, tenant: &TenantId) -> Result<Vec<StoredKey>, StoreFault> {
        let own = |key: &&StoredKey| key.tenant == *tenant;
        self.read(|state| state.keys.values().filter(own).cloned().collect())
    }

    async fn keep_secret(&self, name: &str, sealed: Vec<u8>) -> Result<Vec<u8>, StoreFault> {
        let mut state = self.state()?;
        Ok(state.secrets.entry(name.to_owned()).or_insert(sealed).clone())
    }

    async fn load_secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.read(|state| state.secrets.get(name).cloned())
    }
}
