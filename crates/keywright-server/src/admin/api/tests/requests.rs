//! Who may ask, and what is answered.

use std::time::Duration;

use keywright_protocol::token::OPAQUE_PREFIX;

use super::*;
use crate::admin::operations::Operator;
use crate::admin::operations::{explain, resources, tenants, tokens};

#[tokio::test]
async fn a_token_with_the_scope_opens_it_and_nothing_else_does() {
    let api = Api::start("keywright:admin:read").await;
    let own = api.client.client.id.as_str();
    let listed = api.get("/clients").await.expect(200);
    assert_eq!(listed["items"][0]["client_id"], own);
    assert_eq!(listed["next"], Value::Null);
    let refused = api.call("POST", "/users", &json!({ "username": "ada" })).await;
    let challenge = refused.header("www-authenticate").unwrap().to_owned();
    assert_eq!(refused.expect_problem(403)["error"], "insufficient_scope", "RFC6750-3.1");
    assert!(challenge.contains(&format!("scope=\"{WRITE}\"")), "{challenge}");
    let anonymous = send(&api.world, "GET", "/api/v1/clients", "", "").await;
    let challenge = anonymous.header("www-authenticate").unwrap();
    assert!(!challenge.contains("error"), "RFC6750-3.1: {challenge}");
    anonymous.expect_problem(401);
    for bad in ["Bearer x", "Bearer a.b.c", "Basic eDp5"] {
        let headers = format!("Authorization: {bad}\r\n");
        let answer = send(&api.world, "GET", "/api/v1/clients", &headers, "").await;
        assert!([400, 401].contains(&answer.status), "{bad}: {answer:?}");
    }
    api.world.clock.advance(Duration::from_hours(1));
    assert_eq!(api.get("/clients").await.expect_problem(401)["error"], "invalid_token");
}

#[tokio::test]
async fn writing_includes_reading() {
    let api = Api::start(WRITE).await;
    api.get("/clients").await.expect(200);
    api.call("POST", "/users", &json!({ "username": "ada" })).await.expect(201);
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let api = Api::start(READ).await;
    let resource = json!({ "identifier": "https://a.example", "scopes": ["a:read"] });
    let resource = resources::parse(resource.to_string().as_bytes()).unwrap();
    let World { app, operator, .. } = &api.world;
    resources::create(app, operator, resource).await.unwrap();
    api.get("/clients").await.expect(200);
    let both = "keywright:admin:read a:read";
    let wider = metadata(&json!({ "grant_types": ["client_credentials"], "scope": both }));
    clients::update(app, operator, api.client.client.id.as_str(), wider).await.unwrap();
    let token = token(&api.world, "", &api.client, both).await;
    let api = Api { token, ..api };
    assert_eq!(api.get("/clients").await.expect_problem(401)["error"], "invalid_token");
}

/// An access token as it would be sealed for somebody.
fn sealed(api: &Api, sub: &str) -> String {
    let state = api.world.app.tenant(api.world.operator.tenant()).unwrap();
    let now = api.world.app.now().as_unix_s();
    let claims = json!({
        "iss": state.issuer, "aud": state.issuer, "sub": sub, "client_id": api.client.client.id,
        "iat": now, "exp": now + 3600, "jti": "x", "scope": READ,
    });
    let bytes = state.secrets.opaque.seal(state.issuer.as_bytes(), claims.to_string().as_bytes());
    format!("{OPAQUE_PREFIX}{}", keywright_jose::base64url_encode(&bytes.unwrap()))
}

#[tokio::test]
async fn nobody_becomes_an_administrator_by_consenting() {
    let api = Api::start(READ).await;
    let own = sealed(&api, api.client.client.id.as_str());
    let persons = sealed(&api, "user_ada");
    let api = Api { token: own, ..api };
    api.get("/clients").await.expect(200);
    let api = Api { token: persons, ..api };
    assert_eq!(api.get("/clients").await.expect_problem(403)["error"], "insufficient_scope");
}

