//! The revocation log in memory.

use async_trait::async_trait;
use keywright_protocol::id::{GrantId, StatusListId, TenantId};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};

use keywright_protocol::status_list::TokenNames;
use keywright_protocol::time::Timestamp;

use super::{EndSessions, MemoryStore, State};
use crate::StoreFault;
use crate::attempt::{Undo, either};
use crate::change::Changed;
use crate::revocation::{RevocationStore, Revoke, Revoked};
use crate::session::SessionEnd;

#[async_trait]
impl RevocationStore for MemoryStore {
    async fn revoke(&self, revoke: Revoke) -> Result<Revoked, StoreFault> {
        let revoked = self.write(|state| {
            state.refuse_used(&revoke.record, Undo::Verdict(Revoked::AssertionReplayed))?;
            if !state.knows(&revoke) {
                return Err(Undo::Verdict(Revoked::Missing));
            }
            state.admit(&revoke.record)?;
            Ok(Revoked::Done(state.carry_out(&revoke)))
        })?;
        Ok(either(revoked))
    }

    async fn revocations_since(
        &self,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<RevocationEntry>, StoreFault> {
        self.read(|state| {
            let later = state.revocations.iter().filter(|entry| entry.seq > seq);
            later.take(limit as usize).cloned().collect()
        })
    }

    async fn listed_tokens(
        &self,
        tenant: &TenantId,
        list: &StatusListId,
        now: Timestamp,
    ) -> Result<Vec<(u32, TokenNames)>, StoreFault> {
        self.read(|state| {
            let of = |idx| (tenant.clone(), list.clone(), idx);
            let tokens = state.listed.range(of(0)..=of(u32::MAX));
            let living = tokens.filter(|(_, token)| token.expires_at > now);
            living.map(|(place, token)| (place.2, token.names.clone())).collect()
        })
    }
}

impl State {
    fn knows(&self, revoke: &Revoke) -> bool {
        let tenant = revoke.tenant.clone();
        match revoke.target.clone() {
            RevocationTarget::Client(id) => {
                self.clients.contains_key(&(tenant, id))
                    || self.is_revoked(&revoke.tenant, &revoke.target)
            }
            RevocationTarget::Family(id) => self.families.contains_key(&(tenant, id)),
            RevocationTarget::Grant(id) => self.grants.contains_key(&(tenant, id)),
            RevocationTarget::Session(id) => self.sessions.contains_key(&(tenant, id)),
            RevocationTarget::SigningKey(kid) => self.keys.contains_key(&(tenant, kid)),
            RevocationTarget::Tenant => self.tenants.contains_key(&tenant),
            RevocationTarget::Token(_) => true,
            RevocationTarget::User(sub) => self.users.contains_key(&(tenant, sub)),
        }
    }

    fn carry_out(&mut self, revoke: &Revoke) -> Vec<RevocationEntry> {
        let (tenant, now) = (&revoke.tenant, revoke.record.now);
        match &revoke.target {
            RevocationTarget::Client(id) => {
                if let Some(client) = self.clients.get_mut(&(tenant.clone(), id.clone())) {
                    client.not_before = client.not_before.max(now);
                    self.changed(tenant, Changed::Client(id.clone()), now);
                }
            }
            RevocationTarget::Family(id) => {
                self.mark_family(tenant, id);
            }
            RevocationTarget::Grant(id) => self.delete_grant(revoke, id),
            RevocationTarget::Session(id) => {
                let row = self.sessions.get(&(tenant.clone(), id.clone()));
                let Some(sub) = row.map(|row| row.session.sub.clone()) else { return Vec::new() };
                let (how, expires_at) = (SessionEnd::Revoked, revoke.tokens_expire_at);
                let end = EndSessions { tenant, sub: &sub, how, at: now, expires_at };
                return self.end_sessions(&end, |ends| ends == id);
            }
            RevocationTarget::SigningKey(kid) => {
                if let Some(key) = self.keys.get_mut(&(tenant.clone(), kid.clone())) {
                    key.times.withdraw(now);
                }
                self.changed(tenant, Changed::Keys, now);
            }
            RevocationTarget::Tenant => {
                if let Some(row) = self.tenants.get_mut(tenant) {
                    row.not_before = row.not_before.max(now);
                }
                self.changed(tenant, Changed::Tenant, now);
            }
            RevocationTarget::Token(_) => {}
            RevocationTarget::User(sub) => {
                return self.revoke_user(tenant, sub, now, revoke.tokens_expire_at);
            }
        }
        vec![self.revoked(tenant, revoke.target.clone(), now, revoke.tokens_expire_at)]
    }

    fn delete_grant(&mut self, revoke: &Revoke, id: &GrantId) {
        self.grants.remove(&(revoke.tenant.clone(), id.clone()));
        for ((tenant, _), family) in &mut self.families {
            family.revoked |= *tenant == revoke.tenant && family.origin.grant == *id;
        }
    }
}
