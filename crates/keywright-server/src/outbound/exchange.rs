//! One request and one answer over a connection that was judged before.

use std::future::pending;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_ENCODING, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Body as _;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use super::target::Target;
use super::{DOCUMENT_BYTES_MAX, OutboundError, Stream};

/// The head of an answer, bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const AGENT: &str = concat!("Keywright/", env!("CARGO_PKG_VERSION"));

/// Asks for the target's path and takes the whole answer.
pub(super) async fn get(io: impl Stream, target: &Target) -> Result<Vec<u8>, OutboundError> {
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
        document = ask(sender, target) => document,
        never = moving => never,
    }
}

async fn ask(
    mut sender: SendRequest<Empty<Bytes>>,
    target: &Target,
) -> Result<Vec<u8>, OutboundError> {
    let request = Request::get(&target.path)
        .header(HOST, &target.authority)
        .header(ACCEPT, "application/json")
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
    if answer.body().size_hint().lower() > DOCUMENT_BYTES_MAX as u64 {
        return Err(OutboundError::TooLarge);
    }
    let document = Limited::new(answer.into_body(), DOCUMENT_BYTES_MAX).collect().await;
    document.map(|document| document.to_bytes().to_vec()).map_err(|error| {
        if error.is::<LengthLimitError>() {
            return OutboundError::TooLarge;
        }
        OutboundError::Malformed(error.to_string())
    })
}
