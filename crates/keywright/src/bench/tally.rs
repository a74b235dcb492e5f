//! What became of the requests: counts and latencies, in memory that does not grow with them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::http::Failure;

/// Beyond it kinds are counted together: a server chooses its error codes freely.
const MAX_KINDS: usize = 32;

/// Far beyond the time that a request has.
const MAX_US: u64 = 60_000_000;

/// A histogram takes a hundred kilobytes; thousands of connections share a few.
const SHARDS: u16 = 8;

/// Outcomes and latencies of the measured turns.
pub(super) struct Tally {
    /// Microseconds from the due time to the last byte: what somebody who came on time waited.
    latency: Histogram<u64>,
    /// Microseconds from sending to the last byte: what the server took once it was asked.
    service: Histogram<u64>,
    /// Microseconds of each request of a turn, by what it was for.
    steps: BTreeMap<&'static str, Histogram<u64>>,
    failures: BTreeMap<String, u64>,
    /// When the last request was over, after the start.
    last: Duration,
}

/// What many connections count into at once.
pub(super) struct Tallies(Vec<Mutex<Tally>>);

impl Tallies {
    pub(super) fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::new(Tally::new())).collect())
    }

    /// Counts for one of the connections.
    pub(super) fn with(&self, connection: u16, count: impl FnOnce(&mut Tally)) {
        if let Some(shard) = self.0.get(usize::from(connection % SHARDS)) {
            count(&mut shard.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub(super) fn total(&self) -> Tally {
        let mut total = Tally::new();
        for shard in &self.0 {
            total.add(&shard.lock().unwrap_or_else(PoisonError::into_inner));
        }
        total
    }
}

/// The times of one request, all after the start of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) due: Duration,
    pub(super) sent: Duration,
    pub(super) done: Duration,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            latency: empty(),
            service: empty(),
            steps: BTreeMap::new(),
            failures: BTreeMap::new(),
            last: Duration::ZERO,
        }
    }

    /// One request of a turn that was answered as it should be.
    pub(super) fn record_step(&mut self, step: &'static str, took: Duration) {
        self.steps.entry(step).or_insert_with(empty).saturating_record(micros(took));
    }

    pub(super) fn record(&mut self, times: Times, outcome: Result<(), Failure>) {
        self.last = self.last.max(times.done);
        match outcome {
            Ok(()) => {
                self.latency.saturating_record(micros(times.done.saturating_sub(times.due)));
                self.service.saturating_record(micros(times.done.saturating_sub(times.sent)));
            }
            Err(failure) => self.count(failure.to_string(), 1),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency).expect("both have the same bounds");
        self.service.add(&other.service).expect("both have the same bounds");
        for (step, times) in &other.steps {
            let mine = self.steps.entry(step).or_insert_with(empty);
            mine.add(times).expect("both have the same bounds");
        }
        for (kind, count) in &other.failures {
            self.count(kind.clone(), *count);
        }
        self.last = self.last.max(other.last);
    }

    pub(super) fn succeeded(&self) -> u64 {
        self.latency.len()
    }

    /// How many turns were counted, whatever became of them.
    pub(super) fn over(&self) -> u64 {
        self.succeeded() + self.failed()
    }

    pub(super) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    pub(super) fn failures(&self) -> &BTreeMap<String, u64> {
        &self.failures
    }

    pub(super) fn latency(&self) -> &Histogram<u64> {
        &self.latency
    }

    pub(super) fn service(&self) -> &Histogram<u64> {
        &self.service
    }

    pub(super) fn steps(&self) -> &BTreeMap<&'static str, Histogram<u64>> {
        &self.steps
    }

    pub(super) fn last(&self) -> Duration {
        self.last
    }

    /// Turns that never came to be sent.
    pub(super) fn give_up(&mut self, why: &Failure, turns: u64) {
        if turns > 0 {
            self.count(why.to_string(), turns);
        }
    }

    fn count(&mut self, kind: String, count: u64) {
        let room = self.failures.len() < MAX_KINDS || self.failures.contains_key(&kind);
        let kind = if room { kind } else { "other".to_owned() };
        *self.failures.entry(kind).or_default() += count;
    }
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_max(MAX_US, 3).expect("the bounds are in order")
}

/// Rounded up: nothing takes no time.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A server that stands still for a second while ten requests fall due: those who came late
    /// waited less, but nobody's wait is forgotten.
    #[test]
    fn a_pause_is_charged_to_everybody_who_waited() {
        let mut tally = Tally::new();
        for turn in 0..10 {
            let due = ms(turn * 100);
            // One connection: the first request takes the whole pause, the others are sent after.
            let sent = if turn == 0 { due } else { ms(1000 + turn) };
            tally.record(Times { due, sent, done: ms(1001 + turn) }, Ok(()));
        }
        let near = |value: u64, want: u64| value.abs_diff(want) * 500 <= want;
        assert!(near(tally.latency().value_at_quantile(0.5), 506_000), "corrected median");
        assert!(near(tally.latency().max(), 1_001_000), "corrected maximum");
        assert!(near(tally.service().value_at_quantile(0.5), 1_000), "what hides the pause");
        assert_eq!((tally.succeeded(), tally.last()), (10, ms(1010)));
    }

    #[test]
    fn connections_count_into_one_total() {
        let tallies = Tallies::new();
        let times = Times { due: ms(0), sent: ms(0), done: ms(5) };
        for connection in 0..100 {
            tallies.with(connection, |tally| {
                tally.record_step(if connection < 50 { "a" } else { "b" }, ms(1));
                tally.record(times, Ok(()));
            });
        }
        let total = tallies.total();
        assert_eq!((total.succeeded(), total.over(), total.last()), (100, 100, ms(5)));
        let steps: Vec<_> = total.steps().iter().map(|(step, it)| (*step, it.len())).collect();
        assert_eq!(steps, [("a", 50), ("b", 50)]);
    }

    #[test]
    fn failures_are_counted_by_kind_and_have_no_latency() {
        let times = Times { due: ms(0), sent: ms(0), done: ms(5000) };
        let mut tally = Tally::new();
        tally.record(times, Err(Failure::Timeout));
        let mut other = Tally::new();
        other.record(times, Err(Failure::Timeout));
        other.record(times, Err(Failure::Connect));
        tally.add(&other);
        let want = [("no connection".to_owned(), 1), ("timeout".to_owned(), 2)];
        assert_eq!(tally.failures(), &BTreeMap::from(want));
        assert_eq!(tally.succeeded(), 0);
    }

    #[test]
    fn a_server_cannot_fill_the_report() {
        let times = Times { due: ms(0), sent: ms(0), done: ms(1) };
        let mut tally = Tally::new();
        for at in 0..100 {
            tally.record(times, Err(Failure::Refused(400, Some(format!("e{at}")))));
        }
        assert_eq!(tally.failures().len(), MAX_KINDS + 1);
        assert_eq!(tally.failures().values().sum::<u64>(), 100);
    }
}
