//! `--ramp`: which rate to try next, and what counts as too much. No clock, no network: the search
//! is a state machine that is told how each step went.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use super::load::Slice;
use super::plan::MAX_RATE;

/// However a server behaves, the search ends.
const MAX_STEPS: usize = 40;
/// How often the gap between the best and the first bad rate is halved.
const MAX_REFINEMENTS: u32 = 4;
/// A narrower gap, in hundredths of the rate, is below the noise.
const GAP_PERCENT: u32 = 5;
/// Of a thousand requests, how many may fail.
const FAILED_PER_MILLE: u64 = 1;

/// What one rate led to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// Every bound was kept.
    Sustained,
    /// The last answer came later after the end than the bound allows: a backlog had grown.
    Behind,
    /// More than one in a thousand failed.
    Errors,
    /// The 99th percentile was beyond the bound.
    Slow,
}

/// The search of one server's highest rate.
#[derive(Debug)]
pub(super) struct Ramp {
    first: NonZeroU32,
    /// The last rate tried, while its one failure may be chance.
    doubtful: Option<NonZeroU32>,
    last: Option<NonZeroU32>,
    best: Option<NonZeroU32>,
    least_bad: Option<NonZeroU32>,
    refinements: u32,
    steps: usize,
}

impl Ramp {
    pub(super) fn new(first: NonZeroU32) -> Self {
        Self {
            first,
            doubtful: None,
            last: None,
            best: None,
            least_bad: None,
            refinements: 0,
            steps: 0,
        }
    }

    /// The rate of the next step; none when the search is over.
    pub(super) fn next(&mut self) -> Option<NonZeroU32> {
        if self.steps >= MAX_STEPS {
            return None;
        }
        let rate = match (self.doubtful, self.best, self.least_bad) {
            (Some(again), ..) => Some(again),
            (None, None, None) => Some(self.first),
            (None, Some(best), None) => grow(best),
            (None, None, Some(bad)) => NonZeroU32::new(bad.get() / 2),
            (None, Some(best), Some(bad)) => self.refine(best, bad),
        };
        self.last = rate;
        rate
    }

    /// Takes note of the step. A rate is given up when it failed twice: once may be the machine.
    pub(super) fn record(&mut self, verdict: Verdict) {
        let Some(rate) = self.last else { return };
        self.steps += 1;
        if verdict == Verdict::Sustained {
            self.doubtful = None;
            self.best = self.best.max(Some(rate));
        } else if self.doubtful.take().is_some() {
            self.least_bad = Some(self.least_bad.map_or(rate, |bad| bad.min(rate)));
        } else {
            self.doubtful = Some(rate);
        }
    }

    fn refine(&mut self, best: NonZeroU32, bad: NonZeroU32) -> Option<NonZeroU32> {
        let gap = bad.get().saturating_sub(best.get());
        let narrow = u64::from(gap) * 100 <= u64::from(best.get()) * u64::from(GAP_PERCENT);
        if narrow || gap < 2 || self.refinements >= MAX_REFINEMENTS {
            return None;
        }
        self.refinements += 1;
        best.checked_add(gap / 2)
    }
}

/// Half as much again; none beyond what one process can send.
fn grow(rate: NonZeroU32) -> Option<NonZeroU32> {
    let more = rate.saturating_add((rate.get() / 2).max(1)).get().min(MAX_RATE);
    NonZeroU32::new(more).filter(|more| *more > rate)
}

/// Judges a step by the bound of its 99th percentile.
pub(super) fn judge(slice: &Slice, bound: Duration) -> Verdict {
    let p99 = Duration::from_micros(slice.tally.latency().value_at_quantile(0.99));
    if slice.tally.failed() * 1000 > slice.due * FAILED_PER_MILLE {
        Verdict::Errors
    } else if p99 > bound {
        Verdict::Slow
    } else if slice.overtime > bound {
        Verdict::Behind
    } else {
        Verdict::Sustained
    }
}

#[cfg(test)]
mod tests {
    use super::super::http::Failure;
    use super::super::tally::{Tally, Times};
    use super::*;
    use proptest::proptest;

    fn rate(rate: u32) -> NonZeroU32 {
        NonZeroU32::new(rate).unwrap()
    }

    /// The rates that are tried at a server with this limit.
    fn search(first: u32, limit: u32) -> (Vec<u32>, Option<u32>) {
        let mut ramp = Ramp::new(rate(first));
        let mut tried = Vec::new();
        while let Some(rate) = ramp.next() {
            tried.push(rate.get());
            ramp.record(if rate.get() <= limit { Verdict::Sustained } else { Verdict::Slow });
        }
        (tried, ramp.best.map(NonZeroU32::get))
    }

    #[test]
    fn the_rate_grows_until_it_fails_twice_and_is_then_refined() {
        let (tried, best) = search(100, 300);
        assert_eq!(tried, [100, 150, 225, 337, 337, 281, 309, 309, 295]);
        assert_eq!(best, Some(295));
    }

    #[test]
    fn too_high_a_start_comes_down() {
        let (tried, best) = search(1000, 300);
        assert_eq!(tried[..5], [1000, 1000, 500, 500, 250]);
        assert!(best.unwrap() > 280, "{best:?}");
    }

    #[test]
    fn one_bad_step_is_tried_again() {
        let mut ramp = Ramp::new(rate(100));
        for (verdict, want) in
            [(Verdict::Errors, 100), (Verdict::Sustained, 100), (Verdict::Sustained, 150)]
        {
            assert_eq!(ramp.next().unwrap().get(), want);
            ramp.record(verdict);
        }
        assert_eq!(ramp.best, Some(rate(150)));
    }

    proptest! {
        #[test]
        fn it_ends_and_never_claims_more_than_was_held(first in 1u32..=MAX_RATE, limit in 0u32..) {
            let (tried, best) = search(first, limit);
            assert!(tried.len() <= MAX_STEPS);
            assert!(best.is_none_or(|best| best <= limit && tried.contains(&best)));
            assert!(best.is_some() || limit == 0 || tried.len() == MAX_STEPS, "{tried:?}");
        }
    }

    fn slice(p99_ms: u64, failed: u64, overtime_ms: u64) -> Slice {
        let ms = Duration::from_millis;
        let mut tally = Tally::new();
        for _ in 0..1000 - failed {
            let times = Times { due: ms(0), sent: ms(0), done: ms(p99_ms) };
            tally.record(times, Ok(()));
        }
        tally.give_up(&Failure::Timeout, failed);
        Slice { tally, due: 1000, took: ms(1000), overtime: ms(overtime_ms) }
    }

    #[test]
    fn each_bound_has_its_verdict() {
        for (measured, want) in [
            (slice(99, 1, 99), Verdict::Sustained),
            (slice(99, 2, 99), Verdict::Errors),
            (slice(110, 0, 99), Verdict::Slow),
            (slice(99, 0, 101), Verdict::Behind),
            (slice(1, 1000, 0), Verdict::Errors),
        ] {
            assert_eq!(judge(&measured, Duration::from_millis(100)), want);
        }
    }
}
