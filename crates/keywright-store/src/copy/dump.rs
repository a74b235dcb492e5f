//! A dump: all rows of a snapshot in a file, whose end proves that it is whole and genuine.
//!
//! Lines of JSON: a header; for each table its name and columns, then its rows; a trailer with the
//! tables' counts and digests, the SHA-256 of every line before it, and an HMAC of that under a key
//! of the master key. Without the master key nobody makes a dump that is accepted; with it, nobody
//! needs one. The dump holds what the store holds: the master key itself is never in it.

use std::io::{self, BufRead, Read, Write};

use keywright_jose::digest::Sha256;
use keywright_jose::hmac_sha256;
use keywright_protocol::secret::Secret;
use keywright_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Digest, Row, Snapshot, Table};
use crate::StoreFault;

/// The version of the format; a later one says what it changed.
const FORMAT: u32 = 1;
/// The version of the tables and columns in it.
const SCHEMA: u32 = 2;

/// The tables of a version of [`SCHEMA`]; none for one that this program does not know.
fn tables_of(schema: u32) -> Option<&'static [Table]> {
    match (schema, Table::ALL.split_last()) {
        // Before there were listed tokens.
        (1, Some((_, earlier))) => Some(earlier),
        (SCHEMA, _) => Some(Table::ALL),
        _ => None,
    }
}
/// The longest line: an event, or a client's metadata, many times over.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// Why a dump cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum DumpFault {
    /// Another key than the one that it was made with.
    #[error(
        "the dump was made with another master key (fingerprint {made_with}); the configured one \
         is {configured}"
    )]
    AnotherKey {
        /// The fingerprint in the dump.
        made_with: String,
        /// The fingerprint of the configured one.
        configured: String,
    },
    /// It cannot be read or written.
    #[error("the dump cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error("the dump is damaged or was changed: {0}")]
    NotAsWritten(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// It is no dump, or a later program's.
    #[error("{0}")]
    Unknown(&'static str),
}

/// The first line.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DumpHeader {
    /// The format's version; also what tells a dump from other files.
    pub keywright_dump: u32,
    /// The version of tables and columns.
    pub schema: u32,
    /// When the snapshot was taken.
    pub created_at: Timestamp,
    /// The kind of store.
    pub store: String,
    /// The issuer.
    pub issuer: String,
    /// Which master key opens what is sealed in it.
    pub master_fingerprint: String,
}

impl DumpHeader {
    /// The header of a dump made now.
    pub fn new(created_at: Timestamp, store: &str, issuer: &str, fingerprint: &str) -> Self {
        Self {
            keywright_dump: FORMAT,
            schema: SCHEMA,
            created_at,
            store: store.to_owned(),
            issuer: issuer.to_owned(),
            master_fingerprint: fingerprint.to_owned(),
        }
    }
}

/// What a whole dump holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DumpSummary {
    /// Each table's count and digest.
    pub tables: Vec<(Table, Digest)>,
    /// The SHA-256 of all lines before the trailer, hexadecimal.
    pub sha256: String,
}

impl DumpSummary {
    /// All rows together.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, digest)| digest.rows).sum()
    }
}

#[derive(Deserialize, Serialize)]
struct TableLine {
    table: String,
    columns: Vec<String>,
}

impl TableLine {
    fn of(table: Table) -> Self {
        let columns = table.columns().iter().map(|column| column.name.to_owned());
        Self { table: table.name().to_owned(), columns: columns.collect() }
    }
}

#[derive(Deserialize, Serialize)]
struct Trailer {
    tables: Vec<TableSum>,
    sha256: String,
    mac: String,
}

#[derive(Deserialize, Eq, PartialEq, Serialize)]
struct TableSum {
    table: String,
    rows: u64,
    digest: String,
}

impl Trailer {
    fn of(tables: &[(Table, Digest)], sha256: [u8; 32], key: &Secret<[u8; 32]>) -> Self {
        let tables = tables.iter().map(|(table, digest)| TableSum {
            table: table.name().to_owned(),
            rows: digest.rows,
            digest: digest.to_string(),
        });
        let mac = hmac_sha256(key.expose(), &sha256);
        Self { tables: tables.collect(), sha256: hex(&sha256), mac: hex(&mac) }
    }
}