/// What lives longer than any token is issued for was issued before lifetimes were shortened.
#[tokio::test]
async fn a_token_is_inspected_as_it_is_accepted() {
    let api = Api::start(READ).await;
    let long = sealed(&api, api.client.client.id.as_str());
    let World { app, operator, clock } = &api.world;
    let is_good = async || tokens::inspect(app, operator, &long).await.unwrap().is_good();
    assert!(is_good().await);
    clock.advance(Duration::from_mins(10));
    assert!(is_good().await);
    clock.advance(Duration::from_mins(2));
    assert!(!is_good().await);
}

#[tokio::test]
async fn a_revoked_token_is_dead_at_once() {
    let api = Api::start(READ).await;
    api.get("/keys").await.expect(200);
    let World { app, operator, .. } = &api.world;
    let read = tokens::inspect(app, operator, &api.token).await.unwrap();
    assert!(read.is_good(), "{read:?}");
    tokens::revoke(app, operator, &api.token).await.unwrap();
    assert_eq!(api.get("/keys").await.expect_problem(401)["error"], "invalid_token");
    let read = tokens::inspect(app, operator, &api.token).await.unwrap();
    assert_eq!(read.reason.as_deref(), Some("the token is revoked"));
    let events = tokens::lineage(app, operator, &api.token).await.unwrap();
    let kinds = ["token.issued", "token.revoked"];
    assert!(events.iter().zip(kinds).all(|(event, kind)| event.body.contains(kind)), "{events:?}");
}

#[tokio::test]
async fn tenants_are_administered_by_their_own_and_created_by_the_default() {
    let api = Api::start(WRITE).await;
    let created = api.call("POST", "/tenants", &json!({ "name": "acme" })).await.expect(201);
    assert_eq!(created["issuer"], "http://127.0.0.1:8080/t/acme");
    let World { app, .. } = &api.world;
    let acme = Operator::at_command_line(tenants::show(app, "acme").await.unwrap().id);
    let document = json!({ "grant_types": ["client_credentials"], "scope": WRITE });
    let client = clients::create(app, &acme, metadata(&document)).await.unwrap();
    let token = token(&api.world, "/t/acme", &client, WRITE).await;
    let headers = format!("Authorization: Bearer {token}\r\n");
    let get = |path: &'static str| send(&api.world, "GET", path, &headers, "");
    let listed = get("/t/acme/api/v1/clients").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "its own alone");
    get("/t/acme/api/v1/tenants").await.expect_problem(403);
    get("/api/v1/clients").await.expect_problem(401);
    api.call("POST", "/tenants/acme/disable", &json!({})).await.expect(200);
    let silent = get("/t/acme/api/v1/clients").await;
    assert_eq!(silent.status, 404);
}

#[tokio::test]
async fn what_is_created_has_a_place() {
    let api = Api::start(WRITE).await;
    let document = json!({ "grant_types": ["client_credentials"] });
    let created = api.call("POST", "/clients", &document).await;
    let place = created.header("location").unwrap().to_owned();
    let client = created.expect(201);
    assert!(client["client_secret"].is_string());
    let path = place.strip_prefix("http://127.0.0.1:8080/api/v1").unwrap();
    let read = api.get(path).await.expect(200);
    assert_eq!(read["client_id"], client["client_id"]);
    assert_eq!(read["client_secret"], Value::Null, "told once");
    let resource = json!({ "identifier": "https://a.example/v1?x=1", "scopes": ["a"] });
    let created = api.call("POST", "/resources", &resource).await;
    let place = created.header("location").unwrap().to_owned();
    created.expect(201);
    let path = place.strip_prefix("http://127.0.0.1:8080/api/v1").unwrap();
    let scopes = json!({ "scopes": ["b"], "token_format": "opaque" });
    let replaced = api.call("PUT", path, &scopes).await.expect(200);
    assert_eq!(replaced["identifier"], "https://a.example/v1?x=1");
    assert_eq!(replaced["scopes"][0]["name"], "b");
    assert_eq!(api.call("DELETE", path, &json!({})).await.status, 204);
    api.get(path).await.expect_problem(404);
}

