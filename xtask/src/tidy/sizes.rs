//! How long files, functions and lines may be.

use super::ratchet::{self, Excess, Subject};
use crate::finding::Finding;
use crate::source::Source;
use crate::tree::Tree;
use anyhow::Result;
use std::path::Path;

/// Production lines: the unit tests at the end of a Rust file are not counted.
const FILE_LINES: usize = 500;
/// Lines with code on them, from `fn` to the closing brace.
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 100;
/// A word that cannot be broken, such as an address or a test vector, may stand out.
const UNBREAKABLE: usize = 60;

/// What people write by hand, line by line. Documents flow, templates and lock files do not.
const WRITTEN: &[&str] = &[".rs", ".mjs", ".js", ".py", ".css", ".sql", ".sh"];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut excesses = Vec::new();
    for path in tree.files_ending(WRITTEN) {
        let text = tree.read(path)?;
        findings.extend(wide_lines(path, &text));
        excesses.extend(measure(path, &text));
    }
    findings.extend(ratchet::judge(&tree.read(ratchet::FILE)?, excesses));
    Ok(findings)
}

fn measure(path: &str, text: &str) -> Vec<Excess> {
    let mut excesses = Vec::new();
    let mut lines = text.lines().count();
    if Path::new(path).extension().is_some_and(|extension| extension == "rs") {
        let source = Source::new(text);
        lines = source.production_lines();
        for function in source.functions().into_iter().filter(|f| f.code_lines > FUNCTION_LINES) {
            let subject = Subject::function(path, &function.name);
            let (line, size) = (function.first, function.code_lines);
            excesses.push(Excess { subject, line, size, limit: FUNCTION_LINES });
        }
    }
    if lines > FILE_LINES {
        let subject = Subject::file(path);
        excesses.push(Excess { subject, line: 1, size: lines, limit: FILE_LINES });
    }
    excesses
}

fn wide_lines(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let columns = line.chars().count();
        let longest = line.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
        if columns > COLUMNS && longest <= UNBREAKABLE {
            let what = format!("{columns} columns, {COLUMNS} allowed");
            findings.push(Finding::new(path, at + 1, what, "break the line"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_passes_and_one_more_does_not() {
        let file = |lines: usize| measure("a.rs", &"use b;\n".repeat(lines)).len();
        assert_eq!((file(FILE_LINES), file(FILE_LINES + 1)), (0, 1));
        let function = |body: usize| {
            let text = format!("fn a() {{\n{}}}\n", "b();\n".repeat(body));
            measure("a.rs", &text).len()
        };
        assert_eq!((function(FUNCTION_LINES - 2), function(FUNCTION_LINES - 1)), (0, 1));
        let line = |columns: usize| wide_lines("a.rs", &"a ".repeat(columns / 2)).len();
        assert_eq!((line(COLUMNS), line(COLUMNS + 2)), (0, 1));
    }

    #[test]
    fn unit_tests_and_unbreakable_words_are_free() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "use b;\n".repeat(FILE_LINES));
        assert_eq!(measure("a.rs", &tests).len(), 0);
        assert_eq!(measure("a.mjs", &tests).len(), 1);
        assert_eq!(wide_lines("a.rs", &format!("// {}", "a".repeat(COLUMNS))).len(), 0);
    }
}
