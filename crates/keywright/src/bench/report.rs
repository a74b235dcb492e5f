//! What was measured, as one document for programs; [`super::text`] and [`super::chart`] show it to
//! people.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::campaign::Plan;
use super::load::Slice;
use super::ramp::Verdict;
use super::scenario::Kind;
use super::tally::Tally;
use super::target::Target;

/// Where the curve of a chart has its points; the tail is where servers differ.
const PERCENTILES: [f64; 17] = [
    0.0, 10.0, 25.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.75, 99.9, 99.95,
    99.99, 99.999,
];

/// The result of measuring one server. The fields' names are stable.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) scenario: Kind,
    pub(super) name: String,
    pub(super) issuer: String,
    pub(super) connections: u16,
    pub(super) rounds: u16,
    pub(super) duration_s: f64,
    /// Whether somebody ended it early; the rest holds what was measured until then.
    pub(super) interrupted: bool,
    pub(super) rate: Rate,
    pub(super) requests: Requests,
    /// From the time when each turn was due.
    pub(super) latency_us: Quantiles,
    /// From the time when it was sent.
    pub(super) service_us: Quantiles,
    /// Each request of a turn, by what it was for, from the time when it was sent.
    pub(super) steps: BTreeMap<&'static str, StepTimes>,
    pub(super) percentiles: Vec<Point>,
    pub(super) histogram: Vec<Bucket>,
    /// Parts of a mixture that the credentials do not allow, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) left_out: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ramp: Option<RampReport>,
}

#[derive(Debug, Serialize)]
pub(super) struct Rate {
    pub(super) offered: f64,
    pub(super) achieved: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Requests {
    pub(super) due: u64,
    pub(super) ok: u64,
    pub(super) errors: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Quantiles {
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    pub(super) p999: u64,
    pub(super) max: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct StepTimes {
    pub(super) ok: u64,
    #[serde(flatten)]
    pub(super) quantiles_us: Quantiles,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Point {
    pub(super) percentile: f64,
    pub(super) latency_us: u64,
}

#[derive(Debug, Eq, PartialEq, Serialize)]
pub(super) struct Bucket {
    pub(super) up_to_us: u64,
    pub(super) count: u64,
}

/// How the highest rate was found. The rest of the report is about that rate.
#[derive(Debug, Serialize)]
pub(super) struct RampReport {
    pub(super) max_p99_us: u64,
    pub(super) sustained_rate: Option<f64>,
    /// In the order in which they were tried.
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) offered: f64,
    pub(super) achieved: f64,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) errors: u64,
    pub(super) verdict: Verdict,
}

/// Slices at one rate, added up.
pub(super) struct Measured {
    pub(super) rate: NonZeroU32,
    tally: Tally,
    due: u64,
    took: Duration,
    rounds: u16,
}

impl Measured {
    pub(super) fn nothing(rate: NonZeroU32) -> Self {
        Self { rate, tally: Tally::new(), due: 0, took: Duration::ZERO, rounds: 0 }
    }

    pub(super) fn of(rate: NonZeroU32, slice: &Slice) -> Self {
        let mut measured = Self::nothing(rate);
        measured.add(slice);
        measured
    }

    pub(super) fn add(&mut self, slice: &Slice) {
        self.tally.add(&slice.tally);
        self.due += slice.due;
        self.took += slice.took;
        self.rounds = self.rounds.saturating_add(1);
    }

    fn achieved(&self) -> f64 {
        if self.took.is_zero() {
            return 0.0;
        }
        let count = u32::try_from(self.tally.succeeded()).map_or(f64::MAX, f64::from);
        count / self.took.as_secs_f64()
    }
}

impl Report {
    pub(super) fn new(plan: &Plan, target: &Target, measured: &Measured) -> Self {
        let tally = &measured.tally;
        Self {
            scenario: plan.kind,
            name: target.name.clone(),
            issuer: target.issuer.as_str().to_owned(),
            connections: plan.connections,
            rounds: measured.rounds,
            duration_s: measured.took.as_secs_f64(),
            interrupted: false,
            rate: Rate { offered: f64::from(measured.rate.get()), achieved: measured.achieved() },
            requests: Requests {
                due: measured.due,
                ok: tally.succeeded(),
                errors: tally.failures().clone(),
            },
            latency_us: Quantiles::of(tally.latency()),
            service_us: Quantiles::of(tally.service()),
            steps: tally.steps().iter().map(|(step, times)| (*step, times.into())).collect(),
            percentiles: percentiles(tally.latency()),
            histogram: buckets(tally.latency()),
            left_out: Vec::new(),
            ramp: None,
        }
    }

    pub(super) fn nothing_succeeded(&self) -> bool {
        self.requests.ok == 0
    }

    pub(super) fn failed(&self) -> u64 {
        self.requests.errors.values().sum()
    }
}

/// One server is one object; several are a list, as everywhere.
pub(super) fn to_json(reports: &[Report]) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct List<'a> {
        items: &'a [Report],
    }
    match reports {
        [one] => serde_json::to_string_pretty(one),
        items => serde_json::to_string_pretty(&List { items }),
    }
}

