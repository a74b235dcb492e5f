//! Real sockets on loopback, with bounds short enough to wait for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Extension;
use axum::routing::{get, post};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

mod http2;
mod secure;
mod stop;

/// More than the kernel takes on loopback before somebody reads.
const LARGE: usize = 32 * 1024 * 1024;
/// The pause of a body that goes on and on.
const TRICKLE: Duration = Duration::from_millis(100);
/// Nothing here takes as long; what does not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(30);

const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 100,
    drain: Duration::from_secs(8),
    handshake: Duration::from_millis(600),
    head: Duration::from_millis(600),
    idle: Duration::from_mins(1),
    idle_crowded: Duration::from_mins(1),
    unread: Duration::from_mins(1),
    write: Duration::from_secs(1),
};

/// A body that says something ten times a second and never ends.
struct Trickle {
    pause: Option<std::pin::Pin<Box<time::Sleep>>>,
    /// Told when this is dropped.
    gone: Arc<Notify>,
}

impl Drop for Trickle {
    fn drop(&mut self) {
        self.gone.notify_one();
    }
}

impl hyper::body::Body for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        let pause = self.pause.get_or_insert_with(|| Box::pin(time::sleep(TRICKLE)));
        std::task::ready!(pause.as_mut().poll(cx));
        self.pause = None;
        std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(b".")))))
    }
}

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
    /// Told when a request to `/wait` runs.
    entered: Arc<Notify>,
    /// Lets it go on.
    leave: Arc<Notify>,
    /// Told when an answer to `/trickle` is dropped.
    gone: Arc<Notify>,
}

impl Server {
    async fn start(limits: ConnectionLimits) -> Self {
        Self::start_with(limits, None).await
    }

    async fn start_with(
        limits: ConnectionLimits,
        tls: Option<Arc<ArcSwapOption<rustls::ServerConfig>>>,
    ) -> Self {
        let listener = bind("127.0.0.1:0".parse().expect("an address")).await.expect("free");
        let address = listener.local_addr().expect("bound");
        let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let gone = Arc::new(Notify::new());
        let trickle = {
            let gone = Arc::clone(&gone);
            move || async move { Body::new(Trickle { pause: None, gone }) }
        };
        let wait = {
            let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
            move || async move {
                entered.notify_one();
                leave.notified().await;
                "waited"
            }
        };
        let router = Router::new()
            .route(
                "/peer",
                get(async |Extension(peer): Extension<PeerAddress>| peer.text.to_string()),
            )
            .route("/echo", post(async |body: Bytes| body))
            .route("/large", get(async || vec![b'x'; LARGE]))
            .route("/trickle", get(trickle))
            .route("/wait", get(wait));
        let (stop, stopped) = watch::channel(false);
        let ended = tokio::spawn(serve(listener, tls, router, limits, stopped));
        Self { address, stop, ended, entered, leave, gone }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    async fn ask(&self) -> TcpStream {
        let mut stream = self.connect().await;
        assert_eq!(ask(&mut stream, "/peer").await, "127.0.0.1");
        stream
    }

    async fn end(self) {
        self.stop.send_replace(true);
        time::timeout(PATIENCE, self.ended).await.expect("it stops").expect("without a panic");
    }
}

/// Asks and returns the body; the connection stays.
async fn ask(stream: &mut TcpStream, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("open");
    answer(stream).await
}

/// The body of one small answer.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    loop {
        let read = time::timeout(PATIENCE, stream.read(&mut bytes)).await.expect("an answer");
        let read = read.expect("readable");
        assert_ne!(read, 0, "closed after {text:?}");
        text += std::str::from_utf8(&bytes[..read]).expect("text");
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("a length").parse().expect("a number");
        if body.len() == length {
            return body.to_owned();
        }
    }
}

/// Reads until the end, which must come; returns how much there was.
async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> usize {
    let mut bytes = vec![0; 64 * 1024];
    let mut total = 0;
    loop {
        match time::timeout(PATIENCE, stream.read(&mut bytes)).await.expect("an end") {
            Ok(0) | Err(_) => return total,
            Ok(read) => total += read,
        }
    }
}

