//! The clock, the generator and the timers that the whole simulation shares; and the environment
//! that a node sees of them.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keywright_jose::{Algorithm, SigningKey};
use keywright_protocol::time::Timestamp;
use keywright_server::environment::{Environment, KeyInTheMaking, SlowLane, Work};

use crate::chance::Chance;
use crate::template::{MADE, ed25519};

/// When every simulation begins.
pub(crate) const START_MS: i64 = 1_900_000_000_000;

/// A life of a node: it ends with a crash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Life {
    pub(crate) node: usize,
    pub(crate) number: u64,
}

/// What the nodes and the executor share. One thread takes the lock, so nobody ever waits for it.
#[derive(Debug)]
pub(crate) struct Kernel(Mutex<State>);

struct State {
    now_ms: i64,
    chance: Chance,
    timers: BTreeMap<(i64, u64), Waker>,
    timers_made: u64,
    spawned: Vec<(Life, Work)>,
    keys_made: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("now_ms", &self.now_ms).finish_non_exhaustive()
    }
}

impl Kernel {
    pub(crate) fn new(chance: Chance) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            now_ms: START_MS,
            chance,
            timers: BTreeMap::new(),
            timers_made: 0,
            spawned: Vec::new(),
            keys_made: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True time, milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.state().now_ms
    }

    /// Draws with the kernel's own generator: bytes of nodes, and the order of tasks.
    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.state().chance)
    }

    /// Lets time pass and wakes whoever waited for it.
    pub(crate) fn advance(&self, by_ms: i64) {
        let mut state = self.state();
        state.now_ms += by_ms;
        let due = (state.now_ms, u64::MAX);
        let later = state.timers.split_off(&due);
        let due = std::mem::replace(&mut state.timers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    /// Jumps to the next timer; whether there was one.
    pub(crate) fn jump(&self) -> bool {
        let state = self.state();
        let Some((at_ms, _)) = state.timers.keys().next() else { return false };
        let by_ms = at_ms - state.now_ms;
        drop(state);
        self.advance(by_ms.max(0));
        true
    }

    /// What the nodes have started beside their requests.
    pub(crate) fn take_spawned(&self) -> Vec<(Life, Work)> {
        std::mem::take(&mut self.state().spawned)
    }

    /// Ends after a while of true time.
    pub(crate) fn sleep(self: &Arc<Self>, ms: i64) -> Sleep {
        Sleep { kernel: Arc::clone(self), until_ms: self.now_ms() + ms, timer: None }
    }
}

/// A wait.
#[derive(Debug)]
pub(crate) struct Sleep {
    kernel: Arc<Kernel>,
    until_ms: i64,
    timer: Option<(i64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.kernel.state();
        if state.now_ms >= self.until_ms {
            return Poll::Ready(());
        }
        let timer = self.timer.unwrap_or((self.until_ms, state.timers_made));
        state.timers_made += u64::from(self.timer.is_none());
        state.timers.insert(timer, context.waker().clone());
        drop(state);
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.kernel.state().timers.remove(&timer);
        }
    }
}

/// What one life of a node sees: its own clock, which may be wrong, and the shared rest.
#[derive(Debug)]
pub(crate) struct NodeEnvironment {
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) life: Life,
    /// How far this node's clock is ahead, milliseconds.
    pub(crate) ahead_ms: Arc<AtomicI64>,
}

impl Environment for NodeEnvironment {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.kernel.now_ms() + self.ahead_ms.load(Ordering::Relaxed))
    }

    fn fill(&self, bytes: &mut [u8]) {
        self.kernel.draw(|chance| chance.fill(bytes));
    }

    fn sleep(&self, period: Duration) -> Work {
        Box::pin(self.kernel.sleep(i64::try_from(period.as_millis()).unwrap_or(i64::MAX)))
    }

    fn spawn(&self, work: Work) {
        self.kernel.state().spawned.push((self.life, work));
    }

    /// The same keys for the same seed. Those of the other algorithms have signed nothing that the
    /// ledger knows, and have successors for as long as a schedule lasts.
    fn make_key(&self, alg: Algorithm) -> KeyInTheMaking {
        let kernel = Arc::clone(&self.kernel);
        Box::pin(async move {
            kernel.sleep(40).await;
            if alg != Algorithm::EdDsa {
                return Ok(SigningKey::generate(alg)?);
            }
            let mut state = kernel.state();
            state.keys_made += 1;
            Ok(ed25519(MADE + state.keys_made))
        })
    }

    /// Slow work is a task like any other here: its turn comes, and a crash ends it.
    fn slow_lane(&self, _threads: usize) -> SlowLane {
        let (kernel, life) = (Arc::clone(&self.kernel), self.life);
        Box::new(move |piece| {
            let work: Work = Box::pin(async move { piece() });
            kernel.state().spawned.push((life, work));
        })
    }
}
