//! The OpenAPI document: fresh, served, and true of what is answered.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::description;
use super::*;

#[test]
fn the_document_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/openapi.json");
    let fresh =
        serde_json::to_string_pretty(&description("https://id.example.com")).unwrap() + "\n";
    if std::env::var_os("KEYWRIGHT_TEST_WRITE").is_some() {
        std::fs::write(&path, &fresh).expect("writable");
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    let renew = "KEYWRIGHT_TEST_WRITE=1 cargo test -p keywright-server the_document_is_fresh";
    assert!(page == fresh, "docs/reference/openapi.json is old; run: {renew}");
}

#[test]
fn every_reference_leads_somewhere_and_every_name_is_used_once() {
    let document = description("https://id.example.com");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let ids: Vec<&str> = super::super::operations().map(|operation| operation.id).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len(), "operationId");
}

#[tokio::test]
async fn everybody_may_read_it() {
    let world = World::start().await;
    let answer = send(&world, "GET", "/api/v1/openapi.json", "", "").await.expect(200);
    assert_eq!(answer, description("http://127.0.0.1:8080"));
}

/// Whether a document has every required member and no unknown one.
#[track_caller]
fn assert_fits(schemas: &Value, name: &str, document: &Value) {
    let schema = &schemas[name];
    let members = document.as_object().unwrap_or_else(|| panic!("{name}: {document}"));
    for member in members.keys() {
        assert!(schema["properties"][member].is_object(), "{name} has no {member}");
    }
    for required in schema["required"].as_array().unwrap() {
        assert!(members.contains_key(required.as_str().unwrap()), "{name} lacks {required}");
    }
}

#[tokio::test]
async fn answers_fit_their_schemas() {
    let api = Api::start(WRITE).await;
    let schemas = &description("x")["components"]["schemas"];
    let create = |path: &'static str, document: Value| {
        let api = &api;
        async move { api.call("POST", path, &document).await.expect(201) }
    };
    let client = json!({ "grant_types": ["client_credentials"], "client_name": "Job" });
    assert_fits(schemas, "IssuedClient", &create("/clients", client).await);
    assert_fits(schemas, "Tenant", &create("/tenants", json!({ "name": "acme" })).await);
    let resource = json!({ "identifier": "https://a.example", "lifetime_s": 60, "scopes": ["a"] });
    assert_fits(schemas, "Resource", &create("/resources", resource).await);
    assert_fits(schemas, "User", &create("/users", json!({ "username": "ada" })).await);
    let token = json!({ "kind": "token", "id": "x" });
    let revoked = api.call("POST", "/revocations", &token).await.expect(200);
    assert_fits(schemas, "Revocation", &revoked["items"][0]);
    for (path, name) in [("/clients", "Client"), ("/keys", "Key"), ("/audit-events", "AuditEvent")]
    {
        let listed = api.get(path).await.expect(200);
        for item in listed["items"].as_array().unwrap() {
            assert_fits(schemas, name, item);
        }
    }
    assert_fits(schemas, "Problem", &api.get("/clients/nobody").await.expect_problem(404));
    assert_fits(schemas, "Problem", &api.get("/clients?x=1").await.expect_problem(400));
}

/// The members of the registration type, so that none is forgotten in the schema.
#[test]
fn the_schema_knows_every_member_of_the_metadata() {
    let schemas = &description("x")["components"]["schemas"];
    let refused = keywright_protocol::client::ClientMetadata::parse(br#"{"colour":1}"#);
    let message = refused.unwrap_err().reason;
    let (_, known) = message.split_once("expected one of").expect("serde names them");
    for member in known.split('`').skip(1).step_by(2) {
        let schema = &schemas["ClientMetadata"]["properties"][member];
        assert!(schema.is_object(), "ClientMetadata has no {member}");
    }
}
