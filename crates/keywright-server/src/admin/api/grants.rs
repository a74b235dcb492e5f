//! `/grants`: what people granted to clients.

use super::call::{Call, list};
use super::operation::{AFTER, Answer, LIMIT, Operation, Reply, filter};
use super::problem::Problem;
use crate::admin::document;
use crate::admin::operations::grants;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get(
        "/grants",
        "listGrants",
        "Live grants, by identifier.",
        Answer::List("Grant"),
        |call| Box::pin(list_grants(call)),
    )
    .asking(&[
        LIMIT,
        AFTER,
        filter("user", "Of this subject identifier or user name."),
        filter("client", "To this client identifier."),
    ]),
    Operation::delete(
        "/grants/{grant_id}",
        "revokeGrant",
        "Takes a grant back, with its families and tokens.",
        |call| Box::pin(revoke(call)),
    ),
];

async fn list_grants(call: &Call) -> Result<Reply, Problem> {
    let (user, client) = (call.text("user"), call.text("client"));
    let part = grants::list(call.app(), &call.operator, user, client, call.page()?).await?;
    Ok(list(&part, document::grant))
}

async fn revoke(call: &Call) -> Result<Reply, Problem> {
    grants::revoke(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Nothing)
}
