//! More power than was given: by tenant, by role, by what was taken back meanwhile.

use serde_json::{Value, json};

use crate::support::tokens::authenticated;
use crate::support::world::{service_metadata, web_metadata, with};
use crate::support::{Authorize, Browser, Client, Request, Tokens, User, World, jwt};

const ADMIN: &str = "keywright:admin:read keywright:admin:write";

fn status(issuer: &str, path: &str, token: &str) -> u16 {
    Request::get(&format!("{issuer}/api/v1{path}")).bearer(token).send().status
}

/// An administrator of one tenant is nobody in another, and never the master of tenants.
#[test]
fn administrators_stay_in_their_tenant() {
    let world = World::start();
    let server = &world.server;
    for name in ["acme", "globex"] {
        server.cli(&["tenant", "create", name]).expect_status(0);
    }
    let acme = server.url("/t/acme");
    let client = server.client_in(&["--tenant", "acme"], &service_metadata(ADMIN));
    let pairs = [("grant_type", "client_credentials"), ("scope", ADMIN)];
    let url = format!("{acme}/token");
    let tokens = Tokens::from(&authenticated(&url, &client, &pairs).send());
    assert_eq!(status(&acme, "/clients", tokens.access()), 200, "the positive twin");
    for issuer in [server.issuer.clone(), server.url("/t/globex")] {
        assert_eq!(status(&issuer, "/clients", tokens.access()), 401, "DESIGN-5.1: {issuer}");
    }
    let create = |issuer: &str| {
        let request = Request::post(&format!("{issuer}/api/v1/tenants")).bearer(tokens.access());
        request.json(&json!({ "name": "initech" })).send().status
    };
    for issuer in [acme, server.issuer.clone()] {
        let status = create(&issuer);
        assert!((400..500).contains(&status), "a tenant makes no tenants: {status}");
    }
    assert_eq!(server.cli(&["tenant", "show", "initech"]).status, 1, "none was made");
}

/// Whoever signs in to a client that may administrate is no administrator by that.
#[test]
fn ordinary_people_do_not_become_administrators() {
    let world = World::start();
    let metadata = json!({ "scope": format!("openid {ADMIN}") });
    let args = ["client", "create", "--metadata", "-"];
    let output = world.server.cli_with(&args, &with(web_metadata(), &metadata).to_string());
    if output.status != 0 {
        return;
    }
    let client = world.server.client(&with(web_metadata(), &metadata));
    let flow = Authorize::new(&world.server, &client).scope(&format!("openid {ADMIN}"));
    let callback = Browser::default().run(&flow, &world.alice).expect_callback();
    if callback.get("error").is_empty() {
        let tokens = Tokens::from(&world.server.redeem(&client, &flow, callback.code()));
        let status = status(&world.server.issuer, "/users", tokens.access());
        assert!([401, 403].contains(&status), "alice administrates: {status}");
    }
}

/// What the registration no longer allows, a refresh no longer gives: CVE-2026-75866.
#[test]
fn withdrawn_scopes_are_not_refreshed() {
    let world = World::start();
    let server = &world.server;
    let scope = "openid offline_access orders:read orders:write";
    let tokens = world.sign_in(&world.web, scope);
    let update = with(web_metadata(), &json!({ "scope": "openid offline_access orders:read" }));
    let args = ["client", "update", world.web.id.as_str(), "--metadata", "-"];
    server.cli_with(&args, &update.to_string()).expect_status(0);
    let answer = server.refresh(&world.web, tokens.refresh());
    if answer.status == 200 {
        let next = Tokens::from(&answer);
        assert!(!next.scope().contains(&"orders:write"), "narrowed: {:?}", next.scope());
        assert!(next.scope().contains(&"orders:read"), "and no more than that");
    } else {
        assert_eq!(answer.status, 400, "RFC6749-5.2: {}", answer.text());
    }
    let back = ["client", "update", world.web.id.as_str(), "--metadata", "-"];
    server.cli_with(&back, &web_metadata().to_string()).expect_status(0);
    world.sign_in(&world.web, scope);
}

/// The session is looked at again when the code is redeemed.
#[test]
fn a_session_revoked_before_the_redemption() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web);
    let callback = Browser::default().authorize(&flow, &world.alice);
    let session = world.server.cli(&["user", "sessions", "alice"]).items();
    let id = session[0]["id"].as_str().expect("an id").to_owned();
    world.server.cli(&["session", "revoke", &id]).expect_status(0);
    let refused = world.server.redeem(&world.web, &flow, callback.code());
    refused.expect_error(400, "invalid_grant");
    Tokens::from(&{
        let flow = Authorize::new(&world.server, &world.web);
        let callback = Browser::default().authorize(&flow, &world.alice);
        world.server.redeem(&world.web, &flow, callback.code())
    });
}

