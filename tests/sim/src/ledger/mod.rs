//! What the actors know: an account of every credential, kept apart from the product, from which
//! it follows what a node must accept, must refuse, and may do either way.
//!
//! Two marks say how a credential stands. It is *in doubt* from the moment at which somebody begins
//! something that may end it: nothing is promised of it any more. It is *dead* from the moment at
//! which a node has said so: for the store at once, for what a node keeps in memory once that node
//! has said it, has followed the log since, or has started since.

mod begin;
mod end;
mod person;
mod record;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

pub(crate) use begin::RETRY_MS;
pub(crate) use end::{Brought, Issued, Now};
pub(crate) use record::{Access, Code, Family, Fate, Refresh, Session};

use crate::ask::{Answer, Ask, ClientAt, Target, UserAt};
use crate::kernel::Life;

/// What must hold, whatever happens.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Invariant {
    /// No one-time credential is accepted twice.
    OnceOnly,
    /// No acknowledged credential is lost.
    NothingLost,
    /// No acknowledged revocation is undone.
    StaysRevoked,
    /// At most one refresh token of a family is live.
    OneLeaf,
    /// Every accepted token verifies under a published key.
    KnownKey,
    /// A credential is good for its client and its verifier alone.
    Bound,
    /// Nothing is accepted after its end.
    Expires,
    /// The server fails only as it says: 503, come again.
    HonestFault,
    /// Scopes only narrow.
    NarrowScope,
    /// No secret is in a log.
    SilentLog,
}

impl Invariant {
    /// Its short name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnceOnly => "I1 no one-time credential is accepted twice",
            Self::NothingLost => "I2 no acknowledged credential is lost",
            Self::StaysRevoked => "I3 no acknowledged revocation is undone",
            Self::OneLeaf => "I4 at most one leaf of a family is live",
            Self::KnownKey => "I5 every accepted token verifies under a published key",
            Self::Bound => "I6 a credential is good for its owner alone",
            Self::Expires => "I7 nothing is accepted after its end",
            Self::HonestFault => "I8 a fault is answered with 503",
            Self::NarrowScope => "I9 scopes only narrow",
            Self::SilentLog => "I10 no secret is in a log",
        }
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant.name(), self.what)
    }
}

/// Whether the nodes' clocks agree. Where they do not, nothing is concluded from times.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Clocks {
    Agree,
    Differ,
}

/// A call's name.
pub(crate) type CallId = u64;

/// A call that a node has not finished.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) ask: Ask,
    pub(crate) life: Life,
    /// The ledger's own count of what has happened, when the call began.
    pub(crate) begun: u64,
    pub(crate) begun_ms: i64,
    /// How far the node's clock was ahead then.
    ahead_ms: i64,
    /// Whether something had put the credential in doubt before.
    doubted: bool,
    /// Up to which count the node knew the log then.
    known: u64,
    /// Whether a refusal would lose something.
    promised: bool,
}

/// What an operator takes back, from when to when.
#[derive(Clone, Debug)]
struct Revocation {
    target: Target,
    begun: u64,
    ended: Option<(u64, i64)>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Ledger {
    clocks: Clocks,
    count: u64,
    calls_made: u64,
    /// How far the clock of the node that answered last was ahead.
    ended_ahead_ms: i64,
    calls: BTreeMap<CallId, Call>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) codes: Vec<Code>,
    pub(crate) families: Vec<Family>,
    pub(crate) refreshes: Vec<Refresh>,
    pub(crate) accesses: Vec<Access>,
    refresh_by_text: HashMap<String, usize>,
    keys: BTreeMap<String, Fate>,
    /// Since which count each node knows the log.
    known: Vec<u64>,
    /// Until when each node was out of reach of the store, and so counts no time for retries.
    away_until_ms: Vec<i64>,
    /// What operators have begun to take back.
    revocations: Vec<Revocation>,
    /// Who has begun to give a client all that it asks for.
    consents: BTreeSet<(UserAt, ClientAt)>,
    violation: Option<Violation>,
}

impl Ledger {
    pub(crate) fn new(clocks: Clocks, nodes: usize) -> Self {
        Self {
            clocks,
            count: 0,
            calls_made: 0,
            ended_ahead_ms: 0,
            calls: BTreeMap::new(),
            sessions: Vec::new(),
            codes: Vec::new(),
            families: Vec::new(),
            refreshes: Vec::new(),
            accesses: Vec::new(),
            refresh_by_text: HashMap::new(),
            keys: BTreeMap::new(),
            known: vec![0; nodes],
            away_until_ms: vec![i64::MIN; nodes],
            revocations: Vec::new(),
            consents: BTreeSet::new(),
            violation: None,
        }
    }

