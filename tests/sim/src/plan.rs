//! What one schedule is like. Each seed draws a plan of its own, so that many schedules are extreme
//! in one respect and calm in the others: that finds more than a little of everything each time.

use crate::chance::Chance;
use crate::fault::Failing;
use crate::ledger::Clocks;

/// What the access tokens of the signed resource are in a schedule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TokenFormat {
    /// As those of the other one. Signatures cost more than all the rest: most do without.
    Opaque,
    Signed,
}

/// How wrong a clock may be, milliseconds.
const CLOCK_STEPS_MS: [i64; 4] = [3_600_000, -3_600_000, 3000, -3000];

/// See the module. A rate is "one in so many"; 0 is never.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    /// Browsers and the applications behind them.
    pub(crate) devices: usize,
    /// How many tabs share one device.
    pub(crate) tabs: usize,
    pub(crate) attackers: usize,
    pub(crate) operators: usize,
    /// How much each actor does.
    pub(crate) actions: usize,
    /// Answers that the actor never hears.
    pub(crate) lost_answers: usize,
    /// Requests that the actor gives up while the node works.
    pub(crate) hang_ups: usize,
    /// Steps between two looks of a node at the log.
    pub(crate) follow: usize,
    /// Steps between two sweeps.
    pub(crate) sweep: usize,
    /// Steps between two crashes.
    pub(crate) crash: usize,
    /// Steps between two changes of who follows the log.
    pub(crate) partition: usize,
    /// Steps between two changes of a clock.
    pub(crate) clock_step: usize,
    /// By how much the first node's clock is wrong then.
    pub(crate) clock_ahead_ms: i64,
    pub(crate) failing: Failing,
    pub(crate) tokens: TokenFormat,
    /// How long an actor may think, milliseconds.
    pub(crate) thought_ms: u32,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let mut rate = |rates: &[usize]| chance.among(rates).unwrap_or(0);
        let failing = rate(&[0, 0, 0, 5, 20, 60]);
        Self {
            nodes: rate(&[1, 2, 2, 3]),
            devices: rate(&[1, 1, 2, 3]),
            tabs: rate(&[1, 1, 2]),
            attackers: rate(&[0, 1, 1, 2]),
            operators: rate(&[0, 1]),
            actions: rate(&[3, 4, 6, 8]),
            lost_answers: rate(&[0, 0, 3, 8]),
            hang_ups: rate(&[0, 0, 4, 12]),
            follow: rate(&[2, 10, 60]),
            sweep: rate(&[0, 0, 40, 200]),
            crash: rate(&[0, 0, 0, 40, 150]),
            partition: rate(&[0, 0, 30, 100]),
            clock_step: rate(&[0, 0, 0, 0, 0, 0, 0, 30]),
            clock_ahead_ms: chance.among(&CLOCK_STEPS_MS).unwrap_or(0),
            failing: if failing == 0 { Failing::Never } else { Failing::OneIn(failing) },
            tokens: if chance.one_in(6) { TokenFormat::Signed } else { TokenFormat::Opaque },
            thought_ms: chance.among(&[5, 1500, 12_000, 70_000, 700_000]).unwrap_or(5),
        }
    }

    /// A schedule in which everybody acts and nothing fails: the ground for one fault at a time.
    pub(crate) const fn calm() -> Self {
        Self {
            nodes: 2,
            devices: 2,
            tabs: 1,
            attackers: 1,
            operators: 1,
            actions: 6,
            lost_answers: 0,
            hang_ups: 0,
            follow: 10,
            sweep: 100,
            crash: 0,
            partition: 0,
            clock_step: 0,
            clock_ahead_ms: 0,
            failing: Failing::Never,
            tokens: TokenFormat::Signed,
            thought_ms: 1500,
        }
    }

    pub(crate) const fn clocks(&self) -> Clocks {
        if self.clock_step == 0 { Clocks::Agree } else { Clocks::Differ }
    }
}
