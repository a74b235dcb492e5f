//! `/audit-events`: the audit log, with the hashes that chain it.

use super::call::{Call, list};
use super::operation::{AFTER, Answer, LIMIT, Operation, Parameter, Reply, filter};
use super::problem::Problem;
use crate::admin::document;
use crate::admin::operations::audit::{self, AuditFilter};

const FILTERS: [Parameter; 10] = [
    LIMIT,
    AFTER,
    filter("type", "Of this type, `noun.verb`, or of every type with this noun."),
    filter("client_id", "Of this client."),
    filter("subject", "Of this user's subject identifier."),
    filter("session_id", "Of this session."),
    filter("grant_id", "Of this grant."),
    filter("family_id", "Of this refresh family."),
    filter("jti", "Of this token."),
    filter("request_id", "Of this request."),
];

pub(super) const OPERATIONS: &[Operation] = &[Operation::get(
    "/audit-events",
    "listAuditEvents",
    "The audit log, in order; `after` is a place in it. A filtered part may be empty and have a \
     next one.",
    Answer::List("AuditEvent"),
    |call| Box::pin(list_events(call)),
)
.asking(&FILTERS)];

async fn list_events(call: &Call) -> Result<Reply, Problem> {
    let text = |name| call.text(name).map(str::to_owned);
    let filter = AuditFilter {
        event_type: text("type"),
        client_id: text("client_id"),
        subject: text("subject"),
        session_id: text("session_id"),
        grant_id: text("grant_id"),
        family_id: text("family_id"),
        jti: text("jti"),
        request_id: text("request_id"),
    };
    let (after, limit) = (call.place()?, call.limit()?);
    let part = audit::list(call.app(), &call.operator, &filter, after, limit).await?;
    Ok(list(&part, document::audit_event))
}
