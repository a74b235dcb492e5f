//! Stores with one thing wrong: what the ledger must find, or it finds nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::client::Client;
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::grant::authorization_code::{CodeState, StoredCode};
use keywright_protocol::grant::refresh_token::StoredFamily;
use keywright_protocol::id::{ClientId, FamilyId, RequestId, StatusListId, Subject, TenantId};
use keywright_protocol::resource::{ProtectedResource, ResourceIndicator};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::scope::ScopeSet;
use keywright_protocol::session::Session;
use keywright_protocol::status_list::TokenNames;
use keywright_protocol::tenant::Tenant;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::{CodeHash, SessionHash};
use keywright_protocol::user::{User, Username};
use keywright_store::audit::{AuditStore, Recorded, RefusedRequest, StoredEvent};
use keywright_store::change::{ChangeEntry, ChangeStore, Changed, LogHeads, NodeReport};
use keywright_store::client::{ClientStore, Create, DeleteClient, Update, UpdateClient};
use keywright_store::code::{CodeStore, Issue, IssueCode, Redeem, RedeemCode, ReplayedCode};
use keywright_store::copy::{CopyStore, Progress, Rows, Snapshot, Table};
use keywright_store::epoch::{Epoch, EpochStore, RaiseEpoch};
use keywright_store::grant::{GrantFilter, GrantStore};
use keywright_store::job::{JobStore, Lease, Swept};
use keywright_store::key::{KeyChange, KeyStore, StoredKey};
use keywright_store::refresh::{RefreshStore, Rotate, Rotation};
use keywright_store::resource::ResourceStore;
use keywright_store::revocation::{RevocationStore, Revoke, Revoked};
use keywright_store::session::{EndSession, SessionEnd, SessionStore, SignIn, SignedIn};
use keywright_store::tenant::{TenantStore, UpdateTenant};
use keywright_store::throttle::ThrottleStore;
use keywright_store::user::{Login, NewUser, SetPassword, UpdateUser, UserStore};
use keywright_store::{Listed, Page, SharedStore, StoreFault};

use crate::template::{WRONG_PASSWORD, cheap_hash};

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sabotage {
    /// A code that was redeemed can be redeemed again.
    CodeTwice,
    /// The log does not tell that a key was withdrawn.
    KeysNotTold,
    /// A family is forgotten after its third rotation.
    FamilyLost,
    /// In the last act, every other time, a family is read as it was before its last rotation.
    StaleFamily,
    /// Revoking a family is acknowledged and not done.
    RevocationDropped,
    /// A node that follows the log misses what is revoked.
    RevocationNotTold,
    /// A family may ask for more than it was given.
    ScopeGrows,
    /// Another password than a user's own is taken for it.
    OtherPassword,
    /// Signing out is acknowledged and not done.
    SignOutDropped,
    /// Signing out takes what should outlive it.
    SignOutTakesAll,
    /// What is left out of a consent is kept.
    ConsentKept,
    /// Whoever has given a part is said to have given all.
    ConsentGrows,
}

impl Sabotage {
    /// The store with this wrong; `last_act` is set when it begins.
    pub(crate) fn over(self, inner: SharedStore, last_act: Arc<AtomicBool>) -> SharedStore {
        Arc::new(Broken { inner, sabotage: self, reads: AtomicU64::new(0), last_act })
    }
}

struct Broken {
    inner: SharedStore,
    sabotage: Sabotage,
    reads: AtomicU64,
    last_act: Arc<AtomicBool>,
}

/// Verbs with which nothing is wrong.
macro_rules! sound {
    ($group:ident { $(fn $verb:ident($($name:ident: $of:ty),*) -> $outcome:ty;)* }) => {
        #[async_trait]
        impl $group for Broken {
            $(
                async fn $verb(&self, $($name: $of),*) -> Result<$outcome, StoreFault> {
                    self.inner.$verb($($name),*).await
                }
            )*
        }
    };
}

