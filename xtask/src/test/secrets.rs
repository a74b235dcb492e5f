//! No secret in any log: what the tests recorded as secret must occur in no file that the
//! servers under test wrote.

use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// One secret a line, written by the tests.
pub(super) const RECORD: &str = "secrets.txt";
/// The search looks for this many bytes first. A shorter secret would be found by chance.
const SHORTEST: usize = 8;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Clean,
    Leaked,
    NothingRecorded,
}

#[derive(Debug, Default)]
pub(super) struct Search {
    secrets: usize,
    files: usize,
    /// Lines of the record that cannot be searched for.
    too_short: Vec<usize>,
    leaks: Vec<Leak>,
}

/// Where, never what.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Leak {
    file: PathBuf,
    line: usize,
}

impl Search {
    pub(super) fn verdict(&self) -> Verdict {
        match (self.secrets, self.leaks.is_empty() && self.too_short.is_empty()) {
            (_, false) => Verdict::Leaked,
            (0, true) => Verdict::NothingRecorded,
            (_, true) => Verdict::Clean,
        }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (leaks, files) = (self.leaks.len(), self.files);
        write!(f, "{} secrets, {files} files, {leaks} leaks", self.secrets)?;
        for line in &self.too_short {
            let least = format!("less than {SHORTEST} bytes");
            write!(f, "\n{RECORD}:{line}: {least}; record a secret that cannot occur by chance")?;
        }
        for Leak { file, line } in &self.leaks {
            let file = file.display();
            write!(f, "\n{file}:{line}: a secret; log its kind or its hash instead")?;
        }
        Ok(())
    }
}

/// Searches every file below the folder, the record itself left out.
pub(super) fn search(folder: &Path) -> Result<Search> {
    let mut search = Search::default();
    let record = folder.join(RECORD);
    let text = if record.is_file() { fs::read(&record)? } else { Vec::new() };
    let secrets = Secrets::read(&text, &mut search);
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    for file in files.into_iter().filter(|file| *file != record) {
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        search.files += 1;
        for line in secrets.lines_of(&text) {
            search.leaks.push(Leak { file: file.clone(), line });
        }
    }
    search.leaks.sort();
    Ok(search)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// By their first bytes: thousands of tokens are searched for in one pass over a log.
struct Secrets<'a>(HashMap<&'a [u8], Vec<&'a [u8]>>);

impl<'a> Secrets<'a> {
    fn read(record: &'a [u8], search: &mut Search) -> Self {
        let mut secrets: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
        for (at, line) in record.split(|byte| *byte == b'\n').enumerate() {
            let secret = line.trim_ascii();
            if let Some(start) = secret.get(..SHORTEST) {
                search.secrets += 1;
                secrets.entry(start).or_default().push(secret);
            } else if !secret.is_empty() {
                search.too_short.push(at + 1);
            }
        }
        Self(secrets)
    }

    fn lines_of(&self, text: &[u8]) -> Vec<usize> {
        let holds = |line: &[u8]| {
            line.windows(SHORTEST).enumerate().any(|(at, start)| {
                let candidates = self.0.get(start).into_iter().flatten();
                let rest = line.get(at..).unwrap_or_default();
                candidates.into_iter().any(|secret| rest.starts_with(secret))
            })
        };
        if self.0.is_empty() {
            return Vec::new();
        }
        let lines = text.split(|byte| *byte == b'\n').enumerate();
        lines.filter(|(_, line)| holds(line)).map(|(at, _)| at + 1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searched(record: &str, log: &str) -> (Vec<usize>, Search) {
        let mut search = Search::default();
        let secrets = Secrets::read(record.as_bytes(), &mut search);
        (secrets.lines_of(log.as_bytes()), search)
    }

    #[test]
    fn a_secret_is_found_on_its_line() {
        let record = "kwr_12345678\nkwr_12345999\n";
        assert_eq!(searched(record, "start\ntoken=kwr_12345999 x\nend\n").0, [2]);
        assert_eq!(searched(record, "kwr_12345 kwr_123456 kwr_1234\n").0, Vec::<usize>::new());
        assert_eq!(searched("", "anything\n").0, Vec::<usize>::new());
    }

    #[test]
    fn short_secrets_are_refused() {
        let (_, search) = searched("longenough\nshort\n\n", "");
        assert_eq!((search.secrets, search.too_short.as_slice()), (1, &[2][..]));
        assert_eq!(search.verdict(), Verdict::Leaked);
    }

    #[test]
    fn the_verdict_needs_a_record() {
        assert_eq!(Search::default().verdict(), Verdict::NothingRecorded);
        assert_eq!(searched("longenough\n", "").1.verdict(), Verdict::Clean);
    }

    #[test]
    fn the_message_names_the_place_and_not_the_secret() {
        let mut search = searched("longenough\n", "").1;
        search.leaks.push(Leak { file: "node.log".into(), line: 4 });
        let told = search.to_string();
        assert!(told.contains("node.log:4: a secret"), "{told}");
        assert!(!told.contains("longenough"), "{told}");
    }
}
