//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time;
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::stall::Watched;
use super::{ConnectionLimits, PeerAddress, stopped};
use crate::environment::Work;

/// The head of a request, bytes: two full cookies' worth and a large assertion.
const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// Requests at the same time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 128;
/// CVE-2023-44487, CVE-2025-8671: streams that a peer opens and resets, or makes us reset, before
/// the connection is called an attack.
const RESETS_MAX: usize = 32;
/// How often a silent peer of HTTP/2 is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long a connection without requests may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

/// One connection.
pub(super) struct Connection {
    pub(super) peer: PeerAddress,
    pub(super) limits: ConnectionLimits,
    pub(super) stop: watch::Receiver<bool>,
    /// Its place among all connections, free again when it ends.
    pub(super) slot: OwnedSemaphorePermit,
}

impl Connection {
    /// Shakes hands, then answers requests until peer, time or server end it.
    pub(super) async fn run<S>(
        mut self,
        stream: TcpStream,
        tls: Option<Arc<rustls::ServerConfig>>,
        service: S,
    ) where
        S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
    {
        // Answers are small; waiting to fill a packet only delays them.
        let _unsupported = stream.set_nodelay(true);
        let Some(tls) = tls else { return self.speak(stream, service).await };
        let handshake = time::timeout(self.limits.handshake, TlsAcceptor::from(tls).accept(stream));
        let shaken = tokio::select! {
            () = stopped(&mut self.stop) => return,
            shaken = handshake => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => self.speak(stream, service).await,
            Ok(Err(error)) => tracing::debug!(error = %error, "no TLS handshake"),
            Err(_) => tracing::debug!("the TLS handshake took too long"),
        }
    }

    async fn speak<I, S>(mut self, io: I, service: S)
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
    {
        let activity = Activity::new();
        let io = TokioIo::new(Watched::new(io, activity.clone(), self.limits.write));
        let service = TowerToHyperService::new(service);
        let (peer, begun) = (self.peer, activity.clone());
        let answer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            let running = begun.begin();
            let answer = hyper::service::Service::call(&service, request);
            async move {
                let answer = answer.await?;
                Ok::<_, Infallible>(answer.map(|body| running.until_written(body)))
            }
        });
        let builder = builder();
        let mut connection = pin!(builder.serve_connection(io, answer));
        let served = async {
            tokio::select! {
                ended = connection.as_mut() => return told(ended),
                () = stopped(&mut self.stop) => {}
                () = activity.outlived(&self.limits, self.slot.semaphore()) => {}
            }
            connection.as_mut().graceful_shutdown();
            let farewell = async {
                activity.rests().await;
                time::sleep(GOODBYE).await;
            };
            tokio::select! {
                ended = connection => told(ended),
                () = farewell => {}
            }
        };
        tokio::select! {
            () = served => {}
            () = activity.stuck(&self.limits) => tracing::debug!("a peer takes no answers"),
        }
        drop(self.slot);
    }
}

fn told<E: std::fmt::Display>(ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection broke");
    }
}

/// Runs the streams of HTTP/2.
#[derive(Clone, Copy, Debug)]
struct Streams;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        // In a box: a runtime has a copy of a task's code for each of its kinds.
        let work: Work = Box::pin(stream);
        tokio::spawn(work);
    }
}

fn builder() -> Builder<Streams> {
    let mut builder = Builder::new(Streams);
    builder
        .http1()
        .timer(TokioTimer::new())
        // `Activity` keeps this time: hyper's own clock makes no difference between a peer that
        // rests and one that has begun.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX);
    builder
}