    /// The first invariant that did not hold.
    pub(crate) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Notes that an invariant did not hold; the first one counts.
    pub(crate) fn accuse(&mut self, invariant: Invariant, what: impl Into<String>) {
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, what: what.into() });
        }
    }

    /// What has happened so far, as a number.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Whether a node knows all that was written until then.
    pub(crate) fn has_followed(&self, node: usize, since: u64) -> bool {
        self.known.get(node).is_some_and(|known| *known >= since)
    }

    /// A node knows all that was written until then.
    pub(crate) fn followed(&mut self, node: usize, since: u64) {
        if let Some(known) = self.known.get_mut(node) {
            *known = (*known).max(since);
        }
    }

    /// A node's clock is set: whatever it works on may be dated by either.
    pub(crate) fn clock_set(&mut self, node: usize, ahead_ms: i64) {
        if ahead_ms != 0 {
            let calls = self.calls.values_mut().filter(|call| call.life.node == node);
            calls.for_each(|call| call.ahead_ms = ahead_ms);
        }
    }

    /// A node did not reach the store for a while.
    pub(crate) fn was_away(&mut self, node: usize, until_ms: i64) {
        if let Some(known) = self.away_until_ms.get_mut(node) {
            *known = until_ms;
        }
    }

    /// Whether a node may still open the time for retries anew.
    fn reopens(&self, call: &Call) -> bool {
        let until_ms = self.away_until_ms.get(call.life.node).copied().unwrap_or(i64::MIN);
        call.begun_ms < until_ms.saturating_add(RETRY_MS)
    }

    /// A node's memory may have lost something: it owes nothing until it follows the log.
    pub(crate) fn forgot(&mut self, node: usize) {
        if let Some(known) = self.known.get_mut(node) {
            *known = 0;
        }
        let fates = self.families.iter_mut().map(|family| &mut family.fate);
        let fates = fates.chain(self.accesses.iter_mut().map(|access| &mut access.fate));
        for death in fates.chain(self.keys.values_mut()).flat_map(|fate| &mut fate.deaths) {
            death.said_by = death.said_by.filter(|life| life.node != node);
        }
    }

    /// A node's task was dropped: it will not answer. What the call put in doubt stays in doubt.
    pub(crate) fn abandon(&mut self, call: CallId, now_ms: i64) {
        if let Some(call) = self.calls.remove(&call) {
            self.count += 1;
            self.close_revocation(&call, now_ms);
        }
    }

    fn close_revocation(&mut self, call: &Call, now_ms: i64) {
        let count = self.count;
        for revocation in self.revocations.iter_mut().filter(|r| r.begun == call.begun) {
            revocation.ended = Some((count, now_ms));
        }
    }

    /// How many calls were made.
    pub(crate) const fn calls_made(&self) -> u64 {
        self.calls_made
    }

    /// Every secret that was handed out.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let codes = self.codes.iter().map(|code| code.text.as_str());
        let refreshes = self.refreshes.iter().map(|refresh| refresh.text.as_str());
        let accesses = self.accesses.iter().map(|access| access.text.as_str());
        let cookies = self.sessions.iter().map(|session| session.cookie.as_str());
        codes.chain(refreshes).chain(accesses).chain(cookies)
    }

    /// Whether a fate binds the store at a call's beginning.
    fn dead_in_store(fate: &Fate, call: &Call) -> bool {
        fate.deaths.iter().any(|death| death.at < call.begun)
    }

    /// Whether a fate binds the memory of the node that was called.
    fn dead_in_memory(fate: &Fate, call: &Call) -> bool {
        fate.deaths.iter().any(|death| {
            let binds = death.at < call.begun && death.right_clock;
            binds && (death.said_by == Some(call.life) || call.known >= death.at)
        })
    }

    fn access_is_doubtful(&self, access: &Access) -> bool {
        let family = access.family.and_then(|at| self.families.get(at));
        let key = access.kid.as_ref().and_then(|kid| self.keys.get(kid));
        access.fate.doubtful
            || family.is_some_and(|family| family.fate.doubtful)
            || key.is_some_and(|fate| fate.doubtful)
    }

    fn access_is_dead(&self, access: &Access, call: &Call) -> bool {
        // The node whose clock is wrong now and then forgets by it; the others are held to all.
        if self.clocks == Clocks::Differ && call.life.node == 0 {
            return false;
        }
        let family = access.family.and_then(|at| self.families.get(at));
        let key = access.kid.as_ref().and_then(|kid| self.keys.get(kid));
        Self::dead_in_memory(&access.fate, call)
            || family.is_some_and(|family| Self::dead_in_memory(&family.fate, call))
            || key.is_some_and(|fate| Self::dead_in_memory(fate, call))
    }

    /// Whether a refresh token must be accepted if nothing more happens: nobody has shown it yet,
    /// and nothing puts its family in doubt.
    pub(crate) fn is_promised_leaf(&self, at: usize) -> bool {
        self.refreshes.get(at).is_some_and(|refresh| {
            let family = self.families.get(refresh.family);
            refresh.first_shown_ms.is_none() && family.is_some_and(|f| !f.fate.doubtful)
        })
    }

    /// What an answer may hold beside the token that was asked about.
    fn told(answer: &Answer) -> String {
        let error = answer.text("error").or_else(|| answer.text("type")).unwrap_or_default();
        format!("{} {error}", answer.status)
    }
}
