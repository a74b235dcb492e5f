//! Who is measured when: one server, or several in turn, so that whatever else the machine does
//! meanwhile hits all of them alike.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Stop;
use super::discovery::Endpoints;
use super::http::Http;
use super::interrupt::Interrupt;
use super::load::{self, Load, Slice};
use super::ramp::{self, Ramp};
use super::report::{Measured, RampReport, Report, Step};
use super::scenario::{self, Ground, Kind, Prepared};
use super::schedule::Schedule;
use super::target::Target;

/// How to measure, whoever it is.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) rate: NonZeroU32,
    pub(super) warmup: Duration,
    /// Of one slice.
    pub(super) duration: Duration,
    pub(super) connections: u16,
    pub(super) mode: Mode,
    pub(super) ca: Option<PathBuf>,
    pub(super) progress: Progress,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Mode {
    /// One rate, in so many slices.
    Fixed { rounds: u16 },
    /// The highest rate at which the 99th percentile stays within a bound.
    Ramp { max_p99: Duration },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Progress {
    Hidden,
    Shown,
}

/// One server, ready to be measured.
struct Runner {
    target: Target,
    http: Arc<Http>,
    prepared: Prepared,
    measured: Measured,
    steps: Vec<Step>,
}

/// Prepares every server before anything is measured, then measures all.
pub(super) async fn run(plan: &Plan, targets: Vec<Target>) -> Result<Vec<Report>, Stop> {
    let interrupt = Interrupt::listen();
    let mut runners = Vec::new();
    for target in targets {
        let name = target.name.clone();
        let prepared = tokio::select! {
            prepared = Runner::prepare(plan, target) => prepared,
            () = interrupt.clone().happened() => return Err(Stop::Interrupted),
        };
        runners.push(prepared.map_err(|why| why.at(&name))?);
    }
    match plan.mode {
        Mode::Fixed { rounds } => measure(plan, &mut runners, rounds, &interrupt).await?,
        Mode::Ramp { max_p99 } => ramp_up(plan, &mut runners, max_p99, &interrupt).await?,
    }
    Ok(runners.into_iter().map(|runner| runner.report(plan, interrupt.is_over())).collect())
}

/// A B A B: each server has a slice of each round.
async fn measure(
    plan: &Plan,
    runners: &mut [Runner],
    rounds: u16,
    interrupt: &Interrupt,
) -> Result<(), Stop> {
    for round in 1..=rounds {
        for runner in runners.iter_mut() {
            let label = format!("{round}/{rounds} {}", runner.target.name);
            let slice = runner.slice(plan, plan.rate, label, interrupt).await?;
            runner.measured.add(&slice);
            if interrupt.is_over() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Each server climbs on its own, a step of one after a step of the other.
async fn ramp_up(
    plan: &Plan,
    runners: &mut [Runner],
    max_p99: Duration,
    interrupt: &Interrupt,
) -> Result<(), Stop> {
    let mut climbing: Vec<_> =
        runners.iter_mut().map(|runner| (runner, Ramp::new(plan.rate))).collect();
    while !climbing.is_empty() {
        let mut still = Vec::new();
        for (runner, mut ramp) in climbing {
            let Some(rate) = ramp.next() else { continue };
            let label = format!("{rate}/s {}", runner.target.name);
            let slice = runner.slice(plan, rate, label, interrupt).await?;
            if interrupt.is_over() {
                // Half a step proves nothing, unless it is all there is.
                if runner.steps.is_empty() {
                    runner.measured = Measured::of(rate, &slice);
                }
                return Ok(());
            }
            let verdict = ramp::judge(&slice, max_p99);
            ramp.record(verdict);
            runner.note(Measured::of(rate, &slice), verdict);
            still.push((runner, ramp));
        }
        climbing = still;
    }
    Ok(())
}

impl Runner {
    async fn prepare(plan: &Plan, mut target: Target) -> Result<Self, Stop> {
        let http = Http::new(plan.connections, plan.ca.as_deref()).map_err(Stop::Usage)?;
        let endpoints = Endpoints::load(&http, &target.issuer).await.map_err(Stop::Unreachable)?;
        let refresh_tokens = std::mem::take(&mut target.refresh_tokens);
        let ground = Ground {
            http: &http,
            endpoints: &endpoints,
            client: target.client.as_ref(),
            person: target.person.as_ref(),
            scope: target.scope.as_deref(),
            resource: target.resource.as_deref(),
            connections: plan.connections,
        };
        let prepared = scenario::prepare(plan.kind, &ground, refresh_tokens).await?;
        let measured = Measured::nothing(plan.rate);
        Ok(Self { target, http: Arc::new(http), prepared, measured, steps: Vec::new() })
    }

    async fn slice(
        &self,
        plan: &Plan,
        rate: NonZeroU32,
        label: String,
        interrupt: &Interrupt,
    ) -> Result<Slice, Stop> {
        let schedule = Schedule::new(rate, plan.warmup, plan.duration).map_err(Stop::Usage)?;
        let progress = bar(plan.progress, schedule.turns(), label);
        let slice = load::run(Load {
            schedule,
            connections: plan.connections,
            http: Arc::clone(&self.http),
            scenario: Arc::clone(&self.prepared.scenario),
            interrupt: interrupt.clone(),
            progress: progress.clone(),
        });
        let slice = slice.await;
        progress.finish_and_clear();
        Ok(slice)
    }

    /// The best step so far is what the report is about; without one, the first.
    fn note(&mut self, step: Measured, verdict: ramp::Verdict) {
        let best = self.steps.iter().filter(|step| step.verdict == ramp::Verdict::Sustained);
        let best = best.map(|step| step.offered).reduce(f64::max);
        self.steps.push(Step::new(&step, verdict));
        let better = verdict == ramp::Verdict::Sustained
            && best.is_none_or(|best| f64::from(step.rate.get()) >= best);
        if better || self.steps.len() == 1 {
            self.measured = step;
        }
    }

    fn report(self, plan: &Plan, interrupted: bool) -> Report {
        let max_p99 = match plan.mode {
            Mode::Fixed { .. } => None,
            Mode::Ramp { max_p99 } => Some(max_p99),
        };
        let mut report = Report::new(plan, &self.target, &self.measured);
        report.interrupted = interrupted;
        report.left_out = self.prepared.left_out;
        report.ramp = max_p99.map(|max_p99| RampReport::new(max_p99, self.steps));
        report
    }
}

/// Progress on stderr; indicatif draws nothing where nobody can watch.
fn bar(progress: Progress, turns: u64, label: String) -> ProgressBar {
    let bar = ProgressBar::new(turns).with_prefix(label);
    if progress == Progress::Hidden {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        return bar;
    }
    let style = ProgressStyle::with_template("{prefix} {elapsed} {bar:30} {pos}/{len} {per_sec}");
    bar.set_style(style.expect("the template is well formed"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
