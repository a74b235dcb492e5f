//! Tenants, resources, keys, revocations, the audit log.

use keywright_jose::Algorithm;
use keywright_protocol::id::{Jti, TenantId};
use keywright_protocol::profile::Profile;
use keywright_protocol::resource::ProtectedResource;
use keywright_protocol::revocation::{RevocationSet, RevocationTarget};
use serde_json::json;

use super::super::audit::{AuditFilter, Verification};
use super::super::{audit, clients, explain, keys, resources, revocations, tenants, tokens};
use super::*;
use crate::keys::ring::KeyState;

fn tenant(name: &str) -> tenants::NewTenant {
    tenants::NewTenant { name: name.to_owned(), display_name: None, profile: Profile::default() }
}

fn resource(document: &serde_json::Value) -> ProtectedResource {
    resources::parse(document.to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn a_new_tenant_serves_and_a_disabled_one_does_not() {
    let World { app, operator, .. } = &World::start().await;
    let acme = tenants::create(app, operator, tenant("acme")).await.unwrap().id;
    let state = app.tenant(&acme).expect("serves at once");
    assert!(state.keys.load().active(Algorithm::Es256, app.now()).is_some(), "with keys");
    assert_eq!(tenants::list(app).await.unwrap().len(), 2);
    let again = tenants::create(app, operator, tenant("acme")).await;
    assert_eq!(refusal(again), is("conflict", "tenant"));
    let bad = tenants::create(app, operator, tenant("A c")).await;
    assert_eq!(refusal(bad), is("invalid", "name"));
    assert!(tenants::disable(app, operator, "acme").await.unwrap().disabled);
    assert!(app.tenant(&acme).is_none());
    assert!(!tenants::enable(app, operator, "acme").await.unwrap().disabled);
    assert!(app.tenant(&acme).is_some());
    let default = tenants::disable(app, operator, "default").await;
    assert_eq!(refusal(default), is("invalid", "name"), "nobody could enable it");
    let unknown = tenants::disable(app, operator, "nobody").await;
    assert_eq!(refusal(unknown), is("not found", "tenant"));
    let own = Operator::at_command_line(acme);
    let events = audit::tail(app, &own, 100).await.unwrap();
    let told = |kind: &str| events.iter().filter(|e| e.body.contains(kind)).count();
    assert_eq!((told("tenant.created"), told("tenant.updated")), (1, 2), "its own log tells it");
}

#[tokio::test]
async fn an_operator_of_a_tenant_that_is_not_there_can_do_nothing() {
    let World { app, .. } = &World::start().await;
    let nowhere = Operator::at_command_line(TenantId::parse("nowhere").unwrap());
    let service = metadata(&json!({ "grant_types": ["client_credentials"] }));
    let refused = clients::create(app, &nowhere, service).await;
    assert_eq!(refusal(refused), is("not found", "tenant"));
    assert_eq!(refusal(keys::list(app, &nowhere).await), is("not found", "tenant"));
    assert_eq!(refusal(resources::list(app, &nowhere).await), is("not found", "tenant"));
}

#[tokio::test]
async fn a_resource_lives_and_dies() {
    let World { app, operator, .. } = &World::start().await;
    let id = "https://api.example";
    let first = resource(&json!({ "identifier": id, "scopes": ["a:read"] }));
    resources::create(app, operator, first.clone()).await.unwrap();
    let catalog = || app.tenant(operator.tenant()).unwrap().catalog.load_full();
    assert!(catalog().knows_scope("a:read"));
    assert_eq!(resources::show(app, operator, id).await.unwrap(), first);
    let again = resources::create(app, operator, first).await;
    assert_eq!(refusal(again), is("conflict", "resource"));
    let other = resource(&json!({ "identifier": id, "scopes": ["b:read"], "alg": "EdDSA" }));
    resources::replace(app, operator, other).await.unwrap();
    assert!(!catalog().knows_scope("a:read") && catalog().knows_scope("b:read"));
    let keys = keys::list(app, operator).await.unwrap();
    assert!(keys.iter().any(|key| key.alg == Algorithm::EdDsa), "with a key to sign for it");
    resources::delete(app, operator, id).await.unwrap();
    assert!(!catalog().knows_scope("b:read"));
    let gone = resources::delete(app, operator, id).await;
    assert_eq!(refusal(gone), is("not found", "resource"));
    let unknown = resource(&json!({ "identifier": "https://b.example" }));
    let unknown = resources::replace(app, operator, unknown).await;
    assert_eq!(refusal(unknown), is("not found", "resource"));
}

#[tokio::test]
async fn resources_that_would_weaken_are_refused() {
    let World { app, operator, .. } = &World::start().await;
    let id = "https://api.example";
    for (document, field) in [
        (json!({ "identifier": app.root_issuer() }), "identifier"),
        (json!({ "identifier": id, "alg": "ES384" }), "alg"),
        (json!({ "identifier": id, "lifetime_s": 1 }), "lifetime_s"),
        (json!({ "identifier": id, "lifetime_s": u64::MAX }), "lifetime_s"),
        (json!({ "identifier": id, "scopes": ["openid"] }), "scopes"),
        (json!({ "identifier": id, "scopes": ["keywright:admin:write"] }), "scopes"),
        (json!({ "identifier": id, "scopes": ["a", "a"] }), "scopes"),
        (json!({ "identifier": id, "scopes": ["a b"] }), "scopes"),
    ] {
        let refused = resources::create(app, operator, resource(&document)).await;
        assert_eq!(refusal(refused), is("invalid", field), "{document}");
    }
    let good = json!({ "identifier": id, "alg": "ES256", "lifetime_s": 2, "scopes": ["a", "b"] });
    resources::create(app, operator, resource(&good)).await.unwrap();
    let shared = json!({ "identifier": "https://b.example", "scopes": ["a"] });
    assert!(resources::create(app, operator, resource(&shared)).await.is_ok(), "a shared scope");
}

#[tokio::test]
async fn a_revocation_outlives_a_lifetime_that_was_shortened() {
    let World { app, operator, .. } = &World::start().await;
    let state = app.any_tenant(operator.tenant()).unwrap();
    let id = "https://api.example";
    let remembered_s = || {
        let now = app.now();
        app.tokens_expire_at(&state, now).since(now).as_secs()
    };
    assert_eq!(remembered_s(), 660, "as long as any token lives, and a minute");
    let lived_s = |s: u64| resource(&json!({ "identifier": id, "lifetime_s": s }));
    resources::create(app, operator, lived_s(1800)).await.unwrap();
    assert_eq!(remembered_s(), 1860);
    resources::replace(app, operator, lived_s(60)).await.unwrap();
    assert_eq!(remembered_s(), 1860, "tokens of half an hour may be out there");
    resources::delete(app, operator, id).await.unwrap();
    assert_eq!(remembered_s(), 1860);
    let now = app.now();
    assert_eq!(app.accepted_until(&state, now).since(now).as_secs(), 660, "but are refused here");
}

#[tokio::test]
async fn keys_rotate_and_die() {
    let World { app, operator, .. } = &World::start().await;
    let active = || {
        let tenant = app.tenant(operator.tenant()).unwrap();
        tenant.keys.load().active(Algorithm::Es256, app.now()).unwrap().kid().to_owned()
    };
    let old = active();
    let kids = keys::rotate(app, operator, Some(Algorithm::Es256)).await.unwrap();
    assert_eq!(kids, [active()]);
    assert_ne!(active(), old);
    let state = |kid: String| async move {
        let keys = keys::list(app, operator).await.unwrap();
        keys.iter().find(|key| key.kid == kid).unwrap().state
    };
    assert_eq!(state(old.clone()).await, KeyState::Retiring, "its tokens live on");
    assert_eq!(keys::rotate(app, operator, None).await.unwrap().len(), 2, "ES256 and RS256");
    let unoffered = keys::rotate(app, operator, Some(Algorithm::Es512)).await;
    assert_eq!(refusal(unoffered), is("invalid", "alg"));
    let doomed = active();
    let target = RevocationTarget::SigningKey(doomed.clone());
    assert_eq!(revocations::revoke(app, operator, target).await.unwrap().len(), 1);
    assert_eq!(state(doomed.clone()).await, KeyState::Gone);
    assert_ne!(active(), doomed, "another one signs");
    let unknown = keys::revoke(app, operator, "nobody").await;
    assert_eq!(refusal(unknown), is("not found", "signing_key"));
}

#[tokio::test]
async fn the_revocation_log_is_read_by_place() {
    let World { app, operator, .. } = &World::start().await;
    let acme = tenants::create(app, operator, tenant("acme")).await.unwrap().id;
    let other = Operator::at_command_line(acme);
    for n in 0..3 {
        let token = RevocationTarget::Token(Jti::from_trusted(format!("token-{n}")));
        revocations::revoke(app, operator, token.clone()).await.unwrap();
        revocations::revoke(app, &other, token).await.unwrap();
    }
    let first = revocations::list(app, operator, 0, 2).await.unwrap();
    assert_eq!(first.items.len(), 2);
    assert!(first.items.iter().all(|entry| entry.tenant.is_default()), "not another's");
    let next = first.next.expect("one more").parse().unwrap();
    let last = revocations::list(app, operator, next, 2).await.unwrap();
    assert_eq!((last.items.len(), last.next), (1, None));
    let long = RevocationTarget::Token(Jti::from_trusted("x".repeat(256)));
    assert_eq!(refusal(revocations::revoke(app, operator, long).await), is("invalid", "id"));
    for (kind, id, field) in [
        ("tenant", Some("x"), "id"),
        ("token", None, "id"),
        ("token", Some(""), "id"),
        ("colour", Some("red"), "kind"),
    ] {
        assert_eq!(refusal(revocations::parse_target(kind, id)), is("invalid", field), "{kind}");
    }
    let family = revocations::parse_target("family", Some("family_x")).unwrap();
    assert_eq!(refusal(revocations::revoke(app, operator, family).await).0, "not found");
}

#[tokio::test]
async fn every_act_is_in_the_log_and_the_chain_holds() {
    let World { app, operator, .. } = &World::start().await;
    let service = metadata(&json!({ "grant_types": ["client_credentials"] }));
    let id = clients::create(app, operator, service).await.unwrap().client.id;
    clients::disable(app, operator, id.as_str()).await.unwrap();
    let filter = AuditFilter { event_type: Some("client".into()), ..AuditFilter::default() };
    let found = audit::list(app, operator, &filter, 0, 0).await.unwrap().items;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|event| event.body.contains("command_line")), "{found:?}");
    let one = audit::list(app, operator, &filter, 0, 1).await.unwrap();
    let next = one.next.expect("one more").parse().unwrap();
    assert_eq!(audit::list(app, operator, &filter, next, 1).await.unwrap().items, found[1..]);
    let none = AuditFilter { client_id: Some("nobody".into()), ..filter };
    assert!(audit::list(app, operator, &none, 0, 0).await.unwrap().items.is_empty());
    let last = audit::tail(app, operator, 1).await.unwrap();
    assert_eq!(last, found[1..]);
    let Verification::Intact { count, head } = audit::verify(app, operator).await.unwrap() else {
        panic!("the chain holds");
    };
    assert_eq!((count, head), (last[0].seq, last[0].hash));
    let unknown = explain::explain(app, operator, "req_unknown").await.map(|_| ());
    assert_eq!(refusal(unknown), is("not found", "request"));
}

