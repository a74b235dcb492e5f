//! Whether a connection works, listens to half a request, or rests.
//!
//! Every request passes here a few times, so nobody is woken: the watchman looks often enough.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{self, Instant};

use super::ConnectionLimits;

/// What a connection is doing, shared by its socket, its requests and its watchman.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    opened: Instant,
    /// A [`State`], packed.
    state: AtomicU64,
    /// Told when no request runs any more.
    rests: Notify,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Requests whose answers are not yet written.
    running: u64,
    /// Part of a request's head has come.
    receiving: bool,
    /// When it began to receive or to rest, or when something last went on while requests run,
    /// since the connection was opened.
    since: Duration,
}

impl State {
    const RUNNING_BITS: u32 = 16;

    fn pack(self) -> u64 {
        let since = u64::try_from(self.since.as_millis()).unwrap_or(u64::MAX);
        let flags = (self.running << 1) | u64::from(self.receiving);
        (since << (Self::RUNNING_BITS + 1)) | flags
    }

    const fn unpack(packed: u64) -> Self {
        Self {
            running: (packed >> 1) & ((1 << Self::RUNNING_BITS) - 1),
            receiving: packed & 1 == 1,
            since: Duration::from_millis(packed >> (Self::RUNNING_BITS + 1)),
        }
    }
}

impl Activity {
    /// A new connection owes a request.
    pub(super) fn new() -> Self {
        let owes = State { running: 0, receiving: true, since: Duration::ZERO };
        let state = AtomicU64::new(owes.pack());
        Self(Arc::new(Shared { opened: Instant::now(), state, rests: Notify::new() }))
    }

    /// Bytes came that begin a request, if none runs.
    pub(super) fn received(&self) {
        self.change(|state, since| {
            let begins = state.running == 0 && !state.receiving;
            begins.then_some(State { receiving: true, since, ..state })
        });
    }

    /// A request is complete enough to be answered; it runs until its answer is written.
    pub(super) fn begin(&self) -> Running {
        self.change(|state, since| {
            Some(State { running: state.running + 1, receiving: false, since })
        });
        Running(self.clone())
    }

    /// Part of an answer is on its way.
    fn goes_on(&self) {
        self.change(|state, since| Some(State { since, ..state }));
    }

    /// Returns when the connection has outlived its welcome.
    ///
    /// The clock of a half-sent head starts at its first byte and no further byte sets it back.
    /// How long it may rest depends on how many places are free among all connections.
    pub(super) async fn outlived(&self, limits: &ConnectionLimits, places: &Semaphore) {
        // Whatever begins while this sleeps ends no sooner than this looks again.
        let nap = limits.head.min(limits.idle).min(limits.idle_crowded);
        loop {
            let State { running, receiving, since } = self.state();
            let free = places.available_permits();
            let patience = if receiving { limits.head } else { limits.rest(free) };
            let left = (since + patience).saturating_sub(self.0.opened.elapsed());
            if running == 0 && left.is_zero() {
                return;
            }
            time::sleep(if running == 0 { left.min(nap) } else { nap }).await;
        }
    }

    /// Returns when requests run and nothing has gone on for too long: a peer of HTTP/2 that
    /// opens no window for its answers leaves the socket writable, and them in memory.
    pub(super) async fn stuck(&self, limits: &ConnectionLimits) {
        loop {
            let State { running, since, .. } = self.state();
            let left = (since + limits.unread).saturating_sub(self.0.opened.elapsed());
            if running > 0 && left.is_zero() {
                return;
            }
            time::sleep(if running == 0 { limits.unread } else { left }).await;
        }
    }

    /// Returns when no request runs.
    pub(super) async fn rests(&self) {
        loop {
            let told = self.0.rests.notified();
            if self.state().running == 0 {
                return;
            }
            told.await;
        }
    }

    fn state(&self) -> State {
        State::unpack(self.0.state.load(Ordering::Acquire))
    }

    /// Replaces the state, unless the change wants none.
    fn change(&self, change: impl Fn(State, Duration) -> Option<State>) {
        let now = self.0.opened.elapsed();
        let packed = |state| change(State::unpack(state), now).map(State::pack);
        // Refused where nothing is to change.
        let _unchanged = self.0.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, packed);
    }
}

/// A request that runs, until this is dropped.
#[derive(Debug)]
pub(super) struct Running(Activity);

impl Running {
    /// A body that keeps the request running until it is written.
    pub(super) fn until_written(self, body: Body) -> Answered {
        Answered { body, running: self }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.change(|state, since| Some(State { running: state.running - 1, since, ..state }));
        if self.0.state().running == 0 {
            self.0.0.rests.notify_waiters();
        }
    }
}

/// The body of an answer, and the request that runs as long as it is there.
#[derive(Debug)]
pub(super) struct Answered {
    body: Body,
    running: Running,
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.running.0.goes_on();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
