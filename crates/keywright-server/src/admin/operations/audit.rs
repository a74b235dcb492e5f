//! The audit log: reading it, and proving that nobody edited it.

use keywright_protocol::limits::PAGE_ROWS_MAX;
use keywright_store::Listed;
pub use keywright_store::audit::Verification;
use keywright_store::audit::{StoredEvent, verify_chain};
use keywright_store::epoch::SEQUENCE_GAP;

use super::revocations::rows;
use super::{OperationError, Operator};
use crate::app::App;

/// Events that one filtered page looks through: the rest is the next page's.
const SCANNED_MAX: usize = 10_000;

/// Which events; every member that is said must fit.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// `noun.verb`, or the noun alone.
    pub event_type: Option<String>,
    /// Of this client.
    pub client_id: Option<String>,
    /// Of this user's subject identifier.
    pub subject: Option<String>,
    /// Of this session.
    pub session_id: Option<String>,
    /// Of this grant.
    pub grant_id: Option<String>,
    /// Of this refresh family.
    pub family_id: Option<String>,
    /// Of this token.
    pub jti: Option<String>,
    /// Of this request.
    pub request_id: Option<String>,
}

/// A part of the log after a place, in order; the next `after` is a place too. A filtered part may
/// be empty and still have a next one.
pub async fn list(
    app: &App,
    operator: &Operator,
    filter: &AuditFilter,
    after: u64,
    limit: u32,
) -> Result<Listed<StoredEvent>, OperationError> {
    operator.state(app)?;
    let rows = rows(limit);
    let (mut at, mut items, mut scanned) = (after, Vec::new(), 0);
    while scanned < SCANNED_MAX {
        let part = app.store.audit_since(operator.tenant(), at, PAGE_ROWS_MAX).await?;
        let ended = part.len() < PAGE_ROWS_MAX as usize;
        scanned += part.len();
        for event in part {
            if items.len() == rows {
                return Ok(Listed { items, next: Some(at.to_string()) });
            }
            at = event.seq;
            if filter.fits(&event) {
                items.push(event);
            }
        }
        if ended {
            return Ok(Listed { items, next: None });
        }
    }
    Ok(Listed { items, next: Some(at.to_string()) })
}

/// The latest events, in order.
pub async fn tail(
    app: &App,
    operator: &Operator,
    count: u32,
) -> Result<Vec<StoredEvent>, OperationError> {
    operator.state(app)?;
    let head = app.store.audit_head(operator.tenant()).await?;
    let after = head.saturating_sub(u64::from(count));
    let mut latest = app.store.audit_since(operator.tenant(), after, count).await?;
    // An epoch begins far beyond the event before it.
    while let Some(first) = latest.first()
        && let Some(before) = first.seq.checked_sub(SEQUENCE_GAP)
        && let Some(missing) = u64::from(count).checked_sub(latest.len() as u64)
        && missing > 0
    {
        let after = before.saturating_sub(missing);
        let mut older = app.store.audit_since(operator.tenant(), after, count).await?;
        older.retain(|event| event.seq <= before);
        if older.is_empty() {
            break;
        }
        older.append(&mut latest);
        latest = older;
    }
    Ok(latest)
}

impl AuditFilter {
    fn is_open(&self) -> bool {
        self.wants().iter().all(|(wanted, _)| wanted.is_none()) && self.event_type.is_none()
    }

    fn fits(&self, stored: &StoredEvent) -> bool {
        if self.is_open() {
            return true;
        }
        let Ok(event) = serde_json::from_str::<serde_json::Value>(&stored.body) else {
            return false;
        };
        let told = |name: &str| event.get(name).and_then(serde_json::Value::as_str);
        let of_type = self.event_type.as_ref().is_none_or(|wanted| {
            let kind = told("type").unwrap_or_default();
            kind == wanted || kind.split('.').next() == Some(wanted)
        });
        let fits = |(wanted, name): &(Option<&String>, &str)| {
            wanted.is_none_or(|wanted| told(name) == Some(wanted))
        };
        of_type && self.wants().iter().all(fits)
    }

    fn wants(&self) -> [(Option<&String>, &'static str); 7] {
        [
            (self.client_id.as_ref(), "client_id"),
            (self.subject.as_ref(), "subject"),
            (self.session_id.as_ref(), "session_id"),
            (self.grant_id.as_ref(), "grant_id"),
            (self.family_id.as_ref(), "family_id"),
            (self.jti.as_ref(), "jti"),
            (self.request_id.as_ref(), "request_id"),
        ]
    }
}

/// Recomputes the tenant's hash chain from its first event.
pub async fn verify(app: &App, operator: &Operator) -> Result<Verification, OperationError> {
    operator.state(app)?;
    Ok(verify_chain(&app.store, operator.tenant()).await?)
}
