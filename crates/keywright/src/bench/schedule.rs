//! When each request is due: decided before the start, so that the server cannot slow its own test.

use std::num::NonZeroU32;
use std::time::Duration;

const NANOS: u128 = 1_000_000_000;

/// Turns at a fixed rate: first the warm-up, then what is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    rate: NonZeroU32,
    warmup: Duration,
    measured: Duration,
}

/// Whether a turn counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Measured,
    Warmup,
}

impl Schedule {
    pub(super) fn new(
        rate: NonZeroU32,
        warmup: Duration,
        measured: Duration,
    ) -> Result<Self, String> {
        let schedule = Self { rate, warmup, measured };
        if schedule.measured_turns() == 0 {
            return Err("nothing falls due in this duration at this rate".to_owned());
        }
        Ok(schedule)
    }

    /// Time after the start at which a turn is due, and none for a turn after the end.
    ///
    /// Computed from the turn's number, never from the turn before: errors do not add up.
    pub(super) fn due(&self, turn: u64) -> Option<(Duration, Phase)> {
        let nanos = u128::from(turn) * NANOS / u128::from(self.rate.get());
        let due = Duration::from_nanos(u64::try_from(nanos).ok()?);
        if due >= self.end() {
            return None;
        }
        Some((due, if due < self.warmup { Phase::Warmup } else { Phase::Measured }))
    }

    /// How many turns there are, warm-up included.
    pub(super) fn turns(&self) -> u64 {
        self.turns_before(self.end())
    }

    pub(super) fn measured_turns(&self) -> u64 {
        self.measured_turns_before(self.end())
    }

    /// The measured ones that are due before a moment.
    pub(super) fn measured_turns_before(&self, time: Duration) -> u64 {
        self.turns_before(time).saturating_sub(self.turns_before(self.warmup))
    }

    /// Where measuring begins, after the start.
    pub(super) fn warmup(&self) -> Duration {
        self.warmup
    }

    pub(super) fn end(&self) -> Duration {
        self.warmup + self.measured
    }

    /// Turn n is due before `time` exactly when n * 1 s / rate < time.
    fn turns_before(&self, time: Duration) -> u64 {
        let turns = (time.as_nanos() * u128::from(self.rate.get())).div_ceil(NANOS);
        u64::try_from(turns).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: u32, warmup_ms: u64, measured_ms: u64) -> Schedule {
        let ms = Duration::from_millis;
        Schedule::new(NonZeroU32::new(rate).unwrap(), ms(warmup_ms), ms(measured_ms)).unwrap()
    }

    #[test]
    fn turns_fall_due_at_the_rate_and_end() {
        let schedule = schedule(4, 500, 1000);
        let due: Vec<_> = (0..8).map(|turn| schedule.due(turn)).collect();
        let at = |ms, phase| Some((Duration::from_millis(ms), phase));
        let want = [
            at(0, Phase::Warmup),
            at(250, Phase::Warmup),
            at(500, Phase::Measured),
            at(750, Phase::Measured),
            at(1000, Phase::Measured),
            at(1250, Phase::Measured),
            None,
            None,
        ];
        assert_eq!(due, want);
        assert_eq!((schedule.turns(), schedule.measured_turns()), (6, 4));
        let before = |ms| schedule.measured_turns_before(Duration::from_millis(ms));
        assert_eq!([before(0), before(500), before(751), before(1500)], [0, 0, 2, 4]);
    }

    #[test]
    fn the_count_agrees_with_the_due_times() {
        for rate in [1, 3, 7, 999, 1000, 333_333, 1_000_000] {
            let schedule = schedule(rate, 13, 1001);
            let turns = schedule.turns();
            assert!(schedule.due(turns - 1).is_some(), "{rate}");
            assert!(schedule.due(turns).is_none(), "{rate}");
            let warm = turns - schedule.measured_turns();
            assert_eq!(schedule.due(warm).unwrap().1, Phase::Measured, "{rate}");
            assert!(warm == 0 || schedule.due(warm - 1).unwrap().1 == Phase::Warmup, "{rate}");
        }
    }

    #[test]
    fn a_day_at_an_odd_rate_does_not_drift() {
        let schedule = schedule(333_333, 0, 86_400_000);
        let (due, _) = schedule.due(333_333 * 86_399).unwrap();
        assert_eq!(due, Duration::from_secs(86_399));
    }

    #[test]
    fn an_empty_measurement_is_refused() {
        let one = NonZeroU32::MIN;
        assert!(Schedule::new(one, Duration::from_secs(1), Duration::ZERO).is_err());
        assert!(Schedule::new(one, Duration::ZERO, Duration::from_millis(1)).is_ok());
    }
}
