//! Throttles: guesses are counted per name and per address, and forgotten again. Nobody is locked
//! out for ever, and nobody can lock out another by guessing from elsewhere for long.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use keywright_protocol::time::Timestamp;

/// How many names or addresses are remembered; beyond it the oldest failures are forgotten first.
const ENTRIES_MAX: usize = 100_000;

/// A bound on failures within a sliding window.
#[derive(Debug)]
pub struct Throttle {
    failures_max: u32,
    window: Duration,
    counts: Mutex<HashMap<String, Count>>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    failures: u32,
    since: Timestamp,
}

impl Throttle {
    /// At most `failures_max` failures per key in a `window`.
    pub fn new(failures_max: u32, window: Duration) -> Self {
        Self { failures_max, window, counts: Mutex::new(HashMap::new()) }
    }

    /// How long a key must wait; nothing if it may try.
    pub fn wait(&self, key: &str, now: Timestamp) -> Option<Duration> {
        let counts = self.counts.lock().ok()?;
        let count = counts.get(key).filter(|count| self.is_live(count, now))?;
        let over = count.failures >= self.failures_max;
        over.then(|| count.since.plus(self.window).since(now).max(Duration::from_secs(1)))
    }

    /// Counts a failure.
    pub fn fail(&self, key: &str, now: Timestamp) {
        let Ok(mut counts) = self.counts.lock() else { return };
        if counts.len() >= ENTRIES_MAX && !counts.contains_key(key) {
            self.make_room(&mut counts, now);
        }
        let count = counts.entry(key.to_owned()).or_insert(Count { failures: 0, since: now });
        if !self.is_live(count, now) {
            *count = Count { failures: 0, since: now };
        }
        count.failures = count.failures.saturating_add(1);
    }

    /// Forgets a key's failures: it has proven itself.
    pub fn succeed(&self, key: &str) {
        if let Ok(mut counts) = self.counts.lock() {
            counts.remove(key);
        }
    }

    fn is_live(&self, count: &Count, now: Timestamp) -> bool {
        // A clock that was set back must not prolong a wait.
        count.since <= now && now < count.since.plus(self.window)
    }

    fn make_room(&self, counts: &mut HashMap<String, Count>, now: Timestamp) {
        counts.retain(|_, count| self.is_live(count, now));
        if counts.len() >= ENTRIES_MAX {
            counts.retain(|_, count| count.failures >= self.failures_max);
        }
        if counts.len() >= ENTRIES_MAX {
            counts.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_unix_s(s)
    }

    #[test]
    fn a_key_waits_after_too_many_failures_and_not_for_ever() {
        let throttle = Throttle::new(3, Duration::from_secs(60));
        for _ in 0..2 {
            throttle.fail("alice", at(0));
        }
        assert_eq!(throttle.wait("alice", at(1)), None);
        throttle.fail("alice", at(1));
        assert_eq!(throttle.wait("alice", at(2)), Some(Duration::from_secs(58)));
        assert_eq!(throttle.wait("bob", at(2)), None);
        assert_eq!(throttle.wait("alice", at(60)), None, "the window has passed");
        throttle.fail("alice", at(100));
        throttle.succeed("alice");
        assert_eq!(throttle.wait("alice", at(100)), None);
    }
}
