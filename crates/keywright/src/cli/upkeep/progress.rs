//! Shows how far a copy has come, if somebody watches.

use indicatif::{ProgressBar, ProgressStyle};
use keywright_store::StoreFault;
use keywright_store::copy::{Snapshot, Table};

use crate::cli::output::Output;

/// A bar that counts rows.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar for so many rows.
    pub(super) fn new(output: Output, rows: u64, what: &'static str) -> Self {
        if !output.is_watched() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(rows);
        let template = "{prefix} {wide_bar} {human_pos}/{human_len} rows {msg:>12} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(what);
        Self(bar)
    }

    /// Counts rows of a table.
    pub(super) fn add(&self, table: Table, rows: u64) {
        self.0.set_message(table.name());
        self.0.inc(rows);
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// All rows of a snapshot.
pub(super) async fn count_rows(snapshot: &mut dyn Snapshot) -> Result<u64, StoreFault> {
    let mut rows = 0;
    for table in Table::ALL {
        rows += snapshot.count(*table).await?;
    }
    Ok(rows)
}
