//! One run from its seed to its verdict.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keywright_protocol::id::TenantId;

use crate::chance::Chance;
use crate::fault::{Failing, Moment};
use crate::ledger::{Invariant, Violation};
use crate::plan::Plan;
use crate::quiet::Listening;
use crate::sabotage::Sabotage;
use crate::stage::{Setting, Stage};
use crate::template::{Template, at_once};

use crate::{actor, probe, quiet};

/// How much of the trace a failure shows.
const TRACE_LINES_SHOWN: usize = 60;
/// One in so many schedules has its log written and searched.
const LOGGED_ONE_IN: u64 = 16;

/// What is run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Schedule {
    /// Decides everything that is not decided here.
    pub seed: u64,
    /// A single fault of the store in an otherwise calm run: in which verb, and when.
    pub fault: Option<(u64, Moment)>,
    /// What is wrong with the store: for tests of the ledger itself.
    pub sabotage: Option<Sabotage>,
}

/// How a schedule ended that found nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// Verbs of the store.
    pub verbs: u64,
    /// Faults that were injected into them.
    pub faults: u64,
    /// Calls that were made.
    pub calls: u64,
    /// Codes, refresh tokens and access tokens that were handed out.
    pub issued: usize,
    /// The last hash of the audit log: over all that was committed, in its order.
    pub audit_hash: [u8; 32],
}

/// A schedule that found something.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was run.
    pub schedule: Schedule,
    /// What did not hold.
    pub violation: Violation,
    /// The last steps before.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.violation)?;
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        write!(f, "again with: SEED={}", self.schedule.seed)?;
        match self.schedule.fault {
            Some((verb, Moment::Before)) => write!(f, " FAULT=before:{verb}")?,
            Some((verb, Moment::After)) => write!(f, " FAULT=after:{verb}")?,
            None => {}
        }
        f.write_str(" cargo xtask sim")
    }
}

/// Whether the steps are written down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tracing {
    Off,
    On,
}

impl Schedule {
    /// The schedule of a seed.
    pub const fn of_seed(seed: u64) -> Self {
        Self { seed, fault: None, sabotage: None }
    }

    /// Runs it; once more with its steps written down if it finds something.
    ///
    /// # Errors
    /// What it found.
    pub fn run(self, template: &Template) -> Result<Outcome, Box<Failure>> {
        let attempt = AssertUnwindSafe(|| self.attempt(template, Tracing::Off));
        let Ok((verdict, _)) = catch_unwind(attempt) else {
            let (invariant, what) = (Invariant::HonestFault, "the server panicked".to_owned());
            let violation = Violation { invariant, what };
            return Err(Box::new(Failure { schedule: self, violation, trace: Vec::new() }));
        };
        verdict.map_err(|violation| {
            let (again, mut trace) = self.attempt(template, Tracing::On);
            let violation = match again {
                Err(again) if again == violation => violation,
                other => Violation {
                    what: format!("{}; and the second run said {other:?}", violation.what),
                    ..violation
                },
            };
            trace.drain(..trace.len().saturating_sub(TRACE_LINES_SHOWN));
            Box::new(Failure { schedule: self, violation, trace })
        })
    }

    /// Runs it and tells every step.
    pub fn trace(self, template: &Template) -> (Result<Outcome, Violation>, Vec<String>) {
        self.attempt(template, Tracing::On)
    }

    fn plan(self, chance: &mut Chance) -> Plan {
        let drawn = Plan::draw(chance);
        match self.fault {
            Some((verb, moment)) => Plan { failing: Failing::Nth(verb, moment), ..Plan::calm() },
            None => drawn,
        }
    }

    fn attempt(
        self,
        template: &Template,
        tracing: Tracing,
    ) -> (Result<Outcome, Violation>, Vec<String>) {
        let mut chance = Chance::new(self.seed);
        let plan = self.plan(&mut chance);
        let traced = (tracing == Tracing::On).then(|| vec![format!("{plan:?}")]);
        let store = template.store(plan.tokens);
        let last_act = Arc::new(AtomicBool::new(false));
        let store = match self.sabotage {
            Some(sabotage) => sabotage.over(store, Arc::clone(&last_act)),
            None => store,
        };
        let (config, dispatch) = (template.config.clone(), template.dispatch.clone());
        let stage = Stage::new(Setting { plan, chance, store, config, dispatch, traced });
        let logged = self.seed.is_multiple_of(LOGGED_ONE_IN) || tracing == Tracing::On;
        let listening = if logged { Listening::On } else { Listening::Off };
        let log = quiet::listen(listening, || play(&stage, &last_act));
        let verdict = judge(&stage, listening, &log);
        let trace = stage.take_trace();
        stage.close();
        (verdict, trace)
    }
}

/// All acts.
fn play(stage: &Rc<Stage>, last_act: &AtomicBool) {
    let stuck = "everybody waits, and nothing will happen any more";
    actor::enter(stage);
    if !stage.run() {
        stage.ledger.borrow_mut().accuse(Invariant::HonestFault, stuck);
    }
    stage.calm();
    last_act.store(true, Ordering::Relaxed);
    probe::enter(stage);
    if !stage.run() {
        stage.ledger.borrow_mut().accuse(Invariant::HonestFault, stuck);
    }
}

fn judge(stage: &Stage, listening: Listening, log: &str) -> Result<Outcome, Violation> {
    let tenant = TenantId::default_tenant();
    let audit = at_once(stage.store.audit_since(&tenant, 0, u32::MAX)).unwrap_or_default();
    let mut ledger = stage.ledger.borrow_mut();
    let bodies = audit.iter().map(|event| event.body.as_str());
    if listening == Listening::On {
        let mut texts = bodies.chain([log]);
        if let Some(secret) = texts.find_map(|text| quiet::secret_in(text, &ledger)) {
            ledger.accuse(Invariant::SilentLog, secret);
        }
    }
    if let Some(violation) = ledger.violation() {
        return Err(violation.clone());
    }
    let (verbs, faults) = stage.faults.counts();
    Ok(Outcome {
        verbs,
        faults,
        calls: ledger.calls_made(),
        issued: ledger.codes.len() + ledger.refreshes.len() + ledger.accesses.len(),
        audit_hash: audit.last().map_or([0; 32], |event| event.hash),
    })
}