#[tokio::test]
async fn users_and_secrets_and_keys_change() {
    let api = Api::start(WRITE).await;
    let ada = json!({ "username": "ada", "password": "Sesame-1", "email": "a@b.example" });
    let ada = api.call("POST", "/users", &ada).await.expect(201);
    let sub = ada["sub"].as_str().unwrap();
    let change = json!({ "email": null, "claims": { "name": "Ada" } });
    let changed = api.call("PATCH", &format!("/users/{sub}"), &change).await.expect(200);
    assert_eq!((&changed["email"], &changed["claims"]["name"]), (&Value::Null, &json!("Ada")));
    let word = json!({ "password": "Sesame-2" });
    api.call("POST", "/users/ada/password", &word).await.expect(200);
    let off = api.call("POST", "/users/ada/disable", &json!({})).await.expect(200);
    assert_eq!(off["disabled"], true);
    assert_eq!(api.get("/users/ada/sessions").await.expect(200)["items"], json!([]));
    let id = api.client.client.id.as_str();
    let path = format!("/clients/{id}/secret");
    let rotated = api.call("POST", &path, &json!({ "overlap_s": 0 })).await.expect(200);
    assert!(rotated["client_secret"].is_string());
    let rotated = api.raw("POST", &path, "text/plain", "").await.expect(200);
    assert_eq!(rotated["keywright_secrets"].as_array().unwrap().len(), 2, "a day's overlap");
    let keys = api.call("POST", "/keys/rotate", &json!({ "alg": "ES256" })).await.expect(200);
    let kid = keys["items"][0]["kid"].as_str().unwrap();
    assert_eq!(keys["items"][0]["state"], "active");
    let gone = api.call("POST", &format!("/keys/{kid}/revoke"), &json!({})).await.expect(200);
    assert_eq!(gone["items"][0]["kind"], "signing_key");
    let user = json!({ "kind": "user", "id": sub });
    let entries = api.call("POST", "/revocations", &user).await.expect(200);
    assert_eq!(entries["items"][0]["id"], sub);
    assert!(!api.get("/revocations").await.expect(200)["items"].as_array().unwrap().is_empty());
    let events = api.get("/audit-events?type=user").await.expect(200);
    let actor = json!({ "kind": "client", "id": id });
    let events = events["items"].as_array().unwrap();
    assert!(events.len() >= 4 && events.iter().all(|event| event["actor"] == actor), "{events:?}");
}

#[tokio::test]
async fn what_is_not_known_is_refused_by_name() {
    let api = Api::start(WRITE).await;
    for (path, field) in [
        ("/users?colour=red", "colour"),
        ("/users?limit=2&limit=2", "limit"),
        ("/users?limit=0", "limit"),
        ("/users?limit=501", "limit"),
        ("/users?limit=x", "limit"),
        ("/audit-events?after=x", "after"),
        ("/revocations?after=-1", "after"),
    ] {
        assert_eq!(api.get(path).await.expect_problem(400)["field"], field, "{path}");
    }
    api.get("/users?limit=500&after=x").await.expect(200);
    let good = json!({ "username": "ada" });
    for (path, document, field) in [
        ("/users", json!({ "username": "ada", "colour": "red" }), "colour"),
        ("/users", json!({}), "username"),
        ("/tenants", json!({ "name": "A" }), "name"),
        ("/resources", json!({ "identifier": "x" }), "identifier"),
        ("/clients", json!({ "redirect_uris": ["https://a.example/#x"] }), "redirect_uris"),
        ("/revocations", json!({ "kind": "colour" }), "id"),
    ] {
        let problem = api.call("POST", path, &document).await.expect_problem(400);
        assert_eq!(problem["field"], field, "{path} {document}");
    }
    api.raw("POST", "/users", "application/json", "{").await.expect_problem(400);
    api.raw("POST", "/users", "application/json", "").await.expect_problem(400);
    api.raw("POST", "/users", "text/plain", &good.to_string()).await.expect_problem(415);
    let large = "x".repeat(70_000);
    api.call("POST", "/users", &json!({ "username": large })).await.expect_problem(413);
    let id = api.client.client.id.clone();
    let path = format!("/clients/{id}/disable");
    api.call("POST", &path, &json!({ "colour": "red" })).await.expect_problem(400);
    api.raw("POST", "/users", "application/json; charset=utf-8", &good.to_string())
        .await
        .expect(201);
    api.call("POST", "/users", &good).await.expect_problem(409);
    api.get("/policies").await.expect_problem(404);
    let method = api.call("PUT", "/clients", &json!({})).await;
    assert_eq!(method.header("allow"), Some("GET, HEAD, POST"), "RFC9110-15.5.6");
    method.expect_problem(405);
}

