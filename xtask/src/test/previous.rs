//! The program as it was before: what an upgrade starts from, built from the history.

use crate::metadata::cargo;
use crate::process::{self, Ending, Step};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Names the commit: the last one before the newest step of the schema.
const PIN: &str = "tests/races/previous";
const EXTRACT: Duration = Duration::from_mins(2);
const BUILD: Duration = Duration::from_mins(30);

/// Builds it once; or says why that cannot be done. It shares the dependencies of the present
/// program, and its place: whoever needs the present program builds that afterwards.
pub(super) fn program(root: &Path, target: &Path) -> Result<Result<PathBuf, String>> {
    let folder = target.join("previous");
    let pin = root.join(PIN);
    let commit = fs::read_to_string(&pin).with_context(|| format!("cannot read {PIN}"))?;
    let commit = commit.trim();
    let program = folder.join(format!("keywright-{commit}"));
    if program.is_file() {
        return Ok(Ok(program));
    }
    if !process::succeeds(git(root).args(["cat-file", "-e", &format!("{commit}^{{commit}}")])) {
        return Ok(Err(format!("the history does not hold {commit}; fetch all of it")));
    }
    let source = folder.join("source");
    if source.exists() {
        fs::remove_dir_all(&source)?;
    }
    fs::create_dir_all(&source)?;
    let archive = folder.join("source.tar");
    let step = Step { name: "take the previous program from the history", limit: EXTRACT };
    let mut take = git(root);
    take.args(["archive", commit, "-o"]).arg(&archive);
    let mut unpack = Command::new("tar");
    unpack.arg("-xf").arg(&archive).arg("-C").arg(&source);
    let mut build = cargo();
    build.args(["build", "-p", "keywright", "--bins", "--target-dir"]).arg(target);
    build.current_dir(&source);
    let steps = [
        (step, &mut take),
        (Step { name: "unpack it", limit: EXTRACT }, &mut unpack),
        (Step { name: "build it", limit: BUILD }, &mut build),
    ];
    for (step, command) in steps {
        let name = step.name;
        if process::run(step, command)?.ending != Ending::Succeeded {
            return Ok(Err(format!("cannot {name}")));
        }
    }
    fs::copy(target.join("debug/keywright"), &program)?;
    fs::remove_dir_all(&source)?;
    fs::remove_file(&archive)?;
    Ok(Ok(program))
}

fn git(root: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(root);
    git
}
