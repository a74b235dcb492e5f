//! The clock and the generator: the only place where either is read.

use std::sync::Arc;

use keywright_protocol::time::Timestamp;

/// Time and chance, as the shell sees them.
pub trait Environment: Send + Sync + 'static {
    /// The moment.
    fn now(&self) -> Timestamp;

    /// Fills a buffer with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);
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

/// Random bytes of a fixed length.
pub fn random<const N: usize>(environment: &dyn Environment) -> [u8; N] {
    let mut bytes = [0; N];
    environment.fill(&mut bytes);
    bytes
}
