//! When this node, or its store, was last away. For so long no client could ask again for an answer
//! that was lost, so that time does not count against it.

use std::sync::Mutex;
use std::time::Duration;

use keywright_protocol::time::Timestamp;

/// The store answers several times a second; a silence of more than this is an outage.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Outages that follow each other closely are one, but for no longer than this.
const JOINED_MAX: Duration = Duration::from_mins(10);

/// What is known of the last outage.
#[derive(Debug, Default)]
pub struct Outages(Mutex<Known>);

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// When the store was asked whose answer came last.
    reached_at: Option<Timestamp>,
    last: Option<Outage>,
}

/// Whatever was committed shortly before `from` or later may be without an answer.
#[derive(Clone, Copy, Debug)]
struct Outage {
    from: Timestamp,
    until: Timestamp,
}

impl Outages {
    /// The store answers what it was asked at a moment. `retry` is the time that clients have to
    /// ask again: outages that leave them less are one.
    pub fn reached(&self, asked_at: Timestamp, now: Timestamp, retry: Duration) {
        self.with(|known| {
            let from = known.reached_at.unwrap_or(asked_at);
            if now.since(from) > SILENCE_MAX {
                let joined = known.last.filter(|last| {
                    from.since(last.until) < retry && from.since(last.from) < JOINED_MAX
                });
                let from = joined.map_or(from, |last| last.from);
                known.last = Some(Outage { from, until: now });
            }
            known.reached_at = Some(asked_at);
        });
    }

    /// The answer to a rotation after this moment may be asked for again. An outage that found the
    /// time for it still open opens it anew.
    pub fn retry_since(&self, now: Timestamp, retry: Duration) -> Timestamp {
        let known = self.with(|known| *known);
        // A clock that was set back does not keep it open.
        let apart = |until: Timestamp| until.since(now).max(now.since(until));
        let over = known.last.filter(|last| apart(last.until) < retry).map(|last| last.from);
        let lasts = known.reached_at.filter(|reached_at| now.since(*reached_at) > SILENCE_MAX);
        [over, lasts].into_iter().flatten().fold(now, Timestamp::min).minus(retry)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Duration = Duration::from_secs(10);

    fn at(s: i64) -> Timestamp {
        Timestamp::from_unix_s(s)
    }

    fn reached(outages: &Outages, asked_s: i64, now_s: i64) {
        outages.reached(at(asked_s), at(now_s), RETRY);
    }

    #[test]
    fn without_an_outage_the_window_is_what_it_says() {
        let outages = Outages::default();
        assert_eq!(outages.retry_since(at(100), RETRY), at(90), "nothing known");
        for s in 100..200 {
            reached(&outages, s, s);
        }
        assert_eq!(outages.retry_since(at(200), RETRY), at(190));
    }

    #[test]
    fn an_outage_does_not_count() {
        let outages = Outages::default();
        reached(&outages, 100, 100);
        assert_eq!(outages.retry_since(at(160), RETRY), at(90), "it lasts");
        reached(&outages, 160, 160);
        assert_eq!(outages.retry_since(at(169), RETRY), at(90), "it has just ended");
        for s in 161..=170 {
            reached(&outages, s, s);
        }
        assert_eq!(outages.retry_since(at(170), RETRY), at(160), "there was time enough");
    }

    #[test]
    fn two_outages_that_leave_too_little_time_are_one() {
        let outages = Outages::default();
        for (asked_s, now_s) in [(100, 100), (100, 130), (131, 131), (132, 132), (132, 160)] {
            reached(&outages, asked_s, now_s);
        }
        assert_eq!(outages.retry_since(at(161), RETRY), at(90));
        let apart = Outages::default();
        reached(&apart, 100, 130);
        for s in 130..=140 {
            reached(&apart, s, s);
        }
        reached(&apart, 170, 170);
        assert_eq!(apart.retry_since(at(171), RETRY), at(130), "the first was over");
    }

    #[test]
    fn a_clock_that_goes_back_keeps_nothing_open() {
        let outages = Outages::default();
        reached(&outages, 100, 100);
        reached(&outages, 3700, 3700);
        assert_eq!(outages.retry_since(at(3701), RETRY), at(90), "it was set ahead");
        reached(&outages, 102, 102);
        assert_eq!(outages.retry_since(at(103), RETRY), at(93), "and back");
    }
}
