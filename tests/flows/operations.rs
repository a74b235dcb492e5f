//! What an operator sees: health, metrics, request ids, `explain`, signals, settings.

use std::collections::HashSet;
use std::time::Duration;

use crate::support::{Authorize, Browser, Request, Server, World, wait};

#[test]
fn health_is_on_its_own_listener() {
    let server = Server::start();
    for path in ["/livez", "/readyz"] {
        assert_eq!(Request::get(&format!("{}{path}", server.ops)).send().status, 200, "{path}");
        assert_eq!(server.get(path).status, 404, "{path} is not for the world");
    }
    assert_eq!(server.get("/metrics").status, 404, "nor are the metrics");
    server.stop();
}

#[test]
fn metrics_count_what_happened() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, "openid offline_access");
    world.server.refresh(&world.web, tokens.refresh());
    world.server.refresh(&world.web, "kwr_bogus");
    world.server.introspect(&world.web, tokens.access());
    world.server.revoke(&world.web, tokens.access());
    let text = Request::get(&format!("{}/metrics", world.server.ops)).send().text();
    for name in [
        "keywright_tokens_issued_total{",
        "keywright_token_errors_total{",
        "keywright_refresh_reuse_total",
        "keywright_revocations_total{",
        "keywright_introspections_total{",
        "keywright_logins_total{",
        "keywright_revocation_lag_seconds",
        "keywright_store_commit_seconds",
        "keywright_store_batch_size",
        "keywright_signing_key_age_seconds{",
        "keywright_http_requests_seconds",
    ] {
        assert!(text.contains(name), "CONTRACT-7: {name}\n{text}");
    }
    let count = |grant: &str, name: &str| {
        let wanted = format!("grant_type=\"{grant}\"");
        let line = text.lines().find(|line| line.starts_with(name) && line.contains(&wanted));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default()
    };
    let issued = "keywright_tokens_issued_total";
    assert!(count("authorization_code", issued) >= 1.0, "{text}");
    assert!(count("refresh_token", issued) >= 1.0, "{text}");
    assert!(count("refresh_token", "keywright_token_errors_total") >= 1.0, "{text}");
}

/// CVE-2026-16100: labels that a client chooses fill the memory.
#[test]
fn metrics_take_no_label_from_a_request() {
    let world = World::start();
    for n in 0..20 {
        let odd = format!("urn:odd:{n}:zebra");
        world.server.token(&world.service, &[("grant_type", &odd)]);
        world.server.get(&format!("/zebra{n}"));
        Request::new("ZEBRA", &world.server.url("/token")).send();
    }
    let text = Request::get(&format!("{}/metrics", world.server.ops)).send().text();
    assert!(!text.to_lowercase().contains("zebra"), "CONTRACT-7: {text}");
}

#[test]
fn request_ids_are_the_server_s_own() {
    let world = World::start();
    let mut seen = HashSet::new();
    for path in
        ["/jwks", "/userinfo", "/nowhere", "/authorize", "/.well-known/openid-configuration"]
    {
        let answer =
            Request::get(&world.server.url(path)).header("X-Request-Id", "chosen-by-me").send();
        let id = answer.header("x-request-id").expect("CONTRACT-6: always").to_owned();
        assert_ne!(id, "chosen-by-me", "CONTRACT-3: a client's own is not trusted");
        assert!(seen.insert(id), "each has its own");
    }
}

#[test]
fn explain_tells_the_operator_why() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web);
    let callback = Browser::default().authorize(&flow, &world.alice);
    let mut wrong = flow.clone();
    wrong.verifier = "a".repeat(43);
    let refused = world.server.redeem(&world.web, &wrong, callback.code());
    refused.expect_error(400, "invalid_grant");
    let id = refused.header("x-request-id").expect("CONTRACT-6").to_owned();
    let told = wait::until(Duration::from_secs(3), "the request is recorded", || {
        let output = world.server.cli(&["explain", &id]);
        (output.status == 0).then_some(output.stdout)
    });
    let lower = told.to_lowercase();
    assert!(lower.contains("pkce") || lower.contains("verifier"), "names the check: {told}");
    assert!(!told.contains(callback.code()), "and no secret");
    assert!(!lower.contains("refresh"), "nor a check that another grant type has: {told}");
    world.server.cli(&["explain", "no-such-request"]).expect_status(1);
    world.server.stop();
}

#[test]
fn a_reload_keeps_the_server_up() {
    let mut world = World::start();
    let before = world.server.client_credentials(&world.service, "orders:read");
    let text = std::fs::read_to_string(&world.server.config).expect("readable");
    let text = format!("{text}\n[tokens]\naccess_lifetime = \"2m\"\n");
    std::fs::write(&world.server.config, text).expect("writable");
    world.server.signal("HUP");
    wait::until_true(Duration::from_secs(10), "the new lifetime holds", || {
        let tokens = world.server.client_credentials(&world.service, "orders:read");
        tokens.document["expires_in"] == 120
    });
    assert!(world.server.is_active(&world.service, before.access()), "nothing is lost");
    // A broken file is told in the log, and the old settings stay.
    std::fs::write(&world.server.config, "issuer = 7").expect("writable");
    world.server.signal("HUP");
    world.server.client_credentials(&world.service, "orders:read");
    assert!(world.server.is_alive(), "CONTRACT-5: says what cannot be reloaded");
}

