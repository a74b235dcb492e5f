//! Values to places on the paper, and the round values that are worth a line.

/// A straight line from values to places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// From values `low..high` to places `from..to`; a single value gets some room around it.
    pub(super) fn new((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let high = if high - low < 1e-9 { low + 1.0 } else { high };
        Self { low, high, from, to }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    pub(super) fn from(&self) -> f64 {
        self.from
    }

    pub(super) fn to(&self) -> f64 {
        self.to
    }
}

/// 1, 2 and 5 of each power of ten, from the one below the least to the one above the greatest.
pub(super) fn decades(least: f64, greatest: f64) -> Vec<f64> {
    let mut ticks = Vec::new();
    let mut power = 10_f64.powf(least.max(1e-3).log10().floor());
    'all: loop {
        for digit in [1.0, 2.0, 5.0] {
            let tick = digit * power;
            // The last one that is not above the least is where the axis begins.
            if tick <= least {
                ticks.clear();
            }
            ticks.push(tick);
            if tick >= greatest && ticks.len() > 1 {
                break 'all;
            }
        }
        power *= 10.0;
    }
    ticks
}

/// About six steps of a round size from nothing to the greatest.
pub(super) fn steps(greatest: f64) -> Vec<f64> {
    let rough = (greatest / 6.0).max(1e-3);
    let power = 10_f64.powf(rough.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power);
    let step = round.into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let mut ticks = vec![0.0];
    let mut tick = step;
    while ticks.last().is_some_and(|last| *last < greatest) {
        ticks.push(tick);
        tick += step;
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], want: &[f64]) {
        let same = found.len() == want.len()
            && found.iter().zip(want).all(|(a, b)| (a - b).abs() <= b.abs() * 1e-9);
        assert!(same, "{found:?} is not {want:?}");
    }

    #[test]
    fn latencies_stand_between_round_values() {
        close(&decades(1.3, 44.0), &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        close(&decades(0.7, 0.8), &[0.5, 1.0]);
        close(&decades(2.0, 2.0), &[2.0, 5.0]);
    }

    #[test]
    fn rates_begin_at_nothing() {
        close(&steps(5122.0), &[0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0, 6000.0]);
        close(&steps(20.0), &[0.0, 5.0, 10.0, 15.0, 20.0]);
    }

    #[test]
    fn places_stay_on_the_paper() {
        let scale = Scale::new((0.0, 10.0), (100.0, 0.0));
        close(&[scale.at(0.0), scale.at(5.0), scale.at(99.0)], &[100.0, 50.0, 0.0]);
        assert!(Scale::new((3.0, 3.0), (0.0, 1.0)).at(3.0).is_finite());
    }
}
