//! Where a demo keeps its state, and the demo secrets that must be shown again.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// The folder of a demo; a temporary one goes with the demo.
pub(super) struct Home {
    folder: PathBuf,
    temporary: Option<TempDir>,
}

/// What a demo remembers. These secrets open nothing but the demo itself.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct Notes {
    pub(super) api_port: Option<u16>,
    pub(super) machine_secret: Option<String>,
    pub(super) password: Option<String>,
    pub(super) web_secret: Option<String>,
}

const NOTES: &str = "demo.json";
const CONFIGURATION: &str = "demo.toml";

impl Home {
    /// The named folder, made if it is not there, or a temporary one.
    pub(super) fn open(named: Option<PathBuf>) -> io::Result<Self> {
        match named {
            Some(folder) => {
                fs::create_dir_all(&folder)?;
                Ok(Self { folder: fs::canonicalize(folder)?, temporary: None })
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("keywright-demo-").tempdir()?;
                Ok(Self { folder: temporary.path().to_owned(), temporary: Some(temporary) })
            }
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) const fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Where the configuration is, so that other commands can act on the demo.
    pub(super) fn configuration(&self) -> PathBuf {
        self.folder.join(CONFIGURATION)
    }

    /// What an earlier demo in this folder remembered.
    pub(super) fn notes(&self) -> io::Result<Notes> {
        match fs::read(self.folder.join(NOTES)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Notes::default()),
            Err(error) => Err(error),
        }
    }

    /// Remembers for the next demo in this folder; only the owner can read it.
    pub(super) fn keep(&self, notes: &Notes) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(self.folder.join(NOTES))?;
        file.write_all(&serde_json::to_vec_pretty(notes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back_and_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(Some(folder.path().join("data"))).unwrap();
        assert!(home.notes().unwrap().password.is_none(), "nothing yet");
        let notes = Notes { password: Some("p".into()), api_port: Some(9001), ..Notes::default() };
        home.keep(&notes).unwrap();
        let again = home.notes().unwrap();
        assert_eq!((again.password.as_deref(), again.api_port), (Some("p"), Some(9001)));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(home.folder().join(NOTES)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