#[tokio::test]
async fn a_refusal_is_explained() {
    let api = Api::start(WRITE).await;
    let World { app, operator, .. } = &api.world;
    let problem = api.get("/clients/nobody").await.expect_problem(404);
    let id = problem["request_id"].as_str().unwrap();
    let told = explain::explain(app, operator, id).await.unwrap();
    let told = crate::admin::document::explanation(&told);
    let last = json!({ "check": "the act is possible", "mark": "failed" });
    assert_eq!(told["checks"].as_array().unwrap().last(), Some(&last), "{told}");
    let created = api.call("POST", "/users", &json!({ "username": "ada" })).await;
    let id = created.header("x-request-id").unwrap();
    let told = explain::explain(app, operator, id).await.unwrap();
    let told = crate::admin::document::explanation(&told);
    assert_eq!(
        (&told["outcome"], &told["events"][0]["type"]),
        (&json!("carried_out"), &json!("user.created"))
    );
}

#[tokio::test]
async fn lists_come_in_parts() {
    let api = Api::start(WRITE).await;
    for n in 0..5 {
        let user = json!({ "username": format!("user{n}") });
        api.call("POST", "/users", &user).await.expect(201);
        let resource = json!({ "identifier": format!("https://{n}.example") });
        api.call("POST", "/resources", &resource).await.expect(201);
    }
    for (kind, want) in [("users", 5), ("resources", 5), ("keys", 2), ("tenants", 1)] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let part = api.get(&format!("/{kind}?limit=2{after}")).await.expect(200);
            let items = part["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            seen.extend(items.iter().map(ToString::to_string));
            let Some(next) = part["next"].as_str() else { break };
            after = format!("&after={}", super::super::call::encode(next));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), want, "{kind}: {seen:?}");
    }
}

/// What two readers would read differently is nothing; a list is no set of members.
#[tokio::test]
async fn documents_are_objects_whose_members_are_named_once() {
    let api = Api::start(WRITE).await;
    let post = async |path: &str, body: &str| {
        let headers =
            format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", api.token);
        send(&api.world, "POST", path, &headers, body).await
    };
    let machine = r#"{"grant_types":["client_credentials"],"client_name":"a"}"#;
    post("/api/v1/clients", machine).await.expect(201);
    let twice = machine.replace("\"client_name\"", "\"client_name\":\"b\",\"client_name\"");
    post("/api/v1/clients", &twice).await.expect_problem(400);
    post("/api/v1/users", r#"{"username":"ada"}"#).await.expect(201);
    post("/api/v1/users", r#"["bob"]"#).await.expect_problem(400);
    api.get("/audit-events?after=9223372036854775807").await.expect(200);
    api.get("/audit-events?after=9223372036854775808").await.expect_problem(400);
}
