//! Secrets by reference, and the files that hold them.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::{ConfigError, Origin};

/// Where a secret is. It can be shown; the secret itself cannot.
#[derive(Clone, Eq, PartialEq)]
pub enum SecretRef {
    /// In a variable of the environment.
    Environment(String),
    /// In a file that only its owner can read.
    File(PathBuf),
    /// In the configuration itself.
    Literal(Arc<Zeroizing<String>>),
}

impl SecretRef {
    /// Reads `file:PATH`, `env:NAME` or the secret itself; relative paths start at `base`.
    pub fn parse(raw: &str, base: &Path) -> Self {
        match raw.split_once(':') {
            Some(("env", name)) => Self::Environment(name.to_owned()),
            Some(("file", path)) => Self::File(base.join(path)),
            _ => Self::Literal(Arc::new(Zeroizing::new(raw.to_owned()))),
        }
    }

    /// The secret, without the line end that editors add.
    pub fn read(&self) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
        let mut secret = match self {
            Self::Environment(name) => {
                let value = std::env::var(name).map_err(|_| {
                    ConfigError::new(self.origin(), "it is not set", "put the secret into it")
                })?;
                Zeroizing::new(value.into_bytes())
            }
            Self::File(path) => read_private(path)?,
            Self::Literal(secret) => Zeroizing::new(secret.as_bytes().to_vec()),
        };
        let line_ends = secret.iter().rev().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        let length = secret.len() - line_ends;
        secret.truncate(length);
        if secret.is_empty() {
            let what = format!("the secret {self} is empty");
            return Err(ConfigError::new(self.origin(), what, "put the secret into it"));
        }
        Ok(secret)
    }

    /// The place for messages about this secret.
    pub(super) fn origin(&self) -> Origin {
        match self {
            Self::Environment(name) => Origin::Environment(name.clone()),
            Self::File(path) => Origin::Path(path.clone()),
            Self::Literal(_) => Origin::Path("configuration".into()),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Literal(_) => f.write_str("written in the configuration"),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({self})")
    }
}

/// Reads a file that nobody but its owner should read.
pub(crate) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let refuse = |what: String, remedy: String| {
        Err(ConfigError::new(Origin::Path(path.to_owned()), what, remedy))
    };
    match others_may_read(path) {
        Ok(false) => {}
        // Mounted secrets often are: the operator is told, not stopped.
        Ok(true) => tracing::warn!(
            file.path = %path.display(),
            "others on this machine can read a secret; mend it with chmod 600"
        ),
        Err(error) => return refuse(format!("cannot be read: {error}"), "put it there".into()),
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Zeroizing::new(bytes)),
        Err(error) => refuse(format!("cannot be read: {error}"), "make it readable".into()),
    }
}

/// Writes a new file that only its owner can read, and makes sure that it is on disk.
pub(crate) fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_private_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a folder, and those above it, that only its owner can enter.
fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(unix)]
fn others_may_read(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_may_read(path: &Path) -> io::Result<bool> {
    fs::metadata(path).map(|_| false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let base = Path::new("/etc/k");
        let shown = |raw| SecretRef::parse(raw, base).to_string();
        assert_eq!(shown("file:a.key"), "file:/etc/k/a.key");
        assert_eq!(shown("file:/a.key"), "file:/a.key");
        assert_eq!(shown("env:MASTER"), "env:MASTER");
        let literal = SecretRef::parse("hunter2", base);
        assert!(!format!("{literal} {literal:?}").contains("hunter2"));
        assert_eq!(literal.read().expect("there").as_slice(), b"hunter2");
    }

    #[test]
    fn a_line_end_is_no_part_of_a_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/a.key");
        create_private(&path, b"abc\r\n").expect("written");
        assert_eq!(SecretRef::File(path.clone()).read().expect("readable").as_slice(), b"abc");
        create_private(&path, b"other").expect_err("it overwrites nothing");
        let empty = folder.path().join("empty");
        create_private(&empty, b"\n").expect("written");
        assert!(SecretRef::File(empty).read().expect_err("empty").what.contains("empty"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = SecretRef::File("/no/such.key".into()).read().expect_err("missing");
        assert!(error.to_string().contains("/no/such.key"), "{error}");
        let error = SecretRef::Environment("NO_SUCH_VARIABLE".into()).read().expect_err("unset");
        assert!(error.to_string().contains("NO_SUCH_VARIABLE"), "{error}");
    }
}
