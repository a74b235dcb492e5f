//! What a request costs the server, as a ratio to the least that it could cost.
//!
//! `cargo run --release -p keywright-benches` starts the program and the reference server (`bare`)
//! alike, each on the second processor, and loads them from the first, turn and turn about. What
//! counts is the CPU time of the server's own threads, as the kernel accounts it: it does not
//! change with what else the machine does, as requests a second do. The data lies in memory under
//! a disk that is always the same (`steady-disk.c`).
//!
//! With `--peer FILE` another authorization server stands in the reference's place.
//!
//! | what | file |
//! |---|---|
//! | another server instead of the reference | [`peer`] |
//! | the rows and their goals | [`rows`] |
//! | two sides in turn, medians | [`measure`] |
//! | what is sent | [`source`], [`client`] |
//! | installations, clients, families | [`seed`], [`sign_in`] |
//! | processes and their accounts | [`server`] |

mod client;
mod measure;
mod peer;
mod rows;
mod seed;
mod server;
mod sign_in;
mod source;
mod table;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::Parser;

use crate::rows::Bench;

/// Measures the program against the reference server and prints the table of ratios.
#[derive(Debug, Parser)]
struct Arguments {
    /// One JSON document instead of a table
    #[arg(long)]
    json: bool,
    /// How often each comparison is repeated; the median counts
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=99))]
    pairs: u32,
    /// Only the rows whose name begins so: G1, G8, ...
    #[arg(long)]
    only: Option<String>,
    /// This program instead of the one that is built now
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Compare with another authorization server, which this file describes
    #[arg(long, value_name = "FILE")]
    peer: Option<PathBuf>,
    /// Let our audit rows of tokens wait, as a peer that stores nothing does; needs `--peer`
    #[arg(long, requires = "peer")]
    buffered: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if cfg!(debug_assertions) {
        bail!("only an optimised build says anything: cargo run --release");
    }
    let built = build(arguments.program.is_none())?;
    let program = arguments.program.unwrap_or_else(|| built.join("keywright"));
    // The runtime's threads are on the first processor because this one is.
    server::pin_load()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = folder()?;
    let bench = Bench {
        program: &program,
        bare: &built.join("bare"),
        folder: folder.path(),
        steady_disk: steady_disk(folder.path()),
        pairs: arguments.pairs,
        only: arguments.only.unwrap_or_default(),
    };
    let issuance = if arguments.buffered { "buffered" } else { "durable" };
    let text = if let Some(file) = &arguments.peer {
        let table = runtime.block_on(peer::compare_with(&bench, file, issuance))?;
        if arguments.json { serde_json::to_string_pretty(&table)? } else { table.text() }
    } else {
        let rows = runtime.block_on(bench.run())?;
        if arguments.json { serde_json::to_string_pretty(&rows)? } else { table::text(&rows) }
    };
    Ok(writeln!(std::io::stdout(), "{}", text.trim_end())?)
}

/// `cargo run` builds one program only; here are the others. Returns their folder.
fn build(keywright: bool) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["build", "--release", "--quiet", "--bins", "-p", "keywright-benches"]);
    if keywright {
        cargo.args(["-p", "keywright"]);
    }
    if !cargo.status()?.success() {
        bail!("cargo could not build");
    }
    let here = std::env::current_exe()?;
    Ok(here.parent().context("a program is in a folder")?.to_owned())
}

/// In memory where there is such a folder.
fn folder() -> anyhow::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    Ok(tempfile::Builder::new().prefix("keywright-benches-").tempdir_in(parent)?)
}

/// The library that makes every disk the same; without a C compiler the disk is as it is.
fn steady_disk(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("steady-disk.c");
    let library = folder.join("steady-disk.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source);
    if cc.status().is_ok_and(|status| status.success()) {
        return Some(library);
    }
    let _ = writeln!(std::io::stderr(), "no C compiler: the disk is as it is");
    None
}
