//! OpenID Connect Core §5.3 and RFC 6750.

use serde_json::json;

use crate::support::{Request, Response, World, jwt};

fn challenge(answer: &Response) -> String {
    answer.header("www-authenticate").expect("RFC6750-3: a challenge").to_owned()
}

#[test]
fn three_ways_to_present_a_token() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, "openid profile email");
    let url = world.server.url("/userinfo");
    let subject = jwt::claims(tokens.id())["sub"].clone();
    let ways = [
        ("OIDCC-5.3.1: GET", Request::get(&url).bearer(tokens.access())),
        ("OIDCC-5.3.1: POST, header", Request::post(&url).bearer(tokens.access())),
        ("RFC6750-2.2", Request::post(&url).form(&[("access_token", tokens.access())])),
    ];
    for (must, request) in ways {
        let answer = request.send();
        let info = answer.expect(200);
        assert_eq!(info["sub"], subject, "{must}");
        assert_eq!(info["email"], "alice@example.com", "{must}");
        assert_eq!(info["email_verified"], json!(true), "{must}: a boolean");
        assert_eq!(info["preferred_username"], "alice", "{must}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{must}");
    }
    world.server.stop();
}

#[test]
fn scopes_choose_the_claims() {
    let world = World::start();
    let info = |scope: &str| {
        let tokens = world.sign_in(&world.web, scope);
        world.server.userinfo(tokens.access()).expect(200)
    };
    let bare = info("openid");
    assert!(bare["email"].is_null() && bare["preferred_username"].is_null(), "OIDCC-5.4: {bare}");
    let email = info("openid email");
    assert!(email["email"].is_string() && email["preferred_username"].is_null(), "OIDCC-5.4");
    let profile = info("openid profile");
    assert!(profile["email"].is_null() && profile["preferred_username"].is_string(), "OIDCC-5.4");
}

#[test]
fn refusals_say_why() {
    let world = World::start();
    let url = world.server.url("/userinfo");
    let tokens = world.sign_in(&world.web, "openid orders:read");
    let machine = world.server.client_credentials(&world.service, "orders:read");
    world.server.userinfo(tokens.access()).expect(200);

    let bare = Request::get(&url).send();
    assert_eq!(bare.status, 401, "RFC6750-3.1");
    assert!(challenge(&bare).starts_with("Bearer"), "RFC6750-3");
    assert!(!challenge(&bare).contains("error"), "RFC6750-3.1: no error without a token");

    let junk = world.server.userinfo("nonsense");
    assert_eq!(junk.status, 401, "RFC6750-3.1");
    assert!(challenge(&junk).contains("error=\"invalid_token\""), "RFC6750-3.1");

    let weak = world.server.userinfo(machine.access());
    assert!(weak.status == 403 || weak.status == 401, "OIDCC-5.3: not without openid");
    assert!(challenge(&weak).contains("error="), "RFC6750-3.1");

    let twice = Request::post(&url).bearer(tokens.access());
    let twice = twice.form(&[("access_token", tokens.access())]).send();
    assert_eq!(twice.status, 400, "RFC6750-2: one way only");

    let query = Request::get(&format!("{url}?access_token={}", tokens.access())).send();
    assert_eq!(query.status, 401, "R1: never in the address");

    let kinds = [tokens.id(), "Basic"];
    for token in kinds {
        assert_eq!(world.server.userinfo(token).status, 401, "R7: not an access token");
    }
    let scheme = Request::get(&url).header("Authorization", &format!("bEaReR {}", tokens.access()));
    assert_eq!(scheme.send().status, 200, "RFC7235-2.1: the scheme has no case");
}

#[test]
fn an_expired_token_is_called_expired() {
    use crate::support::{Server, wait};
    use std::time::Duration;

    let world =
        World::in_server(Server::builder().set("tokens", "access_lifetime = \"2s\"").start());
    let tokens = world.sign_in(&world.web, "openid");
    assert_eq!(world.server.userinfo(tokens.access()).status, 200, "alive at first");
    let refused = wait::until(Duration::from_secs(20), "it expires", || {
        let answer = world.server.userinfo(tokens.access());
        (answer.status == 401).then_some(answer)
    });
    assert!(challenge(&refused).contains("expired"), "CONTRACT-6: {}", challenge(&refused));
    assert_eq!(refused.header("retry-after"), None, "CONTRACT-6: no Retry-After");
    let exp = jwt::claims(tokens.access())["exp"].as_i64().expect("exp");
    assert!(wait::now_s() >= exp, "RFC6750-3.1: not before its time");
}
