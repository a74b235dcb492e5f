//! Following the store: what other processes revoked and changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use keywright_protocol::id::TenantId;
use keywright_protocol::resource::ResourceCatalog;
use keywright_protocol::revocation::{RevocationEntry, RevocationSet};
use keywright_protocol::time::Timestamp;
use keywright_store::change::{ChangeEntry, Changed, LogHeads};

use super::App;
use crate::error::ServerFault;
use crate::keys::lifecycle::Thoroughness;

impl App {
    /// Follows both logs to their end. What other processes changed is known afterwards.
    pub async fn follow(&self) -> Result<LogHeads, ServerFault> {
        self.follow_revocations().await?;
        self.follow_changes().await?;
        Ok(self.followed())
    }

    /// How far this process has followed.
    pub fn followed(&self) -> LogHeads {
        let change = self.followed_changes.lock().map_or(0, |seq| *seq);
        LogHeads { change, revocation: self.with_revocations(RevocationSet::last_seq) }
    }

    /// Whether the clock was set back since revocations were forgotten: what then seemed to be over
    /// is not. The store keeps them an hour longer, and following the log brings them back.
    pub fn forgot_too_early(&self) -> bool {
        self.now().as_millis() < self.forgotten_at.load(Ordering::Acquire)
    }

    /// Takes over what a commit of this process revoked, where another process may have been first
    /// with some of it, so that the log gained less: what that one wrote is known before this one
    /// answers.
    pub async fn learn_and_follow(&self, entries: &[RevocationEntry]) -> Result<(), ServerFault> {
        self.learn(entries);
        self.follow_revocations().await
    }

    pub(super) fn revocations_followed_to(&self, seq: u64) {
        let mut set = self.revocations.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        set.followed_to(seq);
        self.feeds.followed_to(set.last_seq());
    }

    pub(super) async fn follow_revocations(&self) -> Result<(), ServerFault> {
        let now = self.now();
        let again = self.forgot_too_early();
        let mut from = if again { 0 } else { self.with_revocations(RevocationSet::last_seq) };
        loop {
            let entries = self.store.revocations_since(from, 1000).await?;
            let Some(last) = entries.last() else { break };
            from = last.seq;
            let mut set =
                self.revocations.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            for entry in &entries {
                set.insert(&as_heard(entry, now));
                self.feeds.append(entry, set.floor_of(&entry.tenant, &entry.target));
            }
            self.feeds.followed_to(set.last_seq());
        }
        if again {
            self.forgotten_at.store(now.as_millis(), Ordering::Release);
        }
        Ok(())
    }

    async fn follow_changes(&self) -> Result<(), ServerFault> {
        let _turn = self.following.lock().await;
        loop {
            let from = self.followed_changes.lock().map_or(0, |seq| *seq);
            let changes = self.store.changes_since(from, 1000).await?;
            if changes.is_empty() {
                return Ok(());
            }
            for entry in &changes {
                self.apply(entry).await?;
                if let Ok(mut seq) = self.followed_changes.lock() {
                    *seq = (*seq).max(entry.seq);
                }
            }
        }
    }

    async fn apply(&self, entry: &ChangeEntry) -> Result<(), ServerFault> {
        if entry.changed == Changed::Everything {
            return self.load_everything().await;
        }
        let Some(tenant) = self.any_tenant(&entry.tenant) else {
            return self.load_tenant(&entry.tenant).await;
        };
        match &entry.changed {
            Changed::Client(id) => {
                tenant.put_client(id, self.store.load_client(&entry.tenant, id).await?);
                self.maintain_keys(&tenant, Thoroughness::Signing).await
            }
            Changed::Everything => Ok(()),
            Changed::Keys => self.load_keys(&tenant).await,
            Changed::Resources => {
                let resources = self.store.list_resources(&entry.tenant).await?;
                tenant.put_catalog(ResourceCatalog::new(resources));
                self.maintain_keys(&tenant, Thoroughness::Signing).await
            }
            Changed::Tenant => self.load_tenant(&entry.tenant).await,
        }
    }

    /// Loads a new tenant, or a known one's own row.
    async fn load_tenant(&self, id: &TenantId) -> Result<(), ServerFault> {
        let found = self.store.list_tenants().await?.into_iter().find(|t| t.id == *id);
        let Some(tenant) = found else { return Ok(()) };
        if let Some(state) = self.any_tenant(id) {
            state.tenant.store(Arc::new(tenant));
            return Ok(());
        }
        let clients = self.store.all_clients().await?;
        let own = clients.into_iter().filter(|c| c.tenant == *id).collect();
        let state = Arc::new(self.build_tenant(tenant, own).await?);
        self.maintain_keys(&state, Thoroughness::Signing).await?;
        self.tenants.rcu(|tenants| {
            let mut tenants = HashMap::clone(tenants);
            tenants.insert(id.clone(), Arc::clone(&state));
            tenants
        });
        Ok(())
    }
}

/// An entry of the log as a process keeps it that hears of it now. How long it must be known was
/// counted by another's clock, which may be behind: counted from now, it is never forgotten early.
fn as_heard(entry: &RevocationEntry, now: Timestamp) -> RevocationEntry {
    let needed = entry.expires_at.since(entry.at);
    let expires_at = entry.expires_at.max(now.plus(needed));
    RevocationEntry { expires_at, ..entry.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keywright_protocol::revocation::RevocationTarget;

    #[test]
    fn what_a_clock_behind_has_revoked_is_kept_as_long() {
        let at = Timestamp::from_unix_s;
        let entry = |at_s| RevocationEntry {
            seq: 1,
            tenant: TenantId::default_tenant(),
            target: RevocationTarget::Tenant,
            at: at(at_s),
            expires_at: at(at_s + 660),
        };
        let kept_until = |at_s, now_s| as_heard(&entry(at_s), at(now_s)).expires_at;
        assert_eq!(kept_until(10_000, 10_000), at(10_660), "the clocks agree");
        assert_eq!(kept_until(6_400, 10_000), at(10_660), "an hour behind");
        assert_eq!(kept_until(13_600, 10_000), at(14_260), "an hour ahead");
    }
}
