//! The feed as a stream of events that ends when the follower goes or the server stops.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use hyper::body::{Body as HttpBody, Frame};
use keywright_protocol::wire::event_stream;
use tokio::sync::mpsc;

use crate::endpoint::response::{no_store, with_type};
use crate::feed::{Cursor, Slot};
use crate::router::Ctx;

/// How often a silent stream says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a follower may take to read an event. Over HTTP/2 its socket alone does not show it.
const SLOWNESS_MAX: Duration = Duration::from_secs(30);
/// Proxies that collect a response before they pass it on are told not to.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Begins a stream from a place.
pub(super) fn open(ctx: &Ctx, cursor: Cursor, slot: Slot) -> Response {
    // One event waits at most: a slow follower gets fewer, larger messages.
    let (events, body) = mpsc::channel(1);
    tokio::spawn(tell(ctx.clone(), cursor, events, slot));
    let kind = HeaderValue::from_static(event_stream::MEDIA_TYPE);
    let mut response = no_store(with_type(StatusCode::OK, Bytes::new(), kind));
    *response.body_mut() = Body::new(Events(body));
    response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

async fn tell(ctx: Ctx, mut cursor: Cursor, events: mpsc::Sender<Bytes>, _slot: Slot) {
    let feeds = &ctx.app.feeds;
    let mut head = feeds.tenant(&ctx.origin.tenant).watch();
    let mut closing = feeds.closing();
    loop {
        head.borrow_and_update();
        let message = match feeds.message(&ctx.tenant, cursor, ctx.app.now()) {
            Ok(message) => message,
            Err(fault) => {
                tracing::error!(error = %fault, "the revocation feed broke off");
                break;
            }
        };
        cursor = Cursor::After(message.seq);
        let jws = String::from_utf8_lossy(&message.jws);
        let event = Bytes::from(event_stream::encode(message.seq, &jws));
        let sent = tokio::select! {
            sent = events.send_timeout(event, SLOWNESS_MAX) => sent.is_ok(),
            _ = closing.wait_for(|closing| *closing) => false,
        };
        if !sent {
            break;
        }
        if message.more {
            continue;
        }
        tokio::select! {
            _ = head.changed() => {}
            () = tokio::time::sleep(HEARTBEAT) => {}
            () = events.closed() => break,
            _ = closing.wait_for(|closing| *closing) => break,
        }
    }
}

/// What the teller sends, as a body.
struct Events(mpsc::Receiver<Bytes>);

impl HttpBody for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}
