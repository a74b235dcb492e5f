//! More than the server can do: who is sent away, who is not, and what they are told.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::http::{Request, Response};
use crate::support::{Server, wait};

const SOON: Duration = Duration::from_secs(20);
const PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]";

/// A request that runs while this is held, for a few seconds: its body is half-sent.
fn hold(server: &Server, client: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.authority()).expect("the server listens");
    let head = format!(
        "POST /token HTTP/1.1\r\nHost: {}\r\nX-Forwarded-For: {client}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n\
         grant_type=",
        server.authority()
    );
    stream.write_all(head.as_bytes()).expect("the server reads");
    stream
}

fn says_when(answer: &Response) {
    assert_eq!(answer.status, 503);
    let when: u64 = answer.header("retry-after").expect("CONTRACT-6").parse().expect("seconds");
    assert!((1..=3).contains(&when), "{when}");
}

#[test]
fn people_are_sent_away_before_tokens_and_documents_last() {
    // Sixteen places: eight for people, twelve for administration, fifteen for tokens.
    // Each request is another network's, for one alone does not get so far.
    let server = Server::builder().set("limits", "requests = 16").set("server", PROXY).start();
    let run = |numbers: std::ops::Range<u8>| {
        numbers.map(|number| hold(&server, &format!("192.0.2.{number}"))).collect::<Vec<_>>()
    };
    let get = |path: &str| server.get(path);
    let token = || Request::post(&server.url("/token")).form(&[("grant_type", "none")]).send();
    assert_eq!((get("/authorize").status, token().status), (400, 401), "there is room for all");

    let mut held = run(0..8);
    wait::until_true(SOON, "people are sent away", || get("/authorize").status == 503);
    let page = get("/authorize");
    says_when(&page);
    assert!(page.text().contains("data-error=\"temporarily_unavailable\""), "{}", page.text());
    assert_eq!((token().status, get("/api/v1/clients").status), (401, 401), "others are not");

    held.extend(run(8..12));
    wait::until_true(SOON, "administration is, too", || get("/api/v1/clients").status == 503);
    assert_eq!(token().status, 401, "tokens are not");

    held.extend(run(12..15));
    wait::until_true(SOON, "tokens are, too", || token().status == 503);
    says_when(&token());
    assert_eq!(get("/jwks").status, 200, "key sets are not");
    assert_eq!(get("/.well-known/openid-configuration").status, 200);
    let metrics = Request::get(&format!("{}/metrics", server.ops)).send();
    assert!(metrics.text().contains("keywright_requests_shed_total{class=\"person\"}"));

    held.clear();
    wait::until_true(SOON, "there is room for all again", || get("/authorize").status == 400);
}

#[test]
fn one_network_does_not_take_the_places_of_all() {
    let server = Server::builder().set("limits", "requests = 16").set("server", PROXY).start();
    let ask = |client: &str| {
        let request = Request::get(&server.url("/authorize")).header("X-Forwarded-For", client);
        request.send()
    };
    for (mine, neighbour, other) in [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "2001:db8:1:2::1"),
    ] {
        // A quarter of sixteen runs, and the rest is sent away.
        let held: Vec<TcpStream> = (0..40).map(|_| hold(&server, mine)).collect();
        wait::until_true(SOON, "its network has its share", || ask(neighbour).status == 503);
        says_when(&ask(neighbour));
        assert_eq!(ask(other).status, 400, "somebody else signs in");
        drop(held);
        wait::until_true(SOON, "its places come back", || ask(mine).status == 400);
    }
    server.stop();
}

#[test]
fn a_half_sent_body_soon_gives_its_place_back() {
    // Long enough that nothing else ends the request.
    let server = Server::builder().set("limits", "request_timeout = \"5m\"").start();
    let mut slow = hold(&server, "192.0.2.1");
    let mut whole = hold(&server, "192.0.2.1");
    whole.write_all(&[b'a'; 89]).expect("the server reads");
    for (stream, says) in [(&mut whole, "401"), (&mut slow, "400")] {
        stream.set_read_timeout(Some(SOON)).expect("settable");
        let mut start = [0; 12];
        stream.read_exact(&mut start).expect("an answer");
        assert_eq!(start, format!("HTTP/1.1 {says}").as_bytes(), "{says}");
    }
    server.stop();
}

/// How many sockets a process may open here, with some left for the rest.
fn sockets_allowed() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let soft = line.split_whitespace().nth(3).and_then(|word| word.parse().ok());
    soft.unwrap_or(1024_usize).saturating_sub(300)
}

#[test]
fn five_thousand_slow_sockets_starve_nobody_and_are_cut() {
    let server = Server::start();
    let open = || {
        let mut stream = TcpStream::connect(server.authority()).expect("the server listens");
        stream.write_all(b"POST /token HTTP/1.1\r\nHost: ").expect("the server reads");
        stream
    };
    let slow: Vec<TcpStream> = (0..5000.min(sockets_allowed())).map(|_| open()).collect();
    let token = || Request::post(&server.url("/token")).form(&[("grant_type", "none")]).send();
    assert!((0..50).all(|_| token().status == 401), "the others are served meanwhile");
    for mut stream in slow {
        // The end, or an answer that says why and then the end: within the time for a head.
        stream.set_read_timeout(Some(SOON)).expect("settable");
        let ended = std::io::copy(&mut stream, &mut std::io::sink());
        assert!(ended.is_ok_and(|bytes| bytes < 10_000), "a slow peer is cut");
    }
    assert_eq!(token().status, 401);
    server.stop();
}
