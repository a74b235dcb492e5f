//! `cargo xtask sim`: the simulator, built for speed, over as many seeds as are asked for.

use crate::Verdict;
use crate::metadata::cargo;
use crate::process::{self, Ending, Step};
use anyhow::{Result, bail};
use std::time::Duration;

/// A million schedules take hours on a small machine; the step only has to end some day.
const LIMIT: Duration = Duration::from_hours(24);

const BUILD_AND_RUN: &[&str] = &["run", "--release", "-p", "keywright-sim", "--"];
const OPTIONS: &[&str] = &["--jobs", "--schedules", "--seed"];

/// Options in pairs: a name and a number. The simulator reads `SEED` by itself.
pub(crate) fn parse(words: &[&str]) -> Option<Vec<String>> {
    let pairs = words.chunks(2).all(|pair| match pair {
        [name, value] => OPTIONS.contains(name) && value.parse::<u64>().is_ok(),
        _ => false,
    });
    pairs.then(|| words.iter().map(|word| (*word).to_owned()).collect())
}

pub(crate) fn run(options: &[String]) -> Result<Verdict> {
    let step = Step { name: "simulate", limit: LIMIT };
    let finished = process::run(step, cargo().args(BUILD_AND_RUN).args(options))?;
    match finished.ending {
        Ending::Succeeded => Ok(Verdict::Clean),
        Ending::Failed => Ok(Verdict::Findings),
        Ending::TimedOut => bail!("the simulator did not end"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_pairs() {
        assert_eq!(parse(&[]), Some(Vec::new()));
        let both = ["--schedules", "1000000", "--seed", "7", "--jobs", "1"];
        assert_eq!(parse(&both).map(|words| words.len()), Some(6));
        for bad in [&["--schedules"][..], &["--seed", "x"], &["--fast", "1"], &["7"]] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
