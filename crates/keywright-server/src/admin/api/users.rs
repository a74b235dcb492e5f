//! `/users`: by subject identifier or user name.

use keywright_protocol::secret::Secret;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::call::{Call, encode, list};
use super::operation::{Answer, Method, Operation, PAGE, Reply, RequestBody};
use super::problem::Problem;
use crate::admin::document;
use crate::admin::operations::users::{self, EmailChange, Profile, ProfileChange};

const ALL: &str = "/users";
const ONE: &str = "/users/{user}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get(
        ALL,
        "listUsers",
        "Users, by subject identifier.",
        Answer::List("User"),
        |call| Box::pin(list_users(call)),
    )
    .asking(&PAGE),
    Operation::post(
        ALL,
        "createUser",
        "Creates a user; without a password they cannot sign in yet.",
        Answer::Created("User"),
        |call| Box::pin(create(call)),
    )
    .taking(RequestBody::Required("NewUser")),
    Operation::get(ONE, "showUser", "A user.", Answer::Item("User"), |call| Box::pin(show(call))),
    Operation::post(
        ONE,
        "updateUser",
        "Changes a user; what is not said stays.",
        Answer::Item("User"),
        |call| Box::pin(update(call)),
    )
    .by(Method::Patch)
    .taking(RequestBody::Required("UserChange")),
    Operation::post(
        "/users/{user}/password",
        "setPassword",
        "Sets a password; every session of the user ends, with the grants given in them.",
        Answer::Item("User"),
        |call| Box::pin(set_password(call)),
    )
    .taking(RequestBody::Required("NewPassword")),
    Operation::post(
        "/users/{user}/disable",
        "disableUser",
        "Disables a user; their sessions end, and what they granted is dead.",
        Answer::Item("User"),
        |call| Box::pin(disable(call)),
    ),
    Operation::post(
        "/users/{user}/enable",
        "enableUser",
        "Enables a user again; what was revoked stays revoked.",
        Answer::Item("User"),
        |call| Box::pin(enable(call)),
    ),
    Operation::get(
        "/users/{user}/sessions",
        "listUserSessions",
        "A user's live sessions.",
        Answer::List("Session"),
        |call| Box::pin(sessions(call)),
    )
    .asking(&PAGE),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    username: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    #[serde(default)]
    claims: Map<String, Value>,
    #[serde(default)]
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserChange {
    #[serde(default)]
    email: EmailChange,
    #[serde(default)]
    email_verified: Option<bool>,
    #[serde(default)]
    claims: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: String,
}

async fn list_users(call: &Call) -> Result<Reply, Problem> {
    let part = users::list(call.app(), &call.operator, call.page()?).await?;
    Ok(list(&part, document::user))
}

async fn create(call: &Call) -> Result<Reply, Problem> {
    let NewUser { username, email, email_verified, claims, password } = call.parse()?;
    let profile = Profile { username, email, email_verified, claims };
    let password = password.map(Secret::new);
    let user = users::create(call.app(), &call.operator, profile, password).await?;
    let path = format!("{ALL}/{}", encode(user.sub.as_str()));
    Ok(Reply::Created { path, document: document::user(&user) })
}

async fn show(call: &Call) -> Result<Reply, Problem> {
    let user = users::show(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Item(document::user(&user)))
}

async fn update(call: &Call) -> Result<Reply, Problem> {
    let UserChange { email, email_verified, claims } = call.parse()?;
    let change = ProfileChange { email, email_verified, claims };
    let user = users::update(call.app(), &call.operator, call.id(), change).await?;
    Ok(Reply::Item(document::user(&user)))
}

async fn set_password(call: &Call) -> Result<Reply, Problem> {
    let NewPassword { password } = call.parse()?;
    let password = Secret::new(password);
    let user = users::set_password(call.app(), &call.operator, call.id(), password).await?;
    Ok(Reply::Item(document::user(&user)))
}

async fn disable(call: &Call) -> Result<Reply, Problem> {
    let user = users::disable(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Item(document::user(&user)))
}

async fn enable(call: &Call) -> Result<Reply, Problem> {
    let user = users::enable(call.app(), &call.operator, call.id()).await?;
    Ok(Reply::Item(document::user(&user)))
}

async fn sessions(call: &Call) -> Result<Reply, Problem> {
    let part = users::sessions(call.app(), &call.operator, call.id(), call.page()?).await?;
    Ok(list(&part, document::session))
}
