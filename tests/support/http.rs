//! A blocking HTTP/1.1 client of one request per connection.
//!
//! It sends exactly the bytes that it is told (a wrong `Host`, a header twice, a body that is not
//! UTF-8), follows no redirect, and keeps a note of every secret that passes.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::secrets;

/// Longer than any answer may take on a busy machine, short enough to end a hung test.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request being built.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    authority: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, url: &str) -> Self {
        let (_, rest) = url.split_once("://").expect("a whole address");
        let cut = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(cut);
        let slash = if target.starts_with('/') { "" } else { "/" };
        Self {
            method: method.to_owned(),
            authority: authority.to_owned(),
            target: format!("{slash}{target}"),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    pub(crate) fn post(url: &str) -> Self {
        Self::new("POST", url)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
    pub(crate) fn basic(self, id: &str, secret: &str) -> Self {
        let pair = format!("{}:{}", encode(id), encode(secret));
        self.header("Authorization", &format!("Basic {}", STANDARD.encode(pair)))
    }

    pub(crate) fn form<K: AsRef<str>, V: AsRef<str>>(self, pairs: &[(K, V)]) -> Self {
        for (name, value) in pairs {
            secrets::note_parameter(&self.authority, name.as_ref(), value.as_ref());
        }
        self.body("application/x-www-form-urlencoded", query(pairs).into_bytes())
    }

    pub(crate) fn json(self, document: &Value) -> Self {
        self.body("application/json", document.to_string().into_bytes())
    }

    pub(crate) fn body(mut self, content_type: &str, bytes: Vec<u8>) -> Self {
        self.body = bytes;
        self.header("Content-Type", content_type)
    }

    /// Sends it; a server that does not answer fails the test.
    pub(crate) fn send(&self) -> Response {
        self.try_send().unwrap_or_else(|e| panic!("{} {}: {e}", self.method, self.target))
    }

    /// Sends it to a server that may die meanwhile.
    pub(crate) fn try_send(&self) -> std::io::Result<Response> {
        let response = try_exchange(&self.authority, &self.to_bytes())?;
        secrets::note_response(&self.authority, &response);
        Ok(response)
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.extend(["Host: ", &self.authority, "\r\n"]);
        }
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !self.body.is_empty() || self.method != "GET" {
            head.extend(["Content-Length: ", &self.body.len().to_string(), "\r\n"]);
        }
        head += "Connection: close\r\n\r\n";
        [head.as_bytes(), &self.body].concat()
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let same = |pair: &&(String, String)| pair.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("status {}, not JSON ({e}): {}", self.status, self.text()))
    }

    /// The `error` of an OAuth error document, empty when there is none.
    pub(crate) fn error(&self) -> String {
        let document: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        document["error"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts a status and returns the document.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// Asserts an OAuth error: its status, its code, and what every error must have.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, error: &str) {
        assert_eq!((self.status, self.error().as_str()), (status, error), "{}", self.text());
        assert!(self.header("x-request-id").is_some(), "every response has a request id");
        assert!(self.json()["error_description"].is_string(), "{}", self.text());
    }
}

/// Sends raw bytes and reads the answer to its end.
pub(crate) fn try_exchange(authority: &str, request: &[u8]) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // A server may answer and close before it has read an oversized body: read what it said.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(e) if bytes.is_empty() || e.kind() != ErrorKind::ConnectionReset => Err(e),
        _ => parse(&bytes),
    }
}

/// Takes a whole answer apart.
pub(crate) fn parse(bytes: &[u8]) -> std::io::Result<Response> {
    let cut = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or_else(|| std::io::Error::new(ErrorKind::UnexpectedEof, "no whole head"))?;
    let head = String::from_utf8_lossy(&bytes[..cut]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|s| s.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut response =
        Response { status: status.expect("a status"), headers, body: bytes[cut + 4..].to_vec() };
    if response.header("transfer-encoding") == Some("chunked") {
        response.body = unchunk(&response.body)?;
    }
    whole(response)
}

/// A body shorter than announced is a death in the middle, not an answer.
fn whole(response: Response) -> std::io::Result<Response> {
    let announced = response.header("content-length").and_then(|n| n.parse::<usize>().ok());
    match announced {
        Some(length) if response.body.len() < length && !response.body.is_empty() => {
            Err(std::io::Error::new(ErrorKind::UnexpectedEof, "the body broke off"))
        }
        _ => Ok(response),
    }
}

fn unchunk(mut rest: &[u8]) -> std::io::Result<Vec<u8>> {
    let broken = || std::io::Error::new(ErrorKind::UnexpectedEof, "the chunks broke off");
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n").ok_or_else(broken)?;
        let size = String::from_utf8_lossy(&rest[..line]).into_owned();
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| broken())?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(rest.get(line + 2..line + 2 + size).ok_or_else(broken)?);
        rest = rest.get(line + 4 + size..).ok_or_else(broken)?;
    }
}

/// Form-encodes one string.
pub(crate) fn encode(raw: &str) -> String {
    form_urlencoded::byte_serialize(raw.as_bytes()).collect()
}

/// Form-encodes pairs, in order, duplicates and all.
pub(crate) fn query<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name.as_ref()), encode(value.as_ref())))
        .collect();
    pairs.join("&")
}

/// The parameters of a URL's query.
pub(crate) fn parameters(url: &str) -> Vec<(String, String)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// `http://host:port` of a URL.
pub(crate) fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

/// What a browser makes of a link on the page `base`.
pub(crate) fn resolve(base: &str, target: &str) -> String {
    let path_end = base.find(['?', '#']).unwrap_or(base.len());
    if target.contains("://") {
        target.to_owned()
    } else if target.starts_with('/') {
        format!("{}{target}", origin(base))
    } else if target.is_empty() || target.starts_with('?') {
        format!("{}{target}", &base[..path_end])
    } else {
        let folder = base[..path_end].rfind('/').map_or(path_end, |at| at + 1);
        format!("{}{target}", &base[..folder])
    }
}
