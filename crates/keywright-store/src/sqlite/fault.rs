//! What SQLite's errors mean to a caller.

use rusqlite::ErrorCode;

use crate::StoreFault;
use crate::attempt::Undo;

impl From<rusqlite::Error> for StoreFault {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(text),
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(text),
            Some(_) => Self::Unavailable(text),
            None => match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..) => Self::Corrupt(text),
                _ => Self::Unavailable(text),
            },
        }
    }
}

impl<O> From<rusqlite::Error> for Undo<O> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error.into())
    }
}
