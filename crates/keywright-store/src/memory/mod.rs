//! The obvious model: plain maps under one lock. Tests and the simulator compare the others with
//! it, so it is written to be read, not to be fast.
//!
//! Every verb checks all it must, then admits its record, then changes: nothing is ever undone.

mod audit;
mod change;
mod client;
mod code;
mod copy;
mod epoch;
mod grant;
mod job;
mod key;
mod refresh;
mod resource;
mod revocation;
mod session;
mod tenant;
mod user;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keywright_protocol::audit::Record;
use keywright_protocol::client::Client;
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::grant::authorization_code::StoredCode;
use keywright_protocol::grant::refresh_token::StoredFamily;
use keywright_protocol::id::{
    ClientId, FamilyId, GrantId, SessionId, StatusListId, Subject, TenantId,
};
use keywright_protocol::resource::{ProtectedResource, ResourceIndicator};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::session::Session;
use keywright_protocol::status_list::ListedToken;
use keywright_protocol::tenant::Tenant;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::{CodeHash, SessionHash};
use keywright_protocol::user::User;

use crate::attempt::{Attempt, Undo, judged};
use crate::audit::{RefusedRequest, StoredEvent};
use crate::change::{ChangeEntry, Changed, LogHeads, NodeReport};
use crate::ending::{Ending, HeldFamily, Holdings};
use crate::epoch::Epoch;
use crate::key::StoredKey;
use crate::session::SessionEnd;
use crate::{Listed, Page, StoreFault, first_tenant};

/// A store that lives as long as the process.
#[derive(Debug)]
pub struct MemoryStore(Mutex<State>);

#[derive(Clone, Debug)]
struct State {
    closed: bool,
    tenants: BTreeMap<TenantId, Tenant>,
    clients: BTreeMap<(TenantId, ClientId), Client>,
    users: BTreeMap<(TenantId, Subject), UserRow>,
    sessions: BTreeMap<(TenantId, SessionId), SessionRow>,
    grants: BTreeMap<(TenantId, GrantId), StoredGrant>,
    codes: BTreeMap<(TenantId, [u8; 32]), CodeRow>,
    families: BTreeMap<(TenantId, FamilyId), StoredFamily>,
    resources: BTreeMap<(TenantId, ResourceIndicator), ProtectedResource>,
    keys: BTreeMap<(TenantId, String), StoredKey>,
    secrets: BTreeMap<String, Vec<u8>>,
    used: BTreeMap<[u8; 32], Timestamp>,
    audit: BTreeMap<TenantId, Vec<StoredEvent>>,
    refusals: VecDeque<RefusedRequest>,
    changes: Vec<(Timestamp, ChangeEntry)>,
    revocations: Vec<RevocationEntry>,
    listed: BTreeMap<(TenantId, StatusListId, u32), ListedToken>,
    heads: LogHeads,
    epoch: Epoch,
    nodes: BTreeMap<String, NodeReport>,
    leases: BTreeMap<String, (String, Timestamp)>,
}

#[derive(Clone, Debug)]
struct UserRow {
    user: User,
    password_hash: Option<String>,
}

#[derive(Clone, Debug)]
struct SessionRow {
    cookie: SessionHash,
    session: Session,
}

#[derive(Clone, Debug)]
struct CodeRow {
    code: StoredCode,
    failures: u32,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// One process serves from it.
impl crate::throttle::ThrottleStore for MemoryStore {}

impl MemoryStore {
    /// A store that holds the default tenant and nothing else.
    pub fn new() -> Self {
        let first = first_tenant();
        Self(Mutex::new(State {
            closed: false,
            tenants: BTreeMap::from([(first.id.clone(), first)]),
            clients: BTreeMap::new(),
            users: BTreeMap::new(),
            sessions: BTreeMap::new(),
            grants: BTreeMap::new(),
            codes: BTreeMap::new(),
            families: BTreeMap::new(),
            resources: BTreeMap::new(),
            keys: BTreeMap::new(),
            secrets: BTreeMap::new(),
            used: BTreeMap::new(),
            audit: BTreeMap::new(),
            refusals: VecDeque::new(),
            changes: Vec::new(),
            revocations: Vec::new(),
            listed: BTreeMap::new(),
            heads: LogHeads::default(),
            epoch: Epoch::default(),
            nodes: BTreeMap::new(),
            leases: BTreeMap::new(),
        }))
    }

    /// A store of its own that begins with all that this one holds now: a backup, restored.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Self(Mutex::new(state.clone()))
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, StoreFault> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(StoreFault::Unavailable("closed".to_owned()));
        }
        Ok(state)
    }

    fn read<T>(&self, verb: impl FnOnce(&State) -> T) -> Result<T, StoreFault> {
        Ok(verb(&*self.state()?))
    }

    fn write<T, O>(
        &self,
        verb: impl FnOnce(&mut State) -> Attempt<T, O>,
    ) -> Result<Result<T, O>, StoreFault> {
        judged(verb(&mut *self.state()?))
    }
}

impl State {
    /// Refuses what must be used once and was used before.
    fn refuse_used<O>(&self, record: &Record, refusal: Undo<O>) -> Attempt<(), O> {
        let Some(once) = &record.once else { return Ok(()) };
        let used = self.used.get(&once.key).is_some_and(|expires_at| *expires_at > record.now);
        let forgotten = once.usable_from <= self.epoch.raised_at;
        if used || forgotten { Err(refusal) } else { Ok(()) }
    }

