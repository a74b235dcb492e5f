//! The keys of the tenants in memory: made where they are asked for, kept in time.

use std::collections::BTreeSet;
use std::sync::Arc;

use keywright_jose::Algorithm;
use keywright_protocol::id::TenantId;
use keywright_protocol::resource::TokenFormat;

use super::App;
use crate::error::ServerFault;
use crate::keys::lifecycle::{self, KeyMaker, KeySchedule, Thoroughness};
use crate::keys::{KeyRing, KeyTurn};
use crate::tenants::TenantState;

impl App {
    /// How a tenant's keys age.
    pub fn key_schedule(&self, tenant: &TenantState) -> KeySchedule {
        let config = self.config.load();
        let longest = self.longest_token(tenant).max(config.limits.session_lifetime);
        KeySchedule::new(config.keys.rotate_every, config.keys.announce, longest)
    }

    /// Makes the keys that a tenant's clients and resources ask for; keeps the rest in time.
    pub async fn maintain_keys(
        &self,
        tenant: &TenantState,
        thoroughness: Thoroughness,
    ) -> Result<(), ServerFault> {
        let (id, now) = (tenant.id(), self.now());
        let algorithms = algorithms_asked(tenant);
        let work = (self.key_schedule(tenant), thoroughness);
        let changed = lifecycle::is_due(&self.store, &id, &algorithms, work, now).await?;
        if changed {
            // One node at a time, so that three that start at once make one key and not three.
            let turn = KeyTurn::wait(&self.store, &id, &*self.environment).await?;
            let maintained = lifecycle::maintain(self.key_maker(&id), &algorithms, work).await;
            turn.end(self.now()).await?;
            maintained?;
        }
        if changed || tenant.keys.load().is_stale(now) {
            self.load_keys(tenant).await?;
        }
        for alg in algorithms {
            let keys = tenant.keys.load();
            let active = |key: &&crate::keys::ring::RingKey| key.alg == alg;
            let newest = keys.iter().filter(active).map(|k| k.times.active_at).max();
            if let Some(since) = newest {
                let age = now.since(since).as_secs();
                self.metrics.key_age(alg.name(), i64::try_from(age).unwrap_or(i64::MAX));
            }
        }
        Ok(())
    }

    /// Makes another key sign at once, for one algorithm, but not the one that is to go.
    pub async fn rotate_key(
        &self,
        tenant: &TenantState,
        alg: Algorithm,
        to_go: Option<&str>,
    ) -> Result<String, ServerFault> {
        let (id, schedule) = (tenant.id(), self.key_schedule(tenant));
        let turn = KeyTurn::wait(&self.store, &id, &*self.environment).await?;
        let rotated = lifecycle::rotate_now(self.key_maker(&id), alg, schedule, to_go).await;
        turn.end(self.now()).await?;
        self.load_keys(tenant).await?;
        rotated
    }

    fn key_maker<'a>(&'a self, tenant: &'a TenantId) -> KeyMaker<'a> {
        let (store, master, now) = (&self.store, &self.master, self.now());
        KeyMaker { store, master, environment: &*self.environment, tenant, now }
    }

    pub(super) async fn load_keys(&self, tenant: &TenantState) -> Result<(), ServerFault> {
        // One at a time: a ring that was read before a revocation must not replace the one after.
        let _turn = self.loading_keys.lock().await;
        let keys = self.store.list_keys(&tenant.id()).await?;
        tenant.keys.store(Arc::new(KeyRing::open(&keys, &self.master, self.now())?));
        Ok(())
    }
}

/// The algorithms for which a tenant needs keys: those of its clients and resources, the default of
/// access tokens, and RS256, which OpenID Connect Discovery §3 requires.
fn algorithms_asked(tenant: &TenantState) -> BTreeSet<Algorithm> {
    let mut asked = BTreeSet::from([Algorithm::Es256, Algorithm::Rs256]);
    let catalog = tenant.catalog.load();
    let signed = catalog.iter().filter(|r| r.token_format == TokenFormat::Jwt);
    asked.extend(signed.map(|r| r.alg));
    asked.extend(tenant.clients().iter().map(|c| c.client.metadata.id_token_signed_response_alg));
    asked
}
