//! Clients.

use std::time::Duration;

use keywright_jose::sha256;
use keywright_protocol::id::ClientId;
use keywright_store::Page;
use serde_json::json;

use super::super::clients::*;
use super::*;

fn service() -> serde_json::Value {
    json!({ "grant_types": ["client_credentials"], "scope": "keywright:admin:read" })
}

#[tokio::test]
async fn a_new_client_is_known_at_once_and_its_secret_only_here() {
    let World { app, operator, .. } = &World::start().await;
    let issued = create(app, operator, metadata(&service())).await.unwrap();
    let secret = issued.secret.expect("client_secret_basic");
    assert_eq!(issued.client.secrets[0].sha256, sha256(secret.expose().as_bytes()));
    let tenant = app.tenant(operator.tenant()).unwrap();
    assert!(tenant.client(&issued.client.id).is_some(), "this process sees it");
    assert_eq!(show(app, operator, issued.client.id.as_str()).await.unwrap(), issued.client);
    let public = json!({
        "client_id": "spa", "redirect_uris": ["https://a.example/cb"],
        "token_endpoint_auth_method": "none",
    });
    let public = create(app, operator, metadata(&public)).await.unwrap();
    assert!(public.secret.is_none() && public.client.secrets.is_empty());
    assert_eq!(public.client.id.as_str(), "spa", "the chosen identifier");
    assert_eq!(list(app, operator, Page::default()).await.unwrap().items.len(), 2);
    let again = json!({
        "client_id": "spa", "grant_types": ["client_credentials"],
    });
    assert_eq!(refusal(create(app, operator, metadata(&again)).await), is("conflict", "client"));
    assert_eq!(refusal(show(app, operator, "nobody").await), is("not found", "client"));
    assert_eq!(refusal(show(app, operator, "no body").await), is("not found", "client"));
}

#[tokio::test]
async fn unchecked_metadata_is_checked_here_too() {
    let World { app, operator, .. } = &World::start().await;
    let mut wrong = metadata(&service());
    wrong.client_id = Some("user_x".to_owned());
    assert_eq!(refusal(create(app, operator, wrong).await), is("invalid", "client_id"));
    let mut wrong = metadata(&service());
    wrong.grant_types.clear();
    assert_eq!(refusal(create(app, operator, wrong).await), is("invalid", "grant_types"));
}

#[tokio::test]
async fn a_disabled_clients_tokens_are_dead() {
    let World { app, operator, clock } = &World::start().await;
    let id = create(app, operator, metadata(&service())).await.unwrap().client.id;
    let tenant = operator.tenant();
    let floor = |client: &ClientId| {
        app.with_revocations(|set| set.earliest_iat_s(tenant, client.as_str(), client.as_str()))
    };
    assert_eq!(floor(&id), i64::MIN, "the positive twin");
    clock.advance(Duration::from_secs(5));
    assert!(disable(app, operator, id.as_str()).await.unwrap().disabled);
    assert!(floor(&id) > app.now().as_unix_s(), "no token of until now lives");
    assert!(!enable(app, operator, id.as_str()).await.unwrap().disabled);
    assert!(floor(&id) > app.now().as_unix_s(), "what was revoked stays revoked");
    assert_eq!(refusal(disable(app, operator, "nobody").await), is("not found", "client"));
}

#[tokio::test]
async fn secrets_overlap() {
    let World { app, operator, clock } = &World::start().await;
    let id = create(app, operator, metadata(&service())).await.unwrap().client.id;
    let rotated = rotate_secret(app, operator, id.as_str(), SECRET_OVERLAP).await.unwrap();
    let ends = rotated.client.secrets.iter().map(|secret| secret.expires_at);
    assert_eq!(ends.collect::<Vec<_>>(), [Some(app.now().plus(SECRET_OVERLAP)), None]);
    clock.advance(Duration::from_secs(1));
    let last = rotate_secret(app, operator, id.as_str(), Duration::ZERO).await.unwrap();
    assert_eq!(last.client.secrets.len(), 1, "the others ended at once");
    let long = rotate_secret(app, operator, id.as_str(), Duration::MAX).await;
    assert_eq!(refusal(long), is("invalid", "overlap"));
    let public = json!({
        "redirect_uris": ["https://a.example/cb"], "token_endpoint_auth_method": "none",
    });
    let public = create(app, operator, metadata(&public)).await.unwrap().client.id;
    let none = rotate_secret(app, operator, public.as_str(), SECRET_OVERLAP).await;
    assert_eq!(refusal(none), is("invalid", "token_endpoint_auth_method"));
}

