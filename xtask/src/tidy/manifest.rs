//! The dependency table of the root manifest: every line has a reason and a user, and every
//! member names only what its sources mention.

use super::dependencies;
use crate::finding::Finding;
use crate::metadata::{Metadata, Package};
use crate::source::is_word;
use crate::tree::Tree;
use anyhow::Result;

const ROOT: &str = "Cargo.toml";
const TABLE: &str = "[workspace.dependencies]";

/// One line of the table.
#[derive(Debug, Eq, PartialEq)]
struct Entry {
    name: String,
    line: usize,
    explained: bool,
}

pub(super) fn check(metadata: &Metadata, tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for entry in entries(&tree.read(ROOT)?) {
        table_entry(metadata, &entry, &mut findings);
    }
    for package in metadata.members() {
        let manifest = dependencies::manifest(metadata, package);
        let text = tree.read(&manifest)?;
        if !text.contains("[lints]\nworkspace = true") {
            let what = "the workspace's lints do not hold here";
            findings.push(Finding::new(&manifest, 1, what, "add `[lints] workspace = true`"));
        }
        unmentioned(package, tree, &manifest, &text, &mut findings)?;
    }
    Ok(findings)
}

fn table_entry(metadata: &Metadata, entry: &Entry, findings: &mut Vec<Finding>) {
    let mut used = metadata.members().flat_map(|member| &member.dependencies);
    if !used.any(|dep| dep.name == entry.name || dep.rename.as_deref() == Some(&entry.name)) {
        let what = format!("no member uses {}", entry.name);
        findings.push(Finding::new(ROOT, entry.line, what, "remove the line"));
    }
    if !entry.explained {
        let what = format!("{} has no reason", entry.name);
        let remedy = "say above it, or above its group, why it is here";
        findings.push(Finding::new(ROOT, entry.line, what, remedy));
    }
}

/// A comment explains the lines below it up to the next blank line. The workspace's own crates
/// explain themselves.
fn entries(manifest: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut inside = false;
    let mut explained = false;
    for (at, line) in manifest.lines().map(str::trim).enumerate() {
        match line.chars().next() {
            Some('[') => {
                inside = line == TABLE;
                explained = false;
            }
            Some('#') => explained = true,
            None => explained = false,
            Some(_) if inside => {
                if let Some((name, value)) = line.split_once('=') {
                    let own = value.contains("path =");
                    let name = name.trim().to_owned();
                    entries.push(Entry { name, line: at + 1, explained: explained || own });
                }
            }
            Some(_) => {}
        }
    }
    entries
}

fn unmentioned(
    package: &Package,
    tree: &Tree,
    manifest: &str,
    text: &str,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let folder = manifest.trim_end_matches("Cargo.toml");
    let mut sources = String::new();
    for path in tree.files_ending(&[".rs"]).filter(|path| path.starts_with(folder)) {
        sources.push_str(&tree.read(path)?);
    }
    for dependency in &package.dependencies {
        let name = dependency.rename.as_ref().unwrap_or(&dependency.name);
        if !mentions(&sources, &name.replace('-', "_")) {
            let line = text.lines().position(|line| line.starts_with(name.as_str()));
            let what = format!("no source of {} mentions {name}", package.name);
            let line = line.map_or(1, |at| at + 1);
            findings.push(Finding::new(manifest, line, what, "remove the line"));
        }
    }
    Ok(())
}

fn mentions(sources: &str, word: &str) -> bool {
    sources.match_indices(word).any(|(at, _)| {
        let before = sources.get(..at).is_some_and(|text| text.ends_with(is_word));
        let after = sources.get(at + word.len()..).is_some_and(|text| text.starts_with(is_word));
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_holds_for_its_group() {
        let manifest = "[workspace.dependencies]\nown = { path = \"x\" }\n\n# Wire.\n\
            serde = \"1\"\ntoml = \"1\"\n\nstray = \"1\"\n[profile.dev]\ndebug = false\n";
        let seen: Vec<_> =
            entries(manifest).into_iter().map(|e| (e.name, e.line, e.explained)).collect();
        let want = [("own", 2, true), ("serde", 5, true), ("toml", 6, true), ("stray", 8, false)];
        assert_eq!(seen, want.map(|(name, line, explained)| (name.to_owned(), line, explained)));
    }

    #[test]
    fn mentions_are_whole_words() {
        assert!(mentions("use serde::Deserialize;", "serde"));
        assert!(!mentions("use serde_json::Value;", "serde"));
    }
}
