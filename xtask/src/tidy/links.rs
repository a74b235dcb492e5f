//! Links between documents lead somewhere.

use crate::finding::Finding;
use crate::tree::Tree;
use anyhow::Result;
use std::path::{Component, Path, PathBuf};

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in tree.files_ending(&[".md"]) {
        for (line, target) in links(&tree.read(path)?) {
            let found = resolve(path, &target).is_some_and(|file| tree.has(&file));
            if !found {
                let what = format!("the link to {target} leads nowhere");
                findings.push(Finding::new(path, line, what, "correct or remove it"));
            }
        }
    }
    Ok(findings)
}

/// The relative targets with their lines; code is not prose.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let targets = targets(&without_code(line));
            found.extend(targets.into_iter().map(|target| (at + 1, target)));
        }
    }
    found
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

fn targets(line: &str) -> Vec<String> {
    let after_text = line.split("](").skip(1);
    let inside = after_text.filter_map(|rest| rest.split([')', ' ']).next());
    let files = inside.filter_map(|target| target.split('#').next());
    let relative = |target: &&str| {
        !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")
    };
    files.filter(relative).map(str::to_owned).collect()
}

/// The target seen from the root, unless it leaves the repository.
fn resolve(document: &str, target: &str) -> Option<PathBuf> {
    let folder = Path::new(document).parent()?;
    let mut resolved = PathBuf::new();
    for component in folder.join(target).components() {
        match component {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir if resolved.pop() => {}
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_links_are_seen() {
        let text = "See [a](docs/a.md#part) and [b](../b.md \"B\").\n![c](c.png)";
        let want = [(1, "docs/a.md"), (1, "../b.md"), (2, "c.png")];
        assert_eq!(links(text), want.map(|(line, target)| (line, target.to_owned())));
    }

    #[test]
    fn addresses_anchors_and_code_are_not() {
        let text = "[a](https://a.example) [b](#b) `[c](c.md)`\n```\n[d](d.md)\n```\n";
        assert_eq!(links(text), []);
    }

    #[test]
    fn targets_resolve_inside_the_repository_only() {
        assert_eq!(resolve("docs/guide/a.md", "../b.md"), Some(PathBuf::from("docs/b.md")));
        assert_eq!(resolve("a.md", "../b.md"), None);
        assert_eq!(resolve("a.md", "/etc/hosts"), None);
    }
}
