//! The refresh family: two tabs that share a token and a thief who has them all, with answers that
//! are lost and time that passes, around the real [`transition`].

use std::time::Duration;

use super::{Explored, Model, explore};
use crate::fixture::{at, family, refresh_token};
use crate::grant::refresh_token::{Presented, StoredFamily, transition};
use crate::grant::{GrantError, RefreshPlan};
use crate::time::Timestamp;

/// Ticks in which a retry gets the same child.
const RETRY: u8 = 2;
/// Tokens of a family, at most.
const TOKENS: usize = 5;
/// Two tabs and a thief.
const ACTORS: usize = 3;
const THIEF: usize = 2;

type Judge = fn(&StoredFamily, Presented, Timestamp) -> Result<RefreshPlan, GrantError>;

/// A row as the store keeps it, and what was done with each token.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct State {
    current: u8,
    parent: Option<u8>,
    revoked: bool,
    /// Ticks since the last rotation; more than the window are as many.
    age: u8,
    /// The child that each token was exchanged for.
    child: [Option<u8>; TOKENS],
    actors: [Actor; ACTORS],
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Actor {
    holds: u8,
    doing: Doing,
}

/// Where the actor's request is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Doing {
    Nothing,
    /// Judged on a snapshot, not committed.
    Judged {
        token: u8,
        retry: bool,
    },
    /// Committed; the answer is on its way.
    Committed {
        child: u8,
    },
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask { actor: usize, token: u8 },
    Commit(usize),
    Hear(usize),
    Lose(usize),
    Tick,
}

/// Which checks the commit repeats.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Commit {
    All,
    AllButCurrent,
    AllButRevoked,
    AllButWindow,
}

/// Who takes part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cast {
    /// One tab, which tries again within the window.
    OneTab,
    /// Two tabs and the thief.
    Everybody,
}

struct Families {
    judge: Judge,
    commit: Commit,
    cast: Cast,
}

impl Families {
    fn row(state: &State) -> (StoredFamily, Timestamp) {
        let now = at(1000);
        let mut row = family();
        row.current = refresh_token(state.current).hash();
        row.parent = state.parent.map(|token| refresh_token(token).hash());
        row.rotated_at = now.minus(Duration::from_secs(state.age.into()));
        (row, now)
    }

    /// Load, decide, and punish where it must be.
    fn ask(&self, state: &State, actor: usize, token: u8) -> Result<State, String> {
        let mut next = state.clone();
        if state.revoked {
            return Ok(next);
        }
        let (row, now) = Self::row(state);
        let retry_since = now.minus(Duration::from_secs(RETRY.into()));
        let hash = refresh_token(token).hash();
        let presented = Presented { hash, generation: Some(token.into()) };
        match (self.judge)(&row, presented, retry_since) {
            Ok(plan) => {
                let retry = matches!(plan, RefreshPlan::Retry { .. });
                next.actors[actor].doing = Doing::Judged { token, retry };
            }
            Err(_) => {
                // From the tokens' own history, not from the row.
                let child = state.child[usize::from(token)];
                let grandchild = child.and_then(|child| state.child[usize::from(child)]);
                let late = child.is_some() && state.age >= RETRY;
                if grandchild.is_none() && !late {
                    return Err(format!("I2: token {token} was good, and its family is lost"));
                }
                next.revoked = true;
                if self.cast == Cast::OneTab {
                    return Err("I2: one careful tab lost its family".to_owned());
                }
            }
        }
        Ok(next)
    }

    /// The conditional update of the store.
    fn commit(&self, state: &State, actor: usize) -> Result<State, String> {
        let Doing::Judged { token, retry } = state.actors[actor].doing else {
            return Ok(state.clone());
        };
        let mut next = state.clone();
        next.actors[actor].doing = Doing::Nothing;
        if state.revoked && self.commit != Commit::AllButRevoked {
            return Ok(next);
        }
        let fits = if retry {
            let in_time = state.age < RETRY || self.commit == Commit::AllButWindow;
            state.parent == Some(token) && in_time
        } else {
            state.current == token || self.commit == Commit::AllButCurrent
        };
        // A lost race: judged anew.
        if !fits {
            return self.ask(&next, actor, token);
        }
        if state.revoked {
            return Err(format!("I3: the family is revoked, and token {token} was accepted"));
        }
        if retry && state.age >= RETRY {
            return Err(format!("I1: token {token} was accepted after its window"));
        }
        let child = if retry { state.current } else { minted(state) };
        match state.child[usize::from(token)] {
            Some(first) if first != child => {
                return Err(format!("I1: token {token} has the children {first} and {child}"));
            }
            _ => next.child[usize::from(token)] = Some(child),
        }
        if !retry {
            (next.parent, next.current, next.age) = (Some(token), child, 0);
        }
        next.actors[actor].doing = Doing::Committed { child };
        leaf(&next)?;
        Ok(next)
    }
}

