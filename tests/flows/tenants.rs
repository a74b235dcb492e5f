//! Tenants are issuers of their own: DESIGN 5.1.

use serde_json::json;

use crate::support::tokens::{authenticated, redemption};
use crate::support::world::{service_metadata, web_metadata, with};
use crate::support::{Authorize, Browser, Request, Tokens, World, jwt};

const ACME: [&str; 2] = ["--tenant", "acme"];

fn world() -> (World, String) {
    let world = World::start();
    world.server.cli(&["tenant", "create", "acme"]).expect_status(0);
    let issuer = world.server.url("/t/acme");
    (world, issuer)
}

#[test]
fn each_has_its_documents_and_keys() {
    let (world, issuer) = world();
    let inserted = world.server.url("/.well-known/oauth-authorization-server/t/acme");
    for url in [
        format!("{issuer}/.well-known/openid-configuration"),
        format!("{issuer}/.well-known/oauth-authorization-server"),
        inserted,
    ] {
        let document = Request::get(&url).send().expect(200);
        assert_eq!(document["issuer"], json!(issuer), "RFC8414-3.3: {url}");
        assert_eq!(document["token_endpoint"], json!(format!("{issuer}/token")), "{url}");
    }
    let kids = |issuer: &str| {
        let keys = Request::get(&format!("{issuer}/jwks")).send().expect(200);
        let keys = keys["keys"].as_array().expect("RFC7517-5.1").clone();
        keys.iter().map(|key| key["kid"].to_string()).collect::<Vec<_>>()
    };
    let (ours, theirs) = (kids(&world.server.issuer), kids(&issuer));
    assert!(ours.iter().all(|kid| !theirs.contains(kid)), "DESIGN-5.1: keys are never shared");
    let unknown = world.server.get("/t/nobody/.well-known/openid-configuration");
    assert_eq!(unknown.status, 404, "an unknown tenant");
}

#[test]
fn the_code_flow_runs_in_a_tenant() {
    let (world, issuer) = world();
    let server = &world.server;
    let bob = server.user_in(&ACME, "bob");
    let client =
        server.client_in(&ACME, &with(web_metadata(), &json!({ "scope": "openid email" })));
    let flow = Authorize::at(&issuer, &client).scope("openid email");
    let callback = Browser::default().authorize(&flow, &bob);
    assert_eq!(callback.get("iss"), issuer, "RFC9207-2");
    let url = format!("{issuer}/token");
    let pairs = redemption(&flow, callback.code());
    // The code of one issuer is nothing to another.
    authenticated(&server.url("/token"), &client, &pairs)
        .send()
        .expect_error(401, "invalid_client");
    let tokens = Tokens::from(&authenticated(&url, &client, &pairs).send());
    assert_eq!(jwt::verify(&issuer, tokens.id())["iss"], json!(issuer), "OIDCC-2");
    let userinfo = |issuer: &str| {
        Request::get(&format!("{issuer}/userinfo")).bearer(tokens.access()).send().status
    };
    assert_eq!((userinfo(&issuer), userinfo(&server.issuer)), (200, 401), "DESIGN-5.1");
}

#[test]
fn users_and_clients_are_not_shared() {
    let (world, issuer) = world();
    let server = &world.server;
    let client = server.client_in(&ACME, &service_metadata(""));
    let grant = [("grant_type", "client_credentials")];
    let at =
        |issuer: &str, client| authenticated(&format!("{issuer}/token"), client, &grant).send();
    at(&server.issuer, &client).expect_error(401, "invalid_client");
    at(&issuer, &world.service).expect_error(401, "invalid_client");
    Tokens::from(&at(&issuer, &client));
    // A person of the default tenant signs in nowhere else.
    let web = server.client_in(&ACME, &with(web_metadata(), &json!({ "scope": "openid" })));
    let flow = Authorize::at(&issuer, &web);
    let mut browser = Browser::default();
    let page = browser.open(&flow.url());
    assert!(browser.sign_in(&page, &world.alice).has("login-error"), "DESIGN-5.1");
}

#[test]
fn a_session_of_one_tenant_is_none_in_another() {
    let (world, issuer) = world();
    let mut browser = Browser::default();
    world.sign_in_with(&mut browser, &world.web, "openid", &world.alice);
    let web = with(web_metadata(), &json!({ "scope": "openid" }));
    let client = world.server.client_in(&ACME, &web);
    let flow = Authorize::at(&issuer, &client).set("prompt", "none");
    let callback = browser.open(&flow.url()).expect_callback();
    assert_eq!(callback.get("error"), "login_required", "DESIGN-5.1");
}

#[test]
fn a_disabled_tenant_is_silent() {
    let (world, issuer) = world();
    let client = world.server.client_in(&ACME, &service_metadata(""));
    let url = format!("{issuer}/token");
    let grant = [("grant_type", "client_credentials")];
    let tokens = Tokens::from(&authenticated(&url, &client, &grant).send());
    world.server.cli(&["tenant", "disable", "acme"]).expect_status(0);
    let refused = authenticated(&url, &client, &grant).send();
    assert!((400..500).contains(&refused.status), "CONTRACT-3: {}", refused.text());
    let introspect = format!("{issuer}/introspect");
    let answer = authenticated(&introspect, &client, &[("token", tokens.access())]).send();
    let alive = answer.status == 200 && answer.json()["active"] == true;
    assert!(!alive, "CONTRACT-3: its tokens are dead");
    world.server.client_credentials(&world.service, "orders:read");
    let listed = world.server.cli(&["tenant", "list"]).items();
    assert!(listed.iter().any(|tenant| tenant["name"] == "acme"), "{listed:?}");
}

/// DESIGN 5.2: the `oidc` profile is what OpenID certification needs, for one tenant.
#[test]
fn profiles_are_chosen_per_tenant() {
    let (world, _) = world();
    let server = &world.server;
    server.cli(&["tenant", "create", "certified", "--profile", "oidc"]).expect_status(0);
    let at = ["--tenant", "certified"];
    let bob = server.user_in(&at, "bob");
    let confidential = server.client_in(&at, &with(web_metadata(), &json!({ "scope": "openid" })));
    let spa = crate::support::world::spa_metadata();
    let public = server.client_in(&at, &with(spa, &json!({ "scope": "openid" })));
    let issuer = server.url("/t/certified");
    let bare = |client| {
        let flow = Authorize::at(&issuer, client);
        flow.remove("code_challenge").remove("code_challenge_method")
    };
    let flow = bare(&confidential);
    let callback = Browser::default().authorize(&flow, &bob);
    let mut pairs = redemption(&flow, callback.code());
    let url = format!("{issuer}/token");
    // RFC 7636 §4.6 and RFC 9700 §4.8.2: a verifier that answers no challenge is refused.
    let refused = authenticated(&url, &confidential, &pairs).send();
    refused.expect_error(400, "invalid_grant");
    pairs.retain(|(name, _)| *name != "code_verifier");
    Tokens::from(&authenticated(&url, &confidential, &pairs).send());
    let refused = Browser::default().run(&bare(&public), &bob).expect_callback();
    assert_eq!(refused.get("error"), "invalid_request", "RFC9700-2.1.1: public clients always");
}
