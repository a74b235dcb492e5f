//! Following the store: what other processes revoked and changed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keywright_protocol::id::TenantId;
use keywright_protocol::resource::ResourceCatalog;
use keywright_protocol::revocation::{RevocationEntry, RevocationSet};
use keywright_protocol::time::Timestamp;
use keywright_store::StoreFault;
use keywright_store::change::{Changed, LogHeads};
use keywright_store::epoch::{RaiseEpoch, TOKENS_LIVE_MAX};

use super::App;
use crate::environment::within;
use crate::error::ServerFault;
use crate::feed::Logs;
use crate::keys::lifecycle::Thoroughness;

/// How old what this process knows of others may be where it decides by that alone.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

impl App {
    /// The store went back in time: ends what it cannot know any more.
    pub async fn raise_epoch(&self, reason: &str) -> Result<(), ServerFault> {
        tracing::warn!(reason, "raising the epoch");
        let longest = self.tenants().iter().map(|tenant| self.longest_ever(tenant)).max();
        let longest = longest.unwrap_or_default().max(TOKENS_LIVE_MAX);
        let now = self.now();
        let tokens_expire_at = now.plus(longest).plus(Duration::from_mins(1));
        let raise = RaiseEpoch { now, tokens_expire_at, reason: reason.to_owned() };
        self.store.raise_epoch(raise).await?;
        Ok(())
    }

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

    /// Sees to it that what others revoked and changed until a second ago is known here, before
    /// this process decides something by its memory alone: it may have slept, or the store may have
    /// been away.
    ///
    /// # Errors
    /// The store does not answer within a second, or did not a moment ago.
    pub async fn hear(&self) -> Result<(), ServerFault> {
        if self.has_heard_within(HEARD_WITHIN) {
            return Ok(());
        }
        let mut failed_at = self.hearing.lock().await;
        if self.has_heard_within(HEARD_WITHIN) {
            return Ok(());
        }
        let asked_at = self.now();
        let failed_lately = |at: Timestamp| asked_at.since(at) < HEARD_WITHIN && at <= asked_at;
        let heard = if failed_at.is_some_and(failed_lately) {
            None
        } else {
            within(&*self.environment, HEARD_WITHIN, self.take_over()).await
        };
        let silent = || StoreFault::Unavailable("what others did is not known here".to_owned());
        let heard = heard.unwrap_or_else(|| Err(silent().into()));
        match &heard {
            Ok(()) => self.heard(asked_at),
            Err(_) => *failed_at = Some(self.now()),
        }
        heard
    }

    async fn take_over(&self) -> Result<(), ServerFault> {
        self.follow_revocations().await?;
        self.take_over_changes().await
    }

    /// Says that at this moment nothing was missing, of revocations and of changes.
    pub fn heard(&self, asked_at: Timestamp) {
        self.feeds.mark_current(asked_at);
        self.heard_at.store(asked_at.as_millis(), Ordering::Release);
    }

