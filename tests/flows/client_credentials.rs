//! RFC 6749 §4.4, by every method of client authentication.

use serde_json::json;

use crate::support::jwt::{self, ASSERTION_TYPE, Key, assertion_claims};
use crate::support::tokens::authenticated;
use crate::support::world::{service_metadata, with};
use crate::support::{API, Client, Request, Server, Tokens, World};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

fn check_claims(server: &Server, client: &Client, tokens: &Tokens) {
    let header = jwt::header(tokens.access());
    assert_eq!(header["typ"], "at+jwt", "RFC9068-2.1");
    assert_eq!(header["alg"], "ES256", "DESIGN 5.3: the default");
    let claims = jwt::verify(&server.issuer, tokens.access());
    assert_eq!(claims["iss"], json!(server.issuer), "RFC9068-2.2");
    assert_eq!(claims["sub"], json!(client.id), "RFC9068-2.2: no user, so the client");
    assert_eq!(claims["client_id"], json!(client.id), "RFC9068-2.2");
    assert_eq!(claims["scope"], "orders:read", "RFC9068-2.2.3");
    assert!(claims["jti"].is_string(), "RFC9068-2.2");
    let lifetime = claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat");
    assert_eq!(lifetime, 600, "DESIGN 5.3: ten minutes");
    assert_eq!(tokens.document["expires_in"], 600, "RFC6749-5.1");
    assert!(!tokens.has("refresh_token"), "RFC6749-4.4.3");
    assert!(!tokens.has("id_token"), "no user, no ID token");
}

#[test]
fn secret_in_the_header_and_in_the_body() {
    let World { server, service, .. } = World::start();
    let post = with(
        service_metadata("orders:read orders:write"),
        &json!({ "token_endpoint_auth_method": "client_secret_post" }),
    );
    let post = server.client(&post);
    for client in [&service, &post] {
        let tokens = server.client_credentials(client, "orders:read");
        check_claims(&server, client, &tokens);
        assert_eq!(jwt::claims(tokens.access())["aud"], API, "RFC9068-2.2");
    }
    server.stop();
}

#[test]
fn the_registered_method_is_the_only_one() {
    let World { server, service, .. } = World::start();
    let url = server.url("/token");
    let own = [GRANT, ("client_id", service.id.as_str()), ("client_secret", service.secret())];
    Request::post(&url).form(&own).send().expect_error(401, "invalid_client");
    Tokens::from(&authenticated(&url, &service, &[GRANT, ("scope", "orders:read")]).send());
}

#[test]
fn private_key_jwt_with_registered_keys() {
    let World { server, .. } = World::start();
    let key = Key::generate();
    let client = server.client(&with(
        service_metadata("orders:read"),
        &json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key.set() }),
    ));
    assert_eq!(client.secret, None, "RFC7591-3.2.1: no secret is made");
    let assertion = key.sign(&assertion_claims(&server, &client.id));
    let form = |assertion: &str| {
        let own = [
            GRANT,
            ("scope", "orders:read"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion),
        ];
        Request::post(&server.url("/token")).form(&own).send()
    };
    check_claims(&server, &client, &Tokens::from(&form(&assertion)));
    // The same assertion again is a replay, RFC 7523 §3 (7); a fresh one is not.
    form(&assertion).expect_error(401, "invalid_client");
    Tokens::from(&form(&key.sign(&assertion_claims(&server, &client.id))));
    server.stop();
}

#[test]
fn scopes_are_what_was_registered() {
    struct Case {
        must: &'static str,
        scope: Option<&'static str>,
        want: Result<&'static str, &'static str>,
    }
    let World { server, .. } = World::start();
    let client = server.client(&service_metadata("orders:read"));
    let cases = [
        Case { must: "RFC6749-3.3", scope: Some("orders:read"), want: Ok("orders:read") },
        Case { must: "RFC6749-3.3", scope: None, want: Ok("orders:read") },
        Case { must: "RFC6749-3.3", scope: Some("orders:write"), want: Err("invalid_scope") },
        Case { must: "RFC6749-3.3", scope: Some("orders:none"), want: Err("invalid_scope") },
        Case { must: "RFC6749-3.3", scope: Some("a\"b"), want: Err("invalid_scope") },
        Case {
            must: "CONTRACT-3",
            scope: Some("orders:read orders:write"),
            want: Err("invalid_scope"),
        },
        Case { must: "OIDCC-3.1.2.1", scope: Some("openid"), want: Err("invalid_scope") },
    ];
    for Case { must, scope, want } in cases {
        let pairs: Vec<(&str, &str)> =
            [GRANT].into_iter().chain(scope.map(|scope| ("scope", scope))).collect();
        let answer = server.token(&client, &pairs);
        match want {
            Ok(granted) => {
                let document = Tokens::from(&answer).document;
                // RFC 6749 §5.1: may be left out only when it is what was asked for.
                let told = &document["scope"];
                assert!(*told == granted || told.is_null() && scope == Some(granted), "{must}");
            }
            Err(error) => {
                assert_eq!((answer.status, answer.error().as_str()), (400, error), "{must}");
            }
        }
    }
}

#[test]
fn only_clients_with_the_grant() {
    let World { server, web, service, .. } = World::start();
    server.token(&web, &[GRANT]).expect_error(400, "unauthorized_client");
    Tokens::from(&server.token(&service, &[GRANT]));
}

#[test]
fn the_subject_of_a_client_is_no_user() {
    let world = World::start();
    let user = world.sign_in(&world.spa, "openid");
    let person = jwt::claims(user.id())["sub"].clone();
    let machine = world.server.client_credentials(&world.service, "orders:read");
    assert_ne!(jwt::claims(machine.access())["sub"], person, "RFC9700-4.15");
}
