//! Debts by name: what was too long when the rule came may stay, and may only shrink.

use crate::finding::Finding;
use std::collections::BTreeMap;

pub(super) const FILE: &str = "xtask/ratchet.txt";

/// What is too long, written as in the ratchet file.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Subject(String);

impl Subject {
    pub(super) fn file(path: &str) -> Self {
        Self(format!("file {path}"))
    }

    pub(super) fn function(path: &str, name: &str) -> Self {
        Self(format!("function {path} {name}"))
    }

    fn path(&self) -> &str {
        self.0.split(' ').nth(1).unwrap_or(FILE)
    }
}

/// Something longer than its limit.
#[derive(Debug)]
pub(super) struct Excess {
    pub(super) subject: Subject,
    pub(super) line: usize,
    pub(super) size: usize,
    pub(super) limit: usize,
}

#[derive(Debug)]
struct Debt {
    line: usize,
    size: usize,
}

pub(super) fn judge(ratchet: &str, excesses: Vec<Excess>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut debts = parse(ratchet, &mut findings);
    for excess in excesses {
        let debt = debts.remove(&excess.subject);
        findings.extend(compare(&excess, debt.as_ref()));
    }
    for (subject, debt) in debts {
        let what = format!("the debt `{}` is paid", subject.0);
        findings.push(Finding::new(FILE, debt.line, what, "remove the line"));
    }
    findings
}

fn compare(excess: &Excess, debt: Option<&Debt>) -> Option<Finding> {
    let Excess { subject, line, size, limit } = excess;
    match debt {
        Some(debt) if debt.size == *size => None,
        Some(debt) if debt.size > *size => {
            let what = format!("the debt `{}` has shrunk to {size}", subject.0);
            Some(Finding::new(FILE, debt.line, what, "lower the number"))
        }
        Some(debt) => {
            let what = format!("{} has grown from {} to {size} lines", subject.0, debt.size);
            Some(Finding::new(subject.path(), *line, what, "shorten it: a debt only shrinks"))
        }
        None => {
            let what = format!("{} has {size} lines, {limit} allowed", subject.0);
            Some(Finding::new(subject.path(), *line, what, "split it where the subject changes"))
        }
    }
}

fn parse(ratchet: &str, findings: &mut Vec<Finding>) -> BTreeMap<Subject, Debt> {
    let mut debts = BTreeMap::new();
    for (at, text) in ratchet.lines().enumerate() {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let line = at + 1;
        let parts = text.rsplit_once(' ').and_then(|(s, size)| Some((s, size.parse().ok()?)));
        if let Some((subject, size)) = parts {
            debts.insert(Subject(subject.to_owned()), Debt { line, size });
        } else {
            let remedy = "write `file PATH LINES` or `function PATH NAME LINES`";
            findings.push(Finding::new(FILE, line, "not a debt", remedy));
        }
    }
    debts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(ratchet: &str, size: usize) -> Vec<String> {
        let subject = Subject::function("a.rs", "b");
        let excess = Excess { subject, line: 7, size, limit: 70 };
        judge(ratchet, vec![excess]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_debt_of_its_very_size_is_tolerated() {
        assert_eq!(judged("# why\nfunction a.rs b 90\n", 90), Vec::<String>::new());
    }

    #[test]
    fn growth_shrinkage_and_new_debts_are_told() {
        let ratchet = "function a.rs b 90\n";
        assert!(judged(ratchet, 91).concat().starts_with("a.rs:7: function a.rs b has grown"));
        assert!(judged(ratchet, 89).concat().contains("has shrunk to 89; lower"));
        assert!(judged("", 71).concat().contains("71 lines, 70 allowed"));
    }

    #[test]
    fn paid_debts_and_nonsense_are_told() {
        let told = judge("file a.rs 600\nfile b.rs\n", Vec::new());
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|t| t.starts_with("xtask/ratchet.txt:1: the debt `file a.rs`")));
        assert!(told.iter().any(|t| t.starts_with("xtask/ratchet.txt:2: not a debt")));
    }
}
