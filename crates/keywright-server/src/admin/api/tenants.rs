//! `/tenants`: for the default tenant's tokens only.

use keywright_protocol::profile::Profile;
use serde::Deserialize;

use super::call::{Call, list};
use super::operation::{Answer, Operation, PAGE, Reply, RequestBody};
use super::problem::Problem;
use crate::admin::document;
use crate::admin::operations::tenants;

const ALL: &str = "/tenants";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get(ALL, "listTenants", "Tenants, by name.", Answer::List("Tenant"), |call| {
        Box::pin(list_tenants(call))
    })
    .asking(&PAGE)
    .of_all_tenants(),
    Operation::post(
        ALL,
        "createTenant",
        "Creates a tenant: an issuer with keys, clients and users of its own.",
        Answer::Created("Tenant"),
        |call| Box::pin(create(call)),
    )
    .taking(RequestBody::Required("NewTenant"))
    .of_all_tenants(),
    Operation::get("/tenants/{name}", "showTenant", "A tenant.", Answer::Item("Tenant"), |call| {
        Box::pin(show(call))
    })
    .of_all_tenants(),
    Operation::post(
        "/tenants/{name}/disable",
        "disableTenant",
        "Disables a tenant: it answers nobody, and its tokens are dead.",
        Answer::Item("Tenant"),
        |call| Box::pin(disable(call)),
    )
    .of_all_tenants(),
    Operation::post(
        "/tenants/{name}/enable",
        "enableTenant",
        "Enables a tenant again; what was revoked stays revoked.",
        Answer::Item("Tenant"),
        |call| Box::pin(enable(call)),
    )
    .of_all_tenants(),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    name: String,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    profile: Profile,
}

async fn list_tenants(call: &Call) -> Result<Reply, Problem> {
    let all = tenants::list(call.app()).await?;
    let part = call.part(all, |tenant| tenant.id.to_string())?;
    Ok(list(&part, |tenant| document::tenant(call.app(), tenant)))
}

async fn create(call: &Call) -> Result<Reply, Problem> {
    let NewTenant { name, display_name, profile } = call.parse()?;
    let new = tenants::NewTenant { name, display_name, profile };
    let tenant = tenants::create(call.app(), &call.operator, new).await?;
    let document = document::tenant(call.app(), &tenant);
    Ok(Reply::Created { path: format!("{ALL}/{}", tenant.id), document })
}

async fn show(call: &Call) -> Result<Reply, Problem> {
    let tenant = tenants::show(call.app(), call.id()).await?;
    Ok(Reply::Item(document::tenant(call.app(), &tenant)))
}

async fn disable(call: &Call) -> Result<Reply, Problem> {
    let tenant = tenants::disable(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Item(document::tenant(call.app(), &tenant)))
}

async fn enable(call: &Call) -> Result<Reply, Problem> {
    let tenant = tenants::enable(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Item(document::tenant(call.app(), &tenant)))
}
