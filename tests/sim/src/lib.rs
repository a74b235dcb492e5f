//! The simulator: the real server in one thread, over a store in memory, under a clock, a
//! generator, an order and faults that all come from one seed.
//!
//! A schedule is one run. Its [`plan`] is drawn from the seed: how many nodes, who acts, what goes
//! wrong. The [`stage`] starts the nodes, each an `App` with the real router behind which the real
//! endpoints work, and lets [`actor`]s call them: applications with one or two tabs, thieves who
//! have stolen everything, operators. Between any two verbs of the [`store`] another task may come
//! first, a node may crash, a clock may step, a node may lose sight of the log. The [`ledger`]
//! knows only what the actors know; it says after each answer whether that answer may be. At the
//! end a [`probe`] looks at everything that was handed out.
//!
//! The same seed gives the same run, so a failure is its seed. A schedule takes a few
//! milliseconds; there can be a million of them.
//!
//! **Architecture invariant:** nothing here waits for a real clock, reads a real generator for what
//! decides something, or runs on another thread. Nothing of the product is replaced but the store's
//! faults, the environment and the connection.

mod actor;
mod ask;
mod browser;
mod chance;
mod executor;
mod fault;
mod kernel;
mod ledger;
mod plan;
mod probe;
mod published;
mod quiet;
mod sabotage;
mod schedule;
mod stage;
mod store;
mod template;
mod wire;

pub use fault::Moment;
pub use ledger::{Invariant, Violation};
pub use sabotage::Sabotage;
pub use schedule::{Failure, Outcome, Schedule};
pub use template::Template;
