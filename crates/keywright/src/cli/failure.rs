//! Why a command did not do what it was told: one line, and an exit status.

use std::fmt;
use std::io;

use keywright_server::error::ServerFault;
use keywright_server::start::StartError;
use keywright_store::StoreFault;
use keywright_store::copy::DumpFault;

use crate::peer::HttpError;

/// The exit statuses of CONTRACT section 2 other than 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    /// Refused, or something was found.
    Refused = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Server or store cannot be reached.
    Unreachable = 3,
}

/// A command's failure.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    message: String,
}

impl Failure {
    /// The command was understood and cannot be carried out.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { status: Status::Refused, message: message.into() }
    }

    /// The command makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { status: Status::Usage, message: message.into() }
    }

    /// Nobody is there to carry it out.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self { status: Status::Unreachable, message: message.into() }
    }

    /// The same failure with what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, remedy: &str) -> Self {
        self.message.push_str("; ");
        self.message.push_str(remedy);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever a server or a file put into it.
        for c in self.message.trim_end().chars() {
            fmt::Write::write_char(f, if c.is_control() { ' ' } else { c })?;
        }
        Ok(())
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Unusable(why) => Self::refused(why),
            HttpError::Unreachable(why) => Self::unreachable(why),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::refused(format!("cannot read or write: {error}"))
    }
}

impl From<StoreFault> for Failure {
    fn from(fault: StoreFault) -> Self {
        Self::unreachable(fault.to_string())
    }
}

impl From<DumpFault> for Failure {
    fn from(fault: DumpFault) -> Self {
        match fault {
            DumpFault::Store(fault) => fault.into(),
            fault => Self::refused(fault.to_string()),
        }
    }
}

impl From<ServerFault> for Failure {
    fn from(fault: ServerFault) -> Self {
        match fault {
            ServerFault::Store(fault) => fault.into(),
            fault => Self::refused(fault.to_string()),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let status = match error.exit_code() {
            2 => Status::Usage,
            3 => Status::Unreachable,
            _ => Status::Refused,
        };
        Self { status, message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_and_moves_no_cursor() {
        let failure = Failure::refused("a\nb\u{1b}[2Jc").hint("try again");
        assert_eq!(failure.to_string(), "a b [2Jc; try again");
        assert_eq!(failure.status as u8, 1);
    }
}
