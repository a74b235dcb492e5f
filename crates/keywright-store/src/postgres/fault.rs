//! What PostgreSQL's errors mean to a caller.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::StoreFault;

/// What is done after an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Remedy {
    /// Another transaction stood in the way: the same again may succeed.
    Again,
    /// Nothing that would help.
    None,
    /// The connection is of no use any more.
    Reconnect,
}

/// What is done after this error.
pub(super) fn remedy(error: &Error) -> Remedy {
    let Some(code) = error.code() else {
        // A value that does not fit its column leaves the connection as it is.
        let value = error.to_string().contains("serializing");
        return if value { Remedy::None } else { Remedy::Reconnect };
    };
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Remedy::Again,
        // The server became a standby, or the plan belongs to an older schema.
        SqlState::READ_ONLY_SQL_TRANSACTION | SqlState::FEATURE_NOT_SUPPORTED => Remedy::Reconnect,
        // Classes 08 and 57P: connections that ended, servers that stop or start.
        _ if code.code().starts_with("08") || code.code().starts_with("57P") => Remedy::Reconnect,
        // A transaction was left open for too long and undone.
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Remedy::Reconnect,
        _ => Remedy::None,
    }
}

impl From<Error> for StoreFault {
    fn from(error: Error) -> Self {
        let Some(answer) = error.as_db_error() else {
            let text = with_source(&error);
            return if text.contains("deserializing") {
                Self::Corrupt(text)
            } else {
                Self::Unavailable(text)
            };
        };
        // The detail and the statement may repeat what somebody stored: only the message is told.
        let text = format!("{} ({})", answer.message(), answer.code().code());
        match *answer.code() {
            SqlState::DISK_FULL => Self::Full,
            SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Self::Corrupt(text),
            SqlState::LOCK_NOT_AVAILABLE
            | SqlState::QUERY_CANCELED
            | SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::T_R_SERIALIZATION_FAILURE
            | SqlState::TOO_MANY_CONNECTIONS => Self::Busy(text),
            _ => Self::Unavailable(text),
        }
    }
}

/// The driver says where something failed; its source says why.
fn with_source(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