#[tokio::test]
async fn metadata_is_replaced_and_secrets_follow_the_method() {
    let World { app, operator, .. } = &World::start().await;
    let id = create(app, operator, metadata(&service())).await.unwrap().client.id;
    let id = id.as_str();
    let renamed = json!({ "grant_types": ["client_credentials"], "client_name": "Night" });
    let updated = update(app, operator, id, metadata(&renamed)).await.unwrap();
    assert_eq!(updated.client.metadata.client_name.as_deref(), Some("Night"));
    assert!(updated.client.metadata.scope.is_none(), "replaced, not merged");
    assert!(updated.secret.is_none() && updated.client.secrets.len() == 1, "the secret stays");
    let public = json!({
        "redirect_uris": ["https://a.example/cb"], "token_endpoint_auth_method": "none",
    });
    let updated = update(app, operator, id, metadata(&public)).await.unwrap();
    assert!(updated.client.secrets.is_empty());
    let updated = update(app, operator, id, metadata(&service())).await.unwrap();
    assert!(updated.secret.is_some(), "it needs one again");
    let other = json!({ "client_id": "other", "grant_types": ["client_credentials"] });
    let refused = update(app, operator, id, metadata(&other)).await;
    assert_eq!(refusal(refused), is("invalid", "client_id"), "RFC7592-2.2");
    let refused = update(app, operator, "nobody", metadata(&service())).await;
    assert_eq!(refusal(refused), is("not found", "client"));
}

#[tokio::test]
async fn what_was_shown_may_come_back() {
    let World { app, operator, .. } = &World::start().await;
    let client = create(app, operator, metadata(&service())).await.unwrap().client;
    let shown = crate::admin::document::client(&client).to_string();
    let read = parse_update(shown.as_bytes()).unwrap();
    let updated = update(app, operator, client.id.as_str(), read).await.unwrap();
    assert_eq!(updated.client, client);
    let strange = json!({ "grant_types": ["client_credentials"], "colour": "red" });
    let refused = parse_update(strange.to_string().as_bytes());
    assert_eq!(refusal(refused), is("invalid", "colour"));
}

#[tokio::test]
async fn a_deleted_client_is_gone() {
    let World { app, operator, .. } = &World::start().await;
    let id = create(app, operator, metadata(&service())).await.unwrap().client.id;
    delete(app, operator, id.as_str()).await.unwrap();
    assert!(app.tenant(operator.tenant()).unwrap().client(&id).is_none());
    assert_eq!(refusal(delete(app, operator, id.as_str()).await), is("not found", "client"));
}

#[tokio::test]
async fn an_import_takes_all_or_none() {
    let World { app, operator, .. } = &World::start().await;
    let good = |id: &str| json!({ "client_id": id, "grant_types": ["client_credentials"] });
    let imported = |document: serde_json::Value| async move {
        import(app, operator, document.to_string().as_bytes()).await.unwrap()
    };
    let mixed = json!([good("a"), { "grant_types": ["password"] }, good("a"), good("b")]);
    let report = imported(mixed).await;
    assert!(report.created.is_empty());
    assert_eq!(report.refused.iter().map(|item| item.place).collect::<Vec<_>>(), [2, 3]);
    assert!(list(app, operator, Page::default()).await.unwrap().items.is_empty());
    let report = imported(json!([good("a"), good("b")])).await;
    assert_eq!((report.created.len(), report.refused.len()), (2, 0));
    let report = imported(good("a")).await;
    assert_eq!((report.created.len(), report.refused.len()), (0, 1), "one alone, and taken");
    assert_eq!(refusal(import(app, operator, b"{").await), is("invalid", "document"));
}
