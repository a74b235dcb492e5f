//! requirement A15 and CONTRACT §3: cross-origin requests where the specifications allow them.

use crate::support::{Browser, Request, World};

const REGISTERED: &str = "https://spa.example.com";

#[test]
fn registered_origins_on_programs_endpoints_only() {
    struct Case {
        path: &'static str,
        method: &'static str,
        allowed: bool,
    }
    let world = World::start();
    let cases = [
        Case { path: "/token", method: "POST", allowed: true },
        Case { path: "/revoke", method: "POST", allowed: true },
        Case { path: "/userinfo", method: "GET", allowed: true },
        Case { path: "/userinfo", method: "POST", allowed: true },
        Case { path: "/jwks", method: "GET", allowed: true },
        Case { path: "/.well-known/openid-configuration", method: "GET", allowed: true },
        Case { path: "/.well-known/oauth-authorization-server", method: "GET", allowed: true },
        Case { path: "/authorize", method: "GET", allowed: false },
        Case { path: "/login", method: "GET", allowed: false },
        Case { path: "/logout", method: "GET", allowed: false },
        Case { path: "/introspect", method: "POST", allowed: false },
        Case { path: "/api/v1/clients", method: "GET", allowed: false },
    ];
    for Case { path, method, allowed } in cases {
        for origin in
            [REGISTERED, "https://evil.example", "null", "https://spa.example.com.evil.example"]
        {
            let url = world.server.url(path);
            let answer = Request::new(method, &url).header("Origin", origin).send();
            let granted = answer.header("access-control-allow-origin");
            let credentials = answer.header("access-control-allow-credentials");
            assert_eq!(credentials, None, "CONTRACT-3: never with credentials: {path}");
            if allowed && origin == REGISTERED {
                assert!(granted == Some(origin) || granted == Some("*"), "{path}: {granted:?}");
                if granted != Some("*") {
                    let vary = answer.headers("vary").join(",").to_lowercase();
                    assert!(vary.contains("origin"), "a cache must not mix them up: {path}");
                }
            } else {
                // Public documents may be open to everybody; nothing else reflects an origin.
                let open = granted == Some("*") && (path == "/jwks" || path.starts_with("/.well"));
                assert!(granted.is_none() || open, "A15: {path} {origin}: {granted:?}");
            }
        }
    }
}

#[test]
fn preflights_name_what_is_needed() {
    let world = World::start();
    let preflight = |path: &str, origin: &str| {
        Request::new("OPTIONS", &world.server.url(path))
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type")
            .send()
    };
    for path in ["/token", "/userinfo", "/revoke"] {
        let answer = preflight(path, REGISTERED);
        assert!(answer.status == 204 || answer.status == 200, "{path}: {}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(REGISTERED), "{path}");
        let methods = answer.headers("access-control-allow-methods").join(",");
        assert!(methods.contains("POST"), "{path}: {methods}");
        let headers = answer.headers("access-control-allow-headers").join(",").to_lowercase();
        assert!(headers.contains("authorization"), "{path}: {headers}");
        let refused = preflight(path, "https://evil.example");
        assert_eq!(refused.header("access-control-allow-origin"), None, "{path}");
    }
    let answer = preflight("/authorize", REGISTERED);
    assert_eq!(answer.header("access-control-allow-origin"), None, "A15: never here");
}

/// A redirect URI can be any address, so a page that answers there must not be readable by it.
#[test]
fn pages_with_a_session_stay_closed() {
    let world = World::start();
    let mut browser = Browser::default();
    world.sign_in_with(&mut browser, &world.web, "openid", &world.alice);
    for path in ["/authorize", "/login", "/consent", "/logout"] {
        let url = world.server.url(path);
        let page = browser.send(&url, Request::get(&url).header("Origin", REGISTERED));
        assert_eq!(page.response.header("access-control-allow-origin"), None, "A15: {path}");
    }
}

#[test]
fn failures_are_readable_too() {
    let world = World::start();
    let answer = Request::post(&world.server.url("/token")).header("Origin", REGISTERED);
    let answer = answer.form(&[("grant_type", "magic")]).send();
    assert!(answer.status >= 400);
    let granted = answer.header("access-control-allow-origin");
    assert_eq!(granted, Some(REGISTERED), "a single-page app must see why");
    let url = world.server.url("/userinfo");
    let answer = Request::get(&url).header("Origin", REGISTERED).bearer("nonsense").send();
    let exposed = answer.headers("access-control-expose-headers").join(",").to_lowercase();
    assert!(exposed.contains("www-authenticate"), "RFC6750-3: must be readable: {exposed}");
}
