//! `/sessions`: who is signed in.

use super::call::{Call, list};
use super::operation::{AFTER, Answer, LIMIT, Operation, Reply, filter};
use super::problem::Problem;
use crate::admin::document;
use crate::admin::operations::sessions;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get(
        "/sessions",
        "listSessions",
        "Live sessions, by identifier.",
        Answer::List("Session"),
        |call| Box::pin(list_sessions(call)),
    )
    .asking(&[LIMIT, AFTER, filter("user", "Of this subject identifier or user name.")]),
    Operation::delete(
        "/sessions/{session_id}",
        "revokeSession",
        "Ends a session, with the families and grants born in it.",
        |call| Box::pin(revoke(call)),
    ),
];

async fn list_sessions(call: &Call) -> Result<Reply, Problem> {
    let user = call.text("user");
    let part = sessions::list(call.app(), &call.operator, user, call.page()?).await?;
    Ok(list(&part, document::session))
}

async fn revoke(call: &Call) -> Result<Reply, Problem> {
    sessions::revoke(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Nothing)
}
