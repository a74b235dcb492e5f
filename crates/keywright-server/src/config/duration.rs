//! Lengths of time as people write them: `10m`, `2s`, `90d`.

use std::time::Duration;

use super::error::ValueError;

/// Ten years: beyond it a setting is a slip of the pen, and dates could overflow.
pub(super) const LONGEST: Duration = Duration::from_secs(3650 * DAY_S);

const DAY_S: u64 = 24 * 3600;
const UNITS: [(char, u64); 4] = [('d', DAY_S), ('h', 3600), ('m', 60), ('s', 1)];

/// Reads a length of time: a whole number and one of the units s, m, h, d.
pub fn parse_duration(raw: &str) -> Result<Duration, ValueError> {
    let read = |(unit, seconds): (char, u64)| {
        let digits = raw.strip_suffix(unit)?;
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let count: u64 = plain.then(|| digits.parse().ok())??;
        count.checked_mul(seconds).map(Duration::from_secs)
    };
    let found = UNITS.into_iter().find_map(read);
    found.filter(|duration| *duration <= LONGEST).ok_or_else(|| {
        ValueError::new(
            format!("{raw:?} is not a duration"),
            "write a whole number and one of the units s, m, h, d, such as \"10m\" (at most 3650d)",
        )
    })
}

/// Writes a length of time with the largest unit that divides it.
pub fn format_duration(duration: Duration) -> String {
    let total = duration.as_secs();
    let fits = |&(_, seconds): &(char, u64)| total >= seconds && total.is_multiple_of(seconds);
    let (unit, seconds) = UNITS.into_iter().find(fits).unwrap_or(('s', 1));
    format!("{}{unit}", total / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (raw, seconds) in
            [("0s", 0), ("2s", 2), ("90s", 90), ("10m", 600), ("12h", 43_200), ("90d", 7_776_000)]
        {
            assert_eq!(parse_duration(raw), Ok(Duration::from_secs(seconds)), "{raw}");
        }
        for (seconds, text) in [(0, "0s"), (90, "90s"), (600, "10m"), (86_400, "1d")] {
            assert_eq!(format_duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn nothing_else_is() {
        let odd = ["", "s", "10", "10 m", "-1s", "+1s", "1.5h", "10ms", "1h30m", "soon", "４s"];
        for raw in odd {
            assert!(parse_duration(raw).is_err(), "{raw}");
        }
        for raw in ["3651d", "99999999999999999999s", "18446744073709551615d"] {
            assert!(parse_duration(raw).is_err(), "overflows: {raw}");
        }
        assert!(parse_duration("3650d").is_ok(), "the longest");
    }
}
