//! OpenID Connect Discovery 1.0, RFC 8414, RFC 7517 §5.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{Request, Server};

const DOCUMENTS: [&str; 2] =
    ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

fn strings(document: &Value, name: &str) -> Vec<String> {
    let values = document[name].as_array().unwrap_or_else(|| panic!("no list {name}: {document}"));
    values.iter().map(|value| value.as_str().expect("a string").to_owned()).collect()
}

#[test]
fn metadata_is_true() {
    struct Case {
        must: &'static str,
        name: &'static str,
        want: Value,
    }
    let server = Server::start();
    let at = |path: &str| json!(server.url(path));
    let cases = [
        Case { must: "OIDCD-3", name: "issuer", want: json!(server.issuer) },
        Case { must: "OIDCD-3", name: "authorization_endpoint", want: at("/authorize") },
        Case { must: "OIDCD-3", name: "token_endpoint", want: at("/token") },
        Case { must: "OIDCD-3", name: "jwks_uri", want: at("/jwks") },
        Case { must: "OIDCD-3", name: "userinfo_endpoint", want: at("/userinfo") },
        Case { must: "RFC8414-2", name: "introspection_endpoint", want: at("/introspect") },
        Case { must: "RFC8414-2", name: "revocation_endpoint", want: at("/revoke") },
        Case { must: "OIDCRIL-2.1", name: "end_session_endpoint", want: at("/logout") },
        Case { must: "OIDCD-3", name: "response_types_supported", want: json!(["code"]) },
        Case {
            must: "RFC9700-2.1.1",
            name: "code_challenge_methods_supported",
            want: json!(["S256"]),
        },
        Case {
            must: "RFC9207-3",
            name: "authorization_response_iss_parameter_supported",
            want: json!(true),
        },
        Case { must: "OIDCD-3", name: "subject_types_supported", want: json!(["public"]) },
    ];
    for path in DOCUMENTS {
        let document = server.get(path).expect(200);
        for Case { must, name, want } in &cases {
            assert_eq!(document[name], *want, "{must}: {name} in {path}");
        }
    }
}

#[test]
fn metadata_lists_what_the_server_does() {
    let server = Server::start();
    let has = [
        ("scopes_supported", &["openid", "profile", "email", "offline_access"][..]),
        ("response_modes_supported", &["query", "form_post"]),
        ("grant_types_supported", &["authorization_code", "client_credentials", "refresh_token"]),
        ("id_token_signing_alg_values_supported", &["RS256", "ES256"]),
        (
            "token_endpoint_auth_methods_supported",
            &["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        ),
        ("token_endpoint_auth_signing_alg_values_supported", &["ES256", "PS256"]),
        ("claims_supported", &["sub", "email", "email_verified"]),
    ];
    let not = [
        ("grant_types_supported", &["implicit", "password"][..]),
        ("id_token_signing_alg_values_supported", &["none", "HS256"]),
        ("token_endpoint_auth_signing_alg_values_supported", &["none"]),
    ];
    for path in DOCUMENTS {
        let document = server.get(path).expect(200);
        for (list, wanted) in has {
            let found = strings(&document, list);
            for name in wanted {
                assert!(found.iter().any(|s| s == name), "{path}: {list} lacks {name}: {found:?}");
            }
        }
        for (list, unwanted) in not {
            let found = strings(&document, list);
            assert!(found.iter().all(|s| !unwanted.contains(&s.as_str())), "{list}: {found:?}");
        }
    }
}

#[test]
fn every_listed_endpoint_answers() {
    let server = Server::start();
    let document = server.get(DOCUMENTS[0]).expect(200);
    let members = document.as_object().expect("an object");
    let mut endpoints = 0;
    for (name, url) in members.iter().filter(|(name, _)| name.ends_with("_endpoint")) {
        let url = url.as_str().expect("a URL");
        assert!(url.starts_with(&server.issuer), "{name}");
        for method in ["GET", "POST"] {
            let status = Request::new(method, url).send().status;
            assert!(status != 404 && status < 500, "OIDCD-3: {method} {name} gives {status}");
            endpoints += 1;
        }
    }
    assert!(endpoints >= 12, "six endpoints at least, two methods");
}

#[test]
fn documents_are_json_for_everybody() {
    let server = Server::start();
    for path in DOCUMENTS.into_iter().chain(["/jwks"]) {
        let answer = server.get(path);
        answer.expect(200);
        let kind = answer.header("content-type").unwrap_or_default();
        let set = kind == "application/jwk-set+json" && path == "/jwks";
        assert!(set || kind.starts_with("application/json"), "RFC8414-3.2: {path} is {kind}");
        assert!(answer.header("x-request-id").is_some(), "{path}");
    }
}

/// Architecture invariant seen from outside: a key set never holds a private member.
#[test]
fn keys_are_public_and_distinct() {
    let server = Server::start();
    let keys = server.get("/jwks").expect(200)["keys"].as_array().expect("RFC7517-5.1").clone();
    let mut kids = HashSet::new();
    for key in &keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert!(key[private].is_null(), "RFC7518-6: {private} is published");
        }
        assert!(kids.insert(key["kid"].to_string()), "RFC7517-4.5: kid is distinct");
        assert_eq!(key["use"], "sig", "RFC7517-4.2");
        assert!(key["alg"].is_string(), "A40: one key, one algorithm: {key}");
        if key["kty"] == "RSA" {
            let modulus = key["n"].as_str().expect("n").len();
            assert!(modulus >= 342, "A40: RSA of 2048 bits at least");
        }
    }
    let algorithms: HashSet<&str> = keys.iter().filter_map(|key| key["alg"].as_str()).collect();
    for alg in ["ES256", "RS256"] {
        assert!(algorithms.contains(alg), "{alg} is published: {algorithms:?}");
    }
}
