//! What an operator can do: one function for each act.
//!
//! Every act reads typed input, refuses what must not be stored, changes the store by one verb
//! together with its audit event, and returns when the nodes of this machine have seen it.

pub mod audit;
pub mod clients;
pub mod explain;
pub mod grants;
pub mod keys;
mod nodes;
pub mod resources;
pub mod revocations;
pub mod sessions;
pub mod tenants;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod users;

use std::sync::Arc;

use keywright_jose::is_strict_object;
use keywright_protocol::audit::{Actor, AuditEvent, EventType, Origin};
use keywright_protocol::client::metadata::MetadataError;
use keywright_protocol::id::TenantId;
use keywright_protocol::revocation::RevocationEntry;
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::RequestError;
use keywright_store::StoreFault;

use crate::app::App;
use crate::error::ServerFault;
use crate::tenants::TenantState;

/// Who acts, on which tenant, from where.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Who.
    pub actor: Actor,
    /// On which tenant, and from where.
    pub origin: Origin,
}

impl Operator {
    /// Somebody at the command line of this machine.
    pub const fn at_command_line(tenant: TenantId) -> Self {
        Self { actor: Actor::CommandLine, origin: Origin::local(tenant) }
    }

    /// The tenant that is administered.
    pub const fn tenant(&self) -> &TenantId {
        &self.origin.tenant
    }

    /// The tenant in memory, disabled or not.
    fn state(&self, app: &App) -> Result<Arc<TenantState>, OperationError> {
        app.any_tenant(self.tenant())
            .ok_or_else(|| OperationError::not_found("tenant", self.tenant().as_str()))
    }

    fn event(&self, event: EventType, now: Timestamp) -> AuditEvent {
        self.origin.event(event, self.actor.clone(), now)
    }

    /// When the last access token issued until now is dead.
    fn tokens_expire_at(&self, app: &App, now: Timestamp) -> Result<Timestamp, OperationError> {
        Ok(app.tokens_expire_at(&*self.state(app)?, now))
    }
}

/// Why an act was not carried out; nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The name is taken.
    #[error("the {what} {id} exists already")]
    Conflict {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        id: String,
    },
    /// Ours.
    #[error(transparent)]
    Fault(#[from] ServerFault),
    /// Something given must not be stored.
    #[error("{code}: {field} {reason}")]
    Invalid {
        /// The code of RFC 7591 §3.2.2 for a client's metadata, `invalid_request` otherwise.
        code: &'static str,
        /// The member.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such thing.
    #[error("there is no {what} {id}")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        id: String,
    },
}

impl OperationError {
    /// A member that must not be stored as it is.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { code: "invalid_request", field: field.into(), reason: reason.into() }
    }

    fn not_found(what: &'static str, id: &str) -> Self {
        Self::NotFound { what, id: id.to_owned() }
    }

    fn conflict(what: &'static str, id: &str) -> Self {
        Self::Conflict { what, id: id.to_owned() }
    }
}

impl From<MetadataError> for OperationError {
    fn from(error: MetadataError) -> Self {
        let MetadataError { code, field, reason } = error;
        Self::Invalid { code, field, reason }
    }
}

impl From<StoreFault> for OperationError {
    fn from(fault: StoreFault) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<RequestError> for OperationError {
    fn from(error: RequestError) -> Self {
        let (field, reason) = match error {
            RequestError::Malformed(field) => (field, "is malformed"),
            RequestError::Missing(field) => (field, "is missing"),
            RequestError::Repeated(field) => (field, "is there more than once"),
            RequestError::TooLarge(field) => (field, "is too large"),
            RequestError::Unsupported(field) => (field, "is not supported"),
        };
        Self::invalid(field, reason)
    }
}

/// Reads JSON into a type that knows its members; the refusal names the member where it can.
pub fn parse_json<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, OperationError> {
    let read = serde_json::from_slice(json).map_err(|error| invalid_json(&error))?;
    if !is_strict_object(json) {
        let why = "must be an object in which no member is named twice";
        return Err(OperationError::invalid("document", why));
    }
    Ok(read)
}

/// What serde says of a value may quote it, and the value may be a password in the wrong place: the
/// member and the place are named, never what stood there.
fn invalid_json(error: &serde_json::Error) -> OperationError {
    let message = error.to_string();
    // serde names the member between backticks, and only in these two.
    let unknown = message.starts_with("unknown field");
    let names = unknown || message.starts_with("missing field");
    let field = message.split('`').nth(1).filter(|_| names).unwrap_or("document").to_owned();
    let what = match error.classify() {
        _ if unknown => "is not a member here",
        _ if names => "is missing",
        serde_json::error::Category::Data => "has a value of the wrong type",
        _ => "is not JSON",
    };
    let (line, column) = (error.line(), error.column());
    OperationError::invalid(field, format!("{what} (line {line}, column {column})"))
}

/// One item of an import that was refused.
#[derive(Debug)]
pub struct RefusedItem {
    /// Its place, from 1: the entry of the array, or the line.
    pub place: usize,
    /// Why.
    pub error: OperationError,
}

/// How an import ended. Where anything is refused, nothing was changed, unless somebody else
/// took a name in between: then `created` says how far it came.
#[derive(Debug)]
pub struct Import<T> {
    /// What there is now.
    pub created: Vec<T>,
    /// What stood in the way.
    pub refused: Vec<RefusedItem>,
}

/// After a commit: this process and the nodes of this machine learn of it.
///
/// The change is durable, so nothing that fails here may look as if it were not: every node
/// follows the logs by itself, a little later.
async fn settle(app: &App, revoked: &[RevocationEntry]) {
    app.learn(revoked);
    nodes::follow(app).await;
    nodes::wait_for_nodes(app).await;
    let mut again = false;
    for entry in revoked {
        again |= revocations::repeat_if_time_passed(app, entry).await;
    }
    if again {
        nodes::wait_for_nodes(app).await;
    }
}
