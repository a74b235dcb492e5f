//! Duplicate, missing, oversized, non-UTF-8 and unknown parameters.

use crate::support::http::{query, try_exchange};
use crate::support::tokens::redemption;
use crate::support::{Authorize, Browser, Request, Response, Tokens, World};

const FORM: &str = "application/x-www-form-urlencoded";

fn token(world: &World, body: Vec<u8>) -> Response {
    let request = Request::post(&world.server.url("/token"));
    request.basic(&world.service.id, world.service.secret()).body(FORM, body).send()
}

struct Case {
    must: &'static str,
    name: &'static str,
    body: &'static [u8],
    want: &'static str,
}

const MALFORMED: [Case; 10] = [
    Case { must: "RFC6749-5.2", name: "empty", body: b"", want: "invalid_request" },
    Case {
        must: "RFC6749-5.2",
        name: "no grant_type",
        body: b"scope=orders:read",
        want: "invalid_request",
    },
    Case {
        must: "RFC6749-3.2",
        name: "grant_type twice",
        body: b"grant_type=client_credentials&grant_type=client_credentials",
        want: "invalid_request",
    },
    Case {
        must: "RFC6749-3.2",
        name: "scope twice",
        body: b"grant_type=client_credentials&scope=orders:read&scope=orders:read",
        want: "invalid_request",
    },
    Case {
        must: "RFC6749-B",
        name: "not UTF-8",
        body: b"grant_type=client_credentials&scope=%ff%fe",
        want: "invalid_",
    },
    Case {
        must: "RFC6749-B",
        name: "raw bytes that are not UTF-8",
        body: b"grant_type=client_credentials&scope=\xc3\x28",
        want: "invalid_",
    },
    Case {
        must: "RFC6749-A.10",
        name: "NUL in a value",
        body: b"grant_type=client_credentials%00",
        want: "",
    },
    Case {
        must: "RFC9700-2.4",
        name: "password",
        body: b"grant_type=password&username=a&password=b",
        want: "unsupported_grant_type",
    },
    Case {
        must: "RFC6749-5.2",
        name: "implicit",
        body: b"grant_type=implicit",
        want: "unsupported_grant_type",
    },
    Case {
        must: "RFC6749-5.2",
        name: "unknown URN",
        body: b"grant_type=urn:example:magic",
        want: "unsupported_grant_type",
    },
];

#[test]
fn token_requests_that_are_malformed() {
    let world = World::start();
    for Case { must, name, body, want } in MALFORMED {
        let answer = token(&world, body.to_vec());
        assert_eq!(answer.status, 400, "{must}: {name}: {}", answer.text());
        assert!(answer.error().starts_with(want), "{must}: {name}: {}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"), "RFC6749-5.2: {name}");
    }
    let twins: [&[u8]; 3] = [
        b"grant_type=client_credentials&scope=orders:read",
        b"grant_type=client_credentials&scope=&unknown=1",
        b"grant_type=client%5Fcredentials&&scope=orders%3Aread",
    ];
    for body in twins {
        Tokens::from(&token(&world, body.to_vec()));
    }
    world.server.stop();
}

#[test]
fn other_content_types_are_no_form() {
    let world = World::start();
    let json = br#"{"grant_type":"client_credentials"}"#.to_vec();
    let form = b"grant_type=client_credentials".to_vec();
    for (kind, body) in [("application/json", json), ("text/plain", form), ("", Vec::new())] {
        let request = Request::post(&world.server.url("/token"));
        let request = request.basic(&world.service.id, world.service.secret());
        let answer = request.body(kind, body).send();
        assert!(answer.status == 400 || answer.status == 415, "RFC6749-3.2: {kind}");
        assert_eq!(answer.error(), "invalid_request", "RFC6749-5.2: {kind}");
    }
    let charset = "application/x-www-form-urlencoded; charset=UTF-8";
    let request = Request::post(&world.server.url("/token"));
    let request = request.basic(&world.service.id, world.service.secret());
    let form = b"grant_type=client_credentials".to_vec();
    Tokens::from(&request.body(charset, form).send());
}