sound!(AuditStore {
    fn record(record: Record) -> Recorded;
    fn audit_since(tenant: &TenantId, seq: u64, limit: u32) -> Vec<StoredEvent>;
    fn audit_head(tenant: &TenantId) -> u64;
    fn audit_of_request(request: &RequestId) -> Vec<StoredEvent>;
    fn keep_refusals(refusals: Vec<RefusedRequest>) -> ();
    fn load_refusal(id: &RequestId) -> Option<RefusedRequest>;
});

sound!(ClientStore {
    fn create_client(client: Client, record: Record) -> Create;
    fn load_client(tenant: &TenantId, id: &ClientId) -> Option<Client>;
    fn update_client(update: UpdateClient) -> Update<Client>;
    fn delete_client(delete: DeleteClient) -> Update<()>;
    fn list_clients(tenant: &TenantId, page: Page) -> Listed<Client>;
    fn all_clients() -> Vec<Client>;
});

sound!(CopyStore {
    fn snapshot() -> Box<dyn Snapshot>;
    fn is_empty() -> bool;
    fn unfinished_copy() -> Option<String>;
    fn begin_copy(source: &str) -> ();
    fn copied_until(table: Table) -> Progress;
    fn clear_table(table: Table) -> ();
    fn put_rows(table: Table, page: Rows) -> ();
    fn end_copy() -> ();
});

sound!(EpochStore {
    fn load_epoch() -> Epoch;
    fn raise_epoch(raise: RaiseEpoch) -> Epoch;
});

sound!(KeyStore {
    fn create_key(key: StoredKey, record: Record) -> Create;
    fn update_keys(tenant: &TenantId, changes: Vec<KeyChange>, record: Record) -> Update<()>;
    fn list_keys(tenant: &TenantId) -> Vec<StoredKey>;
    fn keep_secret(name: &str, sealed: Vec<u8>) -> Vec<u8>;
    fn load_secret(name: &str) -> Option<Vec<u8>>;
});

sound!(ResourceStore {
    fn create_resource(
        tenant: &TenantId, resource: ProtectedResource, record: Record
    ) -> Create;
    fn replace_resource(
        tenant: &TenantId, resource: ProtectedResource, record: Record
    ) -> Update<()>;
    fn delete_resource(
        tenant: &TenantId, identifier: &ResourceIndicator, record: Record
    ) -> Update<()>;
    fn list_resources(tenant: &TenantId) -> Vec<ProtectedResource>;
});

sound!(TenantStore {
    fn create_tenant(tenant: Tenant, record: Record) -> Create;
    fn update_tenant(update: UpdateTenant) -> Update<Tenant>;
    fn list_tenants() -> Vec<Tenant>;
});

/// Each node counts for itself.
impl ThrottleStore for Broken {}

#[async_trait]
impl JobStore for Broken {
    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreFault> {
        self.inner.sweep(now).await
    }

    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreFault> {
        self.inner.take_lease(name, holder, now, until).await
    }

