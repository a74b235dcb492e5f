//! Throttles: guesses are counted per name and per address, and forgotten again. Nobody is locked
//! out for ever, and nobody can lock out another by guessing from elsewhere for long.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keywright_jose::sha256_of;
use keywright_protocol::time::Timestamp;
use keywright_store::throttle::Failures;

/// How many names or addresses are remembered; beyond it the oldest failures are forgotten first.
const ENTRIES_MAX: usize = 100_000;

/// A bound on failures within a window, which begins with the first.
#[derive(Debug)]
pub struct Throttle {
    /// What is guessed at: nodes count under this name together.
    name: &'static str,
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
    pub fn new(name: &'static str, failures_max: u32, window: Duration) -> Self {
        Self { name, failures_max, window, counts: Mutex::new(HashMap::new()) }
    }

    /// Takes one of a key's tries, or says how long it must wait. A try counts as a failure until
    /// it has proven itself: many at once are no more than their number.
    pub fn attempt(&self, key: &str, now: Timestamp) -> Result<(), Duration> {
        let mut counts = self.counts();
        let live = counts.get(key).filter(|count| self.is_live(count, now));
        if let Some(count) = live.filter(|count| count.failures >= self.failures_max) {
            return Err(self.left(count, now));
        }
        self.count(&mut counts, key, now);
        Ok(())
    }

    /// How long a key must wait. For guesses that are judged at once and need no try in advance;
    /// while nobody has failed, the key is not even made.
    pub fn wait(&self, key: impl FnOnce() -> String, now: Timestamp) -> Result<(), Duration> {
        let counts = self.counts();
        if counts.is_empty() {
            return Ok(());
        }
        let live = counts.get(&key()).filter(|count| self.is_live(count, now));
        match live.filter(|count| count.failures >= self.failures_max) {
            Some(count) => Err(self.left(count, now)),
            None => Ok(()),
        }
    }

    /// Counts a failure.
    pub fn fail(&self, key: &str, now: Timestamp) {
        self.count(&mut self.counts(), key, now);
    }

    /// What the store counts a key's failures under: it never sees whose they are.
    pub fn shared_key(&self, key: &str) -> [u8; 32] {
        sha256_of(&[self.name.as_bytes(), &[0], key.as_bytes()])
    }

    /// The time within which failures are counted.
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// Takes over what all nodes have counted.
    pub fn learn(&self, key: &str, all: Failures, now: Timestamp) {
        let mut counts = self.counts();
        let own = counts.get(key).filter(|own| self.is_live(own, now)).map_or(0, |o| o.failures);
        if all.count > own {
            // The entry is made, and bounded, as any other.
            self.count(&mut counts, key, now);
            let shared = Count { failures: all.count, since: all.since };
            counts.insert(key.to_owned(), shared);
        }
    }

    /// Gives a try back: it was never judged, or judged well but proves nothing about the key.
    pub fn give_back(&self, key: &str) {
        if let Some(count) = self.counts().get_mut(key) {
            count.failures = count.failures.saturating_sub(1);
        }
    }

    fn count(&self, counts: &mut HashMap<String, Count>, key: &str, now: Timestamp) {
        if counts.len() >= ENTRIES_MAX && !counts.contains_key(key) {
            self.make_room(counts, now);
        }
        let count = counts.entry(key.to_owned()).or_insert(Count { failures: 0, since: now });
        if !self.is_live(count, now) {
            *count = Count { failures: 0, since: now };
        }
        count.failures = count.failures.saturating_add(1);
    }

    /// Forgets a key's failures: it has proven itself. Answers how many there were, this try among
    /// them.
    pub fn succeed(&self, key: &str) -> u32 {
        self.counts().remove(key).map_or(0, |count| count.failures)
    }

    fn left(&self, count: &Count, now: Timestamp) -> Duration {
        count.since.plus(self.window).since(now).clamp(Duration::from_secs(1), self.window)
    }

    fn is_live(&self, count: &Count, now: Timestamp) -> bool {
        // Requests are not counted in the order of their moments, so a window may seem to begin in
        // a moment; one that does so only much later was begun by a clock that was set back since.
        count.since.since(now) < self.window && now < count.since.plus(self.window)
    }

    /// Forgets what has passed; called now and then, and when there is no room.
    pub fn forget_expired(&self, now: Timestamp) {
        let mut counts = self.counts();
        counts.retain(|_, count| self.is_live(count, now));
    }

    fn make_room(&self, counts: &mut HashMap<String, Count>, now: Timestamp) {
        counts.retain(|_, count| self.is_live(count, now));
        if counts.len() < ENTRIES_MAX {
            return;
        }
        // Half of those who still have tries left, the oldest first; who has none stays.
        let mut since: Vec<Timestamp> = counts.values().map(|count| count.since).collect();
        since.sort_unstable();
        let middle = since.get(since.len() / 2).copied().unwrap_or(now);
        let spent = |count: &Count| count.failures >= self.failures_max;
        counts.retain(|_, count| spent(count) || count.since > middle);
        if counts.len() >= ENTRIES_MAX {
            counts.retain(|_, count| count.since > middle);
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_unix_s(s)
    }

    #[test]
    fn a_key_waits_after_too_many_tries_and_not_for_ever() {
        let throttle = Throttle::new("account", 3, Duration::from_mins(1));
        for second in 0..3 {
            assert_eq!(throttle.attempt("alice", at(second)), Ok(()));
        }
        assert_eq!(throttle.attempt("alice", at(3)), Err(Duration::from_secs(57)));
        assert_eq!(throttle.attempt("bob", at(3)), Ok(()), "another key");
        assert_eq!(throttle.attempt("alice", at(60)), Ok(()), "the window has passed");
        throttle.succeed("alice");
        for _ in 0..9 {
            assert_eq!(throttle.attempt("alice", at(61)), Ok(()));
            throttle.give_back("alice");
        }
    }

    #[test]
    fn tries_count_in_whatever_order_they_are_judged() {
        let throttle = Throttle::new("account", 3, Duration::from_mins(1));
        for second in [9, 8, 7] {
            assert_eq!(throttle.attempt("alice", at(second)), Ok(()));
        }
        assert_eq!(throttle.attempt("alice", at(6)), Err(Duration::from_mins(1)));
        assert_eq!(throttle.attempt("alice", at(-51)), Ok(()), "the clock was set back");
    }

    #[test]
    fn what_other_nodes_counted_counts_here() {
        let throttle = Throttle::new("account", 3, Duration::from_mins(1));
        assert_eq!(throttle.attempt("alice", at(5)), Ok(()));
        throttle.learn("alice", Failures { count: 3, since: at(0) }, at(5));
        assert_eq!(throttle.attempt("alice", at(6)), Err(Duration::from_secs(54)));
        throttle.learn("alice", Failures { count: 1, since: at(6) }, at(6));
        assert!(throttle.attempt("alice", at(7)).is_err(), "less than is known teaches nothing");
        let other = Throttle::new("address", 3, Duration::from_mins(1));
        assert_ne!(throttle.shared_key("alice"), other.shared_key("alice"));
    }
}
