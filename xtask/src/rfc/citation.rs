//! Citations as people write them: `RFC 7636 §4.6`, `OpenID Connect Core 1.0 §3.1.2.1, §5.4` in
//! comments, `RFC7636-4.6` in the names of cases, `rfc7636_4_6_...` in the names of functions.

use super::specification::{NAMED, Specification};
use crate::source::is_word;

/// A section of a specification.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Requirement {
    pub(super) specification: Specification,
    pub(super) section: Section,
}

/// Ordered by its numbers: 4.9 before 4.10, appendices last.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Section {
    order: Vec<(u32, String)>,
    pub(super) text: String,
}

impl Section {
    fn new(text: &str) -> Self {
        let part = |part: &str| match part.parse() {
            Ok(number) => (number, String::new()),
            Err(_) => (u32::MAX, part.to_owned()),
        };
        Self { order: text.split('.').map(part).collect(), text: text.to_owned() }
    }
}

/// Every requirement that a line of prose names.
pub(super) fn in_text(line: &str) -> Vec<Requirement> {
    let mut found = Vec::new();
    let mut rest = line;
    let mut inside_word = false;
    while let Some(character) = rest.chars().next() {
        let named = if inside_word { None } else { specification(rest) };
        if let Some((specification, after)) = named {
            let (sections, after) = sections(after);
            let requirement =
                |section| Requirement { specification: specification.clone(), section };
            found.extend(sections.into_iter().map(requirement));
            rest = after;
            inside_word = false;
        } else {
            inside_word = is_word(character);
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
    }
    found
}

/// The requirement that the name of a test begins with.
pub(super) fn in_name(name: &str) -> Option<Requirement> {
    let (head, numbers) = name.split_once('_')?;
    let specification = match head.strip_prefix("rfc") {
        Some(number) => Specification::Rfc(number.parse().ok()?),
        None => NAMED.iter().find(|n| n.id.eq_ignore_ascii_case(head)).map(other)?,
    };
    let is_number = |part: &&str| part.chars().all(|c| c.is_ascii_digit()) && !part.is_empty();
    let section: Vec<&str> = numbers.split('_').take_while(is_number).collect();
    let section = Section::new(&section.join("."));
    (!section.text.is_empty()).then_some(Requirement { specification, section })
}

fn other(named: &super::specification::Named) -> Specification {
    Specification::Other(named.id)
}

fn specification(text: &str) -> Option<(Specification, &str)> {
    if let Some(after) = text.strip_prefix("RFC") {
        let after = after.strip_prefix([' ', '\u{a0}']).unwrap_or(after);
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = after.split_at(digits);
        return Some((Specification::Rfc(number.parse().ok()?), after));
    }
    NAMED.iter().find_map(|named| {
        let mut spellings = named.spellings.iter().chain([&named.id]);
        let after = spellings.find_map(|spelling| text.strip_prefix(spelling))?;
        let after = after.strip_prefix(" 1.0").unwrap_or(after);
        (!after.starts_with(is_word)).then_some((other(named), after))
    })
}

/// The sections right behind a name: one after a hyphen, or a list of them after signs.
fn sections(text: &str) -> (Vec<Section>, &str) {
    if let Some(after) = text.strip_prefix('-') {
        let (section, after) = section(after);
        return (section.into_iter().collect(), after);
    }
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(after) = section_sign(rest) {
        let (section, after) = section(after);
        let Some(section) = section else { break };
        found.push(section);
        rest = after;
    }
    (found, rest)
}

fn section_sign(text: &str) -> Option<&str> {
    let joins = [", and ", ", ", " and ", " or ", " to ", "; ", "/", "-", " ", ""];
    let signs = ["§§", "§", "section ", "Section ", "Appendix ", "appendix "];
    joins.iter().filter_map(|join| text.strip_prefix(join)).find_map(|after| {
        signs.iter().find_map(|sign| after.strip_prefix(sign)).map(str::trim_start)
    })
}

/// `4`, `4.1.2`, `B`, `B.1`; a full stop that ends the sentence is not part of it.
fn section(text: &str) -> (Option<Section>, &str) {
    let mut length = 0;
    for part in text.split('.') {
        let word: usize = part.chars().take_while(|c| is_word(*c)).map(char::len_utf8).sum();
        let (word, after) = part.split_at(word);
        if !is_section_part(word) {
            break;
        }
        length += word.len() + usize::from(length > 0);
        if !after.is_empty() {
            break;
        }
    }
    let (section, after) = text.split_at(length);
    ((length > 0).then(|| Section::new(section)), after)
}

fn is_section_part(word: &str) -> bool {
    let digits = word.chars().all(|c| c.is_ascii_digit());
    let letter = word.len() == 1 && word.chars().all(|c| c.is_ascii_uppercase());
    !word.is_empty() && (digits || letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(line: &str) -> Vec<String> {
        let id = |requirement: Requirement| match requirement.specification {
            Specification::Rfc(number) => format!("{number} {}", requirement.section.text),
            Specification::Other(id) => format!("{id} {}", requirement.section.text),
        };
        in_text(line).into_iter().map(id).collect()
    }

    #[test]
    fn comments_cite() {
        let cases: &[(&str, &[&str])] = &[
            ("// RFC 7636 §4.6", &["7636 4.6"]),
            ("(RFC 6749 §4.1.2, §5.2 and §B). More.", &["6749 4.1.2", "6749 5.2", "6749 B"]),
            ("RFC 6749 §4.1. Then RFC 9700, section 2.1.1.", &["6749 4.1", "9700 2.1.1"]),
            ("RFC 7518 Appendix B.1", &["7518 B.1"]),
            ("OpenID Connect Core 1.0 §3.1.2.1", &["OIDCC 3.1.2.1"]),
            ("OIDC Core §5.4; RP-Initiated Logout §2", &["OIDCC 5.4", "OIDCRIL 2"]),
            ("RFC 7515 §4.1.11: crit", &["7515 4.1.11"]),
        ];
        for (line, want) in cases {
            assert_eq!(ids(line), *want, "{line}");
        }
    }

    #[test]
    fn cases_cite() {
        assert_eq!(ids(r#"must: "RFC6749-4.1.2", name: "second use""#), ["6749 4.1.2"]);
        assert_eq!(ids(r#""OIDCC-3.1.2.1" "RFC7518-B""#), ["OIDCC 3.1.2.1", "7518 B"]);
    }

    #[test]
    fn other_text_does_not() {
        for line in ["RFC 7636", "RFC §4", "XRFC 7636 §4", "RFC7636-x", "§4.6", "OIDCCX-3", ""] {
            assert_eq!(ids(line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn names_cite() {
        let section = |name| in_name(name).map(|requirement| requirement.section.text);
        assert_eq!(section("rfc7636_4_6_wrong_verifier"), Some("4.6".to_owned()));
        assert_eq!(section("oidcc_3_1_2_1_prompt"), Some("3.1.2.1".to_owned()));
        assert_eq!(section("rfc7636_wrong_verifier"), None);
        assert_eq!(section("wrong_verifier_7636"), None);
    }

    #[test]
    fn sections_order_by_number() {
        let mut sections = ["B", "4.10", "4.9", "4", "A.1"].map(Section::new);
        sections.sort();
        assert_eq!(sections.map(|section| section.text), ["4", "4.9", "4.10", "A.1", "B"]);
    }
}
