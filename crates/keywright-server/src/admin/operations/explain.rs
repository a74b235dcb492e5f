//! What became of one request: every check, and the one that failed.

use std::cmp::Ordering;

use keywright_protocol::id::RequestId;
use keywright_protocol::time::Timestamp;
use keywright_store::audit::{RefusedRequest, StoredEvent};
use serde::Serialize;

use super::{OperationError, Operator};
use crate::app::App;

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Explanation {
    /// It did something: the events of it, in order.
    Carried(Vec<StoredEvent>),
    /// It was refused.
    Refused(Refusal),
}

/// A refused request.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Its identifier.
    pub request_id: RequestId,
    /// When.
    pub time: Timestamp,
    /// Which endpoint.
    pub endpoint: String,
    /// Who it claimed to be.
    pub client_id: Option<String>,
    /// The checks in order.
    pub checks: Vec<(String, Mark)>,
    /// The full reason, for the operator.
    pub reason: String,
    /// What the peer was told.
    pub error: String,
    /// What it left in the audit log all the same.
    pub events: Vec<StoredEvent>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It refused the request.
    Failed,
    /// The request ended before.
    NotReached,
    /// It found nothing.
    Passed,
}

/// Explains a request by the identifier that its response carried. The default tenant's operators
/// may ask about any tenant's request; others about those of their own.
pub async fn explain(
    app: &App,
    operator: &Operator,
    request_id: &str,
) -> Result<Explanation, OperationError> {
    app.notebook.flush().await;
    let id = RequestId::from_trusted(request_id);
    let own = operator.tenant();
    let may_see = |tenant: &str| own.is_default() || own.as_str() == tenant;
    let events = app.store.audit_of_request(&id).await?;
    let events: Vec<_> = events.into_iter().filter(|e| may_see(&tenant_of(e))).collect();
    let refused = app.store.load_refusal(&id).await?;
    if let Some(refused) = refused.filter(|refused| may_see(refused.tenant.as_str())) {
        return Ok(Explanation::Refused(refusal(refused, events)));
    }
    if events.is_empty() {
        return Err(OperationError::not_found("request", request_id));
    }
    Ok(Explanation::Carried(events))
}

fn refusal(refused: RefusedRequest, events: Vec<StoredEvent>) -> Refusal {
    Refusal {
        checks: mark(refused.checks, &refused.failed),
        request_id: refused.request_id,
        time: refused.time,
        endpoint: refused.endpoint,
        client_id: refused.client_id,
        reason: refused.reason,
        error: refused.error,
        events,
    }
}

/// Those before the failed one passed. If it is not in the list, the endpoint makes other checks
/// than those listed, and nothing is known of these.
pub(super) fn mark(checks: Vec<String>, failed: &str) -> Vec<(String, Mark)> {
    let Some(at) = checks.iter().position(|check| check == failed) else {
        return vec![(failed.to_owned(), Mark::Failed)];
    };
    let mark = |place: usize| match place.cmp(&at) {
        Ordering::Less => Mark::Passed,
        Ordering::Equal => Mark::Failed,
        Ordering::Greater => Mark::NotReached,
    };
    checks.into_iter().enumerate().map(|(place, check)| (check, mark(place))).collect()
}

fn tenant_of(event: &StoredEvent) -> String {
    let body: serde_json::Value = serde_json::from_str(&event.body).unwrap_or_default();
    body.get("tenant").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_before_the_failed_one_passed() {
        let checks = || ["a", "b", "c"].map(str::to_owned).to_vec();
        let marks = |failed| mark(checks(), failed).into_iter().map(|(_, m)| m).collect::<Vec<_>>();
        assert_eq!(marks("b"), [Mark::Passed, Mark::Failed, Mark::NotReached]);
        assert_eq!(marks("d"), [Mark::Failed], "nothing is known of the others");
    }
}