    /// Whether nothing was missing so long ago. A clock that was set back since says nothing.
    pub fn has_heard_within(&self, age: Duration) -> bool {
        let heard_at = Timestamp::from_millis(self.heard_at.load(Ordering::Acquire));
        let now = self.now();
        heard_at <= now && now.since(heard_at) <= age
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

    /// Follows the log of revocations to its end.
    pub async fn follow_revocations(&self) -> Result<(), ServerFault> {
        let now = self.now();
        let again = self.forgot_too_early();
        let mut from = if again { 0 } else { self.with_revocations(RevocationSet::last_seq) };
        let mut anew = again.then(Logs::default);
        loop {
            let entries = self.store.revocations_since(from, 1000).await?;
            let Some(last) = entries.last() else { break };
            from = last.seq;
            let mut set =
                self.revocations.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            for entry in &entries {
                let heard = as_heard(entry, now);
                set.insert(&heard);
                let floor = set.floor_of(&entry.tenant, &entry.target);
                match &mut anew {
                    Some(logs) => self.feeds.append_to(logs, &heard, floor),
                    None => self.feeds.append(&heard, floor),
                }
            }
            self.feeds.followed_to(set.last_seq());
        }
        if let Some(logs) = anew {
            self.feeds.replace(logs);
            self.forgotten_at.store(now.as_millis(), Ordering::Release);
        }
        Ok(())
    }

    /// Follows the log of changes to its end, and makes the keys that are asked for since.
    pub async fn follow_changes(&self) -> Result<(), ServerFault> {
        self.take_over_changes().await?;
        // Whoever comes while keys are made waits for them here, and hears of the rest meanwhile.
        let _turn = self.making_keys.lock().await;
        let changed = self.want_keys.lock().map_or_else(|_| BTreeSet::new(), |ids| ids.clone());
        for id in changed {
            if let Some(tenant) = self.any_tenant(&id) {
                self.maintain_keys(&tenant, Thoroughness::Signing).await?;
            }
            if let Ok(mut ids) = self.want_keys.lock() {
                ids.remove(&id);
            }
        }
        Ok(())
    }

    /// Follows the log of changes to its end. A tenant for which many things changed takes them
    /// over at once.
    pub async fn take_over_changes(&self) -> Result<(), ServerFault> {
        let _turn = self.following.lock().await;
        loop {
            let from = self.followed_changes.lock().map_or(0, |seq| *seq);
            let changes = self.store.changes_since(from, 1000).await?;
            let Some(last) = changes.last() else { return Ok(()) };
            if changes.iter().any(|entry| entry.changed == Changed::Everything) {
                self.load_everything().await?;
            } else {
                let mut tenants: HashMap<&TenantId, HashSet<&Changed>> = HashMap::new();
                for entry in &changes {
                    tenants.entry(&entry.tenant).or_default().insert(&entry.changed);
                }
                for (tenant, changed) in tenants {
                    self.apply(tenant, &changed).await?;
                    if let Ok(mut ids) = self.want_keys.lock() {
                        ids.insert(tenant.clone());
                    }
                }
            }
            if let Ok(mut seq) = self.followed_changes.lock() {
                *seq = (*seq).max(last.seq);
            }
        }
    }

    async fn apply(&self, id: &TenantId, changed: &HashSet<&Changed>) -> Result<(), ServerFault> {
        let known = self.any_tenant(id);
        if known.is_none() || changed.contains(&Changed::Tenant) {
            self.load_tenant(id).await?;
        }
        let Some(tenant) = known else { return Ok(()) };
        let mut clients = Vec::new();
        for changed in changed {
            if let Changed::Client(client) = changed {
                clients.push((client.clone(), self.store.load_client(id, client).await?));
            }
        }
        let resources = changed.contains(&Changed::Resources);
        if resources {
            tenant.put_catalog(ResourceCatalog::new(self.store.list_resources(id).await?));
        }
        if changed.contains(&Changed::Keys) {
            self.load_keys(&tenant).await?;
        }
        tenant.put_clients(clients);
        Ok(())
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
    use keywright_protocol::audit::Record;
    use keywright_protocol::id::Jti;
    use keywright_protocol::revocation::RevocationTarget;
    use keywright_store::revocation::{Revoke, Revoked};

    use crate::admin::testing::World;
    use crate::jobs::Follower;

    const USUAL_LIFE: std::time::Duration = std::time::Duration::from_mins(10);

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

    /// Taking changes over may take as long as another node makes keys.
    #[tokio::test]
    async fn a_revocation_is_known_while_changes_are_taken_over() {
        let World { app, .. } = World::start().await;
        let busy = app.following.lock().await;
        let changing = tokio::spawn({
            let app = Arc::clone(&app);
            async move { app.follow_changes().await }
        });
        let (tenant, now) = (TenantId::default_tenant(), app.now());
        let target = RevocationTarget::Token(Jti::from_trusted("j"));
        let (tokens_expire_at, record) =
            (now.plus(USUAL_LIFE), Record { now, events: Vec::new(), once: None });
        let revoke = Revoke { tenant, target, tokens_expire_at, record };
        assert!(matches!(app.store.revoke(revoke).await.unwrap(), Revoked::Done(_)));
        let heads = Follower::new(Arc::clone(&app)).step().await.unwrap();
        assert_eq!(app.followed().revocation, heads.revocation);
        assert!(!changing.is_finished());
        drop(busy);
        changing.await.unwrap().unwrap();
    }
}
