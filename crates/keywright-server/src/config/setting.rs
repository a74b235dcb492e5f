//! The table of all settings. What is read, what `init` writes and what the reference says all come
//! from it.

use super::{
    audit, keys, limits, outbound, revocation, server, store, telemetry, testing, tls, tokens,
};

/// What holds when a setting is left out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fallback {
    EmptyList,
    Integer(i64),
    No,
    Text(&'static str),
    /// No value, or one that is worked out.
    Unset {
        /// A value as TOML, to show how one is written.
        example: &'static str,
        /// What happens without one.
        meaning: &'static str,
    },
}

/// When a changed setting takes effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    Reload,
    Restart,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) fallback: Fallback,
    pub(super) effect: Effect,
    pub(super) what: &'static str,
}

/// A table of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    /// Its name; empty for what stands before the first table.
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) settings: &'static [Setting],
    /// Names that later versions will use: whoever writes one today would believe that it works.
    pub(super) reserved: &'static [&'static str],
}

impl Section {
    pub(super) fn setting(&self, name: &str) -> Option<&'static Setting> {
        self.settings.iter().find(|setting| setting.name == name)
    }

    /// A setting's full name, as messages write it.
    pub(super) fn full_name(&self, name: &str) -> String {
        if self.name.is_empty() { name.to_owned() } else { format!("{}.{name}", self.name) }
    }

    /// A setting's variable.
    pub(super) fn variable(&self, name: &str) -> String {
        format!("KEYWRIGHT_{}", self.full_name(name).replace('.', "__").to_ascii_uppercase())
    }
}

/// What stands before the first table.
pub(super) static ROOT: Section = Section {
    name: "",
    what: "The server's name.",
    settings: &[Setting {
        name: "issuer",
        fallback: Fallback::Unset {
            example: "\"https://id.example.com\"",
            meaning: "the address of `server.listen`, which must then be loopback",
        },
        effect: Effect::Restart,
        what: "The URL under which everybody knows this server: https (http only on loopback), no \
               slash at the end. Links and tokens carry it; no header of a request changes it.",
    }],
    reserved: &[],
};

/// Every table of the file, in the order in which they are written.
pub(super) static SECTIONS: [&Section; 12] = [
    &ROOT,
    &server::SECTION,
    &tls::SECTION,
    &store::SECTION,
    &keys::SECTION,
    &tokens::SECTION,
    &audit::SECTION,
    &revocation::SECTION,
    &outbound::SECTION,
    &limits::SECTION,
    &telemetry::SECTION,
    &testing::SECTION,
];

/// Tables that later versions will have.
pub(super) const RESERVED_SECTIONS: [&str; 1] = ["registration"];

/// Every setting with the table it stands in.
pub(super) fn all() -> impl Iterator<Item = (&'static Section, &'static Setting)> {
    SECTIONS.iter().flat_map(|section| section.settings.iter().map(move |it| (*section, it)))
}

/// The setting whose full name is most like this one.
pub(super) fn nearest(full_name: &str) -> (&'static Section, &'static Setting) {
    let (table, name) = full_name.split_once('.').unwrap_or(("", full_name));
    let distance = |(section, setting): &(&'static Section, &'static Setting)| {
        let short = !name.is_empty() && setting.name.starts_with(name);
        let long = name.starts_with(setting.name);
        // A right name in a wrong table, a table alone, or a shortened name in its table are nearer
        // than any misspelling.
        let meant = name == setting.name || name == section.name;
        if meant || (table == section.name && (short || long)) {
            return 0;
        }
        edits(full_name, &section.full_name(setting.name))
    };
    all().min_by_key(distance).expect("there are settings")
}

/// The least number of letters to add, drop or change (Levenshtein).
pub(super) fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (done, a) in from.chars().enumerate() {
        let mut diagonal = done;
        let mut left = done + 1;
        for (above, b) in row.iter_mut().skip(1).zip(to.chars()) {
            let change = diagonal + usize::from(a != b);
            diagonal = *above;
            left = change.min(left + 1).min(diagonal + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = done + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (from, to, want) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(edits(from, to), want, "{from} {to}");
        }
    }

    #[test]
    fn the_nearest_is_what_was_meant() {
        let cases = [
            ("tokens.acces_lifetime", "tokens.access_lifetime"),
            ("listen", "server.listen"),
            ("telemetry.listen", "server.listen"),
            ("issuer_url", "issuer"),
            ("isuer", "issuer"),
            ("tls.cert", "tls.certificate"),
            ("tokens", "tokens.access_lifetime"),
        ];
        for (raw, want) in cases {
            let (section, setting) = nearest(raw);
            assert_eq!(section.full_name(setting.name), want, "{raw}");
        }
    }

    #[test]
    fn names_are_said_once() {
        let mut names: Vec<String> = all().map(|(s, it)| s.full_name(it.name)).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