/// The process's memory must not follow the size of a request.
#[test]
fn oversized_requests_end_early() {
    let mut world = World::start();
    let large = |size: usize| format!("grant_type=client_credentials&scope={}", "a".repeat(size));
    for size in [10_000, 100_000, 20_000_000] {
        let answer = token(&world, large(size).into_bytes());
        assert!([400, 413].contains(&answer.status), "{size}: {}", answer.status);
    }
    let many = "x=1&".repeat(20_000) + "grant_type=client_credentials";
    let answer = token(&world, many.into_bytes());
    assert!([400, 413].contains(&answer.status), "many parameters: {}", answer.status);
    let long = "b".repeat(200_000);
    let answer = Request::get(&world.server.url("/jwks")).header("X-Long", &long).send();
    assert!([400, 431].contains(&answer.status), "long header: {}", answer.status);
    let answer = world.server.get(&format!("/authorize?state={long}"));
    assert!([400, 414, 431].contains(&answer.status), "long address: {}", answer.status);
    let bearer = Request::get(&world.server.url("/userinfo")).bearer(&"c".repeat(20_000)).send();
    assert!([400, 401, 431].contains(&bearer.status), "long token: {}", bearer.status);
    assert!(world.server.is_alive());
    world.server.client_credentials(&world.service, "orders:read");
}

/// A sender of half a request holds nobody else up.
#[test]
fn broken_requests_leave_the_server_well() {
    let mut world = World::start();
    let authority = world.server.authority().to_owned();
    let junk: [&[u8]; 7] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /jwks HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
        b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"GET /%ff%00/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /authorize?%zz=%&&=&a=%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ];
    for bytes in junk {
        if let Ok(answer) = try_exchange(&authority, bytes) {
            assert!((400..500).contains(&answer.status), "{}: {bytes:?}", answer.status);
        }
    }
    assert!(world.server.is_alive());
    world.server.client_credentials(&world.service, "orders:read");
}

/// RFC 6749 §3.1: parameters are sent once. Which client is meant is unclear when its own
/// parameters are doubled, so those end on our page.
#[test]
fn authorization_parameters_twice() {
    let world = World::start();
    let flow = || Authorize::new(&world.server, &world.web);
    for name in ["client_id", "redirect_uri"] {
        let value = flow().value(name).to_owned();
        let doubled = flow().add(name, &value);
        Browser::default().open(&doubled.url()).expect_error();
    }
    for name in ["state", "scope", "response_type", "nonce", "code_challenge", "prompt"] {
        let doubled = flow().set(name, flow().value(name)).add(name, "x").add(name, "y");
        let page = Browser::default().run(&doubled, &world.alice);
        let error = match page.callback() {
            Some(callback) => callback.get("error").to_owned(),
            None => page.expect_error(),
        };
        assert_eq!(error, "invalid_request", "RFC6749-3.1: {name} twice");
    }
    Browser::default().authorize(&flow().add("zzz", "1"), &world.alice);
}

#[test]
fn authorization_values_that_are_not_text() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web).remove("state");
    for raw in ["state=%ff%fe", "state=%00", "state=%C3%28", "%ff=1"] {
        let url = format!("{}&{raw}", flow.url());
        let page = Browser::default().open(&url);
        assert!(page.response.status < 500, "RFC6749-B: {raw}: {page}");
        if let Some(callback) = page.callback() {
            assert_eq!(callback.get("error"), "invalid_request", "RFC6749-B: {raw}");
        }
    }
    Browser::default().authorize(&flow, &world.alice);
}

#[test]
fn codes_that_nobody_issued() {
    let world = World::start();
    let long = "x".repeat(4_000);
    let flow = Authorize::new(&world.server, &world.web);
    for code in ["", "x", "kwc_", "kwc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &long, "\u{0}"]
    {
        let answer = world.server.redeem(&world.web, &flow, code);
        let want = if code.is_empty() { "invalid_request" } else { "invalid_" };
        assert_eq!(answer.status, 400, "RFC6749-5.2: {code:.20}");
        assert!(answer.error().starts_with(want), "RFC6749-5.2: {}", answer.text());
    }
    let callback = Browser::default().authorize(&flow, &world.alice);
    let missing = [("grant_type", "authorization_code"), ("code", callback.code())];
    let answer = world.server.token(&world.web, &missing);
    assert_eq!(answer.status, 400, "RFC7636-4.6: no verifier: {}", answer.text());
    let twice = format!("{}&code={}", query(&redemption(&flow, callback.code())), callback.code());
    let request = Request::post(&world.server.url("/token"));
    let request = request.basic(&world.web.id, world.web.secret());
    let answer = request.body(FORM, twice.into_bytes()).send();
    answer.expect_error(400, "invalid_request");
    Tokens::from(&world.server.redeem(&world.web, &flow, callback.code()));
}
