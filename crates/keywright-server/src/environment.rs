//! The clock, the generator and the scheduler: the only place where any of them is asked.
//!
//! The endpoints wait and start work beside themselves through here alone, so that a simulation can
//! run the whole of them in an order of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use keywright_protocol::time::Timestamp;

/// Work that ends without a result: a wait, or what runs beside the requests.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

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

    #[expect(clippy::disallowed_methods, reason = "this is the shell's generator")]
    fn fill(&self, bytes: &mut [u8]) {
        // A machine without randomness must not go on: every token would be guessable.
        aws_lc_rs::rand::fill(bytes).expect("the operating system gives random numbers");
    }
}

/// What work comes to if it ends within a period; nothing otherwise, and then it is dropped.
pub async fn within<T>(
    environment: &dyn Environment,
    period: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let too_late = environment.sleep(period);
    tokio::select! {
        biased;
        done = work => Some(done),
        () = too_late => None,
    }
}

/// Random bytes of a fixed length.
pub fn random<const N: usize>(environment: &dyn Environment) -> [u8; N] {
    let mut bytes = [0; N];
    environment.fill(&mut bytes);
    bytes
}
