//! Audit events, and what must be used only once: both are rows of the transaction they concern.

use std::sync::Arc;

use keywright_jose::sha256;
use serde::{Deserialize, Serialize};

use crate::id::{ClientId, FamilyId, GrantId, Jti, RequestId, SessionId, Subject, TenantId};
use crate::limits::{ASSERTION_LIFETIME_MAX, CLOCK_SKEW_MAX};
use crate::status_list::ListedToken;
use crate::time::Timestamp;

macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What happened: `noun.verb`.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
        pub enum EventType {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl EventType {
            /// The name in the log.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

event_types! {
    /// A person declined.
    ConsentDenied = "consent.denied";
    /// A client was registered.
    ClientCreated = "client.created";
    /// A client was deleted.
    ClientDeleted = "client.deleted";
    /// A client's secret was rotated.
    ClientSecretRotated = "client.secret_rotated";
    /// A client was changed, disabled or enabled.
    ClientUpdated = "client.updated";
    /// A code was issued, with the consent behind it.
    CodeIssued = "code.issued";
    /// A used code was presented again; what came of it is revoked.
    CodeReplayed = "code.replayed";
    /// The store went back in time; what it cannot know any more is dead.
    EpochRaised = "epoch.raised";
    /// A key was made.
    KeyCreated = "key.created";
    /// A key was withdrawn; its tokens are dead.
    KeyRevoked = "key.revoked";
    /// A key became the signing key.
    KeyRotated = "key.rotated";
    /// A sign-in failed.
    LoginFailed = "login.failed";
    /// A person signed in.
    LoginSucceeded = "login.succeeded";
    /// A refresh token that is newer than the restored row was accepted, once.
    RefreshAdopted = "refresh.adopted";
    /// A used refresh token was presented again; the family is revoked.
    RefreshReuseDetected = "refresh.reuse_detected";
    /// The answer to a refresh was lost and asked for again.
    RefreshRetried = "refresh.retried";
    /// A resource was registered.
    ResourceCreated = "resource.created";
    /// A resource was deleted.
    ResourceDeleted = "resource.deleted";
    /// A resource was changed.
    ResourceUpdated = "resource.updated";
    /// A session ended.
    SessionEnded = "session.ended";
    /// A tenant was created.
    TenantCreated = "tenant.created";
    /// A tenant was changed.
    TenantUpdated = "tenant.updated";
    /// A token was issued.
    TokenIssued = "token.issued";
    /// Tokens were revoked.
    TokenRevoked = "token.revoked";
    /// A user was created.
    UserCreated = "user.created";
    /// A user was changed, disabled or enabled.
    UserUpdated = "user.updated";
}

/// Whether it succeeded.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Refused.
    Failure,
    /// Done.
    Success,
}

/// Who did it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Actor {
    /// Somebody at the command line of this machine.
    CommandLine,
    /// A client.
    Client(ClientId),
    /// The server itself.
    Server,
    /// A user.
    User(Subject),
    /// Somebody who has not proven who they are.
    Anonymous,
}

/// An event before the store gives it its place in the chain. No field can hold a secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AuditEvent {
    /// When.
    pub time: Timestamp,
    /// Whose log.
    pub tenant: TenantId,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Whether it succeeded.
    pub outcome: Outcome,
    /// Who did it.
    pub actor: Actor,
    /// The client concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The user concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The session concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The grant concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<GrantId>,
    /// The refresh family concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_id: Option<FamilyId>,
    /// The token concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<Jti>,
    /// The address that asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<Arc<str>>,
    /// The program that asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Arc<str>>,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Why, or what exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The entry of the issued token in a status list, stored wherever the event is.
    #[serde(skip)]
    pub listed: Option<Box<ListedToken>>,
}

/// Where a request comes from; every event of it says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// Whose log.
    pub tenant: TenantId,
    /// The request.
    pub request_id: Option<RequestId>,
    /// The address.
    pub ip: Option<Arc<str>>,
    /// The program.
    pub user_agent: Option<Arc<str>>,
}

impl Origin {
    /// What a person does at the command line, or the server by itself.
    pub const fn local(tenant: TenantId) -> Self {
        Self { tenant, request_id: None, ip: None, user_agent: None }
    }

    /// An event of this request.
    pub fn event(&self, event_type: EventType, actor: Actor, now: Timestamp) -> AuditEvent {
        AuditEvent {
            time: now,
            tenant: self.tenant.clone(),
            event_type,
            outcome: Outcome::Success,
            actor,
            client_id: None,
            subject: None,
            session_id: None,
            grant_id: None,
            family_id: None,
            jti: None,
            ip: self.ip.clone(),
            user_agent: self.user_agent.clone(),
            request_id: self.request_id.clone(),
            reason: None,
            listed: None,
        }
    }
}

impl AuditEvent {
    /// The event with a reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The event as a refusal.
    #[must_use]
    pub const fn failed(mut self) -> Self {
        self.outcome = Outcome::Failure;
        self
    }

    /// The event with the client concerned.
    #[must_use]
    pub fn client(mut self, client: &ClientId) -> Self {
        self.client_id = Some(client.clone());
        self
    }

    /// The event with the user concerned.
    #[must_use]
    pub fn subject(mut self, subject: &Subject) -> Self {
        self.subject = Some(subject.clone());
        self
    }
}

/// Something that may be used once: kept under a unique key until it would be refused anyway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OneTime {
    /// SHA-256 over what makes it unique.
    pub key: [u8; 32],
    /// When it may be forgotten.
    pub expires_at: Timestamp,
    /// When it can have been used first: a store that went back in time since cannot know.
    pub usable_from: Timestamp,
}

impl OneTime {
    /// A one-time thing of a kind, unique by its parts. Unless more is said, it may be as old as
    /// any that ends then.
    pub fn new(kind: &str, parts: &[&str], expires_at: Timestamp) -> Self {
        let mut bytes = Vec::new();
        for part in std::iter::once(&kind).chain(parts) {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        let usable_from = expires_at.minus(ASSERTION_LIFETIME_MAX).minus(CLOCK_SKEW_MAX);
        Self { key: sha256(&bytes), expires_at, usable_from }
    }

    /// The same, made at a moment by a clock that may be a little ahead of ours.
    #[must_use]
    pub fn made_at(mut self, moment: Timestamp) -> Self {
        self.usable_from = moment.minus(CLOCK_SKEW_MAX);
        self
    }
}

/// What every commit carries beside its own change.
#[derive(Clone, Debug)]
pub struct Record {
    /// The moment of the decision.
    pub now: Timestamp,
    /// What the audit log gains, in the same transaction.
    pub events: Vec<AuditEvent>,
    /// What must not have been used before.
    pub once: Option<OneTime>,
}

impl Record {
    /// A record of one event.
    pub fn of(event: AuditEvent) -> Self {
        Self { now: event.time, events: vec![event], once: None }
    }

    /// The record with what must be used once.
    #[must_use]
    pub fn once(mut self, once: Option<&OneTime>) -> Self {
        self.once = once.cloned();
        self
    }
}
