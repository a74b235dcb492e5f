//! `[store]`: where everything is kept.

use std::fmt;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::error::{ConfigError, ValueError};
use super::setting::{Effect, Fallback, Section, Setting};

/// Where everything is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreConfig {
    /// Which store.
    pub url: StoreUrl,
}

/// Which store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreUrl {
    /// This process's memory: everything is gone when it ends.
    Memory,
    /// A SQLite database in this file.
    Sqlite(PathBuf),
}

pub(super) static SECTION: Section = Section {
    name: "store",
    what: "Where everything is kept.",
    settings: &[Setting {
        name: "url",
        fallback: Fallback::Text("sqlite:data/keywright.db"),
        effect: Effect::Restart,
        what: "`sqlite:FILE`, or `memory:` for tests: then nothing outlives the process.",
    }],
    reserved: &[],
};

impl StoreUrl {
    /// Reads `sqlite:FILE` and the like; a relative file is in `base`.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub fn parse(raw: &str, base: &Path) -> Result<Self, String> {
        parse_url(raw, base).map_err(|error| error.to_string())
    }

    /// Whether there may be a store; one that is elsewhere is only known when it is asked.
    pub fn may_exist(&self) -> bool {
        match self {
            Self::Memory => false,
            Self::Sqlite(path) => path.exists(),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

pub(super) fn read(document: &Document, base: &Path) -> Result<StoreConfig, ConfigError> {
    let url = document.given(&SECTION, "url").parsed(|raw| parse_url(raw, base))?;
    Ok(StoreConfig { url })
}

fn parse_url(raw: &str, base: &Path) -> Result<StoreUrl, ValueError> {
    const REMEDY: &str = "write \"sqlite:data/keywright.db\", or \"memory:\" for tests";
    if raw.starts_with("postgres://") || raw.starts_with("postgresql://") {
        // The text may hold a password: it is not repeated.
        return Err(ValueError::new("PostgreSQL is not built in this version", REMEDY));
    }
    match raw.split_once(':') {
        Some(("memory", "")) => Ok(StoreUrl::Memory),
        Some(("sqlite", path)) => {
            // `sqlite:///var/lib/x.db` is how other programs write an absolute path.
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.starts_with(':') || path.contains('?') {
                let what = "the database has no file name, or one with options";
                return Err(ValueError::new(what, REMEDY));
            }
            Ok(StoreUrl::Sqlite(base.join(path)))
        }
        _ => Err(ValueError::new("this is no store that is known", REMEDY)),
    }
}

impl StoreConfig {
    /// The folder of everything that belongs beside the store.
    pub(super) fn folder(&self, base: &Path) -> PathBuf {
        match &self.url {
            StoreUrl::Memory => base.join("data"),
            StoreUrl::Sqlite(path) => path.parent().unwrap_or(base).to_owned(),
        }
    }

    /// Whether a store of an earlier start is there.
    pub(super) fn exists(&self) -> bool {
        self.url.may_exist()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let read = |raw| parse_url(raw, Path::new("/etc/k"));
        let file = |path: &str| Ok(StoreUrl::Sqlite(path.into()));
        assert_eq!(read("memory:"), Ok(StoreUrl::Memory));
        assert_eq!(read("sqlite:data/k.db"), file("/etc/k/data/k.db"), "beside the file");
        assert_eq!(read("sqlite:/var/k.db"), file("/var/k.db"));
        assert_eq!(read("sqlite:///var/k.db"), file("/var/k.db"));
        for raw in ["", "sqlite:", "sqlite::memory:", "sqlite:a.db?mode=ro", "memory:x", "a.db"] {
            assert!(read(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn what_is_not_built_says_so_and_repeats_no_password() {
        let error = parse_url("postgres://u:secret@h/db", Path::new("")).expect_err("not built");
        assert!(error.what.contains("not built") && !error.to_string().contains("secret"));
    }
}
