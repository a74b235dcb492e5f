//! Whether a connection works, listens to half a request, or rests.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time;

use super::ConnectionLimits;

/// What a connection is doing, shared by its socket, its requests and its watchman.
#[derive(Clone, Debug)]
pub(super) struct Activity(watch::Sender<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    /// Requests whose answers are not yet written.
    running: usize,
    /// Part of a request's head has come.
    receiving: bool,
}

impl Activity {
    /// A new connection owes a request.
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(State { running: 0, receiving: true }))
    }

    /// Bytes came that begin a request, if none runs.
    pub(super) fn received(&self) {
        self.0.send_if_modified(|state| {
            let begins = state.running == 0 && !state.receiving;
            state.receiving |= begins;
            begins
        });
    }

    /// A request is complete enough to be answered; it runs until its answer is written.
    pub(super) fn begin(&self) -> Running {
        self.0.send_modify(|state| {
            state.running += 1;
            state.receiving = false;
        });
        Running(self.clone())
    }

    /// Returns when the connection has outlived its welcome.
    ///
    /// The clock of a half-sent head starts at its first byte and no further byte sets it back.
    pub(super) async fn outlived(&self, limits: &ConnectionLimits) {
        let mut states = self.0.subscribe();
        loop {
            let State { running, receiving } = *states.borrow_and_update();
            let changed = states.changed();
            if running > 0 {
                changed.await.expect("this holds a sender");
                continue;
            }
            let patience = if receiving { limits.head } else { limits.idle };
            if time::timeout(patience, changed).await.is_err() {
                return;
            }
        }
    }

    /// Returns when no request runs.
    pub(super) async fn rests(&self) {
        let mut states = self.0.subscribe();
        states.wait_for(|state| state.running == 0).await.expect("this holds a sender");
    }
}

/// A request that runs, until this is dropped.
#[derive(Debug)]
pub(super) struct Running(Activity);

impl Running {
    /// A body that keeps the request running until it is written.
    pub(super) fn until_written(self, body: Body) -> Answered {
        Answered { body, _running: self }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.running -= 1);
    }
}

/// The body of an answer, and the request that runs as long as it is there.
#[derive(Debug)]
pub(super) struct Answered {
    body: Body,
    _running: Running,
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