impl RampReport {
    pub(super) fn new(max_p99: Duration, steps: Vec<Step>) -> Self {
        let sustained = steps.iter().filter(|step| step.verdict == Verdict::Sustained);
        Self {
            max_p99_us: u64::try_from(max_p99.as_micros()).unwrap_or(u64::MAX),
            sustained_rate: sustained.map(|step| step.offered).reduce(f64::max),
            steps,
        }
    }
}

impl Step {
    pub(super) fn new(measured: &Measured, verdict: Verdict) -> Self {
        let quantiles = Quantiles::of(measured.tally.latency());
        Self {
            offered: f64::from(measured.rate.get()),
            achieved: measured.achieved(),
            p50_us: quantiles.p50,
            p99_us: quantiles.p99,
            errors: measured.tally.failed(),
            verdict,
        }
    }
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        let (p50, p90, p99, p999) = (at(0.5), at(0.9), at(0.99), at(0.999));
        Self { p50, p90, p99, p999, max: histogram.max() }
    }
}

impl From<&Histogram<u64>> for StepTimes {
    fn from(times: &Histogram<u64>) -> Self {
        Self { ok: times.len(), quantiles_us: Quantiles::of(times) }
    }
}

/// As far as there are turns beyond the percentile, then the slowest of all.
fn percentiles(histogram: &Histogram<u64>) -> Vec<Point> {
    let count = u32::try_from(histogram.len()).map_or(f64::MAX, f64::from);
    let known = |percentile: &f64| count * (100.0 - percentile) >= 100.0;
    let point = |percentile: f64| Point {
        percentile,
        latency_us: histogram.value_at_quantile(percentile / 100.0),
    };
    let mut points: Vec<_> = PERCENTILES.into_iter().filter(known).map(point).collect();
    if !histogram.is_empty() {
        points.push(Point { percentile: 100.0, latency_us: histogram.max() });
    }
    points
}

/// Doubling steps, from the first that holds anything to the last.
fn buckets(histogram: &Histogram<u64>) -> Vec<Bucket> {
    let mut buckets = Vec::new();
    let (mut below, mut up_to_us) = (0, 1);
    while below < histogram.len() {
        let to_here = histogram.count_between(0, up_to_us);
        let count = to_here.saturating_sub(below);
        if count > 0 || !buckets.is_empty() {
            buckets.push(Bucket { up_to_us, count });
        }
        (below, up_to_us) = (to_here, up_to_us.saturating_mul(2));
    }
    buckets
}

/// Reports without a server, for the tests of what is made of them.
#[cfg(test)]
pub(super) mod samples {
    use super::super::campaign::{Mode, Progress};
    use super::super::http::Failure;
    use super::super::plan::Issuer;
    use super::super::tally::Times;
    use super::*;

    pub(in crate::bench) fn plan() -> Plan {
        Plan {
            kind: Kind::ClientCredentials,
            rate: NonZeroU32::new(4).unwrap(),
            warmup: Duration::ZERO,
            duration: Duration::from_secs(1),
            connections: 2,
            mode: Mode::Fixed { rounds: 1 },
            ca: None,
            progress: Progress::Hidden,
        }
    }