/// Writes a dump.
pub struct DumpWriter<'a> {
    out: &'a mut (dyn Write + Send),
    sha256: Sha256,
    tables: Vec<(Table, Digest)>,
}

impl<'a> DumpWriter<'a> {
    /// Writes the header.
    pub fn begin(out: &'a mut (dyn Write + Send), header: &DumpHeader) -> Result<Self, DumpFault> {
        let mut dump = Self { out, sha256: Sha256::default(), tables: Vec::new() };
        dump.line(&json(header)?)?;
        Ok(dump)
    }

    /// Writes all rows of a snapshot; `watch` is told how many of which table.
    pub async fn tables(
        &mut self,
        snapshot: &mut dyn Snapshot,
        watch: &(dyn Fn(Table, u64) + Send + Sync),
    ) -> Result<(), DumpFault> {
        for table in Table::ALL {
            self.line(&json(&TableLine::of(*table))?)?;
            let (mut digest, mut after) = (Digest::default(), None);
            loop {
                let page = snapshot.page(*table, after.as_deref()).await?;
                for row in &page.rows {
                    let line = row.to_line();
                    digest.add(&line);
                    self.line(&line)?;
                }
                watch(*table, page.rows.len() as u64);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            self.tables.push((*table, digest));
        }
        Ok(())
    }

    /// Writes the trailer.
    pub fn end(self, key: &Secret<[u8; 32]>) -> Result<DumpSummary, DumpFault> {
        let sha256 = self.sha256.finish();
        let trailer = json(&Trailer::of(&self.tables, sha256, key))?;
        writeln!(self.out, "{trailer}")?;
        self.out.flush()?;
        Ok(DumpSummary { tables: self.tables, sha256: hex(&sha256) })
    }

    fn line(&mut self, line: &str) -> Result<(), DumpFault> {
        for part in [line.as_bytes(), b"\n"] {
            self.sha256.update(part);
            self.out.write_all(part)?;
        }
        Ok(())
    }
}

/// What comes next in a dump.
#[derive(Debug)]
pub enum Entry {
    /// It is whole and genuine.
    End(DumpSummary),
    /// A row of the table that was named last.
    Row(Row),
    /// A table begins.
    Table(Table),
}

/// Reads a dump. Nothing of it may be believed before [`Entry::End`].
pub struct DumpReader<'a> {
    input: &'a mut (dyn BufRead + Send),
    key: &'a Secret<[u8; 32]>,
    sha256: Sha256,
    tables: Vec<(Table, Digest)>,
    expected: &'static [Table],
    line: u64,
    text: String,
}

impl<'a> DumpReader<'a> {
    /// Reads the header. A dump of another master key is refused by name, before its end would
    /// refuse it anyway.
    pub fn begin(
        input: &'a mut (dyn BufRead + Send),
        key: &'a Secret<[u8; 32]>,
        fingerprint: &str,
    ) -> Result<(Self, DumpHeader), DumpFault> {
        let mut dump = Self {
            input,
            key,
            sha256: Sha256::default(),
            tables: Vec::new(),
            expected: Table::ALL,
            line: 0,
            text: String::new(),
        };
        let unknown = DumpFault::Unknown("this is not a dump of a Keywright store");
        let Ok(true) = dump.read_line() else { return Err(unknown) };
        let Ok(header) = serde_json::from_str::<DumpHeader>(&dump.text) else {
            return Err(unknown);
        };
        let known = tables_of(header.schema).filter(|_| header.keywright_dump == FORMAT);
        let Some(expected) = known else {
            let what = "the dump was made by another version of Keywright: restore it with that";
            return Err(DumpFault::Unknown(what));
        };
        dump.expected = expected;
        if header.master_fingerprint != fingerprint {
            return Err(DumpFault::AnotherKey {
                made_with: header.master_fingerprint,
                configured: fingerprint.to_owned(),
            });
        }
        dump.digest();
        Ok((dump, header))
    }

