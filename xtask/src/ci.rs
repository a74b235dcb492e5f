//! `cargo xtask ci`: exactly what CI runs. Every step runs even when an earlier one failed, so
//! that one run tells everything.

use crate::metadata::cargo;
use crate::process::{self, Ending, Step};
use crate::{Verdict, test, tidy};
use anyhow::Result;
use std::process::Command;
use std::time::Duration;

const QUICK: Duration = Duration::from_mins(5);
const BUILD: Duration = Duration::from_mins(45);

const CLIPPY: &[&str] = &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
/// The advisories need a database from the network; they are not part of a reproducible run.
const DENY: &[&str] = &["deny", "check", "bans", "licenses", "sources"];

pub(crate) fn run() -> Result<Verdict> {
    let mut failed = Vec::new();
    let mut note = |name, verdict| {
        if verdict == Verdict::Findings {
            failed.push(name);
        }
    };
    note("fmt", cargo_step("fmt", QUICK, &["fmt", "--all", "--check"])?);
    eprintln!("==> tidy");
    note("tidy", tidy::run()?);
    if process::succeeds(cargo().args(["deny", "--version"])) {
        note("deny", cargo_step("deny", QUICK, DENY)?);
    } else {
        eprintln!("deny: skipped, cargo-deny is not installed");
    }
    note("clippy", cargo_step("clippy", BUILD, CLIPPY)?);
    note("test", test::run(&test::Options::default())?);
    if failed.is_empty() {
        return Ok(Verdict::Clean);
    }
    eprintln!("failed: {}", failed.join(", "));
    Ok(Verdict::Findings)
}

fn cargo_step(name: &str, limit: Duration, arguments: &[&str]) -> Result<Verdict> {
    let command: &mut Command = &mut cargo();
    let finished = process::run(Step { name, limit }, command.args(arguments))?;
    let clean = finished.ending == Ending::Succeeded;
    Ok(if clean { Verdict::Clean } else { Verdict::Findings })
}
