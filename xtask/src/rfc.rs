//! `cargo xtask rfc`: which line of code and which test answer which requirement, joined by the
//! citations alone, into `docs/rfc-coverage.md`.

mod citation;
mod coverage;
mod specification;

use crate::Verdict;
use crate::finding::{self, Finding};
use crate::metadata::Metadata;
use crate::source::Source;
use crate::tree::Tree;
use anyhow::{Context, Result};
use coverage::{Coverage, Place};
use std::fs;

const FILE: &str = "docs/rfc-coverage.md";
/// The tests that are not Rust: scripts that drive foreign clients and the browser.
const SCRIPTS: &[&str] = &[".mjs", ".py"];
/// The integration tests. This program's own sources are left out: they cite to show the form.
const TESTS: &str = "tests/";
const OWN: &str = "xtask/";

/// What a whole file is for. One for the product may still end in its unit tests.
#[derive(Clone, Copy, Debug)]
enum Role {
    Product,
    Tests,
}

pub(crate) fn write() -> Result<Verdict> {
    let tree = open()?;
    let page = render(&tree)?;
    fs::write(tree.path(FILE), page).with_context(|| format!("cannot write {FILE}"))?;
    Ok(Verdict::Clean)
}

pub(crate) fn check() -> Result<Verdict> {
    Ok(finding::report(stale(&open()?)?.into_iter().collect()))
}

/// A finding when the page is not what would be written now.
pub(crate) fn stale(tree: &Tree) -> Result<Option<Finding>> {
    let present = tree.read(FILE).unwrap_or_default();
    let fresh = render(tree)?;
    if present == fresh {
        return Ok(None);
    }
    let differs = present.lines().zip(fresh.lines()).take_while(|(old, new)| old == new).count();
    Ok(Some(Finding::new(FILE, differs + 1, "it is stale", "run `cargo xtask rfc`")))
}

fn open() -> Result<Tree> {
    Tree::open(&Metadata::load()?.workspace_root)
}

fn render(tree: &Tree) -> Result<String> {
    let mut coverage = Coverage::default();
    let mut sources = Vec::new();
    for path in tree.files_ending(&[".rs"]).filter(|path| !path.starts_with(OWN)) {
        sources.push((path, Source::new(&tree.read(path)?)));
    }
    let declared: Vec<String> =
        sources.iter().flat_map(|(path, source)| test_modules(path, source)).collect();
    for (path, source) in &sources {
        let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let for_tests = is_test(path) || declared.iter().any(|tests| within(module, tests));
        let role = if for_tests { Role::Tests } else { Role::Product };
        add_rust(&mut coverage, path, source, role);
    }
    for path in tree.files_ending(SCRIPTS).filter(|path| path.starts_with(TESTS)) {
        for (at, line) in tree.read(path)?.lines().enumerate() {
            for requirement in citation::in_text(line) {
                coverage.add_test(requirement, Place::new(path, at + 1));
            }
        }
    }
    Ok(coverage.page())
}

/// A file of tests by its place: the integration crate's, or a crate's own `tests/`.
fn is_test(path: &str) -> bool {
    path.starts_with(TESTS) || path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// What a file declares as built for tests only, as paths without `.rs`.
fn test_modules(path: &str, source: &Source) -> Vec<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => path.trim_end_matches(".rs").to_owned(),
    };
    source.test_files().map(|name| format!("{folder}/{name}")).collect()
}

fn within(module: &str, parent: &str) -> bool {
    module.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Comments and literals cite; so do the names of tests. What stands in the test module, in a
/// file of tests or in the integration crate is a test, all else is code.
fn add_rust(coverage: &mut Coverage, path: &str, source: &Source, role: Role) {
    let production = match role {
        Role::Product => source.production_lines(),
        Role::Tests => 0,
    };
    for (number, line) in source.prose_lines() {
        for requirement in citation::in_text(line) {
            let place = Place::new(path, number);
            if number <= production {
                coverage.add_code(requirement, place);
            } else {
                coverage.add_test(requirement, place);
            }
        }
    }
    for function in source.functions().into_iter().filter(|f| f.first > production) {
        if let Some(requirement) = citation::in_name(&function.name) {
            coverage.add_test(requirement, Place::new(path, function.first));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &str, text: &str) -> String {
        let mut coverage = Coverage::default();
        let role = if is_test(path) { Role::Tests } else { Role::Product };
        add_rust(&mut coverage, path, &Source::new(text), role);
        coverage.page()
    }

    const PKCE: &str = "// RFC 7636 §4.6\nfn verify() {}\n\n#[cfg(test)]\nmod tests {\n    \
        fn a() { case(\"RFC7636-4.6\"); }\n    fn rfc7636_4_1_short() {}\n}\n";

    #[test]
    fn code_and_tests_meet_in_one_row() {
        let page = page("crates/keywright-protocol/src/pkce.rs", PKCE);
        let row = "| [4.6](https://www.rfc-editor.org/rfc/rfc7636#section-4.6) \
            | [protocol/pkce.rs:1](../crates/keywright-protocol/src/pkce.rs#L1) \
            | [protocol/pkce.rs:6](../crates/keywright-protocol/src/pkce.rs#L6) |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| - | [protocol/pkce.rs:7]"), "{page}");
    }

    #[test]
    fn the_integration_crate_holds_tests_only() {
        let page = page("tests/flows/pkce.rs", "// RFC 7636 §4.6\n");
        assert!(page.contains("| - | [tests/flows/pkce.rs:1]"), "{page}");
    }

    #[test]
    fn modules_for_tests_are_known_by_their_declaration() {
        let source = Source::new("mod jws;\n#[cfg(test)]\nmod vectors;\n");
        assert_eq!(test_modules("crates/a/src/lib.rs", &source), ["crates/a/src/vectors"]);
        assert_eq!(test_modules("crates/a/src/b.rs", &source), ["crates/a/src/b/vectors"]);
        assert!(within("crates/a/src/vectors/rsa", "crates/a/src/vectors"));
        assert!(!within("crates/a/src/vectors_of_use", "crates/a/src/vectors"));
    }

    #[test]
    fn code_itself_does_not_cite() {
        assert!(!page("crates/a/src/b.rs", "let x = rfc!(RFC7636-4.6);\n").contains("7636"));
    }
}