    async fn ping(&self) -> Result<(), StoreFault> {
        self.inner.ping().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl ChangeStore for Broken {
    async fn changes_since(&self, seq: u64, limit: u32) -> Result<Vec<ChangeEntry>, StoreFault> {
        let mut changes = self.inner.changes_since(seq, limit).await?;
        if self.sabotage == Sabotage::KeysNotTold {
            // The last one is told as something else: its place in the log is reached.
            for change in changes.iter_mut().filter(|change| change.changed == Changed::Keys) {
                change.changed = Changed::Tenant;
            }
        }
        Ok(changes)
    }

    async fn log_heads(&self) -> Result<LogHeads, StoreFault> {
        self.inner.log_heads().await
    }

    async fn report_node(&self, node: NodeReport) -> Result<(), StoreFault> {
        self.inner.report_node(node).await
    }

    async fn remove_node(&self, node: &str) -> Result<(), StoreFault> {
        self.inner.remove_node(node).await
    }

    async fn list_nodes(&self, since: Timestamp) -> Result<Vec<NodeReport>, StoreFault> {
        self.inner.list_nodes(since).await
    }
}

#[async_trait]
impl CodeStore for Broken {
    async fn issue_code(&self, mut issue: IssueCode) -> Result<Issue, StoreFault> {
        if matches!(self.sabotage, Sabotage::ConsentKept | Sabotage::ConsentGrows) {
            // What was judged is not what is stored: the commit must not notice.
            let (tenant, code) = (&issue.tenant, &issue.code);
            let stored = self.inner.load_grant(tenant, &code.sub, &code.client).await?;
            issue.granted_before = stored.map(|grant| grant.scope);
        }
        self.inner.issue_code(issue).await
    }

    async fn load_code(
        &self,
        tenant: &TenantId,
        code: CodeHash,
    ) -> Result<Option<StoredCode>, StoreFault> {
        let mut loaded = self.inner.load_code(tenant, code).await?;
        if let Some(code) = loaded.as_mut().filter(|_| self.sabotage == Sabotage::CodeTwice) {
            code.state = CodeState::Issued;
        }
        Ok(loaded)
    }

    async fn redeem_code(&self, redeem: RedeemCode) -> Result<Redeem, StoreFault> {
        if self.sabotage == Sabotage::CodeTwice {
            let (tenant, code) = (&redeem.tenant, &redeem.code);
            let grant = self.inner.load_grant(tenant, &code.sub, &code.client).await?;
            if let Some(grant) = grant {
                let again = IssueCode {
                    tenant: tenant.clone(),
                    hash: redeem.hash,
                    code: code.clone(),
                    granted_before: Some(grant.scope.clone()),
                    grant,
                    record: Record { now: redeem.record.now, events: Vec::new(), once: None },
                };
                let _issued = self.inner.issue_code(again).await?;
            }
        }
        self.inner.redeem_code(redeem).await
    }

    async fn fail_code(
        &self,
        tenant: &TenantId,
        code: CodeHash,
        record: Record,
    ) -> Result<(), StoreFault> {
        self.inner.fail_code(tenant, code, record).await
    }

    async fn revoke_replayed_code(
        &self,
        replayed: ReplayedCode,
    ) -> Result<Vec<RevocationEntry>, StoreFault> {
        self.inner.revoke_replayed_code(replayed).await
    }
}

#[async_trait]
impl RefreshStore for Broken {
    async fn load_family(
        &self,
        tenant: &TenantId,
        family: &FamilyId,
    ) -> Result<Option<StoredFamily>, StoreFault> {
        let loaded = self.inner.load_family(tenant, family).await?;
        let Some(mut family) = loaded else { return Ok(None) };
        let stale = self.last_act.load(Ordering::Relaxed)
            && self.reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        match self.sabotage {
            Sabotage::FamilyLost if family.generation >= 3 => return Ok(None),
            Sabotage::ScopeGrows => {
                let more = ScopeSet::parse("profile api:write sealed:write").unwrap_or_default();
                family.origin.scope = family.origin.scope.union(&more);
            }
            Sabotage::StaleFamily if stale => {
                family.current = family.parent.unwrap_or(family.current);
            }
            _ => {}
        }
        Ok(Some(family))
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotate, StoreFault> {
        self.inner.rotate(rotation).await
    }
}

#[async_trait]
impl RevocationStore for Broken {
    async fn revoke(&self, revoke: Revoke) -> Result<Revoked, StoreFault> {
        let dropped = match revoke.target {
            RevocationTarget::Family(_) => self.sabotage == Sabotage::RevocationDropped,
            RevocationTarget::Grant(_) => self.sabotage == Sabotage::ConsentKept,
            _ => false,
        };
        if dropped {
            return Ok(Revoked::Done(Vec::new()));
        }
        self.inner.revoke(revoke).await
    }

    async fn revocations_since(
        &self,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<RevocationEntry>, StoreFault> {
        let mut entries = self.inner.revocations_since(seq, limit).await?;
        if self.sabotage == Sabotage::RevocationNotTold {
            let nobody = || RevocationTarget::SigningKey("nobody".to_owned());
            for entry in &mut entries {
                entry.target = nobody();
            }
        }
        Ok(entries)
    }

    async fn listed_tokens(
        &self,
        tenant: &TenantId,
        list: &StatusListId,
        now: Timestamp,
    ) -> Result<Vec<(u32, TokenNames)>, StoreFault> {
        self.inner.listed_tokens(tenant, list, now).await
    }
}

#[async_trait]
impl GrantStore for Broken {
    async fn load_grant(
        &self,
        tenant: &TenantId,
        sub: &Subject,
        client: &ClientId,
    ) -> Result<Option<StoredGrant>, StoreFault> {
        let mut loaded = self.inner.load_grant(tenant, sub, client).await?;
        if let Some(grant) = loaded.as_mut().filter(|_| self.sabotage == Sabotage::ConsentGrows) {
            grant.scope = grant.scope.union(&ScopeSet::parse("api:write").unwrap_or_default());
        }
        Ok(loaded)
    }

    async fn list_grants(
        &self,
        tenant: &TenantId,
        filter: GrantFilter,
        page: Page,
    ) -> Result<Listed<StoredGrant>, StoreFault> {
        self.inner.list_grants(tenant, filter, page).await
    }
}

#[async_trait]
impl SessionStore for Broken {
    async fn sign_in(&self, sign_in: SignIn) -> Result<SignedIn, StoreFault> {
        self.inner.sign_in(sign_in).await
    }

    async fn load_session(
        &self,
        tenant: &TenantId,
        cookie: SessionHash,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreFault> {
        self.inner.load_session(tenant, cookie, now).await
    }

    async fn end_session(&self, mut end: EndSession) -> Result<Vec<RevocationEntry>, StoreFault> {
        match self.sabotage {
            Sabotage::SignOutDropped => return Ok(Vec::new()),
            Sabotage::SignOutTakesAll => end.how = SessionEnd::Revoked,
            _ => {}
        }
        self.inner.end_session(end).await
    }

    async fn list_sessions(
        &self,
        tenant: &TenantId,
        sub: Option<&Subject>,
        now: Timestamp,
        page: Page,
    ) -> Result<Listed<Session>, StoreFault> {
        self.inner.list_sessions(tenant, sub, now, page).await
    }
}

#[async_trait]
impl UserStore for Broken {
    async fn create_user(&self, user: NewUser) -> Result<Create, StoreFault> {
        self.inner.create_user(user).await
    }

    async fn load_user(
        &self,
        tenant: &TenantId,
        sub: &Subject,
    ) -> Result<Option<User>, StoreFault> {
        self.inner.load_user(tenant, sub).await
    }

    async fn load_login(
        &self,
        tenant: &TenantId,
        username: &Username,
    ) -> Result<Option<Login>, StoreFault> {
        let mut loaded = self.inner.load_login(tenant, username).await?;
        if let Some(login) = loaded.as_mut().filter(|_| self.sabotage == Sabotage::OtherPassword) {
            login.password_hash = Some(cheap_hash(WRONG_PASSWORD));
        }
        Ok(loaded)
    }

    async fn update_user(&self, update: UpdateUser) -> Result<Update<User>, StoreFault> {
        self.inner.update_user(update).await
    }

    async fn set_password(&self, set: SetPassword) -> Result<Update<User>, StoreFault> {
        self.inner.set_password(set).await
    }

    async fn list_users(&self, tenant: &TenantId, page: Page) -> Result<Listed<User>, StoreFault> {
        self.inner.list_users(tenant, page).await
    }
}
