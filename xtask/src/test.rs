//! `cargo xtask test`: sets up what the tests need, runs all of them, stops what was started, and
//! ends with `N passed, N failed, N skipped`.

mod needs;
// The black-box tests start servers of their own with it.
#[path = "../../tests/support/postgres/instance.rs"]
mod postgres;
mod previous;
mod secrets;
mod suites;
mod summary;

use crate::Verdict;
use crate::metadata::{Metadata, cargo};
use crate::process::{self, Ending, Finished, Step};
use anyhow::{Context, Result};
use needs::{Installing, Setup};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use suites::Suite;
use summary::Summary;

const BUILD: Duration = Duration::from_mins(45);
const LIST: Duration = Duration::from_mins(5);
const TESTS: Duration = Duration::from_mins(45);

/// The program with every test, in one resolution of features: nothing is compiled twice.
const BUILD_ALL: &[&str] = &["build", "--workspace", "--bins", "--tests"];
const LIST_TESTS: &[&str] =
    &["test", "-p", "keywright-tests", "-p", "keywright-store", "--lib", "--tests", "--"];
const RUN_TESTS: &[&str] = &["test", "--workspace", "--no-fail-fast", "--"];

#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Options {
    only: Option<String>,
    installing: Installing,
}

impl Default for Options {
    fn default() -> Self {
        Self { only: None, installing: Installing::Allowed }
    }
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--no-install" => options.installing = Installing::Refused,
                "--only" => options.only = Some((*words.next()?).to_owned()),
                _ => return None,
            }
        }
        Some(options)
    }
}

pub(crate) fn run(options: &Options) -> Result<Verdict> {
    let metadata = Metadata::load()?;
    let target = &metadata.target_directory;
    let setup = Setup::prepare(&metadata.workspace_root, target, options.installing)?;
    let output = emptied(target.join("test-output"))?;
    let summary = build_and_run(options, &setup, &Run { target, output: &output })?;
    println!("{summary}");
    Ok(if summary.failed == 0 { Verdict::Clean } else { Verdict::Findings })
}

/// Where the run finds the program and leaves its logs.
struct Run<'a> {
    target: &'a Path,
    output: &'a Path,
}

fn build_and_run(options: &Options, setup: &Setup, run: &Run<'_>) -> Result<Summary> {
    let build = Step { name: "build the program and the tests", limit: BUILD };
    if process::run(build, cargo().args(BUILD_ALL))?.ending != Ending::Succeeded {
        return Ok(Summary { failed: 1, ..Summary::default() });
    }
    let unready = suites::unready(setup);
    let mut summary = Summary { skipped: count_skipped(options, &unready)?, ..Summary::default() };
    let finished = run_tests(options, setup, run, &unready)?;
    summary.add(&Summary::of(&finished));
    summary.add(&search_for_secrets(run.output)?);
    Ok(summary)
}

fn run_tests(
    options: &Options,
    setup: &Setup,
    run: &Run<'_>,
    unready: &[&Suite],
) -> Result<Finished> {
    let mut command = cargo();
    command.args(RUN_TESTS).args(&options.only);
    for suite in unready {
        command.args(["--skip", suite.prefix]);
    }
    command.env("KEYWRIGHT_BIN", run.target.join("debug/keywright"));
    command.env("KEYWRIGHT_TEST_OUTPUT", run.output);
    command.envs(setup.environment());
    process::run(Step { name: "run the tests", limit: TESTS }, &mut command)
}

/// How many tests the unready suites hold: these are named, not silently missing.
fn count_skipped(options: &Options, unready: &[&Suite]) -> Result<usize> {
    if unready.is_empty() {
        return Ok(0);
    }
    let mut command: Command = cargo();
    command.args(LIST_TESTS).arg("--list");
    let step = Step { name: "list the tests that cannot run", limit: LIST };
    let listing = process::run_quietly(step, &mut command)?.output;
    let mut skipped = 0;
    for suite in unready {
        let tests = summary::listed(&listing, suite.prefix, options.only.as_deref());
        eprintln!("    {tests} of {} skipped", suite.prefix);
        skipped += tests;
    }
    Ok(skipped)
}

/// One more test, over the logs of all the others.
fn search_for_secrets(output: &Path) -> Result<Summary> {
    let search = secrets::search(output)?;
    eprintln!("==> search the logs for secrets: {search}");
    Ok(match search.verdict() {
        secrets::Verdict::Clean => Summary { passed: 1, ..Summary::default() },
        secrets::Verdict::Leaked => Summary { failed: 1, ..Summary::default() },
        secrets::Verdict::NothingRecorded => Summary { skipped: 1, ..Summary::default() },
    })
}

/// Logs of an earlier run would be searched for the secrets of this one.
fn emptied(folder: PathBuf) -> Result<PathBuf> {
    match fs::remove_dir_all(&folder) {
        Err(fault) if fault.kind() != ErrorKind::NotFound => {
            return Err(fault).with_context(|| format!("cannot empty {}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_parse() {
        let only = Options { only: Some("pkce".to_owned()), installing: Installing::Refused };
        assert_eq!(Options::parse(&["--no-install", "--only", "pkce"]), Some(only));
        assert_eq!(Options::parse(&[]), Some(Options::default()));
        assert_eq!(Options::parse(&["--only"]), None);
        assert_eq!(Options::parse(&["--quick"]), None);
    }
}
