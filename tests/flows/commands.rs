//! The commands of CONTRACT §2 on a store, with and without a running server.

use std::time::Duration;

use serde_json::json;

use crate::support::world::{service_metadata, web_metadata, with};
use crate::support::{Server, Tokens, World, jwt};

#[test]
fn clients_from_creation_to_deletion() {
    let world = World::start();
    let server = &world.server;
    let client = server.client(&service_metadata("orders:read"));
    let shown = server.cli(&["client", "show", &client.id]).json();
    assert_eq!(shown["client_name"], "Nightly Job");
    assert!(shown["client_secret"].is_null(), "DESIGN-5.9: shown once");
    let listed = server.cli(&["client", "list"]).items();
    assert!(listed.iter().any(|item| item["client_id"] == client.id.as_str()));
    let args = ["client", "update", &client.id, "--metadata", "-"];
    let update = with(service_metadata("orders:read orders:write"), &json!({}));
    server.cli_with(&args, &update.to_string()).expect_status(0);
    server.client_credentials(&client, "orders:write");
    server.cli(&["client", "disable", &client.id]).expect_status(0);
    let grant = [("grant_type", "client_credentials")];
    server.token(&client, &grant).expect_error(401, "invalid_client");
    server.cli(&["client", "delete", &client.id]).expect_status(0);
    server.cli(&["client", "show", &client.id]).expect_status(1);
    server.token(&client, &grant).expect_error(401, "invalid_client");
    world.server.stop();
}

#[test]
fn secrets_overlap_while_they_rotate() {
    let world = World::start();
    let server = &world.server;
    let rotate = |overlap: &[&str]| {
        let args = [&["client", "rotate-secret", world.service.id.as_str()], overlap].concat();
        let answer = server.cli(&args).json();
        let secret = answer["client_secret"].as_str().expect("shown once").to_owned();
        crate::support::Client { secret: Some(secret), ..world.service.clone() }
    };
    let second = rotate(&[]);
    server.client_credentials(&world.service, "orders:read");
    server.client_credentials(&second, "orders:read");
    let third = rotate(&["--overlap", "0s"]);
    server.client_credentials(&third, "orders:read");
    let grant = [("grant_type", "client_credentials")];
    server.token(&second, &grant).expect_error(401, "invalid_client");
}

#[test]
fn flags_are_named_after_the_fields() {
    let server = Server::start();
    let created = server
        .cli(&[
            "client",
            "create",
            "--redirect-uri",
            "https://f.example.com/cb",
            "--grant-type",
            "authorization_code",
            "--scope",
            "openid",
            "--token-endpoint-auth-method",
            "none",
        ])
        .json();
    assert_eq!(created["redirect_uris"], json!(["https://f.example.com/cb"]));
    assert_eq!(created["token_endpoint_auth_method"], "none");
    assert!(created["client_secret"].is_null(), "RFC7591-3.2.1");
}

