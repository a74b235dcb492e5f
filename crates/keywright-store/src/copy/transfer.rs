//! From one store to another: copy, then prove.

use super::{BATCH_ROWS, CopyStore, Digest, DumpFault, DumpReader, Entry, Progress, Row, Rows};
use super::{Snapshot, Table};
use crate::StoreFault;

/// Told of every page: which table, how many rows.
pub type Watch<'a> = &'a (dyn Fn(Side, Table, u64) + Send + Sync);

/// What is done to a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// It was copied, or skipped because it was there.
    Copied,
    /// It was read back and digested.
    Proved,
}

/// What both sides hold of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Proof {
    /// Which table.
    pub table: Table,
    /// What was to be copied.
    pub source: Digest,
    /// What is there.
    pub target: Digest,
}

impl Proof {
    /// Whether both are the same.
    pub fn holds(&self) -> bool {
        self.source == self.target
    }
}

/// Copies every table from where an earlier attempt stopped, and proves it. What was changed behind
/// an earlier attempt's back is copied anew. The mark of an unfinished copy stays.
pub async fn transfer(
    from: &mut dyn Snapshot,
    to: &(dyn CopyStore + Sync),
    watch: Watch<'_>,
) -> Result<Vec<Proof>, StoreFault> {
    for table in Table::ALL {
        copy_table(from, to, *table, watch).await?;
    }
    let mut proofs = Vec::new();
    for table in Table::ALL {
        let mut proof = prove_table(from, to, *table, watch).await?;
        if !proof.holds() {
            to.clear_table(*table).await?;
            copy_table(from, to, *table, watch).await?;
            proof = prove_table(from, to, *table, watch).await?;
        }
        proofs.push(proof);
    }
    Ok(proofs)
}

async fn copy_table(
    from: &mut dyn Snapshot,
    to: &(dyn CopyStore + Sync),
    table: Table,
    watch: Watch<'_>,
) -> Result<(), StoreFault> {
    let Progress::At(mut after) = to.copied_until(table).await? else { return Ok(()) };
    loop {
        let page = from.page(table, after.as_deref()).await?;
        let rows = page.rows.len() as u64;
        after.clone_from(&page.next);
        to.put_rows(table, page).await?;
        watch(Side::Copied, table, rows);
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn prove_table(
    from: &mut dyn Snapshot,
    to: &(dyn CopyStore + Sync),
    table: Table,
    watch: Watch<'_>,
) -> Result<Proof, StoreFault> {
    let source = digest_of(from, table, watch).await?;
    let target = digest_of(&mut *to.snapshot().await?, table, watch).await?;
    Ok(Proof { table, source, target })
}

/// Reads a table back and digests it.
pub async fn digest_of(
    snapshot: &mut dyn Snapshot,
    table: Table,
    watch: Watch<'_>,
) -> Result<Digest, StoreFault> {
    let (mut digest, mut after) = (Digest::default(), None);
    loop {
        let page = snapshot.page(table, after.as_deref()).await?;
        page.rows.iter().for_each(|row| digest.add(&row.to_line()));
        watch(Side::Proved, table, page.rows.len() as u64);
        after = page.next;
        if after.is_none() {
            return Ok(digest);
        }
    }
}

/// Writes a dump into a store that `begin_copy` has emptied. The mark of an unfinished copy stays.
pub async fn load(
    dump: &mut DumpReader<'_>,
    to: &(dyn CopyStore + Sync),
    watch: Watch<'_>,
) -> Result<Vec<(Table, Digest)>, DumpFault> {
    let (mut rows, mut at) = (Vec::new(), None);
    loop {
        match dump.read()? {
            Entry::Row(row) => {
                rows.push(row);
                if let Some(table) = at
                    && rows.len() >= BATCH_ROWS as usize
                {
                    put(to, table, std::mem::take(&mut rows), watch).await?;
                }
            }
            Entry::Table(table) => {
                if let Some(last) = at.replace(table) {
                    put(to, last, std::mem::take(&mut rows), watch).await?;
                }
            }
            Entry::End(summary) => {
                if let Some(last) = at {
                    put(to, last, rows, watch).await?;
                }
                return Ok(summary.tables);
            }
        }
    }
}

async fn put(
    to: &(dyn CopyStore + Sync),
    table: Table,
    rows: Vec<Row>,
    watch: Watch<'_>,
) -> Result<(), StoreFault> {
    let count = rows.len() as u64;
    to.put_rows(table, Rows { rows, next: None }).await?;
    watch(Side::Copied, table, count);
    Ok(())
}

/// Compares a store with what a dump said.
pub async fn prove(
    expected: &[(Table, Digest)],
    store: &(dyn CopyStore + Sync),
    watch: Watch<'_>,
) -> Result<Vec<Proof>, StoreFault> {
    let mut snapshot = store.snapshot().await?;
    let mut proofs = Vec::new();
    for (table, source) in expected {
        let target = digest_of(&mut *snapshot, *table, watch).await?;
        proofs.push(Proof { table: *table, source: *source, target });
    }
    Ok(proofs)
}
