//! What was measured, for a person or for a program.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::plan::Issuer;
use super::scenario::Name;
use super::schedule::Schedule;
use super::tally::Tally;

/// The widest bar of the text histogram.
const BAR: u64 = 40;

/// The result of one run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    scenario: Name,
    issuer: String,
    connections: u16,
    duration_s: f64,
    rate: Rate,
    requests: Requests,
    /// From the time when each request was due.
    latency_us: Quantiles,
    /// From the time when it was sent.
    service_us: Quantiles,
    histogram: Vec<Bucket>,
}

#[derive(Debug, Serialize)]
struct Rate {
    offered: f64,
    achieved: f64,
}

#[derive(Debug, Serialize)]
struct Requests {
    due: u64,
    ok: u64,
    errors: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct Quantiles {
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

#[derive(Debug, Eq, PartialEq, Serialize)]
struct Bucket {
    up_to_us: u64,
    count: u64,
}

impl Report {
    pub(super) fn new(
        scenario: Name,
        issuer: &Issuer,
        schedule: &Schedule,
        connections: u16,
        tally: &Tally,
    ) -> Self {
        let took = measured_time(schedule, tally.last());
        Self {
            scenario,
            issuer: issuer.as_str().to_owned(),
            connections,
            duration_s: took.as_secs_f64(),
            rate: Rate {
                offered: f64::from(schedule.rate().get()),
                achieved: per_second(tally.succeeded(), took),
            },
            requests: Requests {
                due: schedule.measured_turns(),
                ok: tally.succeeded(),
                errors: tally.failures().clone(),
            },
            latency_us: Quantiles::of(tally.latency()),
            service_us: Quantiles::of(tally.service()),
            histogram: buckets(tally.latency()),
        }
    }

    pub(super) fn nothing_succeeded(&self) -> bool {
        self.requests.ok == 0
    }

    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = self.head();
        if self.nothing_succeeded() {
            return text;
        }
        let titles = ["p50", "p90", "p99", "p99.9", "max"].map(|title| format!("{title:>10}"));
        let _ = writeln!(text, "\nms      {}", titles.concat());
        let _ = writeln!(text, "latency {}  since due", self.latency_us);
        let _ = writeln!(text, "service {}  since sent\n", self.service_us);
        let most = self.histogram.iter().map(|bucket| bucket.count).max().unwrap_or(1);
        for bucket in &self.histogram {
            let bar = (bucket.count * BAR).div_ceil(most);
            let bar = "#".repeat(usize::try_from(bar).unwrap_or_default());
            let _ = writeln!(text, "<= {:>9} ms {bar} {}", ms(bucket.up_to_us), bucket.count);
        }
        text.truncate(text.trim_end().len());
        text
    }

    fn head(&self) -> String {
        let name = clap::ValueEnum::to_possible_value(&self.scenario);
        let name = name.as_ref().map_or("", |value| value.get_name());
        let mut text = format!("{name} at {}\n", self.issuer);
        let _ = writeln!(
            text,
            "offered {}/s, achieved {:.1}/s over {:.1} s on {} connections",
            self.rate.offered, self.rate.achieved, self.duration_s, self.connections
        );
        let failed: u64 = self.requests.errors.values().sum();
        let _ = writeln!(text, "ok {}, errors {failed}", self.requests.ok);
        for (kind, count) in &self.requests.errors {
            let _ = writeln!(text, "  {count:>8}  {kind}");
        }
        text
    }
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        let (p50, p90, p99, p999) = (at(0.5), at(0.9), at(0.99), at(0.999));
        Self { p50, p90, p99, p999, max: histogram.max() }
    }
}

impl std::fmt::Display for Quantiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for value in [self.p50, self.p90, self.p99, self.p999, self.max] {
            write!(f, "{:>10}", ms(value))?;
        }
        Ok(())
    }
}

/// To the last answer, and not less than was planned: a backlog that is still worked off after the
/// schedule's end must not look like speed.
fn measured_time(schedule: &Schedule, last: Duration) -> Duration {
    schedule.end().max(last).saturating_sub(schedule.warmup())
}

fn per_second(count: u64, time: Duration) -> f64 {
    let count = u32::try_from(count).map_or(f64::MAX, f64::from);
    count / time.as_secs_f64()
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

fn ms(us: u64) -> String {
    format!("{}.{:03}", us / 1000, us % 1000)
}

#[cfg(test)]
mod tests {
    use super::super::http::Failure;
    use super::super::tally::Times;
    use super::*;
    use std::num::NonZeroU32;

    fn schedule() -> Schedule {
        let rate = NonZeroU32::new(4).unwrap();
        Schedule::new(rate, Duration::from_secs(2), Duration::from_secs(1)).unwrap()
    }

    fn report(outcomes: Vec<(u64, Result<(), Failure>)>) -> Report {
        let mut tally = Tally::new();
        for (ms, outcome) in outcomes {
            let due = Duration::from_secs(2);
            let done = due + Duration::from_millis(ms);
            tally.record(Times { due, sent: due, done }, outcome);
        }
        let issuer = "https://a.example".parse().unwrap();
        Report::new(Name::ClientCredentials, &issuer, &schedule(), 2, &tally)
    }

    #[test]
    fn a_backlog_after_the_end_lowers_the_achieved_rate() {
        let seconds = |s| Duration::from_secs(s);
        assert_eq!(measured_time(&schedule(), seconds(4)), seconds(2));
        assert_eq!(measured_time(&schedule(), Duration::from_millis(2100)), seconds(1));
    }

    #[test]
    fn the_text_says_what_happened() {
        let refused = Failure::Refused(400, Some("invalid_grant".to_owned()));
        let text = report(vec![(1, Ok(())), (3, Ok(())), (3, Ok(())), (9, Err(refused))]).to_text();
        for line in [
            "client-credentials at https://a.example",
            "offered 4/s, achieved 3.0/s over 1.0 s on 2 connections",
            "ok 3, errors 1",
            "         1  400 invalid_grant",
            "<=     1.024 ms #################### 1",
            "<=     4.096 ms ######################################## 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_document_has_the_same_numbers() {
        let report = report(vec![(1, Ok(())), (1, Err(Failure::Timeout))]);
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(json["scenario"], "client-credentials");
        assert_eq!(json["requests"]["due"], 4);
        assert_eq!(json["requests"]["ok"], 1);
        assert_eq!(json["requests"]["errors"]["timeout"], 1);
        assert_eq!(json["latency_us"]["max"], 1000);
        assert!(!report.nothing_succeeded());
    }

    #[test]
    fn without_a_success_there_are_no_latencies_to_show() {
        let report = report(vec![(1, Err(Failure::Connect))]);
        assert!(report.nothing_succeeded());
        assert!(!report.to_text().contains("p50"));
    }
}
