//! The files of the repository: what is tracked, or would be if it were added.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Paths are relative to the root and use `/`.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    files: BTreeSet<String>,
}

impl Tree {
    /// Asks git, so that what `.gitignore` names is not judged.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start git, which lists the files to check")?;
        ensure!(output.status.success(), "git ls-files failed");
        let listing = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
        let files = listing
            .split('\0')
            .filter(|path| !path.is_empty() && root.join(path).is_file())
            .map(str::to_owned)
            .collect();
        Ok(Self { root: root.to_owned(), files })
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    pub(crate) fn files_ending(&self, endings: &[&str]) -> impl Iterator<Item = &str> {
        self.files().filter(move |path| endings.iter().any(|ending| path.ends_with(ending)))
    }

    /// A file or a folder, tracked or not: links may point to either.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.root.join(path).exists()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(crate) fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.root.join(path)).with_context(|| format!("cannot read {path}"))
    }
}
