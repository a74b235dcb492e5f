//! `keywright store copy`: everything into another store, with a proof.

use std::path::Path;

use keywright_jose::base64url_encode;
use keywright_protocol::time::Timestamp;
use keywright_server::config::StoreUrl;
use keywright_server::environment::{SystemEnvironment, random};
use keywright_server::start;
use keywright_store::SharedStore;
use keywright_store::change::{LogHeads, NodeReport};
use keywright_store::copy::{Proof, Side, transfer};
use serde_json::json;

use super::progress::{Progress, count_rows};
use super::{
    Keeper, PROOF_COLUMNS, proof_document, refuse_difference, refuse_living_nodes, verify_chains,
};
use crate::cli::Place;
use crate::cli::backend::make_folder;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, print};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, clap::Subcommand)]
enum StoreCommand {
    /// Copy everything into another store and prove it; run it again after an interruption
    Copy(CopyArgs),
}

#[derive(Debug, clap::Args)]
struct CopyArgs {
    /// Where to: written as store.url is
    #[arg(long, value_name = "URL")]
    to: String,
    /// Copy while servers run: the copy is as of now, and lacks what they change afterwards
    #[arg(long)]
    online_snapshot: bool,
    /// Replace what the target holds
    #[arg(long)]
    dangerous_replace: bool,
}

pub(in crate::cli) async fn run(place: Place, args: StoreArgs) -> Result<(), Failure> {
    let StoreCommand::Copy(args) = args.command;
    let keeper = Keeper::new(&place, "store copy")?;
    let output = Output { json: place.json };
    let to = StoreUrl::parse(&args.to, Path::new("")).map_err(Failure::usage)?;
    if to == StoreUrl::Memory {
        return Err(Failure::usage("a store in memory ends with its process"));
    }
    let source = keeper.open().await?;
    if source.unfinished_copy().await?.is_some() {
        return Err(Failure::refused("the configured store is an unfinished copy itself"));
    }
    if !args.online_snapshot {
        let remedy = "stop it, so that nothing is missing; or copy what is there now with \
                      --online-snapshot";
        refuse_living_nodes(&source, remedy).await?;
    }
    if let StoreUrl::Sqlite(path) = &to {
        make_folder(path.parent().unwrap_or(Path::new("")))?;
    }
    let target = start::open_store(&to).await?;
    refuse_itself(&source, &target).await?;
    if begin(&keeper, &args, &to, &target).await? == Begun::Before {
        output.hint("an earlier attempt goes on where it stopped")?;
    }
    let proofs = copy(&source, &target, output).await?;
    show(output, &proofs)?;
    refuse_difference(&proofs)?;
    verify_chains(&target).await?;
    if args.online_snapshot {
        keeper.raise_epoch(&target, "copied while the original was in use").await?;
    }
    target.end_copy().await?;
    target.close().await;
    source.close().await;
    tell(output, &args, &keeper, &to)
}

/// When the copy began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Begun {
    /// In an earlier attempt.
    Before,
    /// Now.
    Now,
}

/// A store has many names; emptying the source as the target of its own copy would be the end of
/// it. What is written into one must not show in the other.
async fn refuse_itself(source: &SharedStore, target: &SharedStore) -> Result<(), Failure> {
    let id = format!("copy-{}", base64url_encode(&random::<12>(&SystemEnvironment)));
    let long_ago = Timestamp::from_millis(0);
    let (machine, followed) = (String::new(), LogHeads::default());
    let probe = NodeReport { id: id.clone(), machine, seen_at: long_ago, followed };
    target.report_node(probe).await?;
    let nodes = source.list_nodes(long_ago).await;
    target.remove_node(&id).await?;
    if nodes?.iter().any(|node| node.id == id) {
        return Err(Failure::usage("--to names the configured store itself"));
    }
    Ok(())
}

/// Makes the target ready, unless an earlier attempt did.
async fn begin(
    keeper: &Keeper,
    args: &CopyArgs,
    to: &StoreUrl,
    target: &SharedStore,
) -> Result<Begun, Failure> {
    refuse_living_nodes(target, "stop it first").await?;
    let name = keeper.url().to_string();
    let unfinished = target.unfinished_copy().await?;
    if unfinished.as_ref() == Some(&name) && !args.dangerous_replace {
        return Ok(Begun::Before);
    }
    let in_use = !target.is_empty().await? || unfinished.is_some();
    if in_use && !args.dangerous_replace {
        let what = match unfinished {
            Some(other) => format!("{to} is the target of an unfinished copy, from {other}"),
            None => format!("{to} is not empty"),
        };
        return Err(Failure::refused(what).hint("--dangerous-replace deletes what it holds"));
    }
    target.begin_copy(&name).await?;
    Ok(Begun::Now)
}

async fn copy(
    source: &SharedStore,
    target: &SharedStore,
    output: Output,
) -> Result<Vec<Proof>, Failure> {
    let mut snapshot = source.snapshot().await?;
    let rows = count_rows(&mut *snapshot).await?;
    // Each row is copied once and read twice.
    let bar = Progress::new(output, 3 * rows, "copy");
    let watch = |_: Side, table, rows| bar.add(table, rows);
    let proofs = transfer(&mut *snapshot, &**target, &watch).await?;
    bar.end();
    Ok(proofs)
}

fn show(output: Output, proofs: &[Proof]) -> Result<(), Failure> {
    let items: Vec<_> = proofs.iter().map(proof_document).collect();
    if output.json {
        return print(&json!({ "items": items }).to_string());
    }
    output.list(&items, PROOF_COLUMNS)
}

fn tell(output: Output, args: &CopyArgs, keeper: &Keeper, to: &StoreUrl) -> Result<(), Failure> {
    if args.online_snapshot {
        return output.hint(&format!(
            "{to} holds the store as it was when the copy began. Servers still use {}: to move, \
             stop them and copy without --online-snapshot.",
            keeper.url()
        ));
    }
    output.hint(&format!(
        "Both sides agree. Next: set store.url to the address that you gave here, name the same \
         master key ({}), start the servers, and keep {} until you trust the move.",
        keeper.config.keys.master,
        keeper.url()
    ))
}
