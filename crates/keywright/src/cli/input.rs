//! What a command reads beside its options: files, standard input, secrets.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use keywright_protocol::secret::Secret;
use keywright_server::config::SecretRef;
use serde_json::Value;

use super::failure::Failure;
use super::output::{Output, cell};

/// The longest file that is read: an import of a hundred thousand people stays below.
const BYTES_MAX: u64 = 128 << 20;

/// `FILE` or `-`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl FromStr for Source {
    type Err = std::convert::Infallible;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        Ok(if raw == "-" { Self::Stdin } else { Self::File(PathBuf::from(raw)) })
    }
}

impl Source {
    /// Everything that is there.
    pub(crate) fn read(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let count = match self {
            Self::File(path) => std::fs::File::open(path)
                .and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?,
            Self::Stdin => io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut bytes)?,
        };
        if count as u64 > BYTES_MAX {
            return Err(Failure::usage("the input is too large").hint("split it"));
        }
        Ok(bytes)
    }

    /// The same as text.
    pub(crate) fn read_text(&self) -> Result<String, Failure> {
        String::from_utf8(self.read()?).map_err(|_| Failure::usage("the input is not UTF-8"))
    }
}

/// A password from standard input, without the line end that a shell adds.
pub(crate) fn read_password() -> Result<Secret<String>, Failure> {
    let text = Source::Stdin.read_text()?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(Failure::usage("standard input holds no password"));
    }
    Ok(Secret::new(password.to_owned()))
}

/// A secret that is given as itself, `file:PATH` or `env:NAME`.
pub(crate) fn read_secret(given: &str) -> Result<Secret<String>, Failure> {
    let secret = SecretRef::parse(given, Path::new("")).read();
    let secret = secret.map_err(|error| Failure::usage(error.to_string()))?;
    let text = std::str::from_utf8(&secret).map_err(|_| Failure::usage("a secret is not UTF-8"))?;
    Ok(Secret::new(text.to_owned()))
}

/// Imports below this are over before anybody looks.
const WATCHED_ROWS_MIN: usize = 100;

/// Shows that an import is under way, if it is long and somebody watches.
pub(crate) fn watch_import(output: Output, rows: usize, what: &str) -> ProgressBar {
    if rows <= WATCHED_ROWS_MIN || !output.is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(format!("importing {rows} {what}"));
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Shows how an import ended. It is refused as a whole, with a line for each reason.
pub(crate) fn finish_import(output: Output, imported: &Value, what: &str) -> Result<(), Failure> {
    let rows = |name: &str| imported.get(name).and_then(Value::as_array).cloned();
    let (created, refused) =
        (rows("created").unwrap_or_default(), rows("refused").unwrap_or_default());
    let sentence = format!("imported {} {what}", created.len());
    if refused.is_empty() {
        return output.done(imported, &sentence);
    }
    if output.json {
        output.done(imported, "")?;
    }
    for row in &refused {
        let word = |name: &str| cell(name, row.get(name).unwrap_or(&Value::Null));
        output.hint(&format!(
            "{}: {}: {}",
            word("place"),
            word("error"),
            word("error_description")
        ))?;
    }
    let what = format!("{} of the {what} cannot be imported", refused.len());
    let remedy =
        if created.is_empty() { "nothing was changed" } else { "those before were imported" };
    Err(Failure::refused(what).hint(remedy))
}
