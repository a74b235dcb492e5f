//! Browser sessions.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::{SessionId, Subject, TenantId};
use keywright_protocol::revocation::RevocationEntry;
use keywright_protocol::session::Session;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::SessionHash;

use crate::{Listed, Page, StoreFault};

/// The verbs of sessions.
#[async_trait]
pub trait SessionStore {
    /// Starts a session, or renews the browser's own: the cookie always changes.
    async fn sign_in(&self, sign_in: SignIn) -> Result<SignedIn, StoreFault>;

    /// The live session of a cookie: not expired, its user enabled and not revoked since.
    async fn load_session(
        &self,
        tenant: &TenantId,
        cookie: SessionHash,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreFault>;

    /// Ends a session; what is revoked with it is in the answer.
    async fn end_session(&self, end: EndSession) -> Result<Vec<RevocationEntry>, StoreFault>;

    /// Live sessions, of one user or of all, by identifier.
    async fn list_sessions(
        &self,
        tenant: &TenantId,
        sub: Option<&Subject>,
        now: Timestamp,
        page: Page,
    ) -> Result<Listed<Session>, StoreFault>;
}

/// A successful sign-in.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Whose.
    pub tenant: TenantId,
    /// The hash of the new cookie.
    pub cookie: SessionHash,
    /// The session, should it be a new one.
    pub session: Session,
    /// The browser's cookie until now. A session of the same user goes on under its identifier with
    /// the new cookie and authentication; one of another user ends as by logout.
    pub previous: Option<SessionHash>,
    /// When the last access token of an ended session is dead anyway.
    pub tokens_expire_at: Timestamp,
    /// Events, and the moment. The store sets their `session_id` to the one that goes on.
    pub record: Record,
}

/// How a sign-in ends.
#[derive(Debug)]
#[must_use = "only `Committed` may set a cookie"]
pub enum SignedIn {
    /// Durable.
    Committed {
        /// The session as it is now.
        session: Session,
        /// What ended with another user's session.
        revoked: Vec<RevocationEntry>,
    },
    /// The user was disabled or deleted meanwhile.
    SubjectGone,
}

/// A session to end.
#[derive(Clone, Debug)]
pub struct EndSession {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub session: SessionId,
    /// How.
    pub how: SessionEnd,
    /// When the last access token of it is dead anyway.
    pub tokens_expire_at: Timestamp,
    /// Events, and the moment.
    pub record: Record,
}

/// How a session ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionEnd {
    /// The person signed out: the session and the families that do not outlive it.
    Logout,
    /// It was taken away: its offline families, and the grants given in it, too.
    Revoked,
}
