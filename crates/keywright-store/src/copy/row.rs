//! Rows, their one written form, and digests over them.

use std::fmt;

use keywright_jose::{base64url_decode, base64url_encode, sha256};
use serde_json::Value;

use super::{Kind, Table};

/// A value of a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A number, or a flag.
    Number(i64),
    /// A text, or an identifier.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A row: a cell for each column of its table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row(pub Vec<Cell>);

impl Row {
    /// The row's one written form: a JSON array in a line, bytes in base64url.
    pub fn to_line(&self) -> String {
        let cells = self.0.iter().map(|cell| match cell {
            Cell::Null => Value::Null,
            Cell::Number(number) => (*number).into(),
            Cell::Text(text) => text.as_str().into(),
            Cell::Bytes(bytes) => base64url_encode(bytes).into(),
        });
        Value::Array(cells.collect()).to_string()
    }

    /// Reads a row of a table; nothing if the line is none.
    pub fn parse(table: Table, line: &str) -> Option<Self> {
        let values: Vec<Value> = serde_json::from_str(line).ok()?;
        let columns = table.columns();
        if values.len() != columns.len() {
            return None;
        }
        let cells = values.into_iter().zip(columns);
        let cells = cells.map(|(value, column)| read(value, column.kind)).collect::<Option<_>>()?;
        let row = Self(cells);
        // One form only: what is digested is what was read.
        (row.to_line() == line).then_some(row)
    }
}

fn read(value: Value, kind: Kind) -> Option<Cell> {
    match (value, kind) {
        (Value::Null, _) => Some(Cell::Null),
        (Value::Number(number), Kind::Number | Kind::Flag) => number.as_i64().map(Cell::Number),
        (Value::String(text), Kind::Text | Kind::Id(_)) => Some(Cell::Text(text)),
        (Value::String(text), Kind::Bytes) => base64url_decode(&text).ok().map(Cell::Bytes),
        _ => None,
    }
}

/// A digest over rows in whatever order they come, so that stores that order differently compare:
/// how many they are, and the sum of their SHA-256 as a number of 256 bits.
///
/// It proves that two honest stores hold the same rows. Against somebody who makes rows up, a
/// dump's own digest and its authentication are what counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Digest {
    /// How many rows.
    pub rows: u64,
    /// The least significant part first.
    sum: [u64; 4],
}

impl Digest {
    /// Adds a row in its written form.
    pub fn add(&mut self, line: &str) {
        self.rows += 1;
        let hash = sha256(line.as_bytes());
        let mut carry = false;
        for (sum, bytes) in self.sum.iter_mut().zip(hash.as_chunks::<8>().0) {
            let (next, first) = sum.overflowing_add(u64::from_le_bytes(*bytes));
            let (next, second) = next.overflowing_add(u64::from(carry));
            (*sum, carry) = (next, first || second);
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.iter().rev().try_for_each(|part| write!(f, "{part:016x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str) -> Row {
        Row(vec![Cell::Text(name.to_owned()), Cell::Bytes(vec![1, 2, 255])])
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let line = secret("a\n\"\u{1f}é").to_line();
        assert!(!line.contains('\n'));
        assert_eq!(Row::parse(Table::Secret, &line), Some(secret("a\n\"\u{1f}é")));
        let epoch = Row(vec![Cell::Number(-1), Cell::Null]);
        assert_eq!(Row::parse(Table::Epoch, &epoch.to_line()), Some(epoch.clone()));
        assert_eq!(Row::parse(Table::Secret, &epoch.to_line()), None, "other kinds");
        for bad in ["", "[]", "[1]", "[1,2,3]", "[1, 2]", "[1.0,2]", "[\"1\",2]", "{}"] {
            assert_eq!(Row::parse(Table::Epoch, bad), None, "{bad}");
        }
    }

    #[test]
    fn a_digest_knows_no_order_but_every_row() {
        let digest = |names: &[&str]| {
            let mut digest = Digest::default();
            for name in names {
                digest.add(&secret(name).to_line());
            }
            digest
        };
        assert_eq!(digest(&["a", "b", "c"]), digest(&["c", "a", "b"]));
        for other in [&["a", "b"][..], &["a", "b", "d"], &["a", "b", "b"], &["a", "b", "c", "c"]] {
            assert_ne!(digest(&["a", "b", "c"]), digest(other));
        }
        assert_eq!(digest(&[]).to_string(), "0".repeat(64));
        let mut full = Digest { rows: 0, sum: [u64::MAX; 4] };
        full.add("x");
        let mut one = Digest::default();
        one.add("x");
        let [first, ..] = one.sum;
        assert_eq!(full.sum.first(), Some(&(first - 1)), "the carry goes round and out");
    }
}
