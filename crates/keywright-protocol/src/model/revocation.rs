//! The revocation log and what two nodes know of it: everything of a user is taken back, tokens are
//! minted before and after, each node hears of entries in any order that the log allows, and what
//! has expired is forgotten.

use std::time::Duration;

use super::{Explored, Model, explore};
use crate::id::{ClientId, Subject, TenantId};
use crate::revocation::{RevocationEntry, RevocationSet, RevocationTarget, TokenFacts};
use crate::time::Timestamp;

/// Half seconds: tokens have whole ones.
const TICKS: u8 = 4;
const TICK: Duration = Duration::from_millis(500);
/// How long a token lives.
const LIFETIME: Duration = Duration::from_secs(1);
// No token concerns another, so one sees whatever any could.
const TOKENS: usize = 1;
const NODES: usize = 2;

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct State {
    tick: u8,
    /// When each entry was written, and what it takes back.
    log: Vec<(u8, Taken)>,
    tokens: Vec<Token>,
    /// What each node did, in order.
    nodes: [Vec<Act>; NODES],
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Token {
    iat_s: i64,
    /// How long the log was when it was minted.
    after: usize,
    /// Whether its node knew all of that.
    informed: bool,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Act {
    Follow(usize),
    Forget(u8),
    Learn(usize),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Follow(usize),
    Forget(usize),
    Mint(usize),
    Revoke(usize, Taken),
    Tick,
}

/// What a revocation takes: of one token it is both.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Taken {
    Client,
    User,
}

/// Whether a node follows the log before it says that it has revoked something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Saying {
    AfterFollowing,
    AtOnce,
}

/// How a node hears of entries, and when it forgets them.
struct Log {
    /// How many nodes act.
    nodes: usize,
    revocations: usize,
    saying: Saying,
    learn: fn(&mut RevocationSet, &RevocationEntry),
    /// How long an entry is needed.
    needed: Duration,
}

fn moment(tick: u8) -> Timestamp {
    Timestamp::from_unix_s(100).plus(TICK * u32::from(tick))
}

impl Log {
    fn entry(&self, state: &State, at: usize) -> RevocationEntry {
        let (tick, taken) = state.log[at];
        let written = moment(tick);
        RevocationEntry {
            seq: at as u64 + 1,
            tenant: TenantId::default_tenant(),
            target: match taken {
                Taken::Client => RevocationTarget::Client(ClientId::from_trusted("c")),
                Taken::User => RevocationTarget::User(Subject::from_trusted("u")),
            },
            at: written,
            expires_at: written.plus(self.needed),
        }
    }

    fn set(&self, state: &State, node: usize) -> RevocationSet {
        let mut set = RevocationSet::default();
        for act in &state.nodes[node] {
            match act {
                Act::Follow(at) => set.insert(&self.entry(state, *at)),
                Act::Forget(tick) => set.forget_expired(moment(*tick)),
                Act::Learn(at) => (self.learn)(&mut set, &self.entry(state, *at)),
            }
        }
        set
    }

    /// The `iat` of a token that a node mints now; one that would lie further ahead is waited for.
    fn mints(&self, state: &State, node: usize) -> Option<i64> {
        let earliest_s =
            self.set(state, node).earliest_iat_s(&TenantId::default_tenant(), "c", "u");
        let now_s = moment(state.tick).as_unix_s();
        (earliest_s <= now_s + 1).then_some(now_s.max(earliest_s))
    }

    /// What each node must say of each token that lives.
    fn check(&self, state: &State) -> Result<(), String> {
        for node in 0..self.nodes {
            let set = self.set(state, node);
            for token in &state.tokens {
                let ends = Timestamp::from_unix_s(token.iat_s).plus(LIFETIME);
                if ends > moment(state.tick) {
                    judge(state, node, &set, *token)?;
                }
            }
        }
        Ok(())
    }
}

fn judge(state: &State, node: usize, set: &RevocationSet, token: Token) -> Result<(), String> {
    let facts = TokenFacts {
        jti: "j",
        client: "c",
        sub: "u",
        grant: None,
        family: None,
        session: None,
        kid: None,
        iat_s: token.iat_s,
    };
    let dead = set.revokes(&TenantId::default_tenant(), &facts);
    let later = |at: &usize| *at >= token.after;
    if !dead && heard(state, node).any(|at| later(&at)) {
        return Err(format!("I3: node {node} accepts {token:?}"));
    }
    // Entries that come in the order of the log take nothing that was minted in knowledge of them;
    // one that comes after a later one may take a second more.
    let in_order = heard(state, node).is_sorted();
    if dead && token.informed && in_order && state.log.len() == token.after {
        return Err(format!("I2: node {node} refuses {token:?}"));
    }
    Ok(())
}

