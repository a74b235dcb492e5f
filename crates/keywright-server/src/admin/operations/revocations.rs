//! The revocation log: taking back tokens, families, grants, sessions, clients, users and keys.

use keywright_protocol::audit::{AuditEvent, EventType, Record};
use keywright_protocol::id::{ClientId, FamilyId, GrantId, Jti, SessionId, Subject};
use keywright_protocol::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_store::Listed;
use keywright_store::revocation::{Revoke, Revoked};

use super::{OperationError, Operator, keys, settle};
use crate::app::App;
use crate::error::ServerFault;

/// Identifiers of what can be revoked, bytes: this server's own are far shorter.
const ID_BYTES_MAX: usize = 255;
/// Entries of other tenants that one page looks through.
const SCANNED_MAX: usize = 10_000;

/// Names a target by its kind, as the log does, and its identifier.
pub fn parse_target(kind: &str, id: Option<&str>) -> Result<RevocationTarget, OperationError> {
    if kind == "tenant" {
        let refuse = |_| Err(OperationError::invalid("id", "does not belong to a tenant"));
        return id.map_or(Ok(RevocationTarget::Tenant), refuse);
    }
    let id = id
        .filter(|id| !id.is_empty())
        .ok_or_else(|| OperationError::invalid("id", "is missing"))?;
    Ok(match kind {
        "client" => RevocationTarget::Client(ClientId::parse(id)?),
        "family" => RevocationTarget::Family(FamilyId::from_trusted(id)),
        "grant" => RevocationTarget::Grant(GrantId::from_trusted(id)),
        "session" => RevocationTarget::Session(SessionId::from_trusted(id)),
        "signing_key" => RevocationTarget::SigningKey(id.to_owned()),
        "token" => RevocationTarget::Token(Jti::from_trusted(id)),
        "user" => RevocationTarget::User(Subject::from_trusted(id)),
        _ => return Err(OperationError::invalid("kind", "is not something that can be revoked")),
    })
}

/// Revokes a target and all that hangs on it; the answer is what the log gained.
pub async fn revoke(
    app: &App,
    operator: &Operator,
    target: RevocationTarget,
) -> Result<Vec<RevocationEntry>, OperationError> {
    let id = target.identifier().to_owned();
    if id.len() > ID_BYTES_MAX {
        return Err(OperationError::invalid("id", "is too long"));
    }
    if matches!(target, RevocationTarget::SigningKey(_)) {
        return keys::revoke(app, operator, &id).await;
    }
    let entries = commit(app, operator, target).await?;
    settle(app, &entries).await;
    Ok(entries)
}

/// A part of the log after a place, in order; the next `after` is a place too.
pub async fn list(
    app: &App,
    operator: &Operator,
    after: u64,
    limit: u32,
) -> Result<Listed<RevocationEntry>, OperationError> {
    operator.state(app)?;
    let rows = rows(limit);
    let (mut at, mut items, mut scanned) = (after, Vec::new(), 0);
    while scanned < SCANNED_MAX {
        let part = app.store.revocations_since(at, PAGE_ROWS_MAX).await?;
        let ended = part.len() < PAGE_ROWS_MAX as usize;
        scanned += part.len();
        for entry in part {
            if items.len() == rows {
                return Ok(Listed { items, next: Some(at.to_string()) });
            }
            at = entry.seq;
            if entry.tenant == *operator.tenant() {
                items.push(entry);
            }
        }
        if ended {
            return Ok(Listed { items, next: None });
        }
    }
    Ok(Listed { items, next: Some(at.to_string()) })
}

/// The rows of a page; 0 is the default.
pub(super) fn rows(limit: u32) -> usize {
    let rows = if limit == 0 { PAGE_ROWS_DEFAULT } else { limit };
    rows.min(PAGE_ROWS_MAX) as usize
}

/// Writes the revocation; nobody else knows of it yet.
pub(super) async fn commit(
    app: &App,
    operator: &Operator,
    target: RevocationTarget,
) -> Result<Vec<RevocationEntry>, OperationError> {
    let now = app.now();
    let (kind, id) = (target.kind().name(), target.identifier().to_owned());
    let record = Record::of(describe(operator.event(event_type(&target), now), &target));
    let revoke = Revoke {
        tenant: operator.tenant().clone(),
        target,
        tokens_expire_at: operator.tokens_expire_at(app, now)?,
        record,
    };
    match app.store.revoke(revoke).await? {
        Revoked::Done(entries) => Ok(entries),
        Revoked::Missing => Err(OperationError::not_found(kind, &id)),
        Revoked::AssertionReplayed => {
            let what = "a revocation without an assertion was taken for a replay";
            Err(ServerFault::Internal(what.to_owned()).into())
        }
    }
}

/// Takes also what nodes gave a client until they heard of it: no row of the store said that they
/// may not. Only what carries a later second than the entry is left. Answers whether it was needed.
pub(super) async fn repeat_if_time_passed(app: &App, entry: &RevocationEntry) -> bool {
    let of_clients = matches!(entry.target, RevocationTarget::Client(_) | RevocationTarget::Tenant);
    let (Some(tenant), now) = (app.any_tenant(&entry.tenant), app.now()) else { return false };
    if !of_clients || now.as_unix_s() <= entry.at.as_unix_s() {
        return false;
    }
    let revoke = Revoke {
        tenant: entry.tenant.clone(),
        target: entry.target.clone(),
        tokens_expire_at: app.tokens_expire_at(&tenant, now),
        record: Record { now, events: Vec::new(), once: None },
    };
    match app.store.revoke(revoke).await {
        Ok(Revoked::Done(entries)) => app.learn(&entries),
        // A tenant is never deleted, and a deleted client's entry is in the log.
        Ok(Revoked::Missing | Revoked::AssertionReplayed) => {}
        Err(fault) => tracing::warn!(error = %fault, "a revocation does not reach to its answer"),
    }
    true
}

const fn event_type(target: &RevocationTarget) -> EventType {
    match target {
        RevocationTarget::Session(_) => EventType::SessionEnded,
        RevocationTarget::SigningKey(_) => EventType::KeyRevoked,
        RevocationTarget::Client(_)
        | RevocationTarget::Family(_)
        | RevocationTarget::Grant(_)
        | RevocationTarget::Tenant
        | RevocationTarget::Token(_)
        | RevocationTarget::User(_) => EventType::TokenRevoked,
    }
}

fn describe(mut event: AuditEvent, target: &RevocationTarget) -> AuditEvent {
    let mut reason = format!("{} revoked by an operator", target.kind().name());
    match target {
        RevocationTarget::Client(id) => event.client_id = Some(id.clone()),
        RevocationTarget::Family(id) => event.family_id = Some(id.clone()),
        RevocationTarget::Grant(id) => event.grant_id = Some(id.clone()),
        RevocationTarget::Session(id) => event.session_id = Some(id.clone()),
        RevocationTarget::SigningKey(kid) => reason = format!("kid {kid}"),
        RevocationTarget::Tenant => {}
        RevocationTarget::Token(id) => event.jti = Some(id.clone()),
        RevocationTarget::User(id) => event.subject = Some(id.clone()),
    }
    event.because(reason)
}
