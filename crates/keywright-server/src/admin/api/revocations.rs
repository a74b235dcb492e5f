//! `/revocations`: the revocation log.

use serde::Deserialize;

use super::call::{Call, list};
use super::operation::{Answer, Operation, PAGE, Reply, RequestBody};
use super::problem::Problem;
use crate::admin::document;
use crate::admin::operations::revocations::{self, parse_target};

const ALL: &str = "/revocations";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get(
        ALL,
        "listRevocations",
        "The revocation log, in order; `after` is a place in it.",
        Answer::List("Revocation"),
        |call| Box::pin(list_revocations(call)),
    )
    .asking(&PAGE),
    Operation::post(
        ALL,
        "revoke",
        "Revokes a token, family, grant, session, client, user, signing key or the whole tenant; \
         the answer is what the log gained.",
        Answer::List("Revocation"),
        |call| Box::pin(revoke(call)),
    )
    .taking(RequestBody::Required("RevocationTarget")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    kind: String,
    #[serde(default)]
    id: Option<String>,
}

async fn list_revocations(call: &Call) -> Result<Reply, Problem> {
    let (after, limit) = (call.place()?, call.limit()?);
    let part = revocations::list(call.app(), &call.operator, after, limit).await?;
    Ok(list(&part, document::revocation))
}

async fn revoke(call: &Call) -> Result<Reply, Problem> {
    let Target { kind, id } = call.parse()?;
    let target = parse_target(&kind, id.as_deref())?;
    let entries = revocations::revoke(call.app(), &call.operator, target).await?;
    Ok(Reply::Item(document::revoked(&entries)))
}
