//! The clock, the generator and the scheduler: the only place where any of them is asked.
//!
//! The endpoints wait and start work beside themselves through here alone, so that a simulation can
//! run the whole of them in an order of its own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use keywright_jose::{Algorithm, SigningKey};
use keywright_protocol::time::Timestamp;
use zeroize::Zeroize as _;

use crate::error::ServerFault;
use crate::password;

/// Work that ends without a result: a wait, or what runs beside the requests.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A signing key that is being made.
pub type KeyInTheMaking = Pin<Box<dyn Future<Output = Result<SigningKey, ServerFault>> + Send>>;

/// Work that waits for nothing and takes long: it holds a thread until it is done.
pub type SlowWork = Box<dyn FnOnce() + Send>;

/// Where slow work is left; what becomes of it, whoever left it must find out from the work itself.
pub type SlowLane = Box<dyn Fn(SlowWork) + Send + Sync>;

/// Time, chance and order, as the shell sees them.
pub trait Environment: Send + Sync + 'static {
    /// The moment.
    fn now(&self) -> Timestamp;

    /// Fills a buffer with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// Ends after a while.
    fn sleep(&self, period: Duration) -> Work {
        Box::pin(tokio::time::sleep(period))
    }

    /// Runs work beside the requests; nobody waits for it.
    fn spawn(&self, work: Work) {
        tokio::spawn(work);
    }

    /// Makes a signing key, which may take seconds.
    fn make_key(&self, alg: Algorithm) -> KeyInTheMaking {
        Box::pin(async move {
            let made = tokio::task::spawn_blocking(move || SigningKey::generate(alg)).await;
            Ok(made.map_err(|e| ServerFault::Key(e.to_string()))??)
        })
    }

    /// A lane of its own for slow work, so many pieces of it at once.
    fn slow_lane(&self, threads: usize) -> SlowLane {
        password::threads(threads)
    }
}

/// A shared environment.
pub type SharedEnvironment = Arc<dyn Environment>;

/// The operating system's clock and the cryptographic generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    #[expect(clippy::disallowed_methods, reason = "this is the shell's clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since_epoch.map_or(0, |d| d.as_millis());
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    fn fill(&self, bytes: &mut [u8]) {
        DRAWN.with_borrow_mut(|drawn| drawn.fill(bytes));
    }
}

thread_local! {
    static DRAWN: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; _], left: 0 }) };
}

/// Random bytes in advance: the generator takes as long for sixteen bytes as for many, and a
/// request needs a few. Each byte is given once, and wiped as it is given.
struct Drawn {
    bytes: [u8; 512],
    left: usize,
}

impl Drawn {
    fn fill(&mut self, wanted: &mut [u8]) {
        if wanted.len() > self.bytes.len() {
            return draw(wanted);
        }
        if wanted.len() > self.left {
            draw(&mut self.bytes);
            self.left = self.bytes.len();
        }
        let (kept, given) =
            self.bytes.split_at_mut(self.left).0.split_at_mut(self.left - wanted.len());
        wanted.copy_from_slice(given);
        given.zeroize();
        self.left = kept.len();
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the shell's generator")]
fn draw(bytes: &mut [u8]) {
    // A machine without randomness must not go on: every token would be guessable.
    aws_lc_rs::rand::fill(bytes).expect("the operating system gives random numbers");
}

/// What work comes to if it ends within a period; nothing otherwise, and then it is dropped.
pub async fn within<T>(
    environment: &dyn Environment,
    period: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    // Most work is done at once and needs no timer.
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        return Some(done);
    }
    tokio::select! {
        biased;
        done = work => Some(done),
        () = environment.sleep(period) => None,
    }
}

/// Random bytes of a fixed length.
pub fn random<const N: usize>(environment: &dyn Environment) -> [u8; N] {
    let mut bytes = [0; N];
    environment.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn nothing_is_given_twice() {
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            assert!(seen.insert(random::<16>(&SystemEnvironment).to_vec()));
            assert!(seen.insert(random::<33>(&SystemEnvironment).to_vec()));
        }
        let long = random::<2000>(&SystemEnvironment);
        assert!(long.chunks(16).all(|part| seen.insert(part.to_vec())));
        DRAWN.with_borrow(|drawn| {
            assert!(drawn.bytes.iter().skip(drawn.left).all(|byte| *byte == 0), "wiped");
        });
    }
}
