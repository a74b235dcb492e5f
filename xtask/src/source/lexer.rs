//! Which characters of a Rust file are code, comment or literal.

use super::is_word;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Code,
    Comment,
    Literal,
}

/// One kind for each character of the text.
pub(super) fn kinds(text: &str) -> Vec<Kind> {
    let mut lexer = Lexer { characters: text.chars().collect(), kinds: Vec::new() };
    while let Some(character) = lexer.peek(0) {
        match character {
            '/' if lexer.peek(1) == Some('/') => lexer.line_comment(),
            '/' if lexer.peek(1) == Some('*') => lexer.block_comment(),
            '"' => lexer.string(),
            '\'' => lexer.quote(),
            c if is_word(c) => lexer.word(),
            _ => lexer.take(Kind::Code),
        }
    }
    lexer.kinds
}

/// How far it has read is how many kinds it has written.
struct Lexer {
    characters: Vec<char>,
    kinds: Vec<Kind>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.kinds.len() + ahead).copied()
    }

    /// At the end of an unfinished comment or literal there is nothing left to take.
    fn take(&mut self, kind: Kind) {
        if self.peek(0).is_some() {
            self.kinds.push(kind);
        }
    }

    fn line_comment(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.take(Kind::Comment);
        }
    }

    /// Block comments nest in Rust.
    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.peek(0).is_some() {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                _ => {
                    self.take(Kind::Comment);
                    continue;
                }
            }
            self.take(Kind::Comment);
            self.take(Kind::Comment);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.take(Kind::Literal);
        self.until_closing('"');
    }

    fn until_closing(&mut self, quote: char) {
        while let Some(character) = self.peek(0) {
            self.take(Kind::Literal);
            if character == '\\' {
                self.take(Kind::Literal);
            } else if character == quote {
                return;
            }
        }
    }

    /// A character literal or a lifetime: only the former is closed after one character.
    fn quote(&mut self) {
        if self.peek(1) == Some('\\') || self.peek(2) == Some('\'') {
            // The character inside may itself be a quote, so it is taken unseen.
            self.take(Kind::Literal);
            if self.peek(0) != Some('\\') {
                self.take(Kind::Literal);
            }
            self.until_closing('\'');
        } else {
            self.take(Kind::Code);
        }
    }

    fn word(&mut self) {
        let mut word = String::new();
        while let Some(character) = self.peek(0).filter(|c| is_word(*c)) {
            word.push(character);
            self.take(Kind::Code);
        }
        if matches!(word.as_str(), "r" | "br" | "cr") {
            self.raw_string();
        }
    }

    /// `r#"..."#`; but `r#type` is a name.
    fn raw_string(&mut self) {
        let mut hashes = 0;
        while self.peek(hashes) == Some('#') {
            hashes += 1;
        }
        if self.peek(hashes) != Some('"') {
            return;
        }
        for _ in 0..=hashes {
            self.take(Kind::Literal);
        }
        while let Some(character) = self.peek(0) {
            self.take(Kind::Literal);
            if character == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                for _ in 0..hashes {
                    self.take(Kind::Literal);
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `c` code, `/` comment, `s` literal.
    fn drawn(text: &str) -> String {
        let draw = |kind: Kind| match kind {
            Kind::Code => 'c',
            Kind::Comment => '/',
            Kind::Literal => 's',
        };
        kinds(text).into_iter().map(draw).collect()
    }

    #[test]
    fn each_kind_is_seen() {
        let cases = [
            ("a // b", "cc////"),
            ("a /* /* */ b */ c", "cc/////////////cc"),
            (r#"f("\"", 'x')"#, "ccssssccsssc"),
            (r"'\'' '{' b'\n'", "sssscsssccssss"),
            ("&'a str", "ccccccc"),
            ("r#\"a\"b\"# c", "cssssssscc"),
            ("r#type", "cccccc"),
            ("\"// no\"", "sssssss"),
        ];
        for (text, kinds) in cases {
            assert_eq!(drawn(text), kinds, "{text}");
        }
    }

    #[test]
    fn unfinished_text_ends() {
        for text in ["\"abc", "/* abc", "'\\", "r#\"abc\"", "'"] {
            assert_eq!(kinds(text).len(), text.chars().count(), "{text}");
        }
    }
}