/// The entries that a node has heard of, in its order.
fn heard(state: &State, node: usize) -> impl Iterator<Item = usize> {
    state.nodes[node].iter().filter_map(|act| match act {
        Act::Follow(at) | Act::Learn(at) => Some(*at),
        Act::Forget(_) => None,
    })
}

/// The next place in the log for a follower.
fn place(state: &State, node: usize) -> usize {
    let follows = state.nodes[node].iter().filter(|act| matches!(act, Act::Follow(_)));
    follows.count()
}

impl Model for Log {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        let (log, tokens) = (Vec::new(), Vec::new());
        State { tick: 0, log, tokens, nodes: [Vec::new(), Vec::new()] }
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        let mut steps = Vec::new();
        if state.tick < TICKS {
            steps.push(Step::Tick);
        }
        for node in 0..self.nodes {
            if state.log.len() < self.revocations {
                steps.extend([Taken::Client, Taken::User].map(|taken| Step::Revoke(node, taken)));
            }
            if state.tokens.len() < TOKENS && self.mints(state, node).is_some() {
                steps.push(Step::Mint(node));
            }
            if place(state, node) < state.log.len() {
                steps.push(Step::Follow(node));
            }
            let forgot = state.nodes[node].iter().any(|act| matches!(act, Act::Forget(_)));
            if !forgot && state.tick + 1 >= TICKS {
                steps.push(Step::Forget(node));
            }
        }
        steps
    }

    fn take(&self, state: &State, step: &Step) -> Result<State, String> {
        let mut next = state.clone();
        match *step {
            Step::Follow(node) => next.nodes[node].push(Act::Follow(place(state, node))),
            Step::Forget(node) => next.nodes[node].push(Act::Forget(state.tick)),
            Step::Mint(node) => {
                let Some(iat_s) = self.mints(state, node) else { return Ok(next) };
                let after = state.log.len();
                let informed = (0..after).all(|at| heard(state, node).any(|known| known == at));
                next.tokens.push(Token { iat_s, after, informed });
            }
            Step::Revoke(node, taken) => {
                next.log.push((state.tick, taken));
                next.nodes[node].push(Act::Learn(state.log.len()));
                if self.saying == Saying::AfterFollowing {
                    let missing = place(state, node)..next.log.len();
                    next.nodes[node].extend(missing.map(Act::Follow));
                }
            }
            Step::Tick => next.tick += 1,
        }
        self.check(&next)?;
        Ok(next)
    }
}

const REAL: Log = Log {
    nodes: NODES,
    revocations: 2,
    saying: Saying::AfterFollowing,
    learn: RevocationSet::learn,
    // Two seconds more, since `iat` may lie a second ahead and is rounded.
    needed: Duration::from_secs(3),
};

#[test]
fn every_order_of_two_nodes() {
    match explore(&REAL) {
        Explored::Holds { states, steps } => {
            println!("revocation, two nodes: {states} states, {steps} steps");
            assert!(states > 10_000, "{states} states are no world");
        }
        Explored::Broken { what, way } => panic!("{what}: {way:?}"),
    }
}

#[test]
fn every_order_of_four_revocations() {
    match explore(&Log { nodes: 1, revocations: 4, ..REAL }) {
        Explored::Holds { states, steps } => {
            println!("revocation, one node: {states} states, {steps} steps");
            assert!(states > 1000, "{states} states are no world");
        }
        Explored::Broken { what, way } => panic!("{what}: {way:?}"),
    }
}

#[test]
fn a_wrong_log_is_found() {
    let wrong = [
        Log { learn: |_, _| {}, saying: Saying::AtOnce, ..REAL },
        Log { saying: Saying::AtOnce, ..REAL },
        Log { needed: Duration::from_millis(500), ..REAL },
    ];
    for model in wrong {
        match explore(&model) {
            Explored::Broken { what, .. } => assert!(what.starts_with("I3: "), "{what}"),
            Explored::Holds { states, .. } => panic!("not found in {states} states"),
        }
    }
}
