//! Where secrets are taken out of their wrapper. Not a fault, but each place deserves a look.

use crate::source::Source;
use crate::tree::Tree;
use anyhow::Result;

const CALL: &str = ".expose()";

/// One line for each call in production code: place, and the code itself.
pub(super) fn list(tree: &Tree) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for path in tree.files_ending(&[".rs"]).filter(|path| path.starts_with("crates/")) {
        lines.extend(calls(path, &tree.read(path)?));
    }
    Ok(lines)
}

fn calls(path: &str, text: &str) -> Vec<String> {
    let source = Source::new(text);
    let production = source.production_lines();
    let code = source.code_lines().take(production);
    let called: Vec<usize> =
        code.filter(|(_, line)| line.contains(CALL)).map(|(number, _)| number).collect();
    let shown = source.lines().filter(|(number, _)| called.contains(number));
    shown.map(|(number, line)| format!("{path}:{number}: {}", line.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_production_code_is_listed() {
        let text = "fn a(s: &S) {\n    f(s.expose());\n    // s.expose()\n}\n#[cfg(test)]\n\
            mod tests {\n    fn b(s: &S) { s.expose(); }\n}\n";
        assert_eq!(calls("a.rs", text), ["a.rs:2: f(s.expose());"]);
    }
}
