//! Lock files name packages and hashes, never the mirror that one machine took them from.

use crate::finding::Finding;
use crate::tree::Tree;
use anyhow::Result;

const CRATES_IO: &str = "\"registry+https://github.com/rust-lang/crates.io-index\"";

/// What is wrong with a line and what to do about it.
type Fault = (&'static str, &'static str);
type Judge = fn(&str) -> Option<Fault>;

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let judges: [(&str, Judge); 3] = [
        ("Cargo.lock", cargo_line),
        ("package-lock.json", npm_line),
        ("requirements.txt", pip_line),
    ];
    let mut findings = Vec::new();
    for (ending, judge) in judges {
        for path in tree.files_ending(&[ending]) {
            let faults = faults(&tree.read(path)?, judge);
            let told =
                faults.into_iter().map(|(line, (what, how))| Finding::new(path, line, what, how));
            findings.extend(told);
        }
    }
    Ok(findings)
}

fn faults(text: &str, judge: Judge) -> Vec<(usize, Fault)> {
    let judged = text.lines().enumerate();
    judged.filter_map(|(at, line)| judge(line).map(|fault| (at + 1, fault))).collect()
}

fn cargo_line(line: &str) -> Option<Fault> {
    let source = line.strip_prefix("source = ")?;
    (source != CRATES_IO).then_some(("a crate that is not from crates.io", "take a published one"))
}

fn npm_line(line: &str) -> Option<Fault> {
    let remedy = "lock again with --omit-lockfile-registry-resolved";
    line.contains("\"resolved\":").then_some(("the address of a registry", remedy))
}

fn pip_line(line: &str) -> Option<Fault> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') || line.contains("==") && !line.contains("://") {
        return None;
    }
    Some(("not a pinned package", "write NAME==VERSION and nothing else"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_locks_pass() {
        let cargo = format!("name = \"a\"\nsource = {CRATES_IO}\n");
        assert_eq!(faults(&cargo, cargo_line), []);
        assert_eq!(faults("\"version\": \"1.0.0\",\n", npm_line), []);
        assert_eq!(faults("# why\n\nAuthlib==1.9.9\n", pip_line), []);
    }

    #[test]
    fn other_sources_are_found() {
        let lines =
            |faults: Vec<(usize, Fault)>| faults.into_iter().map(|(at, ..)| at).collect::<Vec<_>>();
        let git = "name = \"a\"\nsource = \"git+https://git.example/a\"\n";
        assert_eq!(lines(faults(git, cargo_line)), [2]);
        assert_eq!(lines(faults("\"resolved\": \"https://npm.example/a\"\n", npm_line)), [1]);
        let pip = "--index-url https://pypi.example\nrequests\na==1 @ https://a.example\n";
        assert_eq!(lines(faults(pip, pip_line)), [1, 2, 3]);
    }
}