    /// The outcomes of a second, each so many milliseconds after it was due.
    pub(in crate::bench) fn report(outcomes: Vec<(u64, Result<(), Failure>)>) -> Report {
        let mut slice = Slice {
            tally: Tally::new(),
            due: u64::try_from(outcomes.len()).unwrap(),
            took: Duration::from_secs(1),
            overtime: Duration::ZERO,
        };
        for (ms, outcome) in outcomes {
            let (due, took) = (Duration::from_secs(2), Duration::from_millis(ms));
            if outcome.is_ok() {
                slice.tally.record_step("client-credentials", took);
            }
            slice.tally.record(Times { due, sent: due, done: due + took }, outcome);
        }
        let issuer: Issuer = "https://a.example".parse().unwrap();
        let target = Target {
            name: "https://a.example".to_owned(),
            issuer,
            client: None,
            person: None,
            scope: None,
            resource: None,
            refresh_tokens: Vec::new(),
        };
        Report::new(&plan(), &target, &Measured::of(plan().rate, &slice))
    }

    /// A search of three steps.
    pub(in crate::bench) fn ramp() -> RampReport {
        let step = |offered: u32, p99_us: u64, verdict| Step {
            offered: f64::from(offered),
            achieved: f64::from(offered),
            p50_us: p99_us / 4,
            p99_us,
            errors: 0,
            verdict,
        };
        let steps = vec![
            step(100, 4_000, Verdict::Sustained),
            step(150, 250_000, Verdict::Slow),
            step(125, 8_000, Verdict::Sustained),
        ];
        RampReport::new(Duration::from_millis(100), steps)
    }
}

#[cfg(test)]
mod tests {
    use super::super::http::Failure;
    use super::samples::{ramp, report};
    use super::*;

    fn parse(reports: &[Report]) -> serde_json::Value {
        serde_json::from_str(&to_json(reports).unwrap()).unwrap()
    }

    #[test]
    fn one_server_is_an_object_and_several_are_a_list() {
        let one = || report(vec![(1, Ok(())), (1, Err(Failure::Timeout))]);
        let json = parse(&[one()]);
        assert_eq!(json["scenario"], "client-credentials");
        assert_eq!(json["requests"]["due"], 2);
        assert_eq!(json["requests"]["ok"], 1);
        assert_eq!(json["requests"]["errors"]["timeout"], 1);
        assert_eq!(json["latency_us"]["max"], 1000);
        assert_eq!(json["steps"]["client-credentials"]["p50"], 1000);
        assert_eq!(json["ramp"], serde_json::Value::Null);
        assert!(!one().nothing_succeeded());
        let json = parse(&[one(), one()]);
        assert_eq!(json["items"][1]["rate"]["achieved"], 1.0);
    }

    #[test]
    fn a_ramp_says_what_was_held() {
        let mut report = report(vec![(1, Ok(()))]);
        report.ramp = Some(ramp());
        let json = parse(&[report]);
        assert_eq!(json["ramp"]["sustained_rate"], 125.0);
        assert_eq!(json["ramp"]["max_p99_us"], 100_000);
        assert_eq!(json["ramp"]["steps"][1]["verdict"], "slow");
    }

    #[test]
    fn a_curve_goes_no_further_than_the_turns() {
        let curve = report((0..100).map(|_| (1, Ok(()))).collect()).percentiles;
        let percentiles: Vec<f64> = curve.iter().map(|point| point.percentile).collect();
        assert_eq!(percentiles[percentiles.len() - 2..], [99.0, 100.0]);
        assert!(report(vec![(1, Err(Failure::Connect))]).percentiles.is_empty());
    }

    #[test]
    fn slices_add_up() {
        let mut measured = Measured::nothing(NonZeroU32::MIN);
        assert!(measured.achieved().abs() < f64::EPSILON);
        for _ in 0..2 {
            let mut tally = Tally::new();
            let at = super::super::tally::Times {
                due: Duration::ZERO,
                sent: Duration::ZERO,
                done: Duration::from_millis(1),
            };
            tally.record(at, Ok(()));
            let took = Duration::from_millis(500);
            measured.add(&Slice { tally, due: 1, took, overtime: Duration::ZERO });
        }
        assert!((measured.achieved() - 2.0).abs() < 1e-9);
        assert_eq!((measured.due, measured.rounds), (2, 2));
    }
}
