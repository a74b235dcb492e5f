//! HTTP/2 with prior knowledge, RFC 9113 §3.3.

use http::Version;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

type Sender = SendRequest<Empty<Bytes>>;

/// A connection, and the task that ends when it does.
async fn connect(server: &Server) -> (Sender, JoinHandle<()>) {
    let io = TokioIo::new(server.connect().await);
    let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
    let (sender, connection) = shaken.expect("it speaks HTTP/2");
    (sender, tokio::spawn(async move { _ = connection.await }))
}

async fn ask(sender: &mut Sender, path: &str) -> Result<String, hyper::Error> {
    let request = Request::get(format!("http://a.test{path}")).version(Version::HTTP_2);
    let request = request.body(Empty::new()).expect("a request");
    let body = sender.send_request(request).await?.into_body().collect().await?;
    Ok(String::from_utf8(body.to_bytes().to_vec()).expect("text"))
}

#[tokio::test]
async fn a_resting_connection_is_kept_and_then_closed() {
    let server = Server::start(ConnectionLimits { idle: Duration::from_secs(2), ..LIMITS }).await;
    let (mut sender, connection) = connect(&server).await;
    assert_eq!(ask(&mut sender, "/peer").await.expect("answered"), "127.0.0.1");
    time::sleep(LIMITS.head * 2).await;
    assert_eq!(ask(&mut sender, "/peer").await.expect("it rested"), "127.0.0.1");
    time::timeout(PATIENCE, connection).await.expect("closed").expect("no panic");
    server.end().await;
}

#[tokio::test]
async fn who_asks_nothing_is_cut() {
    let server = Server::start(LIMITS).await;
    let (_sender, connection) = connect(&server).await;
    time::timeout(PATIENCE, connection).await.expect("closed").expect("no panic");
    server.end().await;
}

#[tokio::test]
async fn what_runs_is_finished_when_the_server_stops() {
    let server = Server::start(LIMITS).await;
    let (mut sender, connection) = connect(&server).await;
    let waiting = tokio::spawn(async move { ask(&mut sender, "/wait").await });
    server.entered.notified().await;
    server.stop.send_replace(true);
    time::sleep(Duration::from_millis(100)).await;
    server.leave.notify_one();
    assert_eq!(waiting.await.expect("no panic").expect("answered"), "waited");
    time::timeout(PATIENCE, connection).await.expect("closed").expect("no panic");
    server.end().await;
}

#[tokio::test]
async fn a_head_has_a_bound() {
    let server = Server::start(LIMITS).await;
    for (bytes, want) in [(16 * 1024, 200), (128 * 1024, 431)] {
        let (mut sender, _connection) = connect(&server).await;
        let request = Request::get("http://a.test/peer").header("x-long", "a".repeat(bytes));
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        assert_eq!(answer.status(), want, "{bytes}");
    }
    server.end().await;
}

/// Asks, and takes the head of the answer alone.
async fn head(sender: &mut Sender, path: &str) -> hyper::body::Incoming {
    let request = Request::get(format!("http://a.test{path}")).body(Empty::<Bytes>::new());
    let answer = sender.send_request(request.expect("a request")).await.expect("an answer");
    answer.into_body()
}

/// RFC 9113 §5.2: without a window nothing of the answer may be sent; the socket stays writable.
#[tokio::test]
async fn an_answer_without_a_window_is_cut() {
    let limits = ConnectionLimits { unread: Duration::from_secs(1), ..LIMITS };
    let server = Server::start(limits).await;
    let io = TokioIo::new(server.connect().await);
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(0);
    let (mut sender, connection) = builder.handshake(io).await.expect("it speaks HTTP/2");
    let connection = tokio::spawn(async move { _ = connection.await });
    let _unread = head(&mut sender, "/trickle").await;
    time::timeout(PATIENCE, connection).await.expect("cut").expect("no panic");
    time::timeout(PATIENCE, server.gone.notified()).await.expect("the answer is dropped, too");
    server.end().await;
}

#[tokio::test]
async fn an_answer_that_goes_on_is_not_cut() {
    let limits = ConnectionLimits { unread: Duration::from_secs(1), ..LIMITS };
    let server = Server::start(limits).await;
    let (mut sender, connection) = connect(&server).await;
    let mut body = head(&mut sender, "/trickle").await;
    let begun = Instant::now();
    while begun.elapsed() < limits.unread * 3 {
        body.frame().await.expect("it goes on").expect("whole");
    }
    assert!(!connection.is_finished());
    drop((sender, body));
    time::timeout(PATIENCE, connection).await.expect("the peer left").expect("no panic");
    server.end().await;
}

/// A frame, RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [head.as_slice(), payload].concat()
}

/// CVE-2023-44487: requests that are taken back before the server has looked at them. All in one
/// write, so that it finds them together.
#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let server = Server::start(LIMITS).await;
    let cut = async |resets: u32| {
        let mut stream = server.connect().await;
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(4, 0, 0, &[]));
        for number in 0..resets {
            // RFC 7541 appendix A: GET, http, /, and an authority of six bytes.
            let asks = b"\x82\x86\x84\x41\x06a.test";
            bytes.extend(frame(1, 0x5, 2 * number + 1, asks));
            bytes.extend(frame(3, 0, 2 * number + 1, &8_u32.to_be_bytes()));
        }
        stream.write_all(&bytes).await.expect("open");
        let patience = if resets < 50 { Duration::from_secs(1) } else { PATIENCE };
        let mut said = Vec::new();
        time::timeout(patience, stream.read_to_end(&mut said)).await.is_ok()
    };
    assert!(cut(1000).await, "an attack");
    assert!(!cut(10).await, "somebody who changed their mind");
    let (mut other, _connection) = connect(&server).await;
    assert_eq!(ask(&mut other, "/peer").await.expect("the server lives"), "127.0.0.1");
    server.end().await;
}
