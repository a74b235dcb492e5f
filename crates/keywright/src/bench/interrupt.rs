//! Ctrl-C: the first ends the measurement and keeps what was measured, the second ends the program.

use tokio::sync::watch;

/// What a shell reports of a program that was interrupted.
const STATUS: i32 = 130;

/// Whether somebody has had enough.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens from now on.
    pub(super) fn listen() -> Self {
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            // Where signals cannot be listened to they keep their usual effect.
            if tokio::signal::ctrl_c().await.is_err() {
                return sender.closed().await;
            }
            sender.send_replace(true);
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(STATUS);
            }
        });
        Self(receiver)
    }

    /// One that is in the test's hand.
    #[cfg(test)]
    pub(super) fn by_hand() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    pub(super) fn is_over(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it happens, and never if it cannot happen any more.
    pub(super) async fn happened(mut self) {
        if self.0.wait_for(|over| *over).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
