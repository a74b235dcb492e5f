//! When the store fails.

use std::sync::{Mutex, MutexGuard, PoisonError};

use keywright_store::StoreFault;

use crate::chance::Chance;

/// At which moment of a verb the store fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// It has committed, and the answer is lost.
    After,
    /// Nothing has happened yet.
    Before,
}

/// Which of the verbs fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failing {
    /// None.
    Never,
    /// This one, counted from the first of the run, and no other.
    Nth(u64, Moment),
    /// One in so many, at either moment.
    OneIn(usize),
}

/// The faults of the store that all nodes share.
#[derive(Debug)]
pub(crate) struct Faults(Mutex<State>);

#[derive(Debug)]
struct State {
    failing: Failing,
    chance: Chance,
    verbs: u64,
    injected: u64,
}

impl Faults {
    pub(crate) const fn new(failing: Failing, chance: Chance) -> Self {
        Self(Mutex::new(State { failing, chance, verbs: 0, injected: 0 }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the store is well.
    pub(crate) fn stop(&self) {
        self.state().failing = Failing::Never;
    }

    /// How many verbs were begun, and how many failed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let state = self.state();
        (state.verbs, state.injected)
    }

    /// Before a verb: what it is counted as.
    pub(crate) fn begin(&self) -> Result<u64, StoreFault> {
        let mut state = self.state();
        state.verbs += 1;
        let verb = state.verbs;
        state.judge(verb, Moment::Before).map(|()| verb)
    }

    /// After it has committed.
    pub(crate) fn end(&self, verb: u64) -> Result<(), StoreFault> {
        self.state().judge(verb, Moment::After)
    }
}

impl State {
    fn judge(&mut self, verb: u64, moment: Moment) -> Result<(), StoreFault> {
        let fails = match self.failing {
            Failing::Never => false,
            Failing::Nth(nth, at) => nth == verb && at == moment,
            Failing::OneIn(times) => self.chance.one_in(times.saturating_mul(2)),
        };
        if !fails {
            return Ok(());
        }
        self.injected += 1;
        let why = "injected".to_owned();
        Err(match moment {
            Moment::After => StoreFault::Unavailable(why),
            Moment::Before if self.chance.one_in(2) => StoreFault::Full,
            Moment::Before => StoreFault::Busy(why),
        })
    }
}
