//! Who may wait: so many in all, and so many from one network, so that nobody can take all places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many may wait or listen at the same time.
#[derive(Clone, Copy, Debug)]
pub struct SlotLimits {
    /// In all.
    pub all: usize,
    /// From one network.
    pub network: usize,
}

#[derive(Debug)]
pub(super) struct Slots {
    limits: SlotLimits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    networks: HashMap<String, usize>,
}

/// A place among those who wait, free again when this is dropped.
#[derive(Debug)]
pub struct Slot {
    network: String,
    taken: Arc<Mutex<Taken>>,
}

impl Slots {
    pub(super) fn new(limits: SlotLimits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    pub(super) fn taken(&self) -> usize {
        lock(&self.taken).all
    }

    pub(super) fn take(&self, network: &str) -> Option<Slot> {
        let mut taken = lock(&self.taken);
        let own = taken.networks.get(network).copied().unwrap_or_default();
        if taken.all >= self.limits.all || own >= self.limits.network {
            return None;
        }
        taken.all += 1;
        taken.networks.insert(network.to_owned(), own + 1);
        Some(Slot { network: network.to_owned(), taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        if let Some(own) = taken.networks.get_mut(&self.network) {
            *own -= 1;
            if *own == 0 {
                taken.networks.remove(&self.network);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_for_one_network() {
        let slots = Slots::new(SlotLimits { all: 3, network: 2 });
        let first = slots.take("a").expect("free");
        let _second = slots.take("a").expect("free");
        assert!(slots.take("a").is_none(), "a has its share");
        let _third = slots.take("b").expect("b has none yet");
        assert!(slots.take("c").is_none(), "all are taken");
        drop(first);
        assert_eq!(slots.taken(), 2);
        let _again = slots.take("a").expect("free again");
        assert_eq!(slots.taken(), 3);
    }
}
