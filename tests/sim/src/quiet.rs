//! What the server logs, and whether a secret is in it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use crate::ledger::Ledger;
use crate::template::{WRONG_PASSWORD, password_of};

/// How every token begins whose header's first member is `alg`.
const SIGNED: &str = "eyJhbGciOi";

/// Whether the log is kept: writing it costs as much as the rest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Listening {
    Off,
    On,
}

/// Runs a part of the simulation; its log, if it is kept.
pub(crate) fn listen(listening: Listening, part: impl FnOnce()) -> String {
    if listening == Listening::Off {
        tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), part);
        return String::new();
    }
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .finish();
    tracing::subscriber::with_default(subscriber, part);
    let bytes = log.0.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a text holds a secret: a known one, or any signed token.
pub(crate) fn secret_in(text: &str, ledger: &Ledger) -> Option<&'static str> {
    if text.contains(SIGNED) {
        return Some("a signed token");
    }
    // Long enough that no chance agreement is meant; without its beginning, which may be cut off.
    let within = |secret: &str| secret.get(4..36).is_some_and(|body| text.contains(body));
    let clients = crate::ask::CLIENTS.iter().filter_map(|client| client.secret);
    let passwords = (0..crate::ask::USERS).map(password_of).chain([WRONG_PASSWORD.to_owned()]);
    let known = ledger.secrets().any(within)
        || clients.into_iter().any(within)
        || passwords.into_iter().any(|password| within(&password));
    known.then_some("a credential")
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
