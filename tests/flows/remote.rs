//! The same commands through the administration API of a server elsewhere.

use std::collections::BTreeSet;

use crate::support::cli::Output;
use crate::support::world::{service_metadata, web_metadata};
use crate::support::{Client, World};

/// Runs a command against the server's issuer with an administrator's token.
fn remote(world: &World, token: &str, args: &[&str], input: &str) -> Output {
    let access = ["--issuer", world.server.issuer.as_str(), "--token", token, "--json"];
    world.server.program(&[args, &access[..]].concat(), input)
}

fn admin(world: &World, scope: &str) -> String {
    let client = world.server.client(&service_metadata(scope));
    world.server.client_credentials(&client, scope).access().to_owned()
}

#[test]
fn commands_act_through_the_api() {
    let world = World::start();
    let token = admin(&world, "keywright:admin:read keywright:admin:write");
    let run = |args: &[&str], input: &str| remote(&world, &token, args, input);
    let args = ["client", "create", "--metadata", "-"];
    let created = run(&args, &service_metadata("orders:read").to_string()).json();
    let client = Client {
        id: created["client_id"].as_str().expect("id").to_owned(),
        secret: created["client_secret"].as_str().map(str::to_owned),
        redirect_uri: String::new(),
        metadata: created.clone(),
    };
    world.server.client_credentials(&client, "orders:read");
    // What is read remotely is what is read in place.
    for args in [["client", "show", &client.id], ["user", "show", "alice"]] {
        assert_eq!(run(&args, "").json(), world.server.cli(&args).json(), "{args:?}");
    }
    let kids = |output: Output| -> BTreeSet<String> {
        output.items().iter().map(|key| key["kid"].to_string()).collect()
    };
    assert_eq!(kids(run(&["key", "list"], "")), kids(world.server.cli(&["key", "list"])));
    run(&["client", "disable", &client.id], "").expect_status(0);
    let grant = [("grant_type", "client_credentials")];
    world.server.token(&client, &grant).expect_error(401, "invalid_client");
    run(&["client", "show", "nobody"], "").expect_status(1);
    world.server.stop();
}

#[test]
fn a_reader_may_not_write() {
    let world = World::start();
    let token = admin(&world, "keywright:admin:read");
    let listed = remote(&world, &token, &["client", "list"], "");
    assert!(listed.items().len() >= 3, "the positive twin");
    let args = ["client", "create", "--metadata", "-"];
    remote(&world, &token, &args, &web_metadata().to_string()).expect_status(1);
    remote(&world, "nonsense", &["client", "list"], "").expect_status(1);
}

#[test]
fn a_server_that_is_not_there() {
    let world = World::start();
    let gone = format!("http://{}", crate::support::server::free_address());
    let args = ["client", "list", "--issuer", &gone, "--token", "x", "--json"];
    let output = world.server.program(&args, "");
    output.expect_status(3);
    assert!(output.stdout.is_empty(), "nothing to read by a program: {}", output.stdout);
}
