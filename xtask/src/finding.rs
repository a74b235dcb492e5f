//! One thing that is wrong with the tree: where, what, and what to do about it.

use crate::Verdict;
use std::fmt;

/// Ordered by place, so that a report reads like the tree.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    what: String,
    remedy: String,
}

impl Finding {
    pub(crate) fn new(
        file: &str,
        line: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { file: file.to_owned(), line, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.file, self.line, self.what, self.remedy)
    }
}

/// Prints the findings, each once and in order, and says whether there were any.
pub(crate) fn report(mut findings: Vec<Finding>) -> Verdict {
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() { Verdict::Clean } else { Verdict::Findings }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_file_line_what_remedy() {
        let finding = Finding::new("a.rs", 3, "too long", "split it");
        assert_eq!(finding.to_string(), "a.rs:3: too long; split it");
    }

    #[test]
    fn any_finding_is_a_verdict() {
        assert_eq!(report(Vec::new()), Verdict::Clean);
        assert_eq!(report(vec![Finding::new("a", 1, "b", "c")]), Verdict::Findings);
    }
}
