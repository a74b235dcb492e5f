//! Protected resources: the APIs that accept this server's tokens.

use std::time::Duration;

use keywright_protocol::audit::{EventType, Record};
use keywright_protocol::client::metadata::SIGNING_ALGORITHMS;
use keywright_protocol::resource::{
    ProtectedResource, ResourceIndicator, ResourceScope, TokenFormat,
};
use keywright_protocol::scope::{ADMIN_SCOPES, IDENTITY_SCOPES, ScopeSet};
use keywright_store::client::{Create, Update};

use serde_json::{Value, json};

use super::{OperationError, Operator, invalid_json, parse_json, settle};
use crate::app::App;

/// Scopes of one resource.
const SCOPES_MAX: usize = 500;
/// A scope's description, characters: a person reads it on a page.
const DESCRIPTION_MAX: usize = 300;
/// The least lifetime, CONTRACT §3.
const LIFETIME_MIN_S: u64 = 2;
/// The greatest: a token that lives for a year is a password.
const LIFETIME_MAX_S: u64 = 366 * 24 * 3600;

/// Registers a resource.
pub async fn create(
    app: &App,
    operator: &Operator,
    resource: ProtectedResource,
) -> Result<ProtectedResource, OperationError> {
    check(app, operator, &resource)?;
    remember_lifetime(app, operator, &resource).await?;
    let id = resource.identifier.as_str().to_owned();
    let record = record(app, operator, EventType::ResourceCreated, &id);
    match app.store.create_resource(operator.tenant(), resource.clone(), record).await? {
        Create::Created => settle(app, &[]).await,
        Create::Exists => return Err(OperationError::conflict("resource", &id)),
    }
    Ok(resource)
}

/// Every resource, by identifier.
pub async fn list(
    app: &App,
    operator: &Operator,
) -> Result<Vec<ProtectedResource>, OperationError> {
    operator.state(app)?;
    Ok(app.store.list_resources(operator.tenant()).await?)
}

/// A resource.
pub async fn show(
    app: &App,
    operator: &Operator,
    identifier: &str,
) -> Result<ProtectedResource, OperationError> {
    let mut all = list(app, operator).await?.into_iter();
    all.find(|resource| resource.identifier.as_str() == identifier)
        .ok_or_else(|| OperationError::not_found("resource", identifier))
}

/// Replaces a resource of the same identifier.
pub async fn replace(
    app: &App,
    operator: &Operator,
    resource: ProtectedResource,
) -> Result<ProtectedResource, OperationError> {
    check(app, operator, &resource)?;
    remember_lifetime(app, operator, &resource).await?;
    let id = resource.identifier.as_str().to_owned();
    let record = record(app, operator, EventType::ResourceUpdated, &id);
    let replaced = app.store.replace_resource(operator.tenant(), resource.clone(), record).await?;
    finish(app, replaced, &id).await?;
    Ok(resource)
}

/// Deletes a resource; its scopes are unknown from then on.
pub async fn delete(
    app: &App,
    operator: &Operator,
    identifier: &str,
) -> Result<(), OperationError> {
    operator.state(app)?;
    let id = ResourceIndicator::parse(identifier)
        .map_err(|_| OperationError::not_found("resource", identifier))?;
    let record = record(app, operator, EventType::ResourceDeleted, identifier);
    let deleted = app.store.delete_resource(operator.tenant(), &id, record).await?;
    finish(app, deleted, identifier).await
}

/// Reads a resource; a scope without a description may be its name alone.
pub fn parse(json: &[u8]) -> Result<ProtectedResource, OperationError> {
    let mut document: Value = parse_json(json)?;
    refuse_unknown(&document, ProtectedResource::MEMBERS)?;
    if let Some(Value::Array(scopes)) = document.get_mut("scopes") {
        for scope in scopes {
            if scope.is_string() {
                *scope = json!({ "name": scope.take() });
            }
            refuse_unknown(scope, ResourceScope::MEMBERS)?;
        }
    }
    if let Some(Value::String(identifier)) = document.get("identifier") {
        ResourceIndicator::parse(identifier).map_err(|_| {
            OperationError::invalid("identifier", "must be an absolute URI without a fragment")
        })?;
    }
    serde_json::from_value(document).map_err(|error| invalid_json(&error))
}

/// What nobody knows is a mistake: it would be passed over.
fn refuse_unknown(document: &Value, known: &[&str]) -> Result<(), OperationError> {
    let mut names = document.as_object().into_iter().flat_map(serde_json::Map::keys);
    match names.find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(OperationError::invalid(unknown, "is not a member here")),
    }
}

