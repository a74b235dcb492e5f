//! Connections: accepting them, bounding them, and ending them when the server stops.
//!
//! What a peer does not finish is cut: a handshake, a request's head, an answer that it does not
//! read. What it has begun is finished when the server stops, within a bound. How long a handler
//! may take is the router's business.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time;

use crate::config::LimitsConfig;
use crate::environment::Work;

mod activity;
mod connection;
mod stall;

use connection::Connection;

/// How long a peer may take for the head of a request, from its first byte.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may take for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may rest between requests. Proxies keep theirs for a minute by habit; the
/// one who closes first must be the one who sends, or requests are lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long it may rest while others may have to wait for its place.
const IDLE_TIMEOUT_CROWDED: Duration = Duration::from_secs(5);
/// Fewer free places than one in so many are few.
const FREE_PART: usize = 5;
/// How long a peer may leave an answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long nothing may go on while requests run: event streams say something every 5 s.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How much longer than a request may take its answer may stay unread.
const UNREAD_MARGIN: Duration = Duration::from_secs(45);
/// How long to wait when accepting fails, as it does without file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The address at the other end of the connection, in every request's extensions. Behind a proxy
/// it is the proxy's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerAddress {
    /// The address; never one of IPv4 in the form of IPv6.
    pub ip: IpAddr,
    /// The same as text: each event of each request says it.
    pub text: Arc<str>,
}

impl From<IpAddr> for PeerAddress {
    fn from(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        Self { ip, text: ip.to_string().into() }
    }
}

/// The bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// How many at the same time; the next one waits.
    pub connections: usize,
    /// How long running requests may take when the server stops.
    pub drain: Duration,
    /// The TLS handshake.
    pub handshake: Duration,
    /// The head of a request.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// Between two requests, where few places are free.
    pub idle_crowded: Duration,
    /// Answers of which the peer takes nothing.
    pub unread: Duration,
    /// A peer that reads nothing.
    pub write: Duration,
}

impl ConnectionLimits {
    /// The bounds that the configuration sets, and the fixed ones.
    pub fn of(limits: &LimitsConfig) -> Self {
        Self {
            connections: limits.connections,
            drain: limits.drain,
            handshake: HANDSHAKE_TIMEOUT,
            head: HEAD_TIMEOUT,
            idle: IDLE_TIMEOUT,
            idle_crowded: IDLE_TIMEOUT_CROWDED,
            unread: UNREAD_TIMEOUT.max(limits.request_timeout.saturating_add(UNREAD_MARGIN)),
            write: WRITE_TIMEOUT,
        }
    }

    /// How long a connection may rest while so many places are free.
    fn rest(&self, free: usize) -> Duration {
        if free < self.connections.div_ceil(FREE_PART) { self.idle_crowded } else { self.idle }
    }
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}{}", hint(.source))]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; stop the other program, or choose another port in [server]",
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address: see [server]",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege: see [server]",
        _ => "",
    }
}

/// Listens on an address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError { address, source })
}

/// Serves connections until `stop` is true or its sender gone, then until all have ended.
///
/// While the `tls` slot holds something, new connections must speak TLS by what it holds then.
pub async fn serve<S>(
    listener: TcpListener,
    tls: Option<Arc<ArcSwapOption<rustls::ServerConfig>>>,
    service: S,
    limits: ConnectionLimits,
    mut stop: watch::Receiver<bool>,
) where
    S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut failing = false;
    while let Some((accepted, slot)) = next(&listener, &slots, &mut stop).await {
        match accepted {
            Ok((stream, peer)) => {
                failing = false;
                let peer = PeerAddress::from(peer.ip());
                let tls = tls.as_ref().and_then(|tls| tls.load_full());
                let connection = Connection { peer, limits, stop: stop.clone(), slot };
                // In a box: a runtime has a copy of a task's code for each of its kinds.
                let work: Work = Box::pin(connection.run(stream, tls, service.clone()));
                connections.spawn(work);
            }
            Err(error) => pause(&error, &mut failing).await,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    drain(connections, limits.drain).await;
}

type Accepted = (io::Result<(TcpStream, SocketAddr)>, OwnedSemaphorePermit);

/// The next connection, once there is room for it; nothing when the server stops.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    stop: &mut watch::Receiver<bool>,
) -> Option<Accepted> {
    let accept = async {
        let slot = Arc::clone(slots).acquire_owned().await.expect("nobody closes the slots");
        (listener.accept().await, slot)
    };
    tokio::select! {
        biased;
        () = stopped(stop) => None,
        accepted = accept => Some(accepted),
    }
}

/// Returns when the server is to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone can no longer say so: that is a stop too.
    let _told = stop.wait_for(|stop| *stop).await;
}

/// Accepting fails for one peer that left early, or for all while file descriptors are short: the
/// kernel would then report the same connection again and again.
async fn pause(error: &io::Error, failing: &mut bool) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
    {
        return;
    }
    if !*failing {
        tracing::error!(error = %error, "connections cannot be accepted; trying on");
    }
    *failing = true;
    time::sleep(ACCEPT_PAUSE).await;
}

/// Lets the connections end, and ends those that do not.
async fn drain(mut connections: JoinSet<()>, within: Duration) {
    let ended = time::timeout(within, async { while connections.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!(connections = connections.len(), "cut connections that did not end");
        connections.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
