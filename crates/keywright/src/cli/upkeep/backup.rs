//! `keywright backup`: everything in the store, while it is used, in one file.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use keywright_protocol::time::Timestamp;
use keywright_store::SharedStore;
use keywright_store::copy::{DumpHeader, DumpSummary, DumpWriter};
use serde_json::{Map, Value, json};

use super::progress::{Progress, count_rows};
use super::{Keeper, now};
use crate::cli::Place;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, time};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct BackupArgs {
    /// The file to write; it must not exist yet
    file: PathBuf,
}

pub(in crate::cli) async fn run(place: Place, args: BackupArgs) -> Result<(), Failure> {
    let keeper = Keeper::new(&place, "backup")?;
    let output = Output { json: place.json };
    let store = keeper.open().await?;
    if let Some(source) = store.unfinished_copy().await? {
        let what = format!("the store is the target of an unfinished copy, from {source}");
        return Err(Failure::refused(what));
    }
    refuse_existing(&args.file)?;
    let folder = args.file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Only the owner may read it, from its first byte on; under its name only once it is whole.
    let mut file = tempfile::Builder::new()
        .prefix(".keywright-backup-")
        .tempfile_in(folder)
        .map_err(|error| Failure::refused(format!("{}: {error}", folder.display())))?;
    let (summary, created_at) = write(&keeper, &store, file.as_file_mut(), output).await?;
    let bytes = file.as_file().metadata()?.len();
    file.as_file().sync_all()?;
    file.persist_noclobber(&args.file).map_err(|failed| failed.error)?;
    File::open(folder)?.sync_all()?;
    let document = document(&args.file, created_at, bytes, &summary);
    let sentence = format!(
        "{}: {} rows, {bytes} bytes, as of {}; SHA-256 {}",
        args.file.display(),
        summary.rows(),
        time(created_at),
        summary.sha256
    );
    output.done(&document, &sentence)?;
    output.hint(&format!(
        "The master key ({}) is not in it: keep a copy of that elsewhere, too.",
        keeper.config.keys.master
    ))
}

async fn write(
    keeper: &Keeper,
    store: &SharedStore,
    file: &mut File,
    output: Output,
) -> Result<(DumpSummary, Timestamp), Failure> {
    let created_at = now();
    let mut snapshot = store.snapshot().await?;
    let bar = Progress::new(output, count_rows(&mut *snapshot).await?, "backup");
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let kind = keeper.url().kind();
    let fingerprint = keeper.master.fingerprint();
    let header = DumpHeader::new(created_at, kind, &keeper.config.issuer, fingerprint);
    let mut dump = DumpWriter::begin(&mut file, &header)?;
    dump.tables(&mut *snapshot, &|table, rows| bar.add(table, rows)).await?;
    let summary = dump.end(keeper.master.dump_key())?;
    file.flush()?;
    bar.end();
    Ok((summary, created_at))
}

fn refuse_existing(file: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(file).is_err() {
        return Ok(());
    }
    let what = format!("{} exists", file.display());
    Err(Failure::refused(what).hint("name another file: a backup replaces none"))
}

fn document(file: &Path, created_at: Timestamp, bytes: u64, summary: &DumpSummary) -> Value {
    let tables = summary.tables.iter();
    let tables: Map<_, _> =
        tables.map(|(table, digest)| (table.name().to_owned(), digest.rows.into())).collect();
    json!({
        "file": file.display().to_string(),
        "created_at": time(created_at),
        "bytes": bytes,
        "rows": summary.rows(),
        "tables": tables,
        "sha256": summary.sha256,
    })
}