    /// What comes next.
    pub fn read(&mut self) -> Result<Entry, DumpFault> {
        if !self.read_line()? {
            return Err(self.damaged("it ends too early"));
        }
        if self.text.starts_with('[') {
            let at = self.tables.last_mut();
            let Some((table, digest)) = at else { return Err(self.damaged("a row of no table")) };
            let Some(row) = Row::parse(*table, &self.text) else {
                let what = format!("no row of {}", table.name());
                return Err(self.damaged(&what));
            };
            digest.add(&self.text);
            self.digest();
            return Ok(Entry::Row(row));
        }
        if let Ok(next) = serde_json::from_str::<TableLine>(&self.text) {
            let table = Table::parse(&next.table);
            let expected = self.expected.get(self.tables.len()).copied();
            let Some(table) = table.filter(|table| expected == Some(*table)) else {
                return Err(self.damaged("a table in the wrong place"));
            };
            if next.columns != TableLine::of(table).columns {
                return Err(self.damaged("other columns than this version knows"));
            }
            self.tables.push((table, Digest::default()));
            self.digest();
            return Ok(Entry::Table(table));
        }
        self.end().map(Entry::End)
    }

    /// Reads to the end and believes nothing before.
    pub fn verify(mut self) -> Result<DumpSummary, DumpFault> {
        loop {
            if let Entry::End(summary) = self.read()? {
                return Ok(summary);
            }
        }
    }

    fn end(&mut self) -> Result<DumpSummary, DumpFault> {
        let sha256 = std::mem::take(&mut self.sha256).finish();
        let expected = json(&Trailer::of(&self.tables, sha256, self.key))?;
        // All of it is an HMAC or public: comparing byte by byte tells nothing that a forger could
        // use, who has one try for each file that an operator restores.
        if self.text != expected || self.tables.len() != self.expected.len() {
            return Err(self.damaged("its digests or its authentication do not fit"));
        }
        if self.read_line()? {
            return Err(self.damaged("it goes on after its end"));
        }
        Ok(DumpSummary { tables: std::mem::take(&mut self.tables), sha256: hex(&sha256) })
    }

    /// The next line, without its end; false if there is none.
    fn read_line(&mut self) -> Result<bool, DumpFault> {
        self.text.clear();
        self.line += 1;
        let mut bytes = Vec::new();
        let count = Read::take(&mut *self.input, LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
        if count == 0 {
            return Ok(false);
        }
        if bytes.pop() != Some(b'\n') {
            return Err(self.damaged("a line without an end"));
        }
        self.text = String::from_utf8(bytes).map_err(|_| self.damaged("no text"))?;
        Ok(true)
    }

    fn digest(&mut self) {
        self.sha256.update(self.text.as_bytes());
        self.sha256.update(b"\n");
    }

    fn damaged(&self, what: &str) -> DumpFault {
        DumpFault::NotAsWritten(format!("line {}: {what}", self.line))
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, DumpFault> {
    serde_json::to_string(value).map_err(|e| DumpFault::Io(e.into()))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| DIGITS.get(usize::from(n)).copied().map_or('?', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dump without rows, of these tables, under a header that says a schema.
    fn dump(schema: u32, tables: &[Table]) -> Result<DumpSummary, DumpFault> {
        let key = Secret::new([5; 32]);
        let mut header = DumpHeader::new(Timestamp::from_millis(0), "sqlite", "issuer", "finger");
        header.schema = schema;
        let mut out = Vec::new();
        let mut writer = DumpWriter::begin(&mut out, &header)?;
        for table in tables {
            writer.line(&json(&TableLine::of(*table))?)?;
            writer.tables.push((*table, Digest::default()));
        }
        writer.end(&key)?;
        let mut input = out.as_slice();
        DumpReader::begin(&mut input, &key, "finger")?.0.verify()
    }

    #[test]
    fn a_dump_from_before_tokens_were_listed_is_read() {
        let (last, earlier) = Table::ALL.split_last().expect("there are tables");
        assert_eq!(*last, Table::ListedToken);
        assert_eq!(dump(1, earlier).expect("as it was written").tables.len(), earlier.len());
        assert_eq!(dump(SCHEMA, Table::ALL).expect("of today").tables.len(), Table::ALL.len());
        for (schema, tables) in [(1, Table::ALL), (SCHEMA, earlier)] {
            assert!(matches!(dump(schema, tables), Err(DumpFault::NotAsWritten(_))), "{schema}");
        }
        assert!(matches!(dump(SCHEMA + 1, Table::ALL), Err(DumpFault::Unknown(_))));
    }
}
