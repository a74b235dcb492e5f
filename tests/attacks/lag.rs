//! What a node has not heard of yet decides nothing: docs/attacks.md, "Lag".

use std::time::Duration;

use serde_json::json;

use crate::support::postgres::Postgres;
use crate::support::tokens::authenticated;
use crate::support::world::{service_metadata, with};
use crate::support::{API, Client, Server, Tokens, World, wait};

/// A resource server that looks at the tokens of others.
fn watcher(world: &World) -> Client {
    let watches = json!({ "keywright_introspects": [API] });
    world.server.client(&with(service_metadata("orders:read"), &watches))
}

fn ask(world: &World) -> crate::support::Response {
    let form = [("grant_type", "client_credentials"), ("scope", "orders:read")];
    world.server.token(&world.service, &form)
}

/// A virtual machine is paused, and goes on as if nothing had happened.
#[test]
fn a_node_that_slept_hears_first() {
    let world = World::start();
    let watcher = watcher(&world);
    let token = Tokens::from(&ask(&world));
    assert!(world.server.is_active(&watcher, token.access()));
    world.server.signal("STOP");
    // The command does not wait for ever for a node that sleeps.
    world.server.cli(&["client", "disable", &world.service.id]).expect_status(0);
    world.server.signal("CONT");
    ask(&world).expect_error(401, "invalid_client");
    assert!(!world.server.is_active(&watcher, token.access()), "revoked while it slept");
    // The positive twin.
    world.server.cli(&["client", "enable", &world.service.id]).expect_status(0);
    let token = Tokens::from(&ask(&world));
    assert!(world.server.is_active(&watcher, token.access()));
    world.server.stop();
}

/// Tokens carry whole seconds. What a client gets while it is being disabled or deleted, over the
/// end of a second, is dead all the same once that is acknowledged.
#[test]
fn nothing_outlives_the_acknowledgement() {
    let world = World::start();
    let watcher = watcher(&world);
    for round in 0..6 {
        let end = if round < 5 { "disable" } else { "delete" };
        let issued = std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                // Until it is refused: what fails counts as guesses.
                let answers = std::iter::repeat_with(|| ask(&world));
                let good = answers.take_while(|answer| answer.status == 200);
                good.map(|answer| Tokens::from(&answer)).collect::<Vec<_>>()
            });
            // So that it is being done over the end of a second.
            wait::past_next_second(850 + round * 30);
            world.server.cli(&["client", end, &world.service.id]).expect_status(0);
            asking.join().expect("it asked")
        });
        assert!(!issued.is_empty());
        let alive = |tokens: &&Tokens| world.server.is_active(&watcher, tokens.access());
        let alive = issued.iter().filter(alive).count();
        assert_eq!(alive, 0, "of {} tokens, in round {round}", issued.len());
        if end == "disable" {
            world.server.cli(&["client", "enable", &world.service.id]).expect_status(0);
            assert_eq!(ask(&world).status, 200, "the positive twin: it is enabled");
        }
    }
    world.server.stop();
}

/// A node that is cut off from the store cannot know what is revoked: for a moment it answers, and
/// then it says so.
#[test]
fn a_node_without_its_store_calls_nothing_active_for_long() {
    let mut postgres = Postgres::start();
    let server = Server::builder().postgres(&postgres.url()).start();
    let world = World::in_server(server);
    let token = Tokens::from(&ask(&world));
    let introspect = || {
        let form = [("token", token.access())];
        authenticated(&world.server.url("/introspect"), &world.service, &form).send()
    };
    assert_eq!(introspect().expect(200)["active"], true);
    postgres.stop("fast");
    let refused = wait::until(Duration::from_secs(30), "it does not know any more", || {
        Some(introspect()).filter(|answer| answer.status != 200)
    });
    refused.expect_error(503, "temporarily_unavailable");
    assert!(refused.header("retry-after").is_some(), "CONTRACT-6");
    ask(&world).expect_error(503, "temporarily_unavailable");
    postgres.start_again();
    wait::until_true(Duration::from_secs(30), "it knows again", || introspect().status == 200);
    assert!(world.server.is_active(&world.service, token.access()), "nothing was lost");
    world.server.stop();
}