    /// Spends what must be used once and appends the events: the last step that can fail.
    fn admit<O>(&mut self, record: &Record) -> Attempt<(), O> {
        self.refuse_used(record, Undo::used_before())?;
        for event in &record.events {
            let log = self.audit.entry(event.tenant.clone()).or_default();
            let (seq, prev) = log.last().map_or((0, [0; 32]), |last| (last.seq, last.hash));
            log.push(StoredEvent::chain(&event.tenant, seq + 1, prev, event)?);
            if let Some(token) = &event.listed {
                let place = (event.tenant.clone(), token.list.clone(), token.idx);
                self.listed.insert(place, ListedToken::clone(token));
            }
        }
        if let Some(once) = &record.once {
            self.used.insert(once.key, once.expires_at);
        }
        Ok(())
    }

    fn changed(&mut self, tenant: &TenantId, changed: Changed, now: Timestamp) {
        self.heads.change += 1;
        let entry = ChangeEntry { seq: self.heads.change, tenant: tenant.clone(), changed };
        self.changes.push((now, entry));
    }

    fn revoked(
        &mut self,
        tenant: &TenantId,
        target: RevocationTarget,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> RevocationEntry {
        self.heads.revocation += 1;
        let seq = self.heads.revocation;
        let entry = RevocationEntry { seq, tenant: tenant.clone(), target, at, expires_at };
        self.revocations.push(entry.clone());
        entry
    }

    fn is_revoked(&self, tenant: &TenantId, target: &RevocationTarget) -> bool {
        self.revocations.iter().any(|entry| entry.tenant == *tenant && entry.target == *target)
    }

    /// Whether a tenant and a user of it accept what they did at a moment.
    fn accepts_user(&self, tenant: &TenantId, sub: &Subject, since: Timestamp) -> bool {
        let tenant_lives =
            self.tenants.get(tenant).is_some_and(|t| !t.disabled && t.not_before < since);
        let user = self.users.get(&(tenant.clone(), sub.clone()));
        tenant_lives && user.is_some_and(|row| !row.user.disabled && row.user.not_before < since)
    }

    fn accepts_client(&self, tenant: &TenantId, client: &ClientId, since: Timestamp) -> bool {
        let client = self.clients.get(&(tenant.clone(), client.clone()));
        client.is_some_and(|c| !c.disabled && c.not_before < since)
    }

    fn has_grant(&self, tenant: &TenantId, id: &GrantId, sub: &Subject, client: &ClientId) -> bool {
        let grant = self.grants.get(&(tenant.clone(), id.clone()));
        grant.is_some_and(|g| g.sub == *sub && g.client == *client)
    }

    fn has_session(
        &self,
        tenant: &TenantId,
        id: &SessionId,
        sub: &Subject,
        now: Timestamp,
    ) -> bool {
        let row = self.sessions.get(&(tenant.clone(), id.clone()));
        row.is_some_and(|row| row.session.sub == *sub && row.session.expires_at > now)
    }

    fn is_live(&self, tenant: &TenantId, session: &Session, now: Timestamp) -> bool {
        let signed_in_at = session.authentication.time;
        session.expires_at > now && self.accepts_user(tenant, &session.sub, signed_in_at)
    }

    /// What a user has in the store.
    fn holdings(&self, tenant: &TenantId, sub: &Subject) -> Holdings {
        let sessions =
            self.sessions.iter().filter(|((t, _), r)| t == tenant && r.session.sub == *sub);
        let grants = self.grants.iter().filter(|((t, _), g)| t == tenant && g.sub == *sub);
        let families = self
            .families
            .iter()
            .filter(|((t, _), f)| t == tenant && f.origin.sub == *sub && !f.revoked);
        Holdings {
            sessions: sessions.map(|((_, id), _)| id.clone()).collect(),
            grants: grants.map(|((_, id), g)| (id.clone(), g.session.clone())).collect(),
            families: families
                .map(|((_, id), f)| HeldFamily {
                    id: id.clone(),
                    grant: f.origin.grant.clone(),
                    session: f.origin.session.clone(),
                    offline: f.origin.offline,
                })
                .collect(),
        }
    }

    /// Ends sessions of a user and what ends with them.
    fn end_sessions(
        &mut self,
        end: &EndSessions<'_>,
        ends: impl Fn(&SessionId) -> bool,
    ) -> Vec<RevocationEntry> {
        let ending = Ending::of(self.holdings(end.tenant, end.sub), end.how, ends);
        let key = |id: &SessionId| (end.tenant.clone(), id.clone());
        ending.sessions.iter().for_each(|id| drop(self.sessions.remove(&key(id))));
        for grant in ending.grants {
            self.grants.remove(&(end.tenant.clone(), grant));
        }
        for family in ending.families {
            self.mark_family(end.tenant, &family);
        }
        let targets = ending.targets.into_iter();
        targets.map(|target| self.revoked(end.tenant, target, end.at, end.expires_at)).collect()
    }

    fn mark_family(&mut self, tenant: &TenantId, family: &FamilyId) -> bool {
        let row = self.families.get_mut(&(tenant.clone(), family.clone()));
        row.map(|row| row.revoked = true).is_some()
    }

    fn code(&self, tenant: &TenantId, hash: CodeHash) -> Option<&CodeRow> {
        self.codes.get(&(tenant.clone(), *hash.as_bytes()))
    }
}

/// Whose sessions end, and how.
struct EndSessions<'a> {
    tenant: &'a TenantId,
    sub: &'a Subject,
    how: SessionEnd,
    at: Timestamp,
    expires_at: Timestamp,
}

/// One page of rows that are in the order of their keys.
fn page<T>(rows: impl Iterator<Item = (String, T)>, page: &Page) -> Listed<T> {
    let after = page.after.as_deref();
    let mut rows = rows.filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
    let mut next = None;
    let mut items = Vec::new();
    for (key, item) in rows.by_ref().take(page.rows() as usize) {
        items.push(item);
        next = Some(key);
    }
    let more = rows.next().is_some();
    Listed { items, next: next.filter(|_| more) }
}
