//! Which endpoint takes which method: RFC 9110 §15.5.6, requirement A26.

use crate::support::{Request, World};

#[test]
fn other_methods_are_405() {
    struct Case {
        path: &'static str,
        allowed: &'static [&'static str],
    }
    let world = World::start();
    let cases = [
        Case { path: "/token", allowed: &["POST"] },
        Case { path: "/introspect", allowed: &["POST"] },
        Case { path: "/revoke", allowed: &["POST"] },
        Case { path: "/jwks", allowed: &["GET", "HEAD"] },
        Case { path: "/.well-known/openid-configuration", allowed: &["GET", "HEAD"] },
        Case { path: "/.well-known/oauth-authorization-server", allowed: &["GET", "HEAD"] },
        Case { path: "/userinfo", allowed: &["GET", "POST"] },
        Case { path: "/authorize", allowed: &["GET", "POST"] },
        Case { path: "/logout", allowed: &["GET", "POST"] },
    ];
    for Case { path, allowed } in cases {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
            let answer = Request::new(method, &world.server.url(path)).send();
            if allowed.contains(&method) {
                assert_ne!(answer.status, 405, "RFC9110-15.5.6: {method} {path}");
            } else if method != "HEAD" {
                assert_eq!(answer.status, 405, "RFC9110-15.5.6: {method} {path}");
                let listed = answer.headers("allow").join(",");
                for wanted in allowed.iter().filter(|method| **method != "HEAD") {
                    assert!(listed.contains(wanted), "RFC9110-15.5.6: {path} allows {listed}");
                }
                assert!(answer.header("x-request-id").is_some(), "CONTRACT-6: {method} {path}");
            }
            assert!(answer.status < 500, "{method} {path}: {}", answer.status);
        }
    }
    world.server.client_credentials(&world.service, "orders:read");
    world.server.stop();
}

/// RFC 6749 §3.2: a token request by GET would leave its secrets in histories and logs.
#[test]
fn a_token_request_by_get() {
    let world = World::start();
    let url = world.server.url("/token?grant_type=client_credentials");
    let answer = Request::get(&url).basic(&world.service.id, world.service.secret()).send();
    assert_eq!(answer.status, 405, "RFC6749-3.2: {}", answer.text());
    assert!(!answer.text().contains("access_token"));
}

#[test]
fn unknown_paths_are_404() {
    let world = World::start();
    for path in [
        "/nothing",
        "/token/",
        "/token/x",
        "//token",
        "/jwks.json",
        "/../etc/passwd",
        "/t/",
        "/errors/%ff",
        "/assets/%ff",
    ] {
        let answer = world.server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.header("x-request-id").is_some(), "CONTRACT-6: {path}");
    }
}
