//! One request and one answer over a connection that was judged before.

use std::future::pending;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_ENCODING, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use super::target::Target;
use super::{OutboundError, Stream};

/// The head of an answer, bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const AGENT: &str = concat!("Keywright/", env!("CARGO_PKG_VERSION"));

/// What kind of document is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Its media type.
    pub(super) accept: &'static str,
    /// How large it may be.
    pub(super) bytes_max: usize,
}

/// Asks for the target's path and takes the whole answer.
pub(super) async fn get(
    io: impl Stream,
    target: &Target,
    wanted: Wanted,
) -> Result<Vec<u8>, OutboundError> {
    let malformed = |error: hyper::Error| OutboundError::Malformed(error.to_string());
    let handshake = Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(io)).await;
    let (sender, connection) = handshake.map_err(malformed)?;
    // The connection moves the bytes; what it has to say, the answer says too.
    let moving = async {
        let _ended = connection.await;
        pending().await
    };
    tokio::select! {
        biased;
        document = ask(sender, target, wanted) => document,
        never = moving => never,
    }
}

async fn ask(
    mut sender: SendRequest<Empty<Bytes>>,
    target: &Target,
    wanted: Wanted,
) -> Result<Vec<u8>, OutboundError> {
    let request = Request::get(&target.path)
        .header(HOST, &target.authority)
        .header(ACCEPT, wanted.accept)
        .header(USER_AGENT, AGENT)
        .body(Empty::new())
        .map_err(|error| OutboundError::Malformed(error.to_string()))?;
    let answer = sender.send_request(request).await;
    let answer = answer.map_err(|error| OutboundError::Malformed(error.to_string()))?;
    if answer.status() != StatusCode::OK {
        return Err(OutboundError::Status(answer.status().as_u16()));
    }
    // None was asked for, and an unpacked document has no bound.
    if answer.headers().contains_key(CONTENT_ENCODING) {
        return Err(OutboundError::Malformed("it is encoded".into()));
    }
    read(answer.into_body(), wanted.bytes_max).await
}

async fn read(body: Incoming, bytes_max: usize) -> Result<Vec<u8>, OutboundError> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(OutboundError::TooLarge(bytes_max));
    }
    let document = Limited::new(body, bytes_max).collect().await;
    document.map(|document| document.to_bytes().to_vec()).map_err(|error| {
        if error.is::<LengthLimitError>() {
            return OutboundError::TooLarge(bytes_max);
        }
        OutboundError::Malformed(error.to_string())
    })
}
