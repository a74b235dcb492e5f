//! Rust text, taken apart just far enough to count lines and to tell code from prose.

mod lexer;

use lexer::Kind;

/// One file with what is code, comment and literal told apart. Lines are numbered from 1.
#[derive(Debug)]
pub(crate) struct Source {
    text: String,
    code: String,
    prose: String,
}

/// A function with a body; `first` and `last` are the lines of `fn` and of its closing brace.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) code_lines: usize,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let kinds = lexer::kinds(text);
        Self {
            text: text.to_owned(),
            code: keep(text, &kinds, &[Kind::Code]),
            prose: keep(text, &kinds, &[Kind::Comment, Kind::Literal]),
        }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.text)
    }

    /// The lines with comments and the insides of literals blanked out.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.code)
    }

    /// The lines with all but comments and literals blanked out.
    pub(crate) fn prose_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.prose)
    }

    /// How many lines stand before the test module at the end of the file.
    pub(crate) fn production_lines(&self) -> usize {
        let found = self.modules_for_tests().into_iter().find(|(_, module)| module.ends_with('{'));
        found.map_or_else(|| self.code.lines().count(), |(at, _)| at)
    }

    /// The modules in files of their own that are built for tests only.
    pub(crate) fn test_files(&self) -> impl Iterator<Item = &str> {
        let modules = self.modules_for_tests().into_iter();
        let names =
            modules.filter_map(|(_, module)| module.strip_suffix(';')?.split(' ').next_back());
        names.map(str::trim)
    }

    /// Each `mod` that is built for tests only, with the number of lines before its attribute.
    fn modules_for_tests(&self) -> Vec<(usize, &str)> {
        let lines: Vec<&str> = self.code.lines().map(str::trim).collect();
        let mut found = Vec::new();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| **line == "#[cfg(test)]") {
            let item = lines.iter().skip(at + 1).find(|line| !line.starts_with("#["));
            let module = item.filter(|line| line.starts_with("mod ") || line.contains(" mod "));
            found.extend(module.map(|module| (at, *module)));
        }
        found
    }

    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            found.extend(function_at(&self.code, at));
        }
        found
    }
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// The same lines with every other kind of byte turned into a space. Bytes beyond ASCII stay
/// only where they are kept whole, so the result is text again.
fn keep(text: &str, kinds: &[Kind], wanted: &[Kind]) -> String {
    let mut kept = String::with_capacity(text.len());
    for ((_, character), kind) in text.char_indices().zip(kinds) {
        let stays = character == '\n' || wanted.contains(kind);
        kept.push(if stays { character } else { ' ' });
    }
    kept
}

fn function_at(code: &str, at: usize) -> Option<Function> {
    let before = code.get(..at)?;
    if before.ends_with(is_word) {
        return None;
    }
    let signature = code.get(at + "fn ".len()..)?;
    let name: String = signature.chars().take_while(|c| is_word(*c)).collect();
    let body = body_start(signature).filter(|_| !name.is_empty())?;
    let text = signature.get(..body + block_length(signature.get(body..)?)?)?;
    let first = before.matches('\n').count() + 1;
    Some(Function {
        name,
        first,
        last: first + text.matches('\n').count(),
        code_lines: text.lines().filter(|line| !line.trim().is_empty()).count(),
    })
}

/// Where the body opens, unless the declaration ends without one. A `;` inside brackets is the
/// length of an array.
fn body_start(signature: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in signature.char_indices() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn block_length(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in code.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth <= 1 => return Some(at + 1),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_without_comments_and_blank_lines() {
        let text =
            "fn a() {\n    // why {\n\n    let s = \"}\";\n}\nfn b(x: [u8; 2]) -> u8 { 1 }\n";
        let functions = Source::new(text).functions();
        let seen: Vec<_> =
            functions.iter().map(|f| (f.name.as_str(), f.first, f.last, f.code_lines)).collect();
        assert_eq!(seen, [("a", 1, 5, 3), ("b", 6, 6, 1)]);
    }

    #[test]
    fn declarations_types_and_words_are_not_functions() {
        let text = "trait T { fn a(&self); }\ntype F = fn (u8);\nconst X: &str = \"fn b() {}\";\n";
        assert_eq!(Source::new(text).functions(), []);
        assert_eq!(Source::new("my_fn x { }").functions(), []);
    }

    #[test]
    fn production_ends_where_the_tests_begin() {
        let with = "fn a() {}\n\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n}\n";
        assert_eq!(Source::new(with).production_lines(), 2);
        let helper = "#[cfg(test)]\nfn only_for_tests() {}\nfn b() {}\n";
        assert_eq!(Source::new(helper).production_lines(), 3);
        assert_eq!(Source::new("// #[cfg(test)]\n// mod tests {\n").production_lines(), 2);
    }

    #[test]
    fn modules_in_other_files_do_not_end_it() {
        let text = "mod a;\n#[cfg(test)]\npub(crate) mod vectors;\nfn b() {}\n";
        let source = Source::new(text);
        assert_eq!(source.production_lines(), 4);
        assert_eq!(source.test_files().collect::<Vec<_>>(), ["vectors"]);
        assert_eq!(Source::new("mod a;\n").test_files().count(), 0);
    }

    #[test]
    fn code_and_prose_are_told_apart() {
        let source = Source::new("let a = \"§\"; // RFC\n");
        let code: Vec<_> = source.code_lines().map(|(_, line)| line.trim_end()).collect();
        let prose: Vec<_> = source.prose_lines().map(|(_, line)| line.trim()).collect();
        assert_eq!(code, ["let a =    ;"]);
        assert_eq!(prose, ["\"§\"  // RFC"]);
    }
}
