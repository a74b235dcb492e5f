//! The rows of the table, as text or as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::measure::Comparison;

/// One line: what was measured, and what it should come to.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    id: &'static str,
    what: &'static str,
    /// With its parts, for people.
    measured: String,
    /// None where it could not be measured.
    value: Option<f64>,
    reach: &'static str,
    met: bool,
}

/// A goal: the most that the value may be, and how the table says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) most: f64,
    pub(crate) reach: &'static str,
}

impl Row {
    pub(crate) fn new(goal: Goal, value: f64, measured: String) -> Self {
        let met = value <= goal.most;
        Self { id: goal.id, what: goal.what, measured, value: Some(value), reach: goal.reach, met }
    }

    /// A row that says why there is no number; the other rows are measured all the same.
    pub(crate) fn failed(goal: Goal, why: &anyhow::Error) -> Self {
        let measured = format!("not measured: {}", first_line(why));
        Self { id: goal.id, what: goal.what, measured, value: None, reach: goal.reach, met: false }
    }

    pub(crate) fn ratio(goal: Goal, found: Comparison) -> Self {
        let Comparison { ours_us, reference_us, ratio } = found;
        Self::new(goal, ratio, format!("{ratio:.2} ({ours_us:.1} / {reference_us:.1} us)"))
    }
}

/// An answer may be a whole page.
fn first_line(why: &anyhow::Error) -> String {
    let text = format!("{why:#}");
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

pub(crate) fn text(rows: &[Row]) -> String {
    let mut text = "| # | what | measured | reach | met |\n|---|---|---|---|---|\n".to_owned();
    for Row { id, what, measured, reach, met, .. } in rows {
        let met = if *met { "yes" } else { "no" };
        let _ = writeln!(text, "| {id} | {what} | {measured} | {reach} | {met} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOAL: Goal = Goal { id: "G0", what: "a / b", most: 1.5, reach: "<= 1.5" };

    #[test]
    fn the_bound_itself_is_met() {
        assert!(Row::new(GOAL, 1.5, String::new()).met);
        assert!(!Row::new(GOAL, 1.51, String::new()).met);
    }

    #[test]
    fn what_could_not_be_measured_is_not_met() {
        let row = Row::failed(GOAL, &anyhow::anyhow!("404\n<html>"));
        assert_eq!((row.met, row.value), (false, None));
        assert_eq!(row.measured, "not measured: 404");
    }

    #[test]
    fn a_row_shows_its_parts() {
        let found = Comparison { ours_us: 30.04, reference_us: 15.0, ratio: 2.004 };
        let table = text(&[Row::ratio(GOAL, found)]);
        assert!(table.ends_with("| G0 | a / b | 2.00 (30.0 / 15.0 us) | <= 1.5 | no |\n"));
    }
}
