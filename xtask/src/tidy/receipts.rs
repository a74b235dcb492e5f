//! Who may make a receipt: the store alone, or nothing guarantees that a commit came before.

use crate::finding::Finding;
use crate::tree::Tree;
use anyhow::Result;

const CALLS: [(&str, &str); 2] = [
    ("of_commit()", "crates/keywright-store/"),
    ("of_buffered_event()", "crates/keywright-server/src/endpoint/token/client_credentials.rs"),
];
/// Where both are defined.
const HOME: &str = "crates/keywright-protocol/src/wire/response.rs";

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let elsewhere = |path: &&str| path.starts_with("crates/") && *path != HOME;
    for path in tree.files_ending(&[".rs"]).filter(elsewhere) {
        findings.extend(calls(path, &tree.read(path)?));
    }
    Ok(findings)
}

fn calls(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (call, allowed) in CALLS.into_iter().filter(|(_, allowed)| !path.starts_with(allowed)) {
        let called = text.lines().enumerate().filter(|(_, line)| line.contains(call));
        findings.extend(called.map(|(at, _)| {
            let what = format!("{call} outside {allowed}");
            Finding::new(path, at + 1, what, "take the receipt that a verb of the store returns")
        }));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_made_elsewhere_is_found() {
        let text = "let r = Receipt::of_commit();\nlet s = Receipt::of_buffered_event();\n";
        assert_eq!(calls("crates/a.rs", text).len(), 2);
        assert_eq!(calls("crates/keywright-store/src/a.rs", text).len(), 1);
        assert!(calls("crates/a.rs", "let r = verb.receipt;\n").is_empty());
    }
}
