//! `/keys`: signing keys, without anything private.

use keywright_jose::Algorithm;
use serde::Deserialize;

use super::call::{Call, list};
use super::operation::{Answer, Operation, PAGE, Reply, RequestBody};
use super::problem::Problem;
use crate::admin::document;
use crate::admin::operations::keys;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("/keys", "listKeys", "Signing keys, by name.", Answer::List("Key"), |call| {
        Box::pin(list_keys(call))
    })
    .asking(&PAGE),
    Operation::post(
        "/keys/rotate",
        "rotateKeys",
        "Makes other keys sign at once, for one algorithm or for each that has a key.",
        Answer::List("Key"),
        |call| Box::pin(rotate(call)),
    )
    .taking(RequestBody::Optional("KeyRotation")),
    Operation::post(
        "/keys/{kid}/revoke",
        "revokeKey",
        "Withdraws a key: its tokens are dead, another one signs.",
        Answer::List("Revocation"),
        |call| Box::pin(revoke(call)),
    ),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRotation {
    #[serde(default)]
    alg: Option<Algorithm>,
}

async fn list_keys(call: &Call) -> Result<Reply, Problem> {
    let all = keys::list(call.app(), &call.operator).await?;
    Ok(list(&call.part(all, |key| key.kid.clone())?, document::key))
}

async fn rotate(call: &Call) -> Result<Reply, Problem> {
    let KeyRotation { alg } = call.parse()?;
    let kids = keys::rotate(call.app(), &call.operator, alg).await?;
    let all = keys::list(call.app(), &call.operator).await?;
    let new = all.iter().filter(|key| kids.contains(&key.kid));
    let new: Vec<_> = new.map(document::key).collect();
    Ok(Reply::Item(document::list(&new, None)))
}

async fn revoke(call: &Call) -> Result<Reply, Problem> {
    let entries = keys::revoke(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Item(document::revoked(&entries)))
}
