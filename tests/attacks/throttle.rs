//! Guessing is slowed down, nobody is locked out for ever: requirement A28.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::tokens::authenticated;
use crate::support::{Authorize, Browser, Client, Page, Request, Server, User, World, wait};

const PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]";

/// One attempt at the sign-in page by a browser at an address.
fn attempt(world: &World, user: &User, address: &str) -> Page {
    let mut browser = Browser::default();
    let flow = Authorize::new(&world.server, &world.web);
    let page = browser.open(&flow.url());
    let form = page.expect_form("login-form").fill("username", &user.username);
    let form = form.fill("password", &user.password);
    let url = crate::support::http::resolve(&page.url, &form.action);
    let request = Request::post(&url)
        .header("Origin", &world.server.issuer)
        .header("X-Forwarded-For", address)
        .form(&form.click("login-submit"));
    browser.send(&url, request)
}

fn wrong(username: &str) -> User {
    User { username: username.to_owned(), password: "a wrong guess".to_owned() }
}

#[track_caller]
fn retry_after(page: &Page) -> u64 {
    let header = page.response.header("retry-after");
    let seconds = header.and_then(|seconds| seconds.parse().ok());
    seconds.unwrap_or_else(|| panic!("CONTRACT-6: Retry-After in seconds: {page}"))
}

#[test]
fn guesses_at_one_account_are_slowed_down() {
    let world = World::in_server(Server::builder().set("server", PROXY).start());
    world.server.user("bob");
    let throttled = (0..60)
        .map(|n| attempt(&world, &wrong("alice"), &format!("203.0.113.{n}")))
        .find(|page| page.response.status == 429)
        .expect("A28: sixty guesses from sixty addresses are too many");
    assert!(retry_after(&throttled) <= 3600, "no permanent lockout");
    // Another person is not locked out by this.
    let bob = User { username: "bob".into(), password: "Sesame-bob-open-door-9".into() };
    let page = attempt(&world, &bob, "198.51.100.7");
    assert_eq!(page.response.status, 303, "somebody else signs in: {page}");
    world.server.stop();
}

#[test]
fn guesses_from_one_address_are_slowed_down() {
    let world = World::in_server(Server::builder().set("server", PROXY).start());
    let throttled = (0..200)
        .map(|n| attempt(&world, &wrong(&format!("user{n}")), "203.0.113.50"))
        .find(|page| page.response.status == 429);
    let throttled = throttled.expect("A28: two hundred accounts from one address");
    retry_after(&throttled);
    let page = attempt(&world, &world.alice, "198.51.100.8");
    assert_eq!(page.response.status, 303, "another address signs in: {page}");
}

/// GHSA-cq42-vhv7-xr7p: a lockout that an attacker can cause ends, and is not prolonged by more
/// of the same.
#[test]
fn the_wait_is_short_and_does_not_grow() {
    let world = World::in_server(Server::builder().set("server", PROXY).start());
    let guess = |n: usize| attempt(&world, &wrong("alice"), &format!("203.0.113.{n}"));
    let first = (0..60).map(guess).find(|page| page.response.status == 429);
    let first = retry_after(&first.expect("A28: throttled"));
    assert!(first <= 300, "A28: five minutes at most, not {first} s");
    for n in 60..80 {
        let page = guess(n);
        assert_eq!(page.response.status, 429, "{page}");
        assert!(retry_after(&page) <= first, "A28: more guesses do not prolong it");
    }
}

/// Whoever guesses in parallel gets no more guesses than whoever waits.
#[test]
fn guesses_at_the_same_time_are_counted_too() {
    let world = World::in_server(Server::builder().set("server", PROXY).start());
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let world = &world;
        let guesses: Vec<_> = (0..60)
            .map(|n| {
                scope.spawn(move || {
                    let address = format!("203.0.113.{n}");
                    attempt(world, &wrong("alice"), &address).response.status
                })
            })
            .collect();
        guesses.into_iter().map(|guess| guess.join().expect("an answer")).collect()
    });
    let judged = statuses.iter().filter(|&&status| status == 200).count();
    assert!((1..=20).contains(&judged), "A28: {judged} of 60 passwords were tried: {statuses:?}");
}

/// Unknown and known accounts answer alike, or the list of accounts can be read off.
#[test]
fn accounts_cannot_be_enumerated() {
    let world = World::start();
    let known = attempt(&world, &wrong("alice"), "127.0.0.1");
    let unknown = attempt(&world, &wrong("nobody"), "127.0.0.1");
    assert_eq!(known.response.status, unknown.response.status);
    let error = |page: &Page| crate::support::html::text_of(&page.text(), "login-error");
    let page = |page: Page| {
        let mut browser = Browser::default();
        match page.redirect() {
            Some(next) => browser.open(&next),
            None => page,
        }
    };
    assert_eq!(error(&page(known)), error(&page(unknown)), "the same words");
}

#[test]
fn guesses_at_a_client_s_secret_are_slowed_down() {
    let world = World::start();
    let guess = Client { secret: Some("a wrong guess".into()), ..world.service.clone() };
    let url = world.server.url("/token");
    let grant = [("grant_type", "client_credentials")];
    let throttled = (0..300)
        .map(|_| authenticated(&url, &guess, &grant).send())
        .find(|answer| answer.status == 429);
    let throttled = throttled.expect("CONTRACT-3: client secrets are throttled");
    assert!(throttled.header("retry-after").is_some(), "CONTRACT-6");
    let other = crate::support::world::service_metadata("orders:read");
    let other = world.server.client(&other);
    world.server.client_credentials(&other, "orders:read");
}

