//! What became of the requests. Each connection counts for itself; the counts are added at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::http::Failure;

/// Beyond it kinds are counted together: a server chooses its error codes freely.
const MAX_KINDS: usize = 32;

/// Far beyond the time that a request has.
const MAX_US: u64 = 60_000_000;

/// Outcomes and latencies of the measured turns.
pub(super) struct Tally {
    /// Microseconds from the due time to the last byte: what somebody who came on time waited.
    latency: Histogram<u64>,
    /// Microseconds from sending to the last byte: what the server took once it was asked.
    service: Histogram<u64>,
    failures: BTreeMap<String, u64>,
    /// When the last request was over, after the start.
    last: Duration,
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
        let empty = || Histogram::new_with_max(MAX_US, 3).expect("the bounds are in order");
        Self { latency: empty(), service: empty(), failures: BTreeMap::new(), last: Duration::ZERO }
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
        for (kind, count) in &other.failures {
            self.count(kind.clone(), *count);
        }
        self.last = self.last.max(other.last);
    }

    pub(super) fn succeeded(&self) -> u64 {
        self.latency.len()
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

    pub(super) fn last(&self) -> Duration {
        self.last
    }

    fn count(&mut self, kind: String, count: u64) {
        let room = self.failures.len() < MAX_KINDS || self.failures.contains_key(&kind);
        let kind = if room { kind } else { "other".to_owned() };
        *self.failures.entry(kind).or_default() += count;
    }
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