struct Case {
    must: &'static str,
    name: &'static str,
    change: serde_json::Value,
    want: [&'static str; 2],
}

fn refused_metadata() -> [Case; 9] {
    let uri = |uri: &str| json!({ "redirect_uris": [uri] });
    let redirect = ["invalid_redirect_uri", "redirect_uris"];
    [
        Case {
            must: "RFC6749-3.1.2",
            name: "fragment",
            change: uri("https://a.example/#x"),
            want: redirect,
        },
        Case { must: "RFC6749-3.1.2", name: "relative", change: uri("/cb"), want: redirect },
        Case {
            must: "RFC9700-2.6",
            name: "plain http",
            change: uri("http://a.example/cb"),
            want: redirect,
        },
        Case {
            must: "RFC7591-2",
            name: "javascript",
            change: uri("javascript:alert(1)"),
            want: redirect,
        },
        Case {
            must: "RFC9700-2.4",
            name: "password grant",
            change: json!({ "grant_types": ["password"] }),
            want: ["invalid_client_metadata", "grant_types"],
        },
        Case {
            must: "RFC9700-2.1.2",
            name: "implicit",
            change: json!({ "response_types": ["token"] }),
            want: ["invalid_client_metadata", "response_types"],
        },
        Case {
            must: "RFC7591-2",
            name: "unknown method",
            change: json!({ "token_endpoint_auth_method": "magic" }),
            want: ["invalid_client_metadata", "token_endpoint_auth_method"],
        },
        Case {
            must: "RFC8725-3.2",
            name: "alg none",
            change: json!({ "id_token_signed_response_alg": "none" }),
            want: ["invalid_client_metadata", "id_token_signed_response_alg"],
        },
        Case {
            must: "RFC7591-2",
            name: "jwks and jwks_uri",
            change: json!({ "jwks": { "keys": [] }, "jwks_uri": "https://a.example/jwks" }),
            want: ["invalid_client_metadata", "jwks"],
        },
    ]
}

#[test]
fn refusals_name_the_error_and_the_field() {
    let server = Server::start();
    server.resource(crate::support::API, &["orders:read", "orders:write"], &[]);
    let args = ["client", "create", "--metadata", "-"];
    for Case { must, name, change, want } in refused_metadata() {
        let refused = server.cli_with(&args, &with(web_metadata(), &change).to_string());
        assert_eq!(refused.status, 1, "{must}: {name}: {}", refused.stdout);
        for word in want {
            assert!(refused.stderr.contains(word), "{must}: {name}: {}", refused.stderr);
        }
    }
    server.cli_with(&args, &web_metadata().to_string()).expect_status(0);
}

#[test]
fn users_sessions_and_grants() {
    let world = World::start();
    world.sign_in(&world.web, "openid orders:read");
    let server = &world.server;
    let shown = server.cli(&["user", "show", "alice"]).json();
    assert_eq!(shown["username"], "alice");
    assert!(!shown.to_string().contains("argon2"), "no hash: {shown}");
    assert_eq!(server.cli(&["user", "list"]).items().len(), 1);
    assert_eq!(server.cli(&["user", "sessions", "alice"]).items().len(), 1);
    assert_eq!(server.cli(&["session", "list"]).items().len(), 1);
    let by_user = server.cli(&["grant", "list", "--user", "alice"]).items();
    let by_client = server.cli(&["grant", "list", "--client", &world.web.id]).items();
    assert_eq!((by_user.len(), by_client.len()), (1, 1), "CONTRACT-2");
    assert!(server.cli(&["grant", "list", "--client", &world.spa.id]).items().is_empty());
    let twice = ["user", "create", "--username", "alice", "--password-stdin"];
    server.cli_with(&twice, "Sesame-Sesame-1").expect_status(1);
    server.cli(&["user", "show", "nobody"]).expect_status(1);
}

#[test]
fn tokens_are_got_read_and_traced() {
    let world = World::start();
    let server = &world.server;
    let args = ["token", "get", "--client-id", &world.service.id, "--client-secret"];
    let args = [&args[..], &[world.service.secret(), "--scope", "orders:read"]].concat();
    let got = server.cli(&args).json();
    let token = got["access_token"].as_str().expect("a token response");
    let inspected = server.cli(&["token", "inspect", token]);
    inspected.expect_status(0);
    assert!(inspected.stdout.contains("orders:read"), "{}", inspected.stdout);
    let mut claims = jwt::claims(token);
    claims["scope"] = json!("orders:write");
    let forged = server.cli(&["token", "inspect", &jwt::with_claims(token, &claims)]);
    assert_eq!(forged.status, 1, "a finding: {}", forged.stdout);
    let tokens = world.sign_in(&world.web, "openid offline_access");
    let next = Tokens::from(&server.refresh(&world.web, tokens.refresh()));
    let lineage = server.cli(&["token", "lineage", next.access()]);
    lineage.expect_status(0);
    let jti = |token: &str| jwt::claims(token)["jti"].as_str().expect("jti").to_owned();
    for token in [tokens.access(), next.access()] {
        assert!(lineage.stdout.contains(&jti(token)), "its ancestors: {}", lineage.stdout);
    }
    server.cli(&["token", "inspect", next.refresh()]).expect_status(0);
    server.cli(&["user", "disable", "alice"]).expect_status(0);
    server.cli(&["user", "enable", "alice"]).expect_status(0);
    let ended = server.cli(&["token", "inspect", next.refresh()]);
    assert_eq!(ended.status, 1, "a finding: {}", ended.stdout);
    assert!(ended.stdout.contains("user, client and grant stand"), "{}", ended.stdout);
}

#[test]
fn commands_work_while_the_server_is_down() {
    let server = Server::builder().prepare();
    server.resource(crate::support::API, &["orders:read"], &[]);
    let client = server.client(&service_metadata("orders:read"));
    let mut server = server;
    server.spawn();
    server.wait_ready();
    server.client_credentials(&client, "orders:read");
    server.signal("TERM");
    server.wait_exit(Duration::from_secs(10));
    assert_eq!(server.cli(&["client", "list"]).items().len(), 1, "and after it");
}

#[test]
fn exit_statuses() {
    let server = Server::start();
    let unknown = server.cli_plain(&["client", "frobnicate"], "");
    assert_eq!(unknown.status, 2, "CONTRACT-2: usage");
    let unknown = server.cli_plain(&["frobnicate"], "");
    assert_eq!(unknown.status, 2, "CONTRACT-2: usage");
    server.cli(&["client", "show", "nobody"]).expect_status(1);
    server.cli(&["client", "list"]).expect_status(0);
    let broken = server.folder.join("broken.toml");
    let key = server.folder.join("data/master.key");
    let text = format!(
        "issuer = \"http://127.0.0.1:1\"\n[keys]\nmaster = \"file:{}\"\n\
         [store]\nurl = \"sqlite:/proc/no/such/place.db\"\n",
        key.display()
    );
    std::fs::write(&broken, text).expect("writable");
    let unreachable = std::process::Command::new(crate::support::server::program())
        .args(["client", "list", "--json", "--config"])
        .arg(&broken)
        .output()
        .expect("runs");
    assert_eq!(unreachable.status.code(), Some(3), "CONTRACT-2: the store cannot be reached");
}

#[test]
fn init_writes_what_serve_reads() {
    let server = Server::builder().prepare();
    let folder = server.folder.join("new");
    std::fs::create_dir(&folder).expect("writable");
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(crate::support::server::program());
        command.args(args).current_dir(&folder).output().expect("runs")
    };
    assert!(run(&["init"]).status.success(), "CONTRACT-2: init");
    let text = std::fs::read_to_string(folder.join("keywright.toml")).expect("written");
    assert!(text.contains('#') && text.contains("issuer"), "commented: {text}");
    assert!(!run(&["init"]).status.success(), "it overwrites nothing");
    assert_eq!(std::fs::read_to_string(folder.join("keywright.toml")).expect("there"), text);
    assert!(run(&["client", "list", "--json"]).status.success(), "what it wrote is valid");
}