/// Reads a scope from one word: `NAME`, or `NAME=DESCRIPTION`.
pub fn parse_scope(text: &str) -> Result<ResourceScope, OperationError> {
    let (name, description) = match text.split_once('=') {
        Some((name, description)) => (name, Some(description.to_owned())),
        None => (text, None),
    };
    let scope = ResourceScope { name: name.to_owned(), description };
    check_scope(&scope)?;
    Ok(scope)
}

/// Before any token lives so long: revocations must be remembered for as long.
async fn remember_lifetime(
    app: &App,
    operator: &Operator,
    resource: &ProtectedResource,
) -> Result<(), OperationError> {
    let lifetime = Duration::from_secs(resource.lifetime_s.unwrap_or_default());
    Ok(app.remember_lifetime(&*operator.state(app)?, lifetime).await?)
}

async fn finish(app: &App, update: Update<()>, id: &str) -> Result<(), OperationError> {
    match update {
        Update::Done { revoked, .. } => settle(app, &revoked).await,
        Update::Missing => return Err(OperationError::not_found("resource", id)),
    }
    Ok(())
}

fn record(app: &App, operator: &Operator, event: EventType, id: &str) -> Record {
    Record::of(operator.event(event, app.now()).because(id))
}

fn check(
    app: &App,
    operator: &Operator,
    resource: &ProtectedResource,
) -> Result<(), OperationError> {
    // Tokens for the issuer open userinfo and this very interface.
    if *resource.identifier.as_str() == *operator.state(app)?.issuer {
        return Err(OperationError::invalid("identifier", "is this server's own issuer"));
    }
    if !SIGNING_ALGORITHMS.contains(&resource.alg) {
        return Err(OperationError::invalid("alg", "is not offered"));
    }
    if resource.lifetime_s.is_some_and(|s| !(LIFETIME_MIN_S..=LIFETIME_MAX_S).contains(&s)) {
        return Err(OperationError::invalid("lifetime_s", "must be from 2 s to 366 days"));
    }
    if resource.status_list && resource.token_format == TokenFormat::Opaque {
        let reason = "is for signed tokens; of opaque ones the API asks the server anyway";
        return Err(OperationError::invalid("status_list", reason));
    }
    if resource.scopes.len() > SCOPES_MAX {
        return Err(OperationError::invalid("scopes", "has too many entries"));
    }
    for (at, scope) in resource.scopes.iter().enumerate() {
        check_scope(scope)?;
        if resource.scopes.iter().take(at).any(|earlier| earlier.name == scope.name) {
            return Err(OperationError::invalid("scopes", format!("has {} twice", scope.name)));
        }
    }
    Ok(())
}

fn check_scope(scope: &ResourceScope) -> Result<(), OperationError> {
    let name = scope.name.as_str();
    // RFC 6749 §3.3; a space would make two of it.
    if ScopeSet::parse(name).is_err() || name.contains(' ') {
        return Err(OperationError::invalid("scopes", format!("has a malformed name: {name:?}")));
    }
    // Their meaning is fixed: an API of that name would take what people grant to this server.
    if IDENTITY_SCOPES.contains(&name) || ADMIN_SCOPES.contains(&name) {
        return Err(OperationError::invalid("scopes", format!("{name} belongs to this server")));
    }
    let words = scope.description.as_deref().unwrap_or_default();
    if words.chars().count() > DESCRIPTION_MAX || words.chars().any(char::is_control) {
        let reason = format!("the description of {name} is too long or not printable");
        return Err(OperationError::invalid("scopes", reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_read_strictly() {
        let short = br#"{"identifier":"https://a.example","scopes":["a:read",{"name":"b"}]}"#;
        let resource = parse(short).unwrap();
        assert_eq!(
            resource.scopes.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            ["a:read", "b"]
        );
        let field = |json: &str| match parse(json.as_bytes()) {
            Err(OperationError::Invalid { field, .. }) => field,
            other => panic!("{json}: {other:?}"),
        };
        assert_eq!(field(r#"{"identifier":"/relative"}"#), "identifier");
        assert_eq!(field(r#"{"identifier":"https://a.example","colour":"red"}"#), "colour");
        assert_eq!(field("{}"), "identifier");
        assert_eq!(field("["), "document");
    }

    #[test]
    fn scopes_are_one_name_each_and_no_reserved_ones() {
        let orders = parse_scope("orders:read=See your orders").unwrap();
        assert_eq!(orders.name, "orders:read");
        assert_eq!(orders.description.as_deref(), Some("See your orders"));
        assert_eq!(parse_scope("orders:read").unwrap().description, None);
        for bad in ["", "a b", "openid", "offline_access", "keywright:admin:write", "caf\u{e9}"] {
            assert!(parse_scope(bad).is_err(), "{bad:?}");
        }
        assert!(parse_scope("a=tab\there").is_err(), "it goes onto a page");
    }
}
