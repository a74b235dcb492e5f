//! Revocations in Redis: `[revocation] sinks`, for gateways in any language.

use std::time::{Duration, Instant};

use crate::support::redis::{Redis, Reply};
use crate::support::{Request, Server, Tokens, World, jwt, secrets, wait};

/// DESIGN 5.4: a second, and one for a machine that runs all tests at once.
const BOUND: Duration = Duration::from_secs(2);
/// Noticing that Redis came back takes a try and a connection more.
const RECOVERY: Duration = Duration::from_secs(6);
const EPOCH: &str = "keywright:revocations:epoch";
const PASSWORD: &str = "open-sesame-redis-7";

fn start(redis: &Redis) -> World {
    let sink = format!("sinks = [{{ kind = \"redis\", url = \"{}\" }}]", redis.url());
    let server = Server::builder().set("revocation", &sink).start();
    secrets::note(server.authority(), PASSWORD);
    World::in_server(server)
}

fn token_key(tokens: &Tokens) -> String {
    let claims = jwt::claims(tokens.access());
    format!("keywright:revoked:default:token:{}", claims["jti"].as_str().expect("jti"))
}

/// Revokes a fresh token; its key.
fn revoke(world: &World) -> String {
    let tokens = world.server.client_credentials(&world.service, "orders:read");
    let start = Instant::now();
    assert_eq!(world.server.revoke(&world.service, tokens.access()).status, 200);
    assert!(start.elapsed() < BOUND, "nobody waits for Redis: {:?}", start.elapsed());
    token_key(&tokens)
}

#[track_caller]
fn appears(redis: &Redis, key: &str, bound: Duration) -> String {
    wait::until(bound, &format!("{key} is there"), || redis.get(key))
}

