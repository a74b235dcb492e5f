//! `/resources`: the identifier, a URI, stands percent-encoded in the path.

use serde_json::Value;

use super::call::{Call, encode, list};
use super::operation::{Answer, Method, Operation, PAGE, Reply, RequestBody};
use super::problem::Problem;
use crate::admin::document;
use crate::admin::operations::resources;

const ALL: &str = "/resources";
const ONE: &str = "/resources/{identifier}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get(
        ALL,
        "listResources",
        "Protected resources, by identifier.",
        Answer::List("Resource"),
        |call| Box::pin(list_resources(call)),
    )
    .asking(&PAGE),
    Operation::post(
        ALL,
        "createResource",
        "Registers a protected resource. A scope without a description may be its name alone.",
        Answer::Created("Resource"),
        |call| Box::pin(create(call)),
    )
    .taking(RequestBody::Required("Resource")),
    Operation::get(
        ONE,
        "showResource",
        "A protected resource.",
        Answer::Item("Resource"),
        |call| Box::pin(show(call)),
    ),
    Operation::post(
        ONE,
        "replaceResource",
        "Replaces a protected resource; the identifier stays.",
        Answer::Item("Resource"),
        |call| Box::pin(replace(call)),
    )
    .by(Method::Put)
    .taking(RequestBody::Required("Resource")),
    Operation::delete(
        ONE,
        "deleteResource",
        "Deletes a protected resource; its scopes are unknown from then on.",
        |call| Box::pin(delete(call)),
    ),
];

async fn list_resources(call: &Call) -> Result<Reply, Problem> {
    let all = resources::list(call.app(), &call.operator).await?;
    let part = call.part(all, |resource| resource.identifier.as_str().to_owned())?;
    Ok(list(&part, document::resource))
}

async fn create(call: &Call) -> Result<Reply, Problem> {
    let resource = resources::parse(&call.body)?;
    let resource = resources::create(call.app(), &call.operator, resource).await?;
    let path = format!("{ALL}/{}", encode(resource.identifier.as_str()));
    Ok(Reply::Created { path, document: document::resource(&resource) })
}

async fn show(call: &Call) -> Result<Reply, Problem> {
    let resource = resources::show(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Item(document::resource(&resource)))
}

async fn replace(call: &Call) -> Result<Reply, Problem> {
    let mut document: Value = call.parse()?;
    if let Some(members) = document.as_object_mut() {
        members.entry("identifier").or_insert_with(|| call.id().into());
    }
    let resource = resources::parse(document.to_string().as_bytes())?;
    if resource.identifier.as_str() != call.id() {
        return Err(Problem::parameter("identifier", "cannot be changed"));
    }
    let resource = resources::replace(call.app(), &call.operator, resource).await?;
    Ok(Reply::Item(document::resource(&resource)))
}

async fn delete(call: &Call) -> Result<Reply, Problem> {
    resources::delete(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Nothing)
}
