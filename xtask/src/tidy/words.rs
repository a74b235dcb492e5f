//! Words and names that do not belong in the tree.

use crate::finding::Finding;
use crate::source::is_word;
use crate::tree::Tree;
use anyhow::Result;

/// What is written by people; lock files and pictures are not.
const TEXTS: &[&str] = &[
    ".rs",
    ".md",
    ".toml",
    ".mjs",
    ".js",
    ".py",
    ".html",
    ".css",
    ".sql",
    ".sh",
    ".txt",
    ".yml",
    "package.json",
    ".ci/run",
];
const SOURCES: &[&str] = &[".rs", ".mjs", ".js", ".py", ".sql"];

/// These name the words in order to forbid them.
const NAMING_THEM: &[&str] = &["STYLE.md", "xtask/src/tidy/words.rs"];

struct Ban {
    word: &'static str,
    remedy: &'static str,
}

const WORDS: &[Ban] = &[
    Ban { word: "TODO", remedy: "do it, or open an issue" },
    Ban { word: "FIXME", remedy: "do it, or open an issue" },
    Ban { word: "XXX", remedy: "say what is meant" },
    Ban { word: "HACK", remedy: "say why it must be so" },
    Ban { word: "todo!", remedy: "finish it, or leave it out" },
    Ban { word: "unimplemented!", remedy: "finish it, or leave it out" },
    Ban { word: "#[ignore", remedy: "repair the test or delete it" },
    Ban { word: "#[should_panic", remedy: "assert on the value or the error" },
];

/// Folders of one machine. An address such as `https://a.example/home/` is none.
const MACHINE_PATHS: &[&str] = &["/home/", "/Users/"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["common", "helper", "helpers", "manager", "misc", "service", "services", "util", "utils"];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in tree.files_ending(SOURCES) {
        findings.extend(empty_name(path));
    }
    for path in tree.files_ending(TEXTS).filter(|path| !NAMING_THEM.contains(path)) {
        for (at, line) in tree.read(path)?.lines().enumerate() {
            let found = banned_words(line).chain(machine_paths(line));
            findings.extend(found.map(|(what, how)| Finding::new(path, at + 1, what, how)));
        }
    }
    Ok(findings)
}

fn banned_words(line: &str) -> impl Iterator<Item = (String, &'static str)> {
    let found = WORDS.iter().filter(|ban| contains_word(line, ban.word));
    found.map(|ban| (format!("{} is not used here", ban.word), ban.remedy))
}

fn machine_paths(line: &str) -> impl Iterator<Item = (String, &'static str)> {
    let found = MACHINE_PATHS.iter().filter(|path| {
        line.match_indices(**path).any(|(at, _)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            !before.is_some_and(|c| is_word(c) || "./-}".contains(c))
        })
    });
    found.map(|path| (format!("a path of one machine: {path}"), "make it relative"))
}

/// The word with nothing of a longer word before or after it.
fn contains_word(line: &str, word: &str) -> bool {
    let starts_word = word.starts_with(is_word);
    let ends_word = word.ends_with(is_word);
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).is_some_and(|text| text.ends_with(is_word));
        let after = line.get(at + word.len()..).is_some_and(|text| text.starts_with(is_word));
        !(starts_word && before || ends_word && after)
    })
}

fn empty_name(path: &str) -> Option<Finding> {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let mut words = stem.split(['/', '_', '-']);
    let name = words.find(|word| EMPTY_NAMES.contains(word))?;
    let what = format!("`{name}` says nothing about what is inside");
    Some(Finding::new(path, 1, what, "name the file after the term of the specification"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_words_are_found_whole() {
        for line in ["// TODO: later", "todo!()", "    #[ignore = \"slow\"]", "XXX", "#[ignore]"] {
            assert_eq!(banned_words(line).count(), 1, "{line}");
        }
        for line in ["BCDF-XXXX", "TODOS", "a hack", "not_todo!()", "ignore"] {
            assert_eq!(banned_words(line).count(), 0, "{line}");
        }
    }

    #[test]
    fn machine_paths_are_found_and_addresses_are_not() {
        for line in ["\"/home/x\"", "in /home/ann/x", "(/Users/z)"] {
            assert_eq!(machine_paths(line).count(), 1, "{line}");
        }
        for line in ["https://a.example/home/x", "{issuer}/home/", "../home/", "src/home/"] {
            assert_eq!(machine_paths(line).count(), 0, "{line}");
        }
    }

    #[test]
    fn empty_names_are_found() {
        for path in ["a/utils.rs", "common/a.rs", "token_service.rs", "b/test-helpers.mjs"] {
            assert!(empty_name(path).is_some(), "{path}");
        }
        for path in ["a/token.rs", "uncommon.rs", "crates/keywright-server/src/app.rs"] {
            assert!(empty_name(path).is_none(), "{path}");
        }
    }
}
