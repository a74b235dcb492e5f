//! Seeded chance: everything that is not decided is drawn from here.

/// A generator of the SplitMix64 family: small, quick, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own, so that one actor's draws do not shift another's.
    pub(crate) const fn fork(&mut self) -> Self {
        Self(self.draw())
    }

    pub(crate) const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound.
    pub(crate) const fn below(&mut self, bound: usize) -> usize {
        let bound = if bound == 0 { 1 } else { bound as u64 };
        #[expect(clippy::cast_possible_truncation, reason = "below a bound that is a usize")]
        let drawn = (self.draw() % bound) as usize;
        drawn
    }

    /// Milliseconds below a bound.
    pub(crate) const fn millis_below(&mut self, bound: u32) -> i64 {
        self.below(bound as usize).cast_signed() as i64
    }

    /// Whether something happens that happens once in so many times; never for 0.
    pub(crate) const fn one_in(&mut self, times: usize) -> bool {
        times != 0 && self.below(times) == 0
    }

    /// One of several.
    pub(crate) fn among<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).cloned()
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let drawn = self.draw().to_le_bytes();
            part.iter_mut().zip(drawn).for_each(|(byte, drawn)| *byte = drawn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..8).map(|_| chance.draw()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn a_bound_is_kept() {
        let mut chance = Chance::new(3);
        assert!((0..1000).all(|_| chance.below(3) < 3));
        assert!(!(0..1000).any(|_| chance.one_in(0)), "never");
        assert!((0..1000).all(|_| chance.one_in(1)), "always");
    }
}
