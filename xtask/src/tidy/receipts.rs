//! Who may make a receipt: the store alone, or nothing guarantees that a commit came before.

use crate::finding::Finding;
use crate::tree::Tree;
use anyhow::Result;

const CALL: &str = "Receipt::of_commit()";
const ALLOWED: &str = "crates/keywright-store/";

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let elsewhere = |path: &&str| path.starts_with("crates/") && !path.starts_with(ALLOWED);
    for path in tree.files_ending(&[".rs"]).filter(elsewhere) {
        findings.extend(calls(path, &tree.read(path)?));
    }
    Ok(findings)
}

fn calls(path: &str, text: &str) -> Vec<Finding> {
    let called = text.lines().enumerate().filter(|(_, line)| line.contains(CALL));
    let finding = |at| {
        let what = format!("{CALL} outside {ALLOWED}");
        Finding::new(path, at + 1, what, "take the receipt that a verb of the store returns")
    };
    called.map(|(at, _)| finding(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_made_elsewhere_is_found() {
        assert_eq!(calls("a.rs", "let r = Receipt::of_commit();\n").len(), 1);
        assert!(calls("a.rs", "fn of_commit() {}\nlet r = verb.receipt;\n").is_empty());
    }
}
