//! Clients in memory.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::client::Client;
use keywright_protocol::id::{ClientId, TenantId};
use keywright_protocol::revocation::RevocationTarget;

use super::{MemoryStore, page};
use crate::attempt::{Undo, either, kept};
use crate::change::Changed;
use crate::client::{ClientStore, Create, DeleteClient, Update, UpdateClient};
use crate::{Listed, Page, StoreFault};

#[async_trait]
impl ClientStore for MemoryStore {
    async fn create_client(&self, client: Client, record: Record) -> Result<Create, StoreFault> {
        let created = self.write(|state| {
            let (tenant, id) = (client.tenant.clone(), client.id.clone());
            if state.clients.contains_key(&(tenant.clone(), id.clone())) {
                return Err(Undo::Verdict(Create::Exists));
            }
            state.admit(&record)?;
            state.changed(&tenant, Changed::Client(id.clone()), record.now);
            state.clients.insert((tenant, id), client);
            Ok(Create::Created)
        })?;
        Ok(either(created))
    }

    async fn load_client(
        &self,
        tenant: &TenantId,
        id: &ClientId,
    ) -> Result<Option<Client>, StoreFault> {
        self.read(|state| state.clients.get(&(tenant.clone(), id.clone())).cloned())
    }

    async fn update_client(&self, update: UpdateClient) -> Result<Update<Client>, StoreFault> {
        let updated = self.write(|state| {
            let key = (update.tenant.clone(), update.id.clone());
            let Some(mut client) = state.clients.get(&key).cloned() else {
                return Ok(Update::Missing);
            };
            state.admit(&update.record)?;
            let now = update.record.now;
            (update.change)(&mut client);
            (client.tenant, client.id) = key.clone();
            if update.revoke_until.is_some() {
                client.not_before = client.not_before.max(now);
            }
            state.clients.insert(key, client.clone());
            state.changed(&update.tenant, Changed::Client(update.id.clone()), now);
            let target = RevocationTarget::Client(update.id);
            let revoked = update.revoke_until;
            let revoked = revoked.map(|until| state.revoked(&update.tenant, target, now, until));
            Ok(Update::Done { value: client, revoked: Vec::from_iter(revoked) })
        })?;
        Ok(kept(updated))
    }

    async fn delete_client(&self, delete: DeleteClient) -> Result<Update<()>, StoreFault> {
        let deleted = self.write(|state| {
            let DeleteClient { tenant, id, tokens_expire_at, record } = delete;
            let key = (tenant.clone(), id.clone());
            if !state.clients.contains_key(&key) {
                return Ok(Update::Missing);
            }
            state.admit(&record)?;
            state.clients.remove(&key);
            state.grants.retain(|(of, _), grant| *of != tenant || grant.client != id);
            state.families.retain(|(of, _), family| *of != tenant || family.origin.client != id);
            state.codes.retain(|(of, _), row| *of != tenant || row.code.client != id);
            state.changed(&tenant, Changed::Client(id.clone()), record.now);
            let target = RevocationTarget::Client(id);
            let revoked = vec![state.revoked(&tenant, target, record.now, tokens_expire_at)];
            Ok(Update::Done { value: (), revoked })
        })?;
        Ok(kept(deleted))
    }

    async fn list_clients(
        &self,
        tenant: &TenantId,
        part: Page,
    ) -> Result<Listed<Client>, StoreFault> {
        self.read(|state| {
            let rows = state.clients.iter().filter(|((of, _), _)| of == tenant);
            page(rows.map(|((_, id), client)| (id.to_string(), client.clone())), &part)
        })
    }

    async fn all_clients(&self) -> Result<Vec<Client>, StoreFault> {
        self.read(|state| state.clients.values().cloned().collect())
    }
}
