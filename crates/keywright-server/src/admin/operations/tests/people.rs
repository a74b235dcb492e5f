//! Users, sessions and grants.

use std::time::Duration;

use keywright_protocol::secret::Secret;
use keywright_store::Page;
use serde_json::json;

use super::super::users::*;
use super::super::{grants, sessions};
use super::*;
use crate::password::PasswordVerdict;

fn profile(username: &str) -> Profile {
    Profile { username: username.to_owned(), ..Profile::default() }
}

fn password(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[tokio::test]
async fn a_user_is_found_by_both_names() {
    let World { app, operator, .. } = &World::start().await;
    let ada = create(app, operator, profile("Ada"), Some(password("Sesame-1"))).await.unwrap();
    assert_eq!(show(app, operator, ada.sub.as_str()).await.unwrap(), ada);
    assert_eq!(show(app, operator, "ADA").await.unwrap(), ada);
    assert_eq!(refusal(show(app, operator, "user_nobody").await), is("not found", "user"));
    assert_eq!(refusal(show(app, operator, "no body").await), is("not found", "user"));
    let login = app.store.load_login(operator.tenant(), &ada.username).await.unwrap().unwrap();
    let verdict = app.passwords.verify(password("Sesame-1"), login.password_hash).await.unwrap();
    assert_eq!(verdict, PasswordVerdict::Matches);
    let again = create(app, operator, profile("aDA"), None).await;
    assert_eq!(refusal(again), is("conflict", "user"), "names differ by more than case");
    assert_eq!(list(app, operator, Page::default()).await.unwrap().items, [ada]);
}

#[tokio::test]
async fn what_cannot_be_stored_is_named() {
    let World { app, operator, .. } = &World::start().await;
    let try_one = |profile, word: &'static str| async move {
        refusal(create(app, operator, profile, Some(password(word))).await)
    };
    let good = "Sesame-Sesame";
    assert_eq!(try_one(profile("a b"), good).await, is("invalid", "username"));
    assert_eq!(try_one(profile("ada"), "short").await, is("invalid", "password"));
    let email = Profile { email: Some("nowhere".into()), ..profile("ada") };
    assert_eq!(try_one(email, good).await, is("invalid", "email"));
    let unproven = Profile { email_verified: true, ..profile("ada") };
    assert_eq!(try_one(unproven, good).await, is("invalid", "email_verified"));
    let claims = json!({ "sub": "user_x" }).as_object().cloned().unwrap();
    let claims = Profile { claims, ..profile("ada") };
    assert_eq!(try_one(claims, good).await, is("invalid", "claims.sub"));
    assert!(create(app, operator, profile("ada"), Some(password(good))).await.is_ok());
}

#[tokio::test]
async fn another_address_is_unproven() {
    let World { app, operator, clock } = &World::start().await;
    let email = Some("a@b.example".to_owned());
    let proven = Profile { email, email_verified: true, ..profile("ada") };
    create(app, operator, proven, None).await.unwrap();
    clock.advance(Duration::from_secs(1));
    let set = |email: &str| ProfileChange {
        email: EmailChange::Set(email.to_owned()),
        ..ProfileChange::default()
    };
    let same = update(app, operator, "ada", set("a@b.example")).await.unwrap();
    assert!(same.email_verified, "nothing changed");
    assert!(same.updated_at > same.created_at);
    let other = update(app, operator, "ada", set("c@d.example")).await.unwrap();
    assert!(!other.email_verified);
    let both = ProfileChange { email_verified: Some(true), ..set("e@f.example") };
    assert!(update(app, operator, "ada", both).await.unwrap().email_verified);
    let clear = ProfileChange { email: EmailChange::Clear, ..ProfileChange::default() };
    let none = update(app, operator, "ada", clear).await.unwrap();
    assert_eq!((none.email, none.email_verified), (None, false));
    let proven = ProfileChange { email_verified: Some(true), ..ProfileChange::default() };
    let refused = update(app, operator, "ada", proven).await;
    assert_eq!(refusal(refused), is("invalid", "email_verified"));
}

