//! Sign in with a name and a password.

use askama::Template;

use super::{ClientView, Texts, render};

/// The form at `/login`; posts `username`, `password`, `flow` and `csrf`.
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub struct LoginPage<'a> {
    /// The person's language.
    pub text: &'static Texts,
    /// Display name of the tenant.
    pub site: &'a str,
    /// Who asked, where a client did.
    pub client: Option<ClientView<'a>>,
    /// Where the form is posted.
    pub action: &'a str,
    /// Handle of the interaction.
    pub flow: &'a str,
    /// Token against forged posts.
    pub csrf: &'a str,
    /// What to put into the name field: a hint, or what was typed before.
    pub username: &'a str,
    /// Why the last attempt failed.
    pub error: Option<LoginError>,
    /// The client insists on a fresh sign-in (`prompt=login`, `max_age`).
    pub reauthenticate: bool,
}

impl LoginPage<'_> {
    /// The whole document.
    pub fn html(&self) -> String {
        render(self)
    }

    fn described_by(&self) -> Option<&'static str> {
        match (self.error.is_some(), self.reauthenticate) {
            (true, _) => Some("login-error"),
            (false, true) => Some("reauthenticate-notice"),
            (false, false) => None,
        }
    }

    fn is_refused(&self) -> bool {
        matches!(self.error, Some(LoginError::Credentials))
    }
}

/// Why a sign-in failed, as far as a stranger may know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoginError {
    /// Too many sign-ins are being checked at this moment.
    Busy,
    /// The name or the password is wrong; which of them is not told.
    Credentials,
    /// Too many failures from this address or for this account.
    Throttled {
        /// As in `Retry-After`.
        retry_after_s: u64,
    },
}

impl LoginError {
    fn message(self, text: &Texts) -> String {
        match self {
            Self::Busy => text.login_busy.to_owned(),
            Self::Credentials => text.login_refused.to_owned(),
            Self::Throttled { retry_after_s: 0..=60 } => text.login_throttled_minute.to_owned(),
            Self::Throttled { retry_after_s } => {
                text.login_throttled_minutes.around(retry_after_s.div_ceil(60))
            }
        }
    }
}