#[tokio::test]
async fn what_is_no_token_is_said_so() {
    let World { app, operator, .. } = &World::start().await;
    for text in ["", "x", "a.b.c", "kwa_AAAA", "eyJhbGciOiJub25lIn0.e30."] {
        let read = tokens::inspect(app, operator, text).await.unwrap();
        assert!(!read.is_good(), "{text}");
        let refused = tokens::revoke(app, operator, text).await;
        assert_eq!(refusal(refused), is("invalid", "token"), "{text}");
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_for_a_while_costs_no_revocation() {
    let World { app, clock, operator } = &World::start().await;
    let jti = RevocationTarget::Token(Jti::from_trusted("j"));
    let revoked = revocations::revoke(app, operator, jti).await.unwrap();
    let known = || app.with_revocations(RevocationSet::len);
    assert_eq!((revoked.len(), known()), (1, 1));
    let hour = std::time::Duration::from_hours(1);
    clock.advance(hour);
    app.forget_expired(app.now());
    assert_eq!(known(), 0, "an hour later it concerns no living token");
    assert!(!app.forgot_too_early());
    clock.set_back(hour);
    assert!(app.forgot_too_early());
    app.follow().await.unwrap();
    assert_eq!(known(), 1, "it does again");
    assert!(!app.forgot_too_early());
}
