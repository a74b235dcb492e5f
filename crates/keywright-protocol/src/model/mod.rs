//! Small worlds in which every order of events is tried: breadth first, so that what is found is
//! found by the shortest way.

mod refresh;
mod revocation;

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

/// A world of a few actors who can do a few things.
trait Model {
    type State: Clone + Debug + Eq + Hash;
    type Step: Clone + Debug;

    fn start(&self) -> Self::State;

    /// Everything that can happen next.
    fn steps(&self, state: &Self::State) -> Vec<Self::Step>;

    /// What comes of it; an error is an invariant that does not hold.
    fn take(&self, state: &Self::State, step: &Self::Step) -> Result<Self::State, String>;
}

/// All states, or the way to one that must not be.
#[derive(Debug)]
enum Explored<S> {
    Broken { what: String, way: Vec<S> },
    Holds { states: usize, steps: usize },
}

/// A world that is larger than this is not small.
const STATES_MAX: usize = 1_000_000;

fn explore<M: Model>(model: &M) -> Explored<M::Step> {
    let start = model.start();
    // Each state once, and how it was reached first.
    let mut reached: HashMap<M::State, usize> = HashMap::from([(start.clone(), 0)]);
    let mut came: Vec<Option<(usize, M::Step)>> = vec![None];
    let mut waiting = VecDeque::from([(0, start)]);
    let mut steps = 0;
    while let Some((number, state)) = waiting.pop_front() {
        for step in model.steps(&state) {
            steps += 1;
            let next = match model.take(&state, &step) {
                Ok(next) => next,
                Err(what) => return Explored::Broken { what, way: way(&came, number, step) },
            };
            if !reached.contains_key(&next) {
                let name = came.len();
                came.push(Some((number, step)));
                reached.insert(next.clone(), name);
                waiting.push_back((name, next));
            }
        }
        assert!(reached.len() < STATES_MAX, "the world is not small");
    }
    Explored::Holds { states: reached.len(), steps }
}

fn way<S: Clone>(came: &[Option<(usize, S)>], mut number: usize, last: S) -> Vec<S> {
    let mut way = vec![last];
    while let Some((before, step)) = &came[number] {
        way.push(step.clone());
        number = *before;
    }
    way.reverse();
    way
}
