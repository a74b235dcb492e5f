//! Which tests need more than Rust, by the first part of their names.

use super::needs::{Need, Setup};

#[derive(Debug)]
pub(super) struct Suite {
    pub(super) prefix: &'static str,
    needs: &'static [Need],
}

const SUITES: &[Suite] = &[
    Suite { prefix: "browser::", needs: &[Need::Chromium, Need::Npm] },
    Suite { prefix: "flows::redis_sink::", needs: &[Need::Redis] },
    Suite { prefix: "interop::npm::", needs: &[Need::Npm] },
    Suite { prefix: "interop::pypi::", needs: &[Need::Pypi] },
    Suite { prefix: "flows::postgres::", needs: &[Need::Postgresql] },
    Suite { prefix: "races::postgres::", needs: &[Need::Postgresql] },
    Suite { prefix: "races::upgrade::", needs: &[Need::Postgresql, Need::Previous] },
    // Of the store's own tests.
    Suite { prefix: "contract::postgres::", needs: &[Need::Postgresql] },
    Suite { prefix: "postgres::tests::", needs: &[Need::Postgresql] },
];

/// The suites that cannot run here. Says why.
pub(super) fn unready(setup: &Setup) -> Vec<&'static Suite> {
    let mut unready = Vec::new();
    for suite in SUITES {
        let missing: Vec<&str> =
            suite.needs.iter().filter_map(|need| setup.obstacle(*need)).collect();
        if !missing.is_empty() {
            eprintln!("skipped: {} ({})", suite.prefix, missing.join("; "));
            unready.push(suite);
        }
    }
    unready
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_ready_when_all_its_needs_are() {
        let prefixes = |setup: &Setup| -> Vec<&str> {
            unready(setup).into_iter().map(|suite| suite.prefix).collect()
        };
        assert_eq!(prefixes(&Setup::default()), Vec::<&str>::new());
        let setup = Setup::without(Need::Npm, "no npm");
        assert_eq!(prefixes(&setup), ["browser::", "interop::npm::"]);
    }
}
