//! The OpenAPI document, made from the table that makes the routes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::operation::{Answer, Kind, Method, Operation, Parameter, Reach, RequestBody};
use super::{BASE, operations, schema};

/// The API's description, OpenAPI 3.1, for an issuer.
pub fn description(issuer: &str) -> Value {
    let mut paths = BTreeMap::<String, Map<String, Value>>::new();
    for operation in operations() {
        let path = paths.entry(format!("{BASE}{}", operation.path)).or_default();
        let captures: Vec<Value> = captures(operation.path).map(capture).collect();
        if !captures.is_empty() {
            path.insert("parameters".to_owned(), captures.into());
        }
        path.insert(verb(operation.method).to_owned(), operation_object(operation));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Keywright administration API",
            "version": "1",
            "description": "Administers one tenant: the one whose issuer the path belongs to. A \
                token of a client's own (client_credentials), for the issuer itself, opens it: \
                `keywright:admin:read` for reading, `keywright:admin:write` for everything.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": issuer }],
        "security": [{ "oauth2": ["keywright:admin:write"] }],
        "paths": paths,
        "components": {
            "schemas": schema::all(),
            "responses": { "Problem": problem_response() },
            "securitySchemes": { "oauth2": security(issuer) },
        },
    })
}

fn operation_object(operation: &Operation) -> Value {
    let mut object = Map::new();
    object.insert("operationId".into(), operation.id.into());
    object.insert("summary".into(), operation.summary.into());
    object.insert("tags".into(), json!([operation.path.split('/').nth(1)]));
    if operation.reach == Reach::AllTenants {
        let whose = "For tokens of the default tenant only.";
        object.insert("description".into(), whose.into());
    }
    if operation.method == Method::Get {
        object.insert("security".into(), json!([{ "oauth2": ["keywright:admin:read"] }]));
    }
    if !operation.query.is_empty() {
        let parameters: Vec<Value> = operation.query.iter().map(parameter).collect();
        object.insert("parameters".into(), parameters.into());
    }
    if let Some(body) = request_body(operation.body) {
        object.insert("requestBody".into(), body);
    }
    object.insert("responses".into(), responses(operation.answer));
    Value::Object(object)
}

const fn verb(method: Method) -> &'static str {
    match method {
        Method::Delete => "delete",
        Method::Get => "get",
        Method::Patch => "patch",
        Method::Post => "post",
        Method::Put => "put",
    }
}

/// The names in braces of a path.
fn captures(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn capture(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        Kind::Number => json!({
            "type": "integer",
            "minimum": 1,
            "maximum": keywright_protocol::limits::PAGE_ROWS_MAX,
        }),
        Kind::Text => json!({ "type": "string" }),
    };
    json!({
        "name": parameter.name,
        "in": "query",
        "description": parameter.what,
        "schema": schema,
    })
}

fn request_body(body: RequestBody) -> Option<Value> {
    let (schema, required) = match body {
        RequestBody::None => return None,
        RequestBody::Optional(schema) => (schema, false),
        RequestBody::Required(schema) => (schema, true),
    };
    let content = json!({ "application/json": { "schema": schema::reference(schema) } });
    Some(json!({ "required": required, "content": content }))
}

fn responses(answer: Answer) -> Value {
    let document = |schema: Value| json!({ "application/json": { "schema": schema } });
    let (status, response) = match answer {
        Answer::Created(name) => {
            let location = json!({ "schema": { "type": "string", "format": "uri" } });
            let content = document(schema::reference(name));
            let headers = json!({ "Location": location });
            let created =
                json!({ "description": "Created", "headers": headers, "content": content });
            ("201", created)
        }
        Answer::Item(name) => {
            ("200", json!({ "description": "Done", "content": document(schema::reference(name)) }))
        }
        Answer::List(name) => {
            ("200", json!({ "description": "A part", "content": document(schema::list_of(name)) }))
        }
        Answer::Nothing => ("204", json!({ "description": "Done" })),
    };
    json!({ status: response, "default": { "$ref": "#/components/responses/Problem" } })
}

fn problem_response() -> Value {
    json!({
        "description": "Why it was not done, RFC 9457",
        "headers": { "X-Request-Id": { "schema": { "type": "string" } } },
        "content": { "application/problem+json": { "schema": schema::reference("Problem") } },
    })
}

fn security(issuer: &str) -> Value {
    let scopes = json!({
        "keywright:admin:read": "Read everything but secrets",
        "keywright:admin:write": "Read and change everything",
    });
    let flow = json!({ "tokenUrl": format!("{issuer}/token"), "scopes": scopes });
    json!({ "type": "oauth2", "flows": { "clientCredentials": flow } })
}
