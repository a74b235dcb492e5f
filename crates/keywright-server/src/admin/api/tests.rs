//! The API over HTTP, in memory.

mod description;
mod requests;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::Engine as _;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::Service as _;

use crate::admin::operations::clients::{self, IssuedClient};
use crate::admin::testing::{World, metadata};
use crate::listen::PeerAddress;
use crate::router::Dispatch;

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    document: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    #[track_caller]
    fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.document
    }

    /// RFC 9457 §3: the media type, and what the document must say of itself.
    #[track_caller]
    fn expect_problem(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("x-request-id"), self.document["request_id"].as_str());
        assert_eq!(self.document["status"], status);
        assert!(self.document["title"].is_string() && self.document["detail"].is_string());
        self.document
    }
}

/// Sends one request through everything that is behind the listener.
async fn send(world: &World, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let dispatch = Dispatch::new(Arc::clone(&world.app));
    let service = hyper::service::service_fn(move |mut request: http::Request<_>| {
        request.extensions_mut().insert(PeerAddress::from(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        dispatch.clone().call(request)
    });
    let serving = hyper::server::conn::http1::Builder::new();
    tokio::spawn(serving.serve_connection(TokioIo::new(far), service));
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\
         {headers}\r\n{body}"
    );
    near.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    near.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let document = serde_json::from_str(body).unwrap_or_default();
    Answer { status, head: head.to_owned(), document }
}

/// A client with a token for the API.
struct Api {
    world: World,
    client: IssuedClient,
    token: String,
}

impl Api {
    async fn start(scope: &str) -> Self {
        let world = World::start().await;
        let document = json!({ "grant_types": ["client_credentials"], "scope": scope });
        let client = clients::create(&world.app, &world.operator, metadata(&document)).await;
        let client = client.unwrap();
        let token = token(&world, "", &client, scope).await;
        Self { world, client, token }
    }

    async fn get(&self, path: &str) -> Answer {
        let headers = format!("Authorization: Bearer {}\r\n", self.token);
        send(&self.world, "GET", &format!("/api/v1{path}"), &headers, "").await
    }

    async fn call(&self, method: &str, path: &str, document: &Value) -> Answer {
        self.raw(method, path, "application/json", &document.to_string()).await
    }

    async fn raw(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let token = &self.token;
        let headers = format!("Authorization: Bearer {token}\r\nContent-Type: {kind}\r\n");
        send(&self.world, method, &format!("/api/v1{path}"), &headers, body).await
    }
}

async fn token(world: &World, base: &str, client: &IssuedClient, scope: &str) -> String {
    let secret = client.secret.as_ref().unwrap().expose();
    let pair = format!("{}:{secret}", client.client.id);
    let basic = base64::engine::general_purpose::STANDARD.encode(pair);
    let headers = format!(
        "Authorization: Basic {basic}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    );
    let body = format!("grant_type=client_credentials&scope={}", scope.replace(' ', "+"));
    let answer = send(world, "POST", &format!("{base}/token"), &headers, &body).await.expect(200);
    answer["access_token"].as_str().unwrap().to_owned()
}

const READ: &str = "keywright:admin:read";
const WRITE: &str = "keywright:admin:write";