#[tokio::test]
async fn a_disabled_user_grants_nothing() {
    let World { app, operator, .. } = &World::start().await;
    let sub = create(app, operator, profile("ada"), None).await.unwrap().sub;
    let floor = || {
        let set = |set: &keywright_protocol::revocation::RevocationSet| {
            set.earliest_iat_s(operator.tenant(), "any", sub.as_str())
        };
        app.with_revocations(set)
    };
    assert_eq!(floor(), i64::MIN, "the positive twin");
    assert!(disable(app, operator, "ada").await.unwrap().disabled);
    assert!(floor() > app.now().as_unix_s());
    assert!(!enable(app, operator, "ada").await.unwrap().disabled);
    assert_eq!(refusal(disable(app, operator, "bob").await), is("not found", "user"));
}

#[tokio::test]
async fn a_new_password_replaces_the_old() {
    let World { app, operator, .. } = &World::start().await;
    let ada = create(app, operator, profile("ada"), Some(password("Sesame-1"))).await.unwrap();
    set_password(app, operator, "ada", password("Sesame-2")).await.unwrap();
    let login = app.store.load_login(operator.tenant(), &ada.username).await.unwrap().unwrap();
    let hash = login.password_hash;
    let verdict = app.passwords.verify(password("Sesame-1"), hash.clone()).await.unwrap();
    assert_eq!(verdict, PasswordVerdict::Wrong);
    let verdict = app.passwords.verify(password("Sesame-2"), hash).await.unwrap();
    assert_eq!(verdict, PasswordVerdict::Matches);
    let short = set_password(app, operator, "ada", password("short")).await;
    assert_eq!(refusal(short), is("invalid", "password"));
    let nobody = set_password(app, operator, "bob", password("Sesame-3")).await;
    assert_eq!(refusal(nobody), is("not found", "user"));
}

#[tokio::test]
async fn people_from_elsewhere_bring_their_hashes() {
    let World { app, operator, .. } = &World::start().await;
    let hash = app.passwords.hash(password("Sesame-1"), &*app.environment).await.unwrap();
    let line = |name: &str| json!({ "username": name, "password_hash": hash }).to_string();
    let mixed = [line("ada"), "{\"username\":\"b\",\"x\":1}".into(), String::new(), line("ADA")];
    let report = import(app, operator, &mixed.join("\n")).await.unwrap();
    assert!(report.created.is_empty());
    assert_eq!(report.refused.iter().map(|item| item.place).collect::<Vec<_>>(), [2, 4]);
    let report = import(app, operator, &[line("ada"), line("bob")].join("\n")).await.unwrap();
    assert_eq!((report.created.len(), report.refused.len()), (2, 0));
    let name = &report.created[0].username;
    let login = app.store.load_login(operator.tenant(), name).await.unwrap().unwrap();
    let verdict = app.passwords.verify(password("Sesame-1"), login.password_hash).await.unwrap();
    assert_eq!(verdict, PasswordVerdict::Matches);
}

#[tokio::test]
async fn lists_narrow_by_people_that_exist() {
    let World { app, operator, .. } = &World::start().await;
    create(app, operator, profile("ada"), None).await.unwrap();
    let page = Page::default;
    assert!(super::super::users::sessions(app, operator, "ada", page()).await.is_ok());
    let nobody = sessions::list(app, operator, Some("bob"), page()).await;
    assert_eq!(refusal(nobody), is("not found", "user"));
    assert!(grants::list(app, operator, Some("ada"), Some("any"), page()).await.is_ok());
    let nobody = grants::list(app, operator, Some("bob"), None, page()).await;
    assert_eq!(refusal(nobody), is("not found", "user"));
    assert_eq!(refusal(sessions::revoke(app, operator, "x").await), is("not found", "session"));
    assert_eq!(refusal(grants::revoke(app, operator, "x").await), is("not found", "grant"));
}
