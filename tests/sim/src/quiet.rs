//! What the server logs, and whether a secret is in it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use crate::ledger::Ledger;

/// How every secret that is handed out begins.
const PREFIXES: [&str; 5] = ["kwc_", "kwr_", "kws_", "kwa_", "eyJ"];

/// Runs a part of the simulation; its log, if it is kept.
pub(crate) fn listen(kept: bool, part: impl FnOnce()) -> String {
    if !kept {
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

/// The secret that a text holds, by how it begins or as a whole without its beginning.
pub(crate) fn secret_in(text: &str, ledger: &Ledger) -> Option<String> {
    if let Some(prefix) = PREFIXES.into_iter().find(|prefix| text.contains(prefix)) {
        return Some(format!("something that begins with {prefix}"));
    }
    // Long enough that no chance agreement is meant.
    let body = |secret: &str| secret.get(4..36).is_some_and(|body| text.contains(body));
    let whole = ledger.secrets().find(|secret| body(secret));
    let known = crate::ask::CLIENTS.iter().filter_map(|client| client.secret);
    let client = known.into_iter().find(|secret| text.contains(secret));
    whole.map(|_| "a secret without its beginning".to_owned()).or(client.map(str::to_owned))
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