/// The next token's number.
fn minted(state: &State) -> u8 {
    state.child.iter().flatten().max().map_or(1, |last| last + 1)
}

/// I4: of all tokens the current one alone has no child.
fn leaf(state: &State) -> Result<(), String> {
    let leaves = (0..minted(state)).filter(|token| state.child[usize::from(*token)].is_none());
    let leaves: Vec<u8> = leaves.collect();
    if leaves == [state.current] { Ok(()) } else { Err(format!("I4: the leaves are {leaves:?}")) }
}

impl Model for Families {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        let actor = Actor { holds: 0, doing: Doing::Nothing };
        let (actors, child) = ([actor; ACTORS], [None; TOKENS]);
        State { current: 0, parent: None, revoked: false, age: RETRY, child, actors }
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        let acting = if self.cast == Cast::OneTab { 1 } else { ACTORS };
        let mut steps = Vec::new();
        for actor in 0..acting {
            match state.actors[actor].doing {
                Doing::Nothing if usize::from(minted(state)) < TOKENS => {
                    let holds = state.actors[actor].holds;
                    let tokens = if actor == THIEF { 0..minted(state) } else { holds..holds + 1 };
                    steps.extend(tokens.map(|token| Step::Ask { actor, token }));
                }
                Doing::Nothing => {}
                Doing::Judged { .. } => steps.push(Step::Commit(actor)),
                Doing::Committed { .. } => steps.extend([Step::Hear(actor), Step::Lose(actor)]),
            }
        }
        // A careful tab does not wait for longer than the window with an answer that was lost.
        let waits = state.child[usize::from(state.actors[0].holds)].is_some();
        let careful = self.cast == Cast::OneTab && waits && state.age + 1 >= RETRY;
        if state.age < RETRY && !careful {
            steps.push(Step::Tick);
        }
        steps
    }

    fn take(&self, state: &State, step: &Step) -> Result<State, String> {
        let mut next = state.clone();
        match *step {
            Step::Ask { actor, token } => return self.ask(state, actor, token),
            Step::Commit(actor) => return self.commit(state, actor),
            Step::Hear(actor) => {
                if let Doing::Committed { child } = state.actors[actor].doing {
                    // The tabs share what they hold; the later token stays.
                    for tab in next.actors.iter_mut().take(THIEF) {
                        tab.holds = if actor == THIEF { tab.holds } else { tab.holds.max(child) };
                    }
                }
                next.actors[actor].doing = Doing::Nothing;
            }
            Step::Lose(actor) => next.actors[actor].doing = Doing::Nothing,
            Step::Tick => next.age += 1,
        }
        Ok(next)
    }
}

const REAL: Families = Families { judge: transition, commit: Commit::All, cast: Cast::Everybody };

#[test]
fn every_order_of_two_tabs_and_a_thief() {
    match explore(&REAL) {
        Explored::Holds { states, steps } => {
            println!("refresh, two tabs and a thief: {states} states, {steps} steps");
            assert!(states > 1000, "{states} states are no world");
        }
        Explored::Broken { what, way } => panic!("{what}: {way:?}"),
    }
}

#[test]
fn one_careful_tab_never_loses_its_family() {
    match explore(&Families { cast: Cast::OneTab, ..REAL }) {
        Explored::Holds { states, steps } => {
            println!("refresh, one tab: {states} states, {steps} steps");
            assert!(states > 10, "{states} states are no world");
        }
        Explored::Broken { what, way } => panic!("{what}: {way:?}"),
    }
}

fn impatient(
    family: &StoredFamily,
    presented: Presented,
    retry_since: Timestamp,
) -> Result<RefreshPlan, GrantError> {
    transition(family, presented, retry_since.plus(Duration::from_secs(1)))
}

fn forgiving(
    family: &StoredFamily,
    presented: Presented,
    retry_since: Timestamp,
) -> Result<RefreshPlan, GrantError> {
    transition(family, presented, retry_since.minus(Duration::from_hours(1)))
}

#[test]
fn a_wrong_machine_is_found() {
    let wrong: [(Families, &str); 5] = [
        (Families { judge: impatient, ..REAL }, "I2: token"),
        (Families { judge: impatient, cast: Cast::OneTab, ..REAL }, "I2: "),
        (Families { commit: Commit::AllButCurrent, ..REAL }, "I1: token"),
        (Families { commit: Commit::AllButRevoked, ..REAL }, "I3: "),
        (Families { judge: forgiving, commit: Commit::AllButWindow, ..REAL }, "I1: token"),
    ];
    for (model, begins) in wrong {
        match explore(&model) {
            Explored::Broken { what, .. } => assert!(what.starts_with(begins), "{what}"),
            Explored::Holds { states, .. } => panic!("{begins} was not found in {states} states"),
        }
    }
}