/// A lifetime that was shortened may end old tokens earlier, but then for good: one that comes
/// back could have been revoked meanwhile, and its revocation forgotten.
#[test]
fn a_shortened_lifetime_brings_nothing_back() {
    let settings = "access_lifetime = \"80s\"";
    let world = World::in_server(Server::builder().set("tokens", settings).start());
    let token = world.server.client_credentials(&world.service, "orders:read");
    let issued = wait::now_s();
    let text = std::fs::read_to_string(&world.server.config).expect("readable");
    std::fs::write(&world.server.config, text.replace("\"80s\"", "\"2s\"")).expect("writable");
    world.server.signal("HUP");
    let mut dead = false;
    wait::until_true(Duration::from_secs(40), "a while has passed", || {
        let active = world.server.is_active(&world.service, token.access());
        assert!(!(dead && active), "DESIGN-5.4: what is dead stays dead");
        dead |= !active;
        wait::now_s() > issued + 22
    });
}

#[test]
fn settings_that_do_not_exist_are_named() {
    struct Case {
        name: &'static str,
        section: &'static str,
        line: &'static str,
        want: &'static str,
    }
    let cases = [
        Case {
            name: "unknown key",
            section: "tokens",
            line: "acces_lifetime = \"5m\"",
            want: "access_lifetime",
        },
        Case { name: "unknown section", section: "token", line: "x = 1", want: "tokens" },
        Case {
            name: "below the least",
            section: "tokens",
            line: "code_lifetime = \"1s\"",
            want: "code_lifetime",
        },
        Case {
            name: "not a duration",
            section: "tokens",
            line: "access_lifetime = \"soon\"",
            want: "access_lifetime",
        },
    ];
    for Case { name, section, line, want } in cases {
        let mut server = Server::builder().set(section, line).prepare();
        server.spawn();
        let status = server.wait_exit(Duration::from_secs(20));
        assert!(!status.success(), "CONTRACT-5: {name}");
        assert!(server.log_text().contains(want), "CONTRACT-5: {name}: {}", server.log_text());
    }
}

#[test]
fn the_environment_lies_over_the_file() {
    let mut wrapped =
        Server::builder().under(&["env", "KEYWRIGHT_TOKENS__ACCESS_LIFETIME=3m"]).start();
    wrapped.resource("https://e.example.com", &["e:read"], &[]);
    let client = wrapped.client(&crate::support::world::service_metadata("e:read"));
    let tokens = wrapped.client_credentials(&client, "e:read");
    assert_eq!(tokens.document["expires_in"], 180, "CONTRACT-5: KEYWRIGHT_SECTION__KEY");
    assert!(wrapped.is_alive());
    let mut odd = Server::builder().under(&["env", "KEYWRIGHT_ISUER=http://x"]).prepare();
    odd.spawn();
    assert!(!odd.wait_exit(Duration::from_secs(20)).success(), "CONTRACT-2: an unknown variable");
    assert!(odd.log_text().to_lowercase().contains("issuer"), "names the nearest");
}

/// RFC 8414 §3.1: an issuer may have a path, and everything lies below it.
#[test]
fn an_issuer_with_a_path() {
    let server = Server::builder().path("/auth/v2").start();
    let root = server.issuer.strip_suffix("/auth/v2").expect("a path").to_owned();
    for url in [
        format!("{}/.well-known/openid-configuration", server.issuer),
        format!("{root}/.well-known/oauth-authorization-server/auth/v2"),
    ] {
        let document = Request::get(&url).send().expect(200);
        assert_eq!(document["issuer"], serde_json::json!(server.issuer), "RFC8414-3.3: {url}");
    }
    let outside = Request::get(&format!("{root}/.well-known/openid-configuration")).send();
    assert_eq!(outside.status, 404, "another issuer's place");
    assert_eq!(Request::post(&format!("{root}/token")).send().status, 404);
    let world = World::in_server(server);
    let tokens = world.sign_in(&world.web, "openid email");
    world.server.userinfo(tokens.access()).expect(200);
    world.server.stop();
}

/// SIGTERM drains: a request that was begun is answered.
#[test]
fn a_stop_lets_running_requests_end() {
    use std::io::{Read as _, Write as _};
    let mut world = World::start();
    let body = "grant_type=client_credentials&scope=orders%3Aread";
    let credentials = format!("{}:{}", world.service.id, world.service.secret());
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, credentials);
    let head = format!(
        "POST /token HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {basic}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n",
        world.server.authority(),
        body.len()
    );
    let mut socket = std::net::TcpStream::connect(world.server.authority()).expect("connected");
    socket.write_all(&[head.as_bytes(), &body.as_bytes()[..10]].concat()).expect("sent");
    // The server has begun with this request before it is told to stop.
    world.server.client_credentials(&world.service, "orders:read");
    world.server.signal("TERM");
    wait::until_true(Duration::from_secs(5), "it takes no new connection", || {
        Request::get(&world.server.url("/jwks")).try_send().is_err()
    });
    socket.write_all(&body.as_bytes()[10..]).expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "CONTRACT-5: finishes: {answer:.60}");
    assert!(world.server.wait_exit(Duration::from_secs(10)).success(), "CONTRACT-5: exits 0");
}
