//! The store as a node sees it: every verb gives way to the other tasks before and after it, and
//! may fail at either moment. A node that crashes while it waits there crashes between mint and
//! commit, or between commit and answer.

use std::sync::Arc;

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::client::Client;
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::grant::authorization_code::StoredCode;
use keywright_protocol::grant::refresh_token::StoredFamily;
use keywright_protocol::id::{ClientId, FamilyId, RequestId, StatusListId, Subject, TenantId};
use keywright_protocol::resource::{ProtectedResource, ResourceIndicator};
use keywright_protocol::revocation::RevocationEntry;
use keywright_protocol::session::Session;
use keywright_protocol::status_list::TokenNames;
use keywright_protocol::tenant::Tenant;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::{CodeHash, SessionHash};
use keywright_protocol::user::{User, Username};
use keywright_store::audit::{AuditStore, Recorded, RefusedRequest, StoredEvent};
use keywright_store::change::{ChangeEntry, ChangeStore, LogHeads, NodeReport};
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
use keywright_store::session::{EndSession, SessionStore, SignIn, SignedIn};
use keywright_store::tenant::{TenantStore, UpdateTenant};
use keywright_store::throttle::ThrottleStore;
use keywright_store::user::{Login, NewUser, SetPassword, UpdateUser, UserStore};
use keywright_store::{Listed, Page, SharedStore, StoreFault};

use crate::executor::give_way;
use crate::fault::Faults;

/// See the module.
pub(crate) struct NodeStore {
    pub(crate) inner: SharedStore,
    pub(crate) faults: Arc<Faults>,
}

/// Every verb of a group in the same way.
macro_rules! verbs {
    ($group:ident { $(fn $verb:ident($($name:ident: $of:ty),*) -> $outcome:ty;)* }) => {
        #[async_trait]
        impl $group for NodeStore {
            $(
                async fn $verb(&self, $($name: $of),*) -> Result<$outcome, StoreFault> {
                    give_way().await;
                    let verb = self.faults.begin()?;
                    let outcome = self.inner.$verb($($name),*).await?;
                    give_way().await;
                    self.faults.end(verb)?;
                    Ok(outcome)
                }
            )*
        }
    };
}

verbs!(AuditStore {
    fn record(record: Record) -> Recorded;
    fn audit_since(tenant: &TenantId, seq: u64, limit: u32) -> Vec<StoredEvent>;
    fn audit_head(tenant: &TenantId) -> u64;
    fn audit_of_request(request: &RequestId) -> Vec<StoredEvent>;
    fn keep_refusals(refusals: Vec<RefusedRequest>) -> ();
    fn load_refusal(id: &RequestId) -> Option<RefusedRequest>;
});

verbs!(ChangeStore {
    fn changes_since(seq: u64, limit: u32) -> Vec<ChangeEntry>;
    fn log_heads() -> LogHeads;
    fn report_node(node: NodeReport) -> ();
    fn remove_node(node: &str) -> ();
    fn list_nodes(since: Timestamp) -> Vec<NodeReport>;
});

verbs!(ClientStore {
    fn create_client(client: Client, record: Record) -> Create;
    fn load_client(tenant: &TenantId, id: &ClientId) -> Option<Client>;
    fn update_client(update: UpdateClient) -> Update<Client>;
    fn delete_client(delete: DeleteClient) -> Update<()>;
    fn list_clients(tenant: &TenantId, page: Page) -> Listed<Client>;
    fn all_clients() -> Vec<Client>;
});

verbs!(CodeStore {
    fn issue_code(issue: IssueCode) -> Issue;
    fn load_code(tenant: &TenantId, code: CodeHash) -> Option<StoredCode>;
    fn redeem_code(redeem: RedeemCode) -> Redeem;
    fn fail_code(tenant: &TenantId, code: CodeHash, record: Record) -> ();
    fn revoke_replayed_code(replayed: ReplayedCode) -> Vec<RevocationEntry>;
});

verbs!(CopyStore {
    fn snapshot() -> Box<dyn Snapshot>;
    fn is_empty() -> bool;
    fn unfinished_copy() -> Option<String>;
    fn begin_copy(source: &str) -> ();
    fn copied_until(table: Table) -> Progress;
    fn clear_table(table: Table) -> ();
    fn put_rows(table: Table, page: Rows) -> ();
    fn end_copy() -> ();
});

verbs!(EpochStore {
    fn load_epoch() -> Epoch;
    fn raise_epoch(raise: RaiseEpoch) -> Epoch;
});

verbs!(GrantStore {
    fn load_grant(tenant: &TenantId, sub: &Subject, client: &ClientId) -> Option<StoredGrant>;
    fn list_grants(tenant: &TenantId, filter: GrantFilter, page: Page) -> Listed<StoredGrant>;
});

verbs!(KeyStore {
    fn create_key(key: StoredKey, record: Record) -> Create;
    fn update_keys(tenant: &TenantId, changes: Vec<KeyChange>, record: Record) -> Update<()>;
    fn list_keys(tenant: &TenantId) -> Vec<StoredKey>;
    fn keep_secret(name: &str, sealed: Vec<u8>) -> Vec<u8>;
    fn load_secret(name: &str) -> Option<Vec<u8>>;
});

verbs!(RefreshStore {
    fn load_family(tenant: &TenantId, family: &FamilyId) -> Option<StoredFamily>;
    fn rotate(rotation: Rotation) -> Rotate;
});

verbs!(ResourceStore {
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

verbs!(RevocationStore {
    fn revoke(revoke: Revoke) -> Revoked;
    fn revocations_since(seq: u64, limit: u32) -> Vec<RevocationEntry>;
    fn listed_tokens(
        tenant: &TenantId, list: &StatusListId, now: Timestamp
    ) -> Vec<(u32, TokenNames)>;
});

verbs!(SessionStore {
    fn sign_in(sign_in: SignIn) -> SignedIn;
    fn load_session(tenant: &TenantId, cookie: SessionHash, now: Timestamp) -> Option<Session>;
    fn end_session(end: EndSession) -> Vec<RevocationEntry>;
    fn list_sessions(
        tenant: &TenantId, sub: Option<&Subject>, now: Timestamp, page: Page
    ) -> Listed<Session>;
});

verbs!(TenantStore {
    fn create_tenant(tenant: Tenant, record: Record) -> Create;
    fn update_tenant(update: UpdateTenant) -> Update<Tenant>;
    fn list_tenants() -> Vec<Tenant>;
});

verbs!(UserStore {
    fn create_user(user: NewUser) -> Create;
    fn load_user(tenant: &TenantId, sub: &Subject) -> Option<User>;
    fn load_login(tenant: &TenantId, username: &Username) -> Option<Login>;
    fn update_user(update: UpdateUser) -> Update<User>;
    fn set_password(set: SetPassword) -> Update<User>;
    fn list_users(tenant: &TenantId, page: Page) -> Listed<User>;
});

/// Each node counts for itself.
impl ThrottleStore for NodeStore {}

/// As the others; closing gives no answer that could be lost.
#[async_trait]
impl JobStore for NodeStore {
    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreFault> {
        give_way().await;
        let verb = self.faults.begin()?;
        let swept = self.inner.sweep(now).await?;
        self.faults.end(verb)?;
        Ok(swept)
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
