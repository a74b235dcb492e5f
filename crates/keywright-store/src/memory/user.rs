//! Users in memory.

use async_trait::async_trait;
use keywright_protocol::id::{Subject, TenantId};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::time::Timestamp;
use keywright_protocol::user::{User, Username};

use super::{EndSessions, MemoryStore, State, UserRow, page};
use crate::attempt::{Undo, either, kept};
use crate::client::{Create, Update};
use crate::session::SessionEnd;
use crate::user::{Login, NewUser, SetPassword, UpdateUser, UserStore};
use crate::{Listed, Page, StoreFault};

#[async_trait]
impl UserStore for MemoryStore {
    async fn create_user(&self, new: NewUser) -> Result<Create, StoreFault> {
        let created = self.write(|state| {
            let taken = state.users.iter().any(|((tenant, sub), row)| {
                let same = *sub == new.user.sub || row.user.username == new.user.username;
                *tenant == new.tenant && same
            });
            if taken {
                return Err(Undo::Verdict(Create::Exists));
            }
            state.admit(&new.record)?;
            let key = (new.tenant, new.user.sub.clone());
            let row = UserRow { user: new.user, password_hash: new.password_hash };
            state.users.insert(key, row);
            Ok(Create::Created)
        })?;
        Ok(either(created))
    }

    async fn load_user(
        &self,
        tenant: &TenantId,
        sub: &Subject,
    ) -> Result<Option<User>, StoreFault> {
        self.read(|state| {
            state.users.get(&(tenant.clone(), sub.clone())).map(|row| row.user.clone())
        })
    }

    async fn load_login(
        &self,
        tenant: &TenantId,
        username: &Username,
    ) -> Result<Option<Login>, StoreFault> {
        self.read(|state| {
            let mut rows = state.users.iter().filter(|((of, _), _)| of == tenant);
            let row = rows.find(|(_, row)| row.user.username == *username);
            row.map(|(_, row)| Login {
                user: row.user.clone(),
                password_hash: row.password_hash.clone(),
            })
        })
    }

    async fn update_user(&self, update: UpdateUser) -> Result<Update<User>, StoreFault> {
        let updated = self.write(|state| {
            let key = (update.tenant.clone(), update.sub.clone());
            let Some(before) = state.users.get(&key).map(|row| row.user.clone()) else {
                return Ok(Update::Missing);
            };
            state.admit(&update.record)?;
            let mut user = before.clone();
            (update.change)(&mut user);
            (user.sub, user.username) = (before.sub, before.username);
            if let Some(row) = state.users.get_mut(&key) {
                row.user = user;
            }
            let now = update.record.now;
            let revoked = update.revoke_until;
            let revoked = revoked.map(|end| state.revoke_user(&update.tenant, &key.1, now, end));
            let value = state.users.get(&key).map(|row| row.user.clone());
            let value = value.ok_or_else(|| StoreFault::Corrupt("a user vanished".to_owned()))?;
            Ok(Update::Done { value, revoked: revoked.unwrap_or_default() })
        })?;
        Ok(kept(updated))
    }

    async fn set_password(&self, set: SetPassword) -> Result<Update<User>, StoreFault> {
        let updated = self.write(|state| {
            let key = (set.tenant.clone(), set.sub.clone());
            let Some(value) = state.users.get(&key).map(|row| row.user.clone()) else {
                return Ok(Update::Missing);
            };
            state.admit(&set.record)?;
            if let Some(row) = state.users.get_mut(&key) {
                row.password_hash = Some(set.password_hash);
            }
            let (at, expires_at) = (set.record.now, set.tokens_expire_at);
            let how = SessionEnd::Revoked;
            let end = EndSessions { tenant: &set.tenant, sub: &set.sub, how, at, expires_at };
            let revoked = state.end_sessions(&end, |id| set.keep.as_ref() != Some(id));
            Ok(Update::Done { value, revoked })
        })?;
        Ok(kept(updated))
    }

    async fn list_users(&self, tenant: &TenantId, part: Page) -> Result<Listed<User>, StoreFault> {
        self.read(|state| {
            let rows = state.users.iter().filter(|((of, _), _)| of == tenant);
            page(rows.map(|((_, sub), row)| (sub.to_string(), row.user.clone())), &part)
        })
    }
}

impl State {
    /// Ends all that a user has. The moment says it of what other nodes give out meanwhile. What
    /// the store knows ends by name: a clock that is wrong may have dated it after this one's now.
    pub(super) fn revoke_user(
        &mut self,
        tenant: &TenantId,
        sub: &Subject,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Vec<RevocationEntry> {
        if let Some(row) = self.users.get_mut(&(tenant.clone(), sub.clone())) {
            row.user.not_before = row.user.not_before.max(at);
        }
        let target = RevocationTarget::User(sub.clone());
        let mut entries = vec![self.revoked(tenant, target, at, expires_at)];
        let end = EndSessions { tenant, sub, how: SessionEnd::Revoked, at, expires_at };
        entries.extend(self.end_sessions(&end, |_| true));
        entries
    }
}
