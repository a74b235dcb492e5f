//! The rows of the ledger.

use crate::ask::{API, ClientAt, FamilyAt, RefreshAt, SessionAt, UserAt};
use crate::kernel::Life;

/// The moment from which something is dead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    /// The ledger's count.
    pub(crate) at: u64,
    /// Which node said so of its own knowledge, and so acts by it at once.
    pub(crate) said_by: Option<Life>,
    /// Whether its clock was right: a wrong one also says for how long a memory needs to know.
    pub(crate) right_clock: bool,
}

/// How a credential stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    /// Somebody has begun something that may end it.
    pub(crate) doubtful: bool,
    /// A node has said that it is over.
    pub(crate) deaths: Vec<Death>,
}

/// A person's sign-in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) user: UserAt,
    pub(crate) cookie: String,
    pub(crate) fate: Fate,
    /// The ledger's count when it was acknowledged.
    pub(crate) ended: u64,
}

/// An authorization code.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) text: String,
    pub(crate) client: ClientAt,
    pub(crate) session: SessionAt,
    pub(crate) user: UserAt,
    /// What was granted.
    pub(crate) scope: &'static str,
    pub(crate) fate: Fate,
    /// The ledger's count when it was handed out.
    pub(crate) ended: u64,
    /// When it was asked for.
    pub(crate) begun_ms: i64,
    /// How often its own client has shown it, with which verifier ever.
    pub(crate) shown: u32,
    /// How often with the right verifier.
    pub(crate) redeemed: u32,
    /// How often somebody else, or the wrong verifier, was tried with it.
    pub(crate) guesses: u32,
    /// Since when it is spent, and for which family.
    pub(crate) accepted: Option<(u64, FamilyAt)>,
}

/// A chain of refresh tokens.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) client: ClientAt,
    pub(crate) session: SessionAt,
    pub(crate) user: UserAt,
    pub(crate) fate: Fate,
    pub(crate) ended: u64,
    /// What was granted.
    pub(crate) scope: String,
    /// Its name, where a token says it.
    pub(crate) id: Option<String>,
    /// The ID token with which it began.
    pub(crate) id_token: Option<String>,
}

impl Family {
    /// Whether it lives on when its person signs out.
    pub(crate) fn outlives_session(&self) -> bool {
        self.scope.split(' ').any(|name| name == "offline_access")
    }
}

/// A refresh token.
#[derive(Clone, Debug)]
pub(crate) struct Refresh {
    pub(crate) text: String,
    pub(crate) family: FamilyAt,
    pub(crate) parent: Option<RefreshAt>,
    pub(crate) child: Option<RefreshAt>,
    /// When its own client showed it first.
    pub(crate) first_shown_ms: Option<i64>,
    /// When a node first accepted it: the ledger's count, and the time.
    pub(crate) accepted: Option<(u64, i64)>,
}

/// An access token.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) text: String,
    pub(crate) client: ClientAt,
    pub(crate) user: Option<UserAt>,
    pub(crate) family: Option<FamilyAt>,
    pub(crate) kid: Option<String>,
    pub(crate) fate: Fate,
    pub(crate) ended: u64,
    pub(crate) expires_ms: i64,
    /// The same, counted from the end of its issue.
    pub(crate) over_ms: i64,
    /// Whether the clock that dated it was ahead: it then outlives what is remembered of it.
    pub(crate) dated_ahead: bool,
}

impl Access {
    /// Who may ask what it is: the resource's own client, or who holds it.
    pub(crate) fn introspected_by(&self) -> ClientAt {
        if self.user.is_some() { API } else { self.client }
    }
}
