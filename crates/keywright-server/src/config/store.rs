//! `[store]`: where everything is kept.

use std::fmt;
use std::path::{Path, PathBuf};

use keywright_store::postgres::Address;

use super::document::Document;
use super::error::{ConfigError, ValueError};
use super::secret_ref::SecretRef;
use super::setting::{Effect, Fallback, Section, Setting};

/// Where everything is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreConfig {
    /// Which store.
    pub url: StoreUrl,
}

/// Whether a store was used before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StoreAge {
    /// Nothing is in it yet.
    New,
    /// It was sealed with a master key.
    SetUp,
}

/// Which store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreUrl {
    /// This process's memory: everything is gone when it ends.
    Memory,
    /// A PostgreSQL database that many nodes may share.
    Postgres(Box<Address>),
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
        what: "`sqlite:FILE`; `postgres://USER:PASSWORD@HOST/DATABASE`, which many nodes may \
               share and which may name several hosts, of which the primary is used; or `memory:` \
               for tests: then nothing outlives the process. `sslmode` is `verify-full` unless \
               the database is on this machine; `sslrootcert` names the authorities to trust. An \
               address with a password may be kept elsewhere: `env:NAME` or `file:PATH`.",
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
            Self::Postgres(_) => true,
            Self::Sqlite(path) => path.exists(),
        }
    }

    /// Which kind of store.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Postgres(_) => "postgres",
            Self::Sqlite(_) => "sqlite",
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Postgres(address) => address.fmt(f),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

pub(super) fn read(document: &Document, base: &Path) -> Result<StoreConfig, ConfigError> {
    let url = document.given(&SECTION, "url").parsed(|raw| parse_url(raw, base))?;
    Ok(StoreConfig { url })
}

fn parse_url(raw: &str, base: &Path) -> Result<StoreUrl, ValueError> {
    const REMEDY: &str = "write \"sqlite:data/keywright.db\", a \"postgres://\" address, or \
                          \"memory:\" for tests";
    if raw.starts_with("postgres://") || raw.starts_with("postgresql://") {
        return parse_postgres(raw);
    }
    match raw.split_once(':') {
        Some(("env" | "file", _)) => {
            let secret = SecretRef::parse(raw, base).read();
            let secret = secret.map_err(|error| ValueError::new(error.what, error.remedy))?;
            match std::str::from_utf8(&secret) {
                Ok(url) => parse_postgres(url.trim()),
                Err(_) => Err(ValueError::new("what is kept there is no text", REMEDY)),
            }
        }
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

/// The text may hold a password: no message repeats it.
fn parse_postgres(url: &str) -> Result<StoreUrl, ValueError> {
    const REMEDY: &str = "write postgres://USER:PASSWORD@HOST:5432/DATABASE";
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(ValueError::new("what is kept there is no PostgreSQL address", REMEDY));
    }
    let address = Address::parse(url).map_err(|what| ValueError::new(what, REMEDY))?;
    Ok(StoreUrl::Postgres(Box::new(address)))
}

impl StoreConfig {
    /// The folder of everything that belongs beside the store.
    pub(super) fn folder(&self, base: &Path) -> PathBuf {
        match &self.url {
            StoreUrl::Memory | StoreUrl::Postgres(_) => base.join("data"),
            StoreUrl::Sqlite(path) => path.parent().unwrap_or(base).to_owned(),
        }
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
    fn an_address_may_be_kept_elsewhere_and_is_never_repeated() {
        let url = "postgres://u:secret@h/db?sslmode=disable";
        let address = Address::parse(url).expect("an address");
        let written = parse_url(url, Path::new("")).expect("an address");
        assert_eq!(written, StoreUrl::Postgres(Box::new(address)));
        assert!(!format!("{written:?}").contains("secret"));
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("url"), format!("{url}\n")).expect("writable");
        assert_eq!(parse_url("file:url", folder.path()), Ok(written));
        std::fs::write(folder.path().join("other"), "mysql://u:secret@h/db").expect("writable");
        for raw in ["file:other", "postgres://u:secret@h/db?sslmode=maybe"] {
            let error = parse_url(raw, folder.path()).expect_err("no address");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