/// Other spellings of one name open the same account, so they share its counter.
#[test]
fn spellings_of_a_name_share_a_counter() {
    let world = World::in_server(Server::builder().set("server", PROXY).start());
    let spelling = |n: usize| match n % 3 {
        0 => format!("{}alice", " ".repeat(n)),
        1 => format!("alice{}", "\u{a0}".repeat(n)),
        _ => "alice".chars().enumerate().fold(String::new(), |name, (at, c)| {
            let upper = n >> at & 1 == 1;
            name + &if upper { c.to_uppercase().to_string() } else { c.to_string() }
        }),
    };
    let judged = (0..45)
        .map(|n| attempt(&world, &wrong(&spelling(n)), &format!("203.0.113.{n}")))
        .filter(|page| page.response.status == 200)
        .count();
    // A spelling that opens nothing may have a counter of its own.
    assert!(judged <= 28, "A28: {judged} of 45 guesses at alice were tried");
}

/// Counters of one kind of guess are no counters of another: nobody locks a client out by typing
/// its name where a person's belongs.
#[test]
fn a_username_cannot_name_a_client() {
    let world = World::in_server(Server::builder().set("server", PROXY).start());
    let odd = wrong(&format!("{}|127.0.0.1", world.service.id));
    for n in 0..15 {
        attempt(&world, &odd, &format!("203.0.113.{n}"));
    }
    world.server.client_credentials(&world.service, "orders:read");
}

/// A flood of passwords to be hashed fills a queue of limited length, not the memory.
#[test]
fn a_flood_of_sign_ins_gets_503_and_the_server_lives() {
    let mut world = World::in_server(Server::builder().set("server", PROXY).start());
    let pages: Vec<(Browser, Page)> = (0..150)
        .map(|_| {
            let mut browser = Browser::default();
            let page = browser.open(&Authorize::new(&world.server, &world.web).url());
            (browser, page)
        })
        .collect();
    let server = &world.server;
    let answers: Vec<Page> = std::thread::scope(|scope| {
        let floods: Vec<_> = pages
            .into_iter()
            .enumerate()
            .map(|(n, (mut browser, page))| {
                scope.spawn(move || {
                    let form = page.expect_form("login-form").fill("username", &format!("u{n}"));
                    let form = form.fill("password", "whatever it may be");
                    let url = crate::support::http::resolve(&page.url, &form.action);
                    let request = Request::post(&url)
                        .header("Origin", &server.issuer)
                        .header("X-Forwarded-For", &format!("203.0.{}.{}", n / 200, n % 200))
                        .form(&form.click("login-submit"));
                    browser.send(&url, request)
                })
            })
            .collect();
        floods.into_iter().map(|flood| flood.join().expect("an answer")).collect()
    });
    let refused: Vec<&Page> = answers.iter().filter(|p| p.response.status == 503).collect();
    assert!(!refused.is_empty(), "issue 3: beyond the queue's limit");
    for page in refused {
        assert!(page.response.header("retry-after").is_some(), "CONTRACT-6: {page}");
    }
    let statuses: Vec<u16> = answers.iter().map(|page| page.response.status).collect();
    assert!(statuses.iter().all(|status| *status < 500 || *status == 503), "{statuses:?}");
    assert!(world.server.is_alive());
    // Tokens are still issued meanwhile and afterwards, and people sign in.
    world.server.client_credentials(&world.service, "orders:read");
    wait::until_true(Duration::from_secs(20), "the flood has passed", || {
        attempt(&world, &world.alice, "198.51.100.1").response.status == 303
    });
}

/// A form to `/token` whose body is held back, and the body.
fn hold(server: &Server, pairs: &[(&str, &str)]) -> (TcpStream, String) {
    let form = |(name, value): &(&str, &str)| format!("{name}={value}");
    let body = pairs.iter().map(form).collect::<Vec<_>>().join("&");
    let mut stream = TcpStream::connect(server.authority()).expect("the server listens");
    let head = format!(
        "POST /token HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        server.authority(),
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("the server reads");
    (stream, body)
}

fn release((mut stream, body): (TcpStream, String)) -> String {
    stream.write_all(body.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and the end");
    answer
}

#[test]
fn bodies_that_are_held_back_win_no_guesses() {
    let world = World::start();
    let guess = [
        ("grant_type", "client_credentials"),
        ("client_id", world.service.id.as_str()),
        ("client_secret", "kwx_wrong"),
    ];
    let held: Vec<_> = (0..40).map(|_| hold(&world.server, &guess)).collect();
    // The last one that came is judged first.
    let answers: Vec<String> = held.into_iter().rev().map(release).collect();
    let slowed = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 429"));
    assert_eq!(slowed.count(), 30, "A28: ten guesses, in whatever order they came");
    assert!(answers.iter().take(10).all(|answer| answer.starts_with("HTTP/1.1 401")));
    world.server.stop();
}

#[test]
fn bodies_that_are_held_back_win_no_time() {
    let server = Server::builder().set("tokens", "refresh_retry = \"2s\"").start();
    let world = World::in_server(server);
    let first = world.sign_in(&world.spa, "openid offline_access");
    let again = [
        ("grant_type", "refresh_token"),
        ("client_id", world.spa.id.as_str()),
        ("refresh_token", first.refresh()),
    ];
    world.server.refresh(&world.spa, first.refresh());
    let (in_time, late) = (hold(&world.server, &again), hold(&world.server, &again));
    assert!(release(in_time).starts_with("HTTP/1.1 200"), "the answer was lost");
    std::thread::sleep(Duration::from_secs(4));
    let answer = release(late);
    assert!(answer.starts_with("HTTP/1.1 400"), "RFC9700-4.14.2: too late: {answer}");
    world.server.stop();
}