#[tokio::test]
async fn requests_know_their_peer() {
    let server = Server::start(LIMITS).await;
    server.ask().await;
    server.end().await;
    // An IPv4 peer of an IPv6 listener has one spelling, the one that lists are written in.
    let Ok(listener) = bind("[::]:0".parse().expect("an address")).await else { return };
    let port = listener.local_addr().expect("bound").port();
    let router = Router::new()
        .route("/peer", get(async |Extension(peer): Extension<PeerAddress>| peer.text.to_string()));
    let (stop, stopped) = watch::channel(false);
    let ended = tokio::spawn(serve(listener, None, router, LIMITS, stopped));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("dual stack");
    assert_eq!(ask(&mut stream, "/peer").await, "127.0.0.1");
    drop(stop);
    ended.await.expect("a lost sender is a stop");
}

#[tokio::test]
async fn an_address_in_use_is_told() {
    let server = Server::start(LIMITS).await;
    let error = bind(server.address).await.expect_err("in use").to_string();
    assert!(error.contains(&server.address.to_string()) && error.contains("port"), "{error}");
    server.end().await;
}

#[tokio::test]
async fn a_resting_connection_is_kept_and_then_closed() {
    let server = Server::start(ConnectionLimits { idle: Duration::from_secs(2), ..LIMITS }).await;
    let mut stream = server.ask().await;
    time::sleep(LIMITS.head * 2).await;
    assert_eq!(ask(&mut stream, "/peer").await, "127.0.0.1", "longer than a head may take");
    let begun = Instant::now();
    assert_eq!(read_to_end(&mut stream).await, 0, "closed");
    assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
    server.end().await;
}

