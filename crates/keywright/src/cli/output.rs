//! What people and programs read: one JSON document, or aligned tables; hints go to stderr.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{Table, presets};
use keywright_protocol::time::Timestamp;
use serde_json::Value;

use super::failure::Failure;

/// Where a command's answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

/// A column of a table: its heading, and the member that it shows.
pub(crate) type Column = (&'static str, &'static str);

impl Output {
    /// A list: `{ "items": [...] }`, or a table.
    pub(crate) fn list(self, items: &[Value], columns: &[Column]) -> Result<(), Failure> {
        if self.json {
            return print(&pretty(&serde_json::json!({ "items": items })));
        }
        if items.is_empty() {
            return self.hint("none");
        }
        print(&table(items, columns))
    }

    /// One thing: as it is, or a line for each member that is set.
    pub(crate) fn show(self, item: &Value) -> Result<(), Failure> {
        if self.json {
            return print(&pretty(item));
        }
        let mut rows = blank();
        let (first, others): (Vec<_>, Vec<_>) =
            item.as_object().into_iter().flatten().partition(|(name, _)| FIRST.contains(&&***name));
        for (name, value) in first.into_iter().chain(others) {
            if !is_nothing(value) {
                rows.add_row([plain(name), cell(name, value)]);
            }
        }
        print(&trimmed(&rows))
    }

    /// What was done: the document for programs, a sentence for people.
    pub(crate) fn done(self, document: &Value, sentence: &str) -> Result<(), Failure> {
        print(&if self.json { pretty(document) } else { plain(sentence) })
    }

    /// What a person could do next; programs are not bothered.
    pub(crate) fn hint(self, text: &str) -> Result<(), Failure> {
        if !self.json {
            writeln!(io::stderr(), "{text}")?;
        }
        Ok(())
    }

    /// Whether somebody watches the progress.
    pub(crate) fn is_watched(self) -> bool {
        !self.json && io::stderr().is_terminal()
    }
}

/// What names a thing, or is told only once: nobody should have to look for it.
const FIRST: [&str; 7] =
    ["client_id", "client_secret", "id", "identifier", "name", "sub", "username"];

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Prints a line of the answer; a reader that has gone away has read enough.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn blank() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn table(items: &[Value], columns: &[Column]) -> String {
    let mut table = blank();
    table.set_header(columns.iter().map(|(heading, _)| *heading));
    for item in items {
        let value = |name: &str| item.get(name).unwrap_or(&Value::Null);
        table.add_row(columns.iter().map(|(_, name)| cell(name, value(name))));
    }
    trimmed(&table)
}

fn trimmed(table: &Table) -> String {
    let lines = table.lines().map(|line| line.trim().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// A value for people: times in words of RFC 3339, lists in one line.
pub(crate) fn cell(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => {
            moment(name, number.as_i64()).map_or_else(|| number.to_string(), time)
        }
        Value::Array(items) => {
            items.iter().map(|item| cell(name, item)).collect::<Vec<_>>().join(" ")
        }
        Value::String(text) if name.ends_with("_at") => whole_seconds(text),
        Value::String(text) => plain(text),
        // A scope with its description, and the like: the name says enough.
        Value::Object(members) => match members.get("name") {
            Some(Value::String(text)) => plain(text),
            _ => value.to_string(),
        },
    }
}

/// Audit events count milliseconds, RFC 7591 §3.2.1 seconds.
fn moment(name: &str, number: Option<i64>) -> Option<Timestamp> {
    match name {
        "time" => number.map(Timestamp::from_millis),
        "client_id_issued_at" => number.map(Timestamp::from_unix_s),
        _ => None,
    }
}

/// A moment of RFC 3339 without what nobody reads.
fn whole_seconds(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, _)) => plain(&format!("{whole}Z")),
        None => plain(text),
    }
}

/// A moment as people read it, RFC 3339.
pub(crate) fn time(moment: Timestamp) -> String {
    let second = jiff::Timestamp::from_second(moment.as_unix_s());
    second.map_or_else(|_| moment.as_millis().to_string(), |second| second.to_string())
}

/// Text from elsewhere, without what could move a terminal's cursor.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_aligned_and_empty_cells_are_seen() {
        let items = [
            json!({ "client_id": "pos", "disabled": false, "grant_types": ["a", "b"] }),
            json!({ "client_id": "client_longer", "disabled": true, "client_name": "Shop" }),
        ];
        let columns = [
            ("ID", "client_id"),
            ("NAME", "client_name"),
            ("DISABLED", "disabled"),
            ("G", "grant_types"),
        ];
        let printed = table(&items, &columns);
        let lines: Vec<_> = printed.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "ID             NAME  DISABLED  G",
                "pos            -     no        a b",
                "client_longer  Shop  yes       -",
            ]
        );
    }

    #[test]
    fn moments_are_rfc3339_and_names_move_no_cursor() {
        let want = "2025-11-23T09:00:00Z";
        assert_eq!(cell("time", &json!(1_763_888_400_123_i64)), want);
        assert_eq!(cell("client_id_issued_at", &json!(1_763_888_400)), want);
        assert_eq!(cell("created_at", &json!("2025-11-23T09:00:00.123Z")), want);
        assert_eq!(cell("seq", &json!(17)), "17");
        assert_eq!(cell("client_name", &json!("a\u{1b}[2Jb")), "a\u{fffd}[2Jb");
        assert_eq!(cell("scopes", &json!([{ "name": "a:read", "description": "x" }])), "a:read");
    }
}