/// Logto CVE-2026-15617: two names that look alike must not be two people, nor one person two.
#[test]
fn names_do_not_collide() {
    let world = World::start();
    let hers = jwt::claims(world.sign_in(&world.web, "openid").id())["sub"].clone();
    for odd in ["ALICE", "Alice", " alice", "alice ", "\u{ff41}lice", "alice\u{200b}", "a\u{6c}ice"]
    {
        let args = ["user", "create", "--username", odd, "--password-stdin"];
        let created = world.server.cli_with(&args, "Sesame-of-another-person-1");
        if created.status == 0 {
            let other =
                User { username: odd.into(), password: "Sesame-of-another-person-1".into() };
            let mut browser = Browser::default();
            let tokens = world.sign_in_with(&mut browser, &world.web, "openid", &other);
            assert_ne!(jwt::claims(tokens.id())["sub"], hers, "{odd:?} is alice");
            panic!("{odd:?} was created beside alice: nobody can tell them apart");
        }
    }
    // And her own password still opens her own account.
    assert_eq!(jwt::claims(world.sign_in(&world.web, "openid").id())["sub"], hers);
}

/// A key set that a client registers: nothing private in it is kept, nothing weak is believed.
#[test]
fn registered_keys_are_public_and_strong() {
    let world = World::start();
    let key = jwt::Key::generate();
    let register = |public: &Value| {
        let keys = json!({ "keys": [public] });
        let change = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": keys });
        let metadata = with(service_metadata("orders:read"), &change);
        world.server.cli_with(&["client", "create", "--metadata", "-"], &metadata.to_string())
    };
    let mut leaked = key.public.clone();
    leaked["d"] = json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE");
    let output = register(&leaked);
    if output.status == 0 {
        let id = output.json()["client_id"].as_str().expect("id").to_owned();
        let shown = world.server.cli(&["client", "show", &id]).stdout;
        assert!(!shown.contains("870MB6gfuTJ4"), "RFC7517-9.2: a private key is shown");
    }
    let weak = json!({ "kty": "RSA", "kid": "w", "e": "AQAB", "n": "z".repeat(171), "use": "sig" });
    let symmetric = json!({ "kty": "oct", "kid": "s", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ" });
    for (name, public) in [("RSA of 1024 bits", weak), ("a shared secret", symmetric)] {
        assert_eq!(register(&public).status, 1, "RFC8725-3.2: {name} is refused");
    }
    register(&key.public).expect_status(0);
}

/// A deleted client's tokens die with it.
#[test]
fn a_deleted_client_s_tokens_are_dead() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, "openid offline_access");
    assert_eq!(world.server.userinfo(tokens.access()).status, 200, "the positive twin");
    world.server.cli(&["client", "delete", &world.web.id]).expect_status(0);
    assert_eq!(world.server.userinfo(tokens.access()).status, 401, "CONTRACT-3: as if disabled");
    let answer = world.server.refresh(&world.web, tokens.refresh());
    answer.expect_error(401, "invalid_client");
}

/// A client that was deleted leaves nothing behind for one that comes after it.
#[test]
fn a_successor_inherits_nothing() {
    let world = World::start();
    let server = &world.server;
    let metadata = with(web_metadata(), &json!({ "client_id": "shop" }));
    let args = ["client", "create", "--metadata", "-"];
    if server.cli_with(&args, &metadata.to_string()).status != 0 {
        // Identifiers that nobody may choose cannot be inherited.
        return;
    }
    let shown = server.cli(&["client", "show", "shop"]);
    if shown.status != 0 {
        return;
    }
    server.cli(&["client", "delete", "shop"]).expect_status(0);
    let first: Client = server.client(&metadata);
    let tokens = world.sign_in(&first, "openid offline_access");
    let family = tokens.refresh().to_owned();
    server.cli(&["client", "delete", "shop"]).expect_status(0);
    assert_eq!(server.userinfo(tokens.access()).status, 401, "its tokens died with it");
    let second = server.client(&metadata);
    server.refresh(&second, &family).expect_error(400, "invalid_grant");
    assert_eq!(server.userinfo(tokens.access()).status, 401, "and stay dead");
    // Consent was given to the one, not to the other.
    let mut browser = Browser::default();
    let page = browser.open(&Authorize::new(server, &second).scope("openid email").url());
    browser.sign_in(&page, &world.alice).expect_form("consent-form");
}
