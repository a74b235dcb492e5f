//! Authorization codes.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::grant::authorization_code::StoredCode;
use keywright_protocol::id::{Jti, TenantId};
use keywright_protocol::revocation::RevocationEntry;
use keywright_protocol::scope::ScopeSet;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::CodeHash;
use keywright_protocol::wire::response::Receipt;

use crate::StoreFault;
use crate::refresh::NewFamily;

/// The verbs of authorization codes.
#[async_trait]
pub trait CodeStore {
    /// Stores consent and code together.
    async fn issue_code(&self, issue: IssueCode) -> Result<Issue, StoreFault>;

    /// The snapshot of a code, whatever became of it, as long as it is remembered.
    async fn load_code(
        &self,
        tenant: &TenantId,
        code: CodeHash,
    ) -> Result<Option<StoredCode>, StoreFault>;

    /// Spends a code: one caller wins, however many try.
    async fn redeem_code(&self, redeem: RedeemCode) -> Result<Redeem, StoreFault>;

    /// Counts a failed redemption; the `CODE_FAILURES_MAX`th burns the code.
    async fn fail_code(
        &self,
        tenant: &TenantId,
        code: CodeHash,
        record: Record,
    ) -> Result<(), StoreFault>;

    /// Revokes what came of a code that was presented again.
    async fn revoke_replayed_code(
        &self,
        replayed: ReplayedCode,
    ) -> Result<Vec<RevocationEntry>, StoreFault>;
}

/// A code to issue, and the consent behind it.
#[derive(Clone, Debug)]
pub struct IssueCode {
    /// Whose.
    pub tenant: TenantId,
    /// What the store knows the code by.
    pub hash: CodeHash,
    /// The code; its `grant` is the one below.
    pub code: StoredCode,
    /// What the user had granted to the client when this was judged; the commit compares it.
    pub granted_before: Option<ScopeSet>,
    /// The whole consent of this user to this client as it shall be.
    pub grant: StoredGrant,
    /// Events, and the moment.
    pub record: Record,
}

/// How issuing a code ends.
#[derive(Debug)]
#[must_use = "only `Committed` may leave the process as an authorization response"]
pub enum Issue {
    /// Durable.
    Committed(Receipt),
    /// Another consent of the same user to the same client came between: load and decide again.
    LostRace,
    /// Session, user, client or tenant are no longer live.
    SubjectGone,
}

/// A code to spend: the facts of the decision, repeated by the commit.
#[derive(Clone, Debug)]
pub struct RedeemCode {
    /// Whose.
    pub tenant: TenantId,
    /// What the store knows the code by.
    pub hash: CodeHash,
    /// The snapshot that was judged.
    pub code: StoredCode,
    /// The access token minted for it.
    pub jti: Jti,
    /// The refresh family that begins with it.
    pub family: Option<NewFamily>,
    /// Events, the assertion that must be unused, and the moment.
    pub record: Record,
}

/// How spending a code ends.
#[derive(Debug)]
#[must_use = "only `Committed` may leave the process as a token response"]
pub enum Redeem {
    /// The client's assertion was used before.
    AssertionReplayed,
    /// Durable: this caller, and no other, has the code's tokens.
    Committed(Receipt),
    /// The code is no longer as it was judged: load and decide again.
    LostRace,
    /// Session, grant, user, client or tenant are no longer live.
    SubjectGone,
}

/// A code that was presented after it had been spent.
#[derive(Clone, Debug)]
pub struct ReplayedCode {
    /// Whose.
    pub tenant: TenantId,
    /// What the store knows the code by.
    pub hash: CodeHash,
    /// When the last access token that came of it is dead anyway.
    pub tokens_expire_at: Timestamp,
    /// Events, and the moment.
    pub record: Record,
}
