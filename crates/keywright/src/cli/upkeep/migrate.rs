//! `keywright migrate`: brings the store's schema up to date or back to an earlier version, or says
//! what that would do.

use keywright_server::config::StoreUrl;
use keywright_server::start;
use keywright_store::schema::Rehearsal;
use serde_json::{Value, json};

use super::{read_config, refuse_living_nodes, refuse_missing};
use crate::cli::Place;
use crate::cli::failure::Failure;
use crate::cli::output::{Column, Output};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct MigrateArgs {
    /// Change nothing: migrate a copy, and say what is done and how long it takes on your data
    #[arg(long)]
    dry_run: bool,
    /// Take the schema back to this version, for an older program; no server may run meanwhile
    #[arg(long, value_name = "VERSION")]
    to: Option<u32>,
}

const COLUMNS: &[Column] = &[("VERSION", "version"), ("NAME", "name"), ("TOOK", "took")];

pub(in crate::cli) async fn run(place: Place, args: MigrateArgs) -> Result<(), Failure> {
    let config = read_config(&place, "migrate")?;
    let output = Output { json: place.json };
    let url = &config.store.url;
    refuse_missing(url)?;
    if let Some(version) = args.to {
        return go_back(output, url, version, args.dry_run).await;
    }
    if args.dry_run {
        return tell(output, &start::rehearse_migration(url).await?);
    }
    let before = start::inspect_store(url).await?;
    // Opening it is what migrates it.
    start::open_store(url).await?.close().await;
    let now = start::inspect_store(url).await?.schema;
    let applied = &before.pending;
    let document = json!({ "from": before.schema, "to": now, "applied": applied });
    let sentence = match applied.as_slice() {
        [] => format!("the schema is {now}: up to date"),
        names => format!("the schema was {} and is {now}: {}", before.schema, names.join(", ")),
    };
    output.done(&document, &sentence)
}

async fn go_back(
    output: Output,
    url: &StoreUrl,
    version: u32,
    dry_run: bool,
) -> Result<(), Failure> {
    let from = start::inspect_store(url).await?.schema;
    let steps = start::migrate_store_back(url, version, true).await?;
    if !dry_run {
        let store = start::open_store(url).await?;
        refuse_living_nodes(&store, "stop all servers, then try again").await?;
        store.close().await;
        start::migrate_store_back(url, version, false).await?;
    }
    let names: Vec<&str> = steps.iter().map(|(_, name)| *name).collect();
    let document = json!({ "from": from, "to": version, "taken_back": names, "dry_run": dry_run });
    let names = names.join(", ");
    output.done(
        &document,
        &if dry_run {
            format!("the schema is {from} and can go back to {version}, without {names}")
        } else {
            format!("the schema was {from} and is {version}, without {names}")
        },
    )
}

fn tell(output: Output, rehearsal: &Rehearsal) -> Result<(), Failure> {
    let steps: Vec<Value> = rehearsal
        .steps
        .iter()
        .map(|step| {
            let took_ms = u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX);
            let took = format!("{:.3} s", step.took.as_secs_f64());
            json!({ "version": step.version, "name": step.name, "took": took, "took_ms": took_ms })
        })
        .collect();
    let rows: u64 = rehearsal.rows.iter().map(|(_, rows)| rows).sum();
    let tables: serde_json::Map<_, _> =
        rehearsal.rows.iter().map(|(name, rows)| (name.clone(), (*rows).into())).collect();
    if output.json {
        return output.done(&json!({ "steps": steps, "rows": rows, "tables": tables }), "");
    }
    if steps.is_empty() {
        return output.done(&Value::Null, &format!("nothing to do; {rows} rows"));
    }
    output.list(&steps, COLUMNS)?;
    output.hint(&format!("measured on a copy of your data, {rows} rows; nothing was changed"))
}
