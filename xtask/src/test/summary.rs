//! Sums over what `cargo test` prints for each test program.

use crate::process::{Ending, Finished};
use std::fmt;

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Summary {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl Summary {
    /// A run that failed without a failed test, because a test program died or did not compile,
    /// counts as one failure.
    pub(super) fn of(finished: &Finished) -> Self {
        let mut sum = Self::default();
        for line in finished.output.lines() {
            sum.add(&result(line).unwrap_or_default());
        }
        if finished.ending != Ending::Succeeded && sum.failed == 0 {
            sum.failed = 1;
        }
        sum
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; ...`
fn result(line: &str) -> Option<Summary> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |name: &str| {
        let mut pairs = counts.split("; ").filter_map(|count| count.split_once(' '));
        pairs.find(|(_, what)| *what == name).and_then(|(number, _)| number.parse().ok())
    };
    Some(Summary { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
}

/// The tests of `--list` whose names begin with the prefix and hold the filter.
pub(super) fn listed(listing: &str, prefix: &str, filter: Option<&str>) -> usize {
    let names = listing.lines().filter_map(|line| line.strip_suffix(": test"));
    let chosen = names.filter(|name| name.starts_with(prefix));
    chosen.filter(|name| filter.is_none_or(|filter| name.contains(filter))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test flows::code ... ok
test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s
   Doc-tests keywright
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
";

    fn sum(output: &str, ending: Ending) -> String {
        Summary::of(&Finished { ending, output: output.to_owned() }).to_string()
    }

    #[test]
    fn every_test_program_counts() {
        assert_eq!(sum(OUTPUT, Ending::Failed), "6 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn a_failure_without_a_failed_test_is_one() {
        assert_eq!(sum("", Ending::Failed), "0 passed, 1 failed, 0 skipped");
        assert_eq!(sum("", Ending::TimedOut), "0 passed, 1 failed, 0 skipped");
        assert_eq!(sum("", Ending::Succeeded), "0 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn what_a_test_prints_is_no_result() {
        assert_eq!(result("  test result: ok. 5 passed; 0 failed; 0 ignored"), None);
        assert_eq!(result("test result: ok. many passed; 0 failed; 0 ignored"), None);
    }

    #[test]
    fn listings_are_counted_by_prefix_and_filter() {
        let listing = "browser::login: test\nbrowser::consent: test\nflows::browser::x: test\n\
            browser::page: benchmark\n\n2 tests, 1 benchmark\n";
        assert_eq!(listed(listing, "browser::", None), 2);
        assert_eq!(listed(listing, "browser::", Some("login")), 1);
        assert_eq!(listed(listing, "races::", None), 0);
    }
}
