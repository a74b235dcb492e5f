//! RFC 8707 and the audience rules of CONTRACT §3.

use serde_json::{Value, json};

use crate::support::world::{service_metadata, web_metadata, with};
use crate::support::{API, Authorize, Browser, Server, Tokens, World, jwt};

const OTHER: &str = "https://other.example.com/v2";

fn world() -> World {
    let server = Server::start();
    server.resource(OTHER, &["files:read"], &[]);
    World::in_server(server)
}

fn audience(access_token: &str) -> Vec<String> {
    match &jwt::claims(access_token)["aud"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => {
            let mut all: Vec<String> =
                many.iter().map(|aud| aud.as_str().expect("a string").to_owned()).collect();
            all.sort_unstable();
            all
        }
        other => panic!("RFC9068-2.2: aud is {other}"),
    }
}

#[test]
fn the_audience_follows_resource_then_scope() {
    struct Case {
        must: &'static str,
        scope: &'static str,
        resource: Option<&'static str>,
        want: Result<&'static [&'static str], &'static str>,
    }
    let world = world();
    let client = world.server.client(&service_metadata("orders:read files:read"));
    let cases = [
        Case { must: "CONTRACT-3", scope: "orders:read", resource: None, want: Ok(&[API]) },
        Case { must: "CONTRACT-3", scope: "files:read", resource: None, want: Ok(&[OTHER]) },
        Case {
            must: "CONTRACT-3",
            scope: "orders:read files:read",
            resource: None,
            want: Ok(&[API, OTHER]),
        },
        Case { must: "RFC8707-2", scope: "orders:read", resource: Some(API), want: Ok(&[API]) },
        Case {
            must: "RFC8707-2",
            scope: "orders:read",
            resource: Some("https://unknown.example.com"),
            want: Err("invalid_target"),
        },
        Case {
            must: "RFC8707-2",
            scope: "orders:read",
            resource: Some("https://api.example.com#x"),
            want: Err("invalid_target"),
        },
        Case {
            must: "RFC8707-2",
            scope: "orders:read",
            resource: Some("/relative"),
            want: Err("invalid_target"),
        },
    ];
    for Case { must, scope, resource, want } in cases {
        let mut pairs = vec![("grant_type", "client_credentials"), ("scope", scope)];
        pairs.extend(resource.map(|uri| ("resource", uri)));
        let answer = world.server.token(&client, &pairs);
        match want {
            Ok(aud) => {
                let tokens = Tokens::from(&answer);
                assert_eq!(audience(tokens.access()), aud, "{must}: {scope} {resource:?}");
            }
            Err(error) => answer.expect_error(400, error),
        }
    }
}

#[test]
fn two_resources_may_be_named() {
    let world = world();
    let client = world.server.client(&service_metadata("orders:read files:read"));
    let tokens = Tokens::from(&world.server.token(
        &client,
        &[("grant_type", "client_credentials"), ("resource", API), ("resource", OTHER)],
    ));
    assert_eq!(audience(tokens.access()), [API, OTHER], "RFC8707-2: more than one");
}

#[test]
fn a_code_can_be_redeemed_for_part_of_its_grant() {
    let world = world();
    let metadata = json!({ "scope": "openid offline_access orders:read files:read" });
    let client = world.server.client(&with(web_metadata(), &metadata));
    let scope = "openid offline_access orders:read files:read";
    let flow = Authorize::new(&world.server, &client).scope(scope);
    let flow = flow.add("resource", API).add("resource", OTHER);
    let callback = Browser::default().authorize(&flow, &world.alice);
    let mut pairs = crate::support::tokens::redemption(&flow, callback.code());
    pairs.push(("resource", API));
    let tokens = Tokens::from(&world.server.token(&client, &pairs));
    assert!(!audience(tokens.access()).contains(&OTHER.to_owned()), "RFC8707-2.2: narrowed");
    assert!(audience(tokens.access()).contains(&API.to_owned()), "RFC8707-2.2");
    let refresh = |resource: &str, token: &str| {
        let grant = [("grant_type", "refresh_token"), ("refresh_token", token)];
        world.server.token(&client, &[&grant[..], &[("resource", resource)]].concat())
    };
    let next = Tokens::from(&refresh(OTHER, tokens.refresh()));
    assert!(audience(next.access()).contains(&OTHER.to_owned()), "RFC8707-2.2: the grant has it");
    refresh("https://third.example.com", next.refresh()).expect_error(400, "invalid_target");
}

#[test]
fn a_resource_not_granted_is_not_given_later() {
    let world = world();
    let metadata = json!({ "scope": "openid offline_access orders:read files:read" });
    let client = world.server.client(&with(web_metadata(), &metadata));
    let flow = Authorize::new(&world.server, &client).scope("openid orders:read files:read");
    let flow = flow.add("resource", API);
    let page = Browser::default().run(&flow, &world.alice);
    let callback = page.expect_callback();
    if callback.get("error").is_empty() {
        let mut pairs = crate::support::tokens::redemption(&flow, callback.code());
        pairs.push(("resource", OTHER));
        world.server.token(&client, &pairs).expect_error(400, "invalid_target");
    } else {
        // Refusing scopes of a resource that was not named is as good.
        assert!(["invalid_scope", "invalid_target"].contains(&callback.get("error")));
    }
}

#[test]
fn the_issuer_is_in_the_audience_for_openid() {
    let world = world();
    let tokens = world.sign_in(&world.web, "openid orders:read");
    let mut want = [API.to_owned(), world.server.issuer.clone()];
    want.sort_unstable();
    assert_eq!(audience(tokens.access()), want, "CONTRACT-3: userinfo takes it");
    let bare = world.sign_in(&world.web, "openid");
    assert_eq!(audience(bare.access()), std::slice::from_ref(&world.server.issuer), "CONTRACT-3");
}

#[test]
fn algorithm_and_lifetime_are_the_resource_s() {
    let world = world();
    let fast = "https://fast.example.com";
    world.server.resource(fast, &["fast:read"], &["--alg", "EdDSA", "--lifetime", "90s"]);
    let client = world.server.client(&service_metadata("fast:read"));
    let tokens = world.server.client_credentials(&client, "fast:read");
    assert_eq!(jwt::header(tokens.access())["alg"], "EdDSA", "CONTRACT-2: --alg");
    assert_eq!(tokens.document["expires_in"], 90, "CONTRACT-2: --lifetime");
    jwt::verify(&world.server.issuer, tokens.access());
    assert!(world.server.is_active(&client, tokens.access()));
}
