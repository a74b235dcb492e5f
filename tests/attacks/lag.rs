//! What a node has not heard of yet decides nothing: docs/attacks.md, "Lag".

use std::time::Duration;

use serde_json::json;

use crate::support::world::{API, service_metadata, with};
use crate::support::{Client, Tokens, World, wait};

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

/// Tokens carry whole seconds. What a client gets while it is being disabled, over the end of a
/// second, is dead all the same once that is acknowledged.
#[test]
fn nothing_outlives_the_acknowledgement() {
    let world = World::start();
    let watcher = watcher(&world);
    for round in 0..5 {
        let issued = std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                // Until it is refused: what fails counts as guesses.
                let answers = std::iter::repeat_with(|| ask(&world));
                let good = answers.take_while(|answer| answer.status == 200);
                good.map(|answer| Tokens::from(&answer)).collect::<Vec<_>>()
            });
            // So that it is being done over the end of a second.
            wait::past_next_second(850 + round * 30);
            world.server.cli(&["client", "disable", &world.service.id]).expect_status(0);
            asking.join().expect("it asked")
        });
        assert!(!issued.is_empty());
        let alive = |tokens: &&Tokens| world.server.is_active(&watcher, tokens.access());
        let alive = issued.iter().filter(alive).count();
        assert_eq!(alive, 0, "of {} tokens, in round {round}", issued.len());
        world.server.cli(&["client", "enable", &world.service.id]).expect_status(0);
        wait::until_true(Duration::from_secs(10), "it is enabled", || ask(&world).status == 200);
    }
    world.server.stop();
}
