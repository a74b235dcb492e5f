//! What `keywright init` writes, and the page of the reference: both from the table of settings.

use std::fmt::Write as _;

use super::setting::{Effect, Fallback, SECTIONS, Section, Setting};

const TEMPLATE_HEAD: &str = "\
# Keywright's configuration. Every setting is here with its default; remove the # before one to
# change it. `keywright doctor` judges it; a running server reads it again when it
# changes, and on SIGHUP.
# Each setting can also be a variable of the environment: KEYWRIGHT_SECTION__KEY.
";

const REFERENCE_HEAD: &str = "\
<!-- Generated from the table of settings; a test of keywright-server says how to renew it. -->
# Configuration

One TOML file: `--config FILE`, else `keywright.toml` in the working directory, else the defaults
below. `keywright init` writes one with every setting explained.

- **Environment.** `KEYWRIGHT_SECTION__KEY` counts more than the file: `KEYWRIGHT_ISSUER`,
  `KEYWRIGHT_TOKENS__ACCESS_LIFETIME=5m`. A list is separated by commas.
- **Nothing is ignored.** A key or variable that does not exist is an error that names the line and
  the nearest setting.
- **Durations** are a whole number and a unit: `2s`, `10m`, `12h`, `90d`. The least is 1 s, for
  codes and access tokens 2 s.
- **Secrets** are references: `file:PATH` (readable by its owner only), `env:NAME`, or the secret
  itself.
- **Paths** that are relative start at the folder of the configuration file.
- **Reload.** A running server reads the file again when it changes, and on SIGHUP. What says
  *reload* changes then, what says *restart* is named in the log and keeps its old value.
";

/// The file that `keywright init` writes.
pub(super) fn template() -> String {
    let mut text = TEMPLATE_HEAD.to_owned();
    for section in SECTIONS {
        text.push('\n');
        comment(&mut text, section.what);
        if !section.name.is_empty() {
            _ = writeln!(text, "[{}]", section.name);
        }
        for setting in section.settings {
            text.push('\n');
            template_setting(&mut text, setting);
        }
    }
    text
}

fn template_setting(text: &mut String, setting: &Setting) {
    comment(text, setting.what);
    if let Fallback::Unset { meaning, .. } = setting.fallback {
        comment(text, &format!("Left out: {meaning}."));
    }
    _ = writeln!(text, "#{} = {}", setting.name, literal(setting.fallback));
}

/// The page `docs/reference/configuration.md`.
pub fn reference() -> String {
    let mut page = REFERENCE_HEAD.to_owned();
    for section in SECTIONS {
        let title = match section.name {
            "" => "Top level".to_owned(),
            name => format!("`[{name}]`"),
        };
        _ = writeln!(page, "\n## {title}\n\n{}", section.what);
        if !section.settings.is_empty() {
            page.push_str("\n| setting | left out | changes at | meaning |\n|---|---|---|---|\n");
        }
        for setting in section.settings {
            _ = writeln!(page, "{}", reference_row(section, setting));
        }
        if !section.reserved.is_empty() {
            let names: Vec<_> = section.reserved.iter().map(|name| format!("`{name}`")).collect();
            _ = writeln!(page, "\nReserved, and refused in this version: {}.", names.join(", "));
        }
    }
    page
}

fn reference_row(section: &Section, setting: &Setting) -> String {
    let name = section.full_name(setting.name);
    let left_out = match setting.fallback {
        Fallback::Unset { meaning, .. } => meaning.to_owned(),
        fallback => format!("`{}`", literal(fallback)),
    };
    let effect = match setting.effect {
        Effect::Reload => "reload",
        Effect::Restart => "restart",
    };
    format!("| `{name}` | {left_out} | {effect} | {} |", setting.what)
}

fn literal(fallback: Fallback) -> String {
    match fallback {
        Fallback::EmptyList => "[]".into(),
        Fallback::Integer(number) => number.to_string(),
        Fallback::No => "false".into(),
        Fallback::Text(text) => format!("\"{text}\""),
        Fallback::Unset { example, .. } => example.into(),
    }
}

/// A comment in lines that fit a terminal.
fn comment(text: &mut String, words: &str) {
    const COLUMNS: usize = 98;
    let mut line = String::new();
    for word in words.split_whitespace() {
        if line.len() + word.len() > COLUMNS - 3 {
            _ = writeln!(text, "#{line}");
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    _ = writeln!(text, "#{line}");
}