/// A metric's value.
fn metric(server: &Server, name: &str) -> f64 {
    let text = Request::get(&format!("{}/metrics", server.ops)).send().text();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

const FAILURES: &str = "keywright_revocation_sink_failures_total{sink=\"redis\"}";
const LAG: &str = "keywright_revocation_sink_lag_seconds{sink=\"redis\"}";

#[test]
fn what_is_revoked_is_a_key_until_it_ends() {
    let redis = Redis::start(PASSWORD);
    let world = start(&redis);
    let server = &world.server;
    let tokens = world.sign_in(&world.web, "openid offline_access orders:read");
    let claims = jwt::claims(tokens.access());
    let claim = |name: &str| claims[name].as_str().expect("a text").to_owned();
    let bystander = world.sign_in(&world.spa, "openid");
    assert_eq!(server.revoke(&world.web, tokens.access()).status, 200);
    assert_eq!(server.revoke(&world.web, tokens.refresh()).status, 200);
    server.cli(&["user", "disable", "alice"]).expect_status(0);
    let revoked_at = wait::now_s();
    for (kind, id) in [("token", claim("jti")), ("family", claim("fid")), ("user", claim("sub"))] {
        let key = format!("keywright:revoked:default:{kind}:{id}");
        let value: i64 = appears(&redis, &key, BOUND).parse().expect("a second");
        assert!((revoked_at - value).abs() < 30, "{key}: {value}");
        let life = redis.life_ms(&key);
        assert!((1..=720_000).contains(&life), "the longest token and a minute: {key}: {life}");
    }
    assert_eq!(redis.get(&token_key(&bystander)), None, "nothing else");
    assert!(redis.get(EPOCH).is_some(), "it says that it is whole");
    assert_eq!(redis.life_ms(EPOCH), -1, "for as long as Redis keeps it");
    let place = redis.command(&["HMGET", "keywright:revocations", "seq", "at"]);
    let Reply::List(place) = place else { panic!("{place:?}") };
    assert!(place.iter().all(|part| matches!(part, Reply::Text(_))), "{place:?}");
    assert!(metric(server, LAG) < 2.0);
    assert!(metric(server, FAILURES) < 1.0);
    world.server.stop();
}

/// As when another node, which had followed further, wrote the floor before.
#[test]
fn a_floor_is_raised_and_never_lowered() {
    let redis = Redis::start(PASSWORD);
    let world = start(&redis);
    let tokens = world.sign_in(&world.web, "openid offline_access orders:read");
    let claims = jwt::claims(tokens.access());
    let floor = format!("keywright:revoked:default:user:{}", claims["sub"].as_str().expect("sub"));
    let (newer, life_ms) = ((wait::now_s() + 100).to_string(), 7_200_000);
    redis.command(&["SET", &floor, &newer, "PX", &life_ms.to_string()]);
    // What is revoked later is written later: its key says that the floor was written too.
    let disable = || {
        world.server.cli(&["user", "disable", "alice"]).expect_status(0);
        appears(&redis, &revoke(&world), BOUND);
    };
    disable();
    assert_eq!(redis.get(&floor), Some(newer), "it stays");
    assert!(redis.life_ms(&floor) > life_ms / 2, "as long as it was to: the later end counts");
    world.server.cli(&["user", "enable", "alice"]).expect_status(0);
    redis.command(&["SET", &floor, "1000", "PX", "20000"]);
    disable();
    let raised: i64 = redis.get(&floor).expect("it is there").parse().expect("a second");
    assert!((wait::now_s() - raised).abs() < 30, "{raised}");
    assert!(redis.life_ms(&floor) > 20_000, "{}", redis.life_ms(&floor));
}

#[test]
fn what_redis_loses_is_written_again() {
    let redis = Redis::start(PASSWORD);
    let world = start(&redis);
    let key = revoke(&world);
    appears(&redis, &key, BOUND);
    let epoch = redis.get(EPOCH).expect("it is whole");
    assert_eq!(redis.command(&["FLUSHALL"]), Reply::Text("OK".into()));
    appears(&redis, &key, BOUND);
    let again = appears(&redis, EPOCH, BOUND);
    assert_ne!(again, epoch, "whoever copied the keys sees that there was a gap");
}

#[test]
fn nobody_waits_for_a_redis_that_is_gone() {
    let mut redis = Redis::start(PASSWORD);
    let world = start(&redis);
    let before = revoke(&world);
    appears(&redis, &before, BOUND);
    redis.kill();
    let meanwhile: Vec<String> = (0..5).map(|_| revoke(&world)).collect();
    wait::until_true(RECOVERY, "the failures are counted", || {
        metric(&world.server, FAILURES) >= 2.0 && metric(&world.server, LAG) > 0.5
    });
    assert_eq!(Request::get(&format!("{}/readyz", world.server.ops)).send().status, 200);
    redis.restart();
    for key in meanwhile.iter().chain([&before]) {
        appears(&redis, key, RECOVERY);
    }
    appears(&redis, EPOCH, BOUND);
    wait::until_true(BOUND * 2, "the lag is gone", || metric(&world.server, LAG) < 1.0);
    let log = world.server.log_text();
    assert!(log.contains("cannot write revocations"), "it is told: {log}");
    assert!(log.contains("written again"), "and that it is over: {log}");
    world.server.stop();
}

#[test]
fn nobody_waits_for_a_redis_that_is_slow() {
    let redis = Redis::start(PASSWORD);
    let world = start(&redis);
    let before = revoke(&world);
    appears(&redis, &before, BOUND);
    redis.signal("STOP");
    let meanwhile: Vec<String> = (0..20).map(|_| revoke(&world)).collect();
    wait::until_true(RECOVERY, "the silence counts as a failure", || {
        metric(&world.server, FAILURES) >= 1.0 && metric(&world.server, LAG) > 1.0
    });
    redis.signal("CONT");
    for key in &meanwhile {
        appears(&redis, key, RECOVERY);
    }
}

#[test]
fn a_node_that_starts_fills_an_empty_redis() {
    let mut redis = Redis::start(PASSWORD);
    let mut world = start(&redis);
    let key = revoke(&world);
    appears(&redis, &key, BOUND);
    world.server.kill();
    redis.kill();
    redis.restart();
    assert_eq!(redis.get(&key), None, "it is empty");
    world.server.spawn();
    world.server.wait_ready();
    appears(&redis, &key, BOUND);
}
