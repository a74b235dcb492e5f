//! Keep-alive connections that each send one request after the other, until a count is reached.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

/// What is sent: all of it ready, so that sending costs little.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What one connection sends.
pub(crate) trait Source: Send {
    fn next(&mut self) -> Call;

    /// Refuses whatever would make the measurement a lie.
    fn answered(&mut self, answer: &Answer) -> anyhow::Result<()>;
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the sender; what breaks is seen there.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, host: HeaderValue::from_str(&address.to_string())? })
    }

    pub(crate) async fn send(&mut self, call: Call) -> anyhow::Result<Answer> {
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() = call.path.parse().context("a path")?;
        *request.headers_mut() = call.headers;
        request.headers_mut().insert(HOST, self.host.clone());
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

impl Call {
    pub(crate) fn get(path: &str) -> Self {
        let headers = HeaderMap::new();
        Self { method: Method::GET, path: path.to_owned(), headers, body: Bytes::new() }
    }

    pub(crate) fn form(path: &str, parameters: &[(&str, &str)]) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(parameters);
        let mut headers = HeaderMap::new();
        let encoded = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, encoded);
        let body = Bytes::from(form.finish());
        Self { method: Method::POST, path: path.to_owned(), headers, body }
    }

    pub(crate) fn authorized(mut self, authorization: &HeaderValue) -> Self {
        self.headers.insert(AUTHORIZATION, authorization.clone());
        self
    }
}

impl Answer {
    pub(crate) fn json(&self) -> anyhow::Result<serde_json::Value> {
        let text = String::from_utf8_lossy(&self.body);
        ensure!(self.status == StatusCode::OK, "{}: {text}", self.status);
        serde_json::from_slice(&self.body).with_context(|| text.into_owned())
    }

    pub(crate) fn member(&self, name: &str) -> anyhow::Result<String> {
        let json = self.json()?;
        let found = json.get(name).and_then(serde_json::Value::as_str);
        Ok(found.with_context(|| format!("no {name} in the answer"))?.to_owned())
    }
}

/// Sends `each` requests per source, all sources at once.
pub(crate) async fn drive(
    address: SocketAddr,
    sources: Vec<Box<dyn Source>>,
    each: u32,
) -> anyhow::Result<Vec<Box<dyn Source>>> {
    let mut connections = JoinSet::new();
    for source in sources {
        connections.spawn(tokio::time::timeout(PATIENCE, run(address, source, each)));
    }
    let mut sources = Vec::new();
    while let Some(ended) = connections.join_next().await {
        sources.push(ended?.context("the server does not keep up")??);
    }
    Ok(sources)
}

async fn run(
    address: SocketAddr,
    mut source: Box<dyn Source>,
    each: u32,
) -> anyhow::Result<Box<dyn Source>> {
    let mut connection = Connection::open(address).await?;
    for _ in 0..each {
        let answer = connection.send(source.next()).await?;
        source.answered(&answer)?;
    }
    Ok(source)
}
