//! A server that is told to stop: CONTRACT section 5.

use super::*;

#[tokio::test]
async fn what_runs_is_finished() {
    let server = Server::start(LIMITS).await;
    let mut stream = server.connect().await;
    let waiting = tokio::spawn(async move {
        let body = ask(&mut stream, "/wait").await;
        (body, read_to_end(&mut stream).await)
    });
    server.entered.notified().await;
    server.stop.send_replace(true);
    let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
    time::timeout(PATIENCE, refused).await.expect("nobody is accepted any more");
    assert!(!server.ended.is_finished(), "a request runs");
    server.leave.notify_one();
    let (body, rest) = waiting.await.expect("no panic");
    assert_eq!((body.as_str(), rest), ("waited", 0), "answered in full, then closed");
    server.end().await;
}

#[tokio::test]
async fn what_does_not_end_is_cut() {
    let drain = Duration::from_millis(300);
    let server = Server::start(ConnectionLimits { drain, ..LIMITS }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: a.test\r\n\r\n").await.expect("open");
    server.entered.notified().await;
    let begun = Instant::now();
    server.end().await;
    let took = begun.elapsed();
    assert!(took >= drain && took < PATIENCE / 2, "{took:?}");
    assert_eq!(read_to_end(&mut stream).await, 0);
}

#[tokio::test]
async fn who_rests_is_not_waited_for() {
    let server = Server::start(ConnectionLimits { head: PATIENCE, ..LIMITS }).await;
    let _resting = server.ask().await;
    let _silent = server.connect().await;
    let mut half = server.ask().await;
    half.write_all(b"GET /peer HTTP/1.1\r\nHo").await.expect("open");
    let begun = Instant::now();
    server.end().await;
    assert!(begun.elapsed() < LIMITS.drain / 2, "{:?}", begun.elapsed());
}