/// Slow loris: a head that never ends, a byte at a time.
#[tokio::test]
async fn a_head_that_trickles_is_cut() {
    for earlier_requests in [0, 1] {
        let server = Server::start(LIMITS).await;
        let mut stream = server.connect().await;
        for _ in 0..earlier_requests {
            ask(&mut stream, "/peer").await;
        }
        let begun = Instant::now();
        let (mut reader, mut writer) = stream.into_split();
        let trickle = async {
            _ = writer.write_all(b"GET /peer HTTP/1.1\r\nHost: a.test\r\nX-Slow: ").await;
            while writer.write_all(b"a").await.is_ok() {
                time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            _ = read_to_end(&mut reader) => {}
            () = trickle => {}
        }
        assert!(begun.elapsed() < PATIENCE / 2, "{earlier_requests}: {:?}", begun.elapsed());
        server.end().await;
    }
}

#[tokio::test]
async fn a_head_in_two_parts_is_answered() {
    let server = Server::start(LIMITS).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /peer HTTP/1.1\r\nHo").await.expect("open");
    time::sleep(LIMITS.head / 3).await;
    stream.write_all(b"st: a.test\r\n\r\n").await.expect("open");
    assert_eq!(answer(&mut stream).await, "127.0.0.1");
    server.end().await;
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_cut() {
    let server = Server::start(LIMITS).await;
    assert_eq!(read_to_end(&mut server.connect().await).await, 0);
    let mut half_preface = server.connect().await;
    half_preface.write_all(b"PRI * HT").await.expect("open");
    assert_eq!(read_to_end(&mut half_preface).await, 0);
    server.end().await;
}

/// How long a handler waits for a body is the router's business.
#[tokio::test]
async fn a_body_may_take_longer_than_a_head() {
    let server = Server::start(LIMITS).await;
    let mut stream = server.connect().await;
    let head = b"POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nab";
    stream.write_all(head).await.expect("open");
    time::sleep(LIMITS.head * 2).await;
    stream.write_all(b"cd").await.expect("open");
    assert_eq!(answer(&mut stream).await, "abcd");
    server.end().await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_cut() {
    let server = Server::start(LIMITS).await;
    let request = b"GET /large HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    let mut reading = server.connect().await;
    reading.write_all(request).await.expect("open");
    assert!(read_to_end(&mut reading).await > LARGE, "who reads gets all of it");
    let mut lazy = server.connect().await;
    lazy.write_all(request).await.expect("open");
    time::sleep(LIMITS.write * 2).await;
    assert!(read_to_end(&mut lazy).await < LARGE, "cut in between");
    server.end().await;
}

#[tokio::test]
async fn the_next_connection_waits_for_room() {
    let server = Server::start(ConnectionLimits { connections: 1, ..LIMITS }).await;
    let first = server.ask().await;
    let mut second = server.connect().await;
    let mut answered = Box::pin(ask(&mut second, "/peer"));
    let early = time::timeout(Duration::from_millis(200), answered.as_mut()).await;
    assert!(early.is_err(), "there is no room");
    drop(first);
    let late = time::timeout(PATIENCE, answered).await.expect("there is room now");
    assert_eq!(late, "127.0.0.1");
    server.end().await;
}

#[tokio::test]
async fn who_rests_makes_room_where_there_is_little() {
    let crowded = Duration::from_millis(500);
    let limits = ConnectionLimits { connections: 5, idle_crowded: crowded, ..LIMITS };
    let server = Server::start(limits).await;
    // The listener holds the place of the next connection: four of five, with a place left.
    let mut resting = Vec::new();
    for _ in 0..3 {
        resting.push(server.ask().await);
    }
    time::sleep(crowded * 4).await;
    for stream in &mut resting {
        assert_eq!(ask(stream, "/peer").await, "127.0.0.1", "there is room for all");
    }
    for _ in 0..2 {
        resting.push(server.ask().await);
    }
    let mut late = server.connect().await;
    assert_eq!(ask(&mut late, "/peer").await, "127.0.0.1", "somebody made room");
    server.end().await;
}

#[tokio::test]
async fn what_runs_is_not_closed_where_there_is_little_room() {
    let crowded = Duration::from_millis(200);
    let limits = ConnectionLimits { connections: 1, idle_crowded: crowded, ..LIMITS };
    let server = Server::start(limits).await;
    let mut stream = server.connect().await;
    let mut waiting = Box::pin(ask(&mut stream, "/wait"));
    let early = time::timeout(crowded * 5, waiting.as_mut()).await;
    assert!(early.is_err(), "it runs");
    server.leave.notify_one();
    assert_eq!(waiting.await, "waited");
    assert_eq!(read_to_end(&mut stream).await, 0, "closed when it rests");
    server.end().await;
}

#[test]
fn rest_is_short_where_few_places_are_free() {
    let config = crate::config::Config::parse("", std::path::Path::new("k.toml"), []);
    let limits = ConnectionLimits::of(&config.expect("the defaults").limits);
    let rest = |percent: usize| limits.rest(limits.connections * percent / 100).as_secs();
    assert_eq!((rest(100), rest(20), rest(19), rest(0)), (75, 75, 5, 5));
}

#[tokio::test]
async fn a_head_has_a_bound() {
    let server = Server::start(LIMITS).await;
    for (bytes, want) in [(16 * 1024, "HTTP/1.1 200 "), (128 * 1024, "HTTP/1.1 431 ")] {
        let mut stream = server.connect().await;
        let long = "a".repeat(bytes);
        let head = format!("GET /peer HTTP/1.1\r\nHost: a.test\r\nX-Long: {long}\r\n\r\n");
        _ = stream.write_all(head.as_bytes()).await;
        let mut start = [0; 13];
        stream.read_exact(&mut start).await.expect("an answer");
        assert_eq!(std::str::from_utf8(&start), Ok(want), "{bytes}");
    }
    server.end().await;
}

/// Without file descriptors nobody can be accepted; with them again, everybody. The limit is the
/// whole process's, so this test runs itself once more in a process of its own.
#[cfg(unix)]
#[tokio::test]
async fn too_few_file_descriptors_are_survived() {
    const NAME: &str = "listen::tests::too_few_file_descriptors_are_survived";
    if std::env::var_os("KEYWRIGHT_TEST_FEW_FILES").is_none() {
        let program = std::env::current_exe().expect("a program");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -n 48 && exec \"$@\"", "sh"]).arg(program);
        shell.args(["--exact", NAME]).env("KEYWRIGHT_TEST_FEW_FILES", "1");
        let output = shell.output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let server = Server::start(LIMITS).await;
    let mut peers = Vec::new();
    while let Ok(stream) = TcpStream::connect(server.address).await {
        peers.push(stream);
    }
    time::sleep(ACCEPT_PAUSE).await;
    assert!(TcpStream::connect(server.address).await.is_err(), "there are none left");
    peers.clear();
    time::sleep(ACCEPT_PAUSE * 2).await;
    server.ask().await;
    server.end().await;
}
