//! `keywright restore`: a backup becomes the store; what it cannot know any more stays dead.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use keywright_store::SharedStore;
use keywright_store::copy::{DumpHeader, DumpReader, DumpSummary, Side, load, prove};
use keywright_store::epoch::Epoch;
use serde_json::json;

use super::progress::Progress;
use super::{Keeper, refuse_difference, refuse_living_nodes, verify_chains};
use crate::cli::Place;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, time};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RestoreArgs {
    /// The file that `keywright backup` wrote
    file: PathBuf,
    /// Replace what the store holds
    #[arg(long)]
    dangerous_replace: bool,
}

pub(in crate::cli) async fn run(place: Place, args: RestoreArgs) -> Result<(), Failure> {
    let keeper = Keeper::new(&place, "restore")?;
    let output = Output { json: place.json };
    // The whole file first: nothing is changed for a backup that is not whole and genuine.
    let (header, summary) = verify(&keeper, &args.file)?;
    if header.issuer != keeper.config.issuer {
        let (theirs, ours) = (&header.issuer, &keeper.config.issuer);
        output.hint(&format!(
            "Mind: the backup is of {theirs}; this configuration is of {ours}. Tokens of the one \
             are none of the other."
        ))?;
    }
    let store = keeper.open_or_make().await?;
    refuse_living_nodes(&store, "stop it: a store is restored while nobody uses it").await?;
    let in_use = !store.is_empty().await? && store.unfinished_copy().await?.is_none();
    if in_use && !args.dangerous_replace {
        let what = format!("{} is not empty", keeper.url());
        return Err(Failure::refused(what).hint("--dangerous-replace deletes what it holds"));
    }
    let source = format!("the backup {}", args.file.display());
    store.begin_copy(&source).await?;
    write(&keeper, &store, (&args.file, &summary), output).await?;
    let events = verify_chains(&store).await?;
    let reason = format!("restored from a backup of {}", time(header.created_at));
    // Before the mark goes: a store without the new epoch never serves.
    let epoch = keeper.raise_epoch(&store, &reason).await?;
    store.end_copy().await?;
    store.close().await;
    tell(output, &header, &summary, (epoch, events))
}

fn open(file: &Path) -> Result<BufReader<File>, Failure> {
    let opened = File::open(file);
    let opened = opened.map_err(|e| Failure::usage(format!("{}: {e}", file.display())))?;
    Ok(BufReader::with_capacity(1 << 20, opened))
}

fn verify(keeper: &Keeper, file: &Path) -> Result<(DumpHeader, DumpSummary), Failure> {
    let mut input = open(file)?;
    let master = &keeper.master;
    let (reader, header) = DumpReader::begin(&mut input, master.dump_key(), master.fingerprint())?;
    Ok((header, reader.verify()?))
}

async fn write(
    keeper: &Keeper,
    store: &SharedStore,
    (file, summary): (&Path, &DumpSummary),
    output: Output,
) -> Result<(), Failure> {
    let bar = Progress::new(output, 2 * summary.rows(), "restore");
    let watch = |_: Side, table, rows| bar.add(table, rows);
    let mut input = open(file)?;
    let master = &keeper.master;
    let (mut reader, _) = DumpReader::begin(&mut input, master.dump_key(), master.fingerprint())?;
    let tables = load(&mut reader, &**store, &watch).await?;
    if tables != summary.tables {
        return Err(Failure::refused("the backup was changed while it was read"));
    }
    let proofs = prove(&tables, &**store, &watch).await?;
    bar.end();
    refuse_difference(&proofs)
}

fn tell(
    output: Output,
    header: &DumpHeader,
    summary: &DumpSummary,
    (epoch, events): (Epoch, u64),
) -> Result<(), Failure> {
    let as_of = time(header.created_at);
    let document = json!({
        "created_at": as_of,
        "issuer": header.issuer,
        "rows": summary.rows(),
        "audit_events": events,
        "epoch": epoch.number,
        "sha256": summary.sha256,
    });
    let rows = summary.rows();
    let sentence =
        format!("restored {rows} rows as of {as_of}; the store is in epoch {} now", epoch.number);
    output.done(&document, &sentence)?;
    output.hint(&format!(
        "Every row and {events} events of the audit log were read back and verified.\n\
         Access tokens issued until now are dead: clients get new ones with their refresh \
         tokens, also with those that are newer than the backup.\n\
         Authorization codes and client assertions made until now are refused. Sessions go on.\n\
         What was changed after {as_of} is as it was then: passwords, disabled accounts, \
         registered clients, withdrawn grants. Do again what must not come back."
    ))
}
