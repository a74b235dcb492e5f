//! The checks of a token, each with its mark and its reason.

use serde_json::{Map, Value, json};

use crate::cli::failure::Failure;
use crate::cli::output::{Output, cell, plain, print, time};
use keywright_protocol::time::Timestamp;

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    Failed,
    NotReached,
    Passed,
}

/// One check of a token.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) mark: Mark,
    pub(super) detail: String,
}

/// A token that was read.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) checks: Vec<Check>,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

impl Verdict {
    pub(super) fn note(&mut self, name: &'static str, mark: Mark, detail: impl Into<String>) {
        self.checks.push(Check { name, mark, detail: detail.into() });
    }

    /// A check by a condition.
    pub(super) fn judge(&mut self, name: &'static str, good: bool, detail: impl Into<String>) {
        self.note(name, if good { Mark::Passed } else { Mark::Failed }, detail);
    }

    /// Prints all of it; a token that is not good is a finding.
    pub(super) fn show(&self, output: Output) -> Result<(), Failure> {
        let judged = self.judged();
        if output.json {
            output.show(&self.document(judged.is_ok()))?;
        } else {
            self.print_lines()?;
        }
        judged
    }

    fn judged(&self) -> Result<(), Failure> {
        match self.checks.iter().find(|check| check.mark == Mark::Failed) {
            Some(check) => {
                let why = format!("the token is not good: {}: {}", check.name, check.detail);
                Err(Failure::refused(why))
            }
            None => Ok(()),
        }
    }

    fn document(&self, good: bool) -> Value {
        let checks = self.checks.iter().map(|check| {
            let mark = match check.mark {
                Mark::Failed => "failed",
                Mark::NotReached => "not_reached",
                Mark::Passed => "passed",
            };
            json!({ "check": check.name, "mark": mark, "detail": check.detail })
        });
        let checks: Vec<Value> = checks.collect();
        json!({ "good": good, "checks": checks, "header": self.header, "claims": self.claims })
    }

    fn print_lines(&self) -> Result<(), Failure> {
        for check in &self.checks {
            let mark = match check.mark {
                Mark::Failed => "FAILED",
                Mark::NotReached => "-",
                Mark::Passed => "ok",
            };
            print(&format!("{mark:<7} {:<10} {}", check.name, plain(&check.detail)))?;
        }
        for (title, members) in [("header", &self.header), ("claims", &self.claims)] {
            if members.is_empty() {
                continue;
            }
            print(&format!("\n{title}"))?;
            for (name, value) in members {
                print(&format!("  {:<12} {}", plain(name), shown(name, value)))?;
            }
        }
        Ok(())
    }
}

/// A claim's value; moments also as people read them.
fn shown(name: &str, value: &Value) -> String {
    let text = cell("", value);
    match value.as_i64() {
        Some(seconds) if ["auth_time", "exp", "iat", "nbf"].contains(&name) => {
            format!("{text}  ({})", time(Timestamp::from_unix_s(seconds)))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::Status;

    #[test]
    fn a_failed_check_is_a_finding() {
        let mut verdict = Verdict::default();
        verdict.judge("exp", true, "later");
        assert!(verdict.judged().is_ok());
        verdict.note("revoked", Mark::NotReached, "no store at hand");
        assert!(verdict.judged().is_ok(), "not a finding");
        verdict.judge("aud", false, "another API");
        let failure = verdict.judged().unwrap_err();
        assert_eq!(failure.status, Status::Refused);
        assert!(failure.to_string().contains("aud: another API"), "{failure}");
    }

    #[test]
    fn moments_are_told_in_words() {
        assert_eq!(shown("exp", &json!(1_763_888_400)), "1763888400  (2025-11-23T09:00:00Z)");
        assert_eq!(shown("n", &json!(1)), "1");
    }
}
