//! Waiting for a condition with a bound, never for a time.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Polls until `probe` answers, or fails the test after `bound`.
#[track_caller]
pub(crate) fn until<T>(bound: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < bound, "waited {bound:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Polls until a condition holds.
#[track_caller]
pub(crate) fn until_true(bound: Duration, what: &str, mut probe: impl FnMut() -> bool) {
    until(bound, what, || probe().then_some(()));
}

/// Sleeps into the next second of the clock, and so many milliseconds further.
#[expect(clippy::disallowed_methods, reason = "a test waits for the clock")]
pub(crate) fn past_next_second(further_ms: u64) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let left_ms = 1000 - u64::from(since.subsec_millis());
    std::thread::sleep(Duration::from_millis(left_ms + further_ms));
}

/// Seconds since 1970, as claims count them.
#[expect(clippy::disallowed_methods, reason = "a test compares claims with the real clock")]
pub(crate) fn now_s() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(elapsed.as_secs()).expect("before the year 292 billion")
}

/// Waits for a child; one that outlives its bound is killed and fails the test.
#[track_caller]
pub(crate) fn until_or_kill(bound: Duration, child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if start.elapsed() > bound {
            let _ = child.kill();
            panic!("the program did not end within {bound:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
