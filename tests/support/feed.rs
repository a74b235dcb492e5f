//! A follower of the revocation feed, as the page of the feed describes it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Request, jwt, wait};

/// How the feed names an identifier: the first 16 bytes of the SHA-256 of `kind:identifier`.
pub(crate) fn name(kind: &str, identifier: &str) -> String {
    let hash = digest(&SHA256, format!("{kind}:{identifier}").as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}

/// A message whose signature fits, as its payload.
#[derive(Clone, Debug)]
pub(crate) struct Message(pub(crate) Value);

impl Message {
    #[track_caller]
    pub(crate) fn verify(issuer: &str, jws: &str) -> Self {
        let header = jwt::header(jws);
        assert_eq!((&header["typ"], &header["alg"]), (&"revocations+jwt".into(), &"ES256".into()));
        let keys = Request::get(&format!("{issuer}/jwks")).send().expect(200);
        let payload = jwt::verify_timeless(&keys, jws).unwrap_or_else(|e| panic!("{e}: {header}"));
        assert_eq!(payload["iss"], issuer, "whose it is");
        let age = wait::now_s() - payload["iat"].as_i64().expect("iat");
        assert!((-1..=5).contains(&age), "it is of now: {age} s");
        Self(payload)
    }

    pub(crate) fn seq(&self) -> u64 {
        self.0["seq"].as_u64().expect("seq")
    }

    pub(crate) fn entries(&self) -> &[Value] {
        self.0["entries"].as_array().expect("entries")
    }

    /// The entry of a kind and an identifier.
    pub(crate) fn entry(&self, letter: &str, name: &str) -> Option<&Value> {
        self.entries().iter().find(|entry| entry[0] == letter && entry[1] == name)
    }

    pub(crate) fn is_snapshot(&self) -> bool {
        self.0["snapshot"].as_bool().expect("snapshot")
    }
}

/// One poll.
#[track_caller]
pub(crate) fn poll(issuer: &str, query: &str) -> Message {
    let response = Request::get(&format!("{issuer}/revocations{query}")).send();
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/revocations+jwt"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    Message::verify(issuer, &response.text())
}

/// An event of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: u64,
    pub(crate) message: Message,
}

/// A stream of events.
pub(crate) struct Stream {
    issuer: String,
    lines: BufReader<TcpStream>,
    pub(crate) status: u16,
    pub(crate) head: String,
}

impl Stream {
    /// Opens a stream; with HTTP/1.0, so that it comes without chunks.
    pub(crate) fn open(issuer: &str, query: &str, headers: &str) -> Self {
        let (_, rest) = issuer.split_once("://").expect("a whole address");
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        let mut tcp = TcpStream::connect(authority).expect("it listens");
        tcp.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let request = format!(
            "GET {path}/revocations{query} HTTP/1.0\r\nHost: {authority}\r\n\
             Accept: text/event-stream\r\n{headers}\r\n"
        );
        tcp.write_all(request.as_bytes()).expect("sent");
        let mut lines = BufReader::new(tcp);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).expect("a head") > 0, "no whole head: {head}");
        }
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        Self { issuer: issuer.to_owned(), lines, status, head }
    }

    /// The next event; nothing at the stream's end.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let (mut id, mut data) = (None, String::new());
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("an event in time") == 0 {
                assert!(data.is_empty() && id.is_none(), "it ends between two events");
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("id", value)) => id = value.parse().ok(),
                Some(("data", value)) => value.clone_into(&mut data),
                _ if line == "\n" => break,
                _ => panic!("not a line of an event: {line:?}"),
            }
        }
        let message = Message::verify(&self.issuer, &data);
        Some(Event { id: id.expect("a number"), message })
    }

    /// The first event that has an entry.
    #[track_caller]
    pub(crate) fn until_entry(&mut self, bound: Duration) -> Event {
        let start = Instant::now();
        loop {
            let event = self.next().expect("the stream goes on");
            assert!(start.elapsed() < bound, "no entry within {bound:?}");
            if !event.message.entries().is_empty() {
                return event;
            }
        }
    }
}
