//! `/clients`: RFC 7591 metadata.

use std::time::Duration;

use keywright_protocol::client::ClientMetadata;
use serde::Deserialize;

use super::call::{Call, encode, list};
use super::operation::{Answer, Method, Operation, PAGE, Reply, RequestBody};
use super::problem::Problem;
use crate::admin::document;
use crate::admin::operations::{OperationError, clients};

const ALL: &str = "/clients";
const ONE: &str = "/clients/{client_id}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get(ALL, "listClients", "Clients, by identifier.", Answer::List("Client"), |call| {
        Box::pin(list_clients(call))
    })
    .asking(&PAGE),
    Operation::post(
        ALL,
        "createClient",
        "Registers a client. Its secret is told only here.",
        Answer::Created("IssuedClient"),
        |call| Box::pin(create(call)),
    )
    .taking(RequestBody::Required("ClientMetadata")),
    Operation::get(ONE, "showClient", "A client.", Answer::Item("Client"), |call| {
        Box::pin(show(call))
    }),
    Operation::post(
        ONE,
        "updateClient",
        "Replaces a client's metadata. A client that only now needs a secret is told one.",
        Answer::Item("IssuedClient"),
        |call| Box::pin(update(call)),
    )
    .by(Method::Put)
    .taking(RequestBody::Required("ClientMetadata")),
    Operation::delete(
        ONE,
        "deleteClient",
        "Deletes a client, its grants and its tokens.",
        |call| Box::pin(delete(call)),
    ),
    Operation::post(
        "/clients/{client_id}/secret",
        "rotateClientSecret",
        "Makes a new secret, told only here; the old ones live on for the overlap.",
        Answer::Item("IssuedClient"),
        |call| Box::pin(rotate_secret(call)),
    )
    .taking(RequestBody::Optional("SecretRotation")),
    Operation::post(
        "/clients/{client_id}/disable",
        "disableClient",
        "Disables a client; its tokens are dead.",
        Answer::Item("Client"),
        |call| Box::pin(disable(call)),
    ),
    Operation::post(
        "/clients/{client_id}/enable",
        "enableClient",
        "Enables a client again; what was revoked stays revoked.",
        Answer::Item("Client"),
        |call| Box::pin(enable(call)),
    ),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretRotation {
    #[serde(default)]
    overlap_s: Option<u64>,
}

async fn list_clients(call: &Call) -> Result<Reply, Problem> {
    let part = clients::list(call.app(), &call.operator, call.page()?).await?;
    Ok(list(&part, document::client))
}

async fn create(call: &Call) -> Result<Reply, Problem> {
    let metadata = ClientMetadata::parse(&call.body).map_err(OperationError::from)?;
    let issued = clients::create(call.app(), &call.operator, metadata).await?;
    let path = format!("/clients/{}", encode(issued.client.id.as_str()));
    Ok(Reply::Created { path, document: document::issued_client(&issued) })
}

async fn show(call: &Call) -> Result<Reply, Problem> {
    let client = clients::show(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Item(document::client(&client)))
}

async fn update(call: &Call) -> Result<Reply, Problem> {
    let metadata = clients::parse_update(&call.body)?;
    let issued = clients::update(call.app(), &call.operator, call.id(), metadata).await?;
    Ok(Reply::Item(document::issued_client(&issued)))
}

async fn delete(call: &Call) -> Result<Reply, Problem> {
    clients::delete(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Nothing)
}

async fn rotate_secret(call: &Call) -> Result<Reply, Problem> {
    let SecretRotation { overlap_s } = call.parse()?;
    let overlap = overlap_s.map_or(clients::SECRET_OVERLAP, Duration::from_secs);
    let issued = clients::rotate_secret(call.app(), &call.operator, call.id(), overlap).await?;
    Ok(Reply::Item(document::issued_client(&issued)))
}

async fn disable(call: &Call) -> Result<Reply, Problem> {
    let client = clients::disable(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Item(document::client(&client)))
}

async fn enable(call: &Call) -> Result<Reply, Problem> {
    let client = clients::enable(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Item(document::client(&client)))
}
