//! Epochs in memory.

use async_trait::async_trait;
use keywright_protocol::grant::authorization_code::CodeState;
use keywright_protocol::id::TenantId;
use keywright_protocol::revocation::RevocationTarget;

use super::{MemoryStore, State};
use crate::StoreFault;
use crate::attempt::{Attempt, kept};
use crate::change::Changed;
use crate::epoch::{Epoch, EpochStore, RaiseEpoch};

#[async_trait]
impl EpochStore for MemoryStore {
    async fn load_epoch(&self) -> Result<Epoch, StoreFault> {
        self.read(|state| state.epoch)
    }

    async fn raise_epoch(&self, raise: RaiseEpoch) -> Result<Epoch, StoreFault> {
        self.write(|state| state.raise_epoch(&raise)).map(kept)
    }
}

impl State {
    fn raise_epoch<O>(&mut self, raise: &RaiseEpoch) -> Attempt<Epoch, O> {
        let tenants: Vec<TenantId> = self.tenants.keys().cloned().collect();
        for tenant in &tenants {
            let log = self.audit.entry(tenant.clone()).or_default();
            let (seq, prev) = log.last().map_or((0, [0; 32]), |last| (last.seq, last.hash));
            log.push(raise.chain(tenant, (seq, prev))?);
        }
        self.epoch = raise.after(self.epoch);
        for row in self.codes.values_mut().filter(|row| row.code.state == CodeState::Issued) {
            row.code.state = CodeState::Burned;
        }
        self.families.values_mut().for_each(|family| family.restored = true);
        self.heads.change = raise.place_after(self.heads.change);
        self.heads.revocation = raise.place_after(self.heads.revocation);
        for tenant in &tenants {
            let (at, expires_at) = (raise.issued_until(), raise.tokens_expire_at);
            self.revoked(tenant, RevocationTarget::Tenant, at, expires_at);
        }
        self.changed(&TenantId::default_tenant(), Changed::Everything, raise.now);
        Ok(self.epoch)
    }
}
