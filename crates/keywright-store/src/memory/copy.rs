//! A store in memory is not copied: it is a model, and ends with its process.

use async_trait::async_trait;

use super::MemoryStore;
use crate::StoreFault;
use crate::copy::{CopyStore, Progress, Rows, Snapshot, Table};

fn refused() -> StoreFault {
    StoreFault::Incompatible("a store in memory cannot be copied: it ends with its process".into())
}

#[async_trait]
impl CopyStore for MemoryStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreFault> {
        Err(refused())
    }

    async fn is_empty(&self) -> Result<bool, StoreFault> {
        Err(refused())
    }

    async fn unfinished_copy(&self) -> Result<Option<String>, StoreFault> {
        Ok(None)
    }

    async fn begin_copy(&self, _source: &str) -> Result<(), StoreFault> {
        Err(refused())
    }

    async fn copied_until(&self, _table: Table) -> Result<Progress, StoreFault> {
        Err(refused())
    }

    async fn clear_table(&self, _table: Table) -> Result<(), StoreFault> {
        Err(refused())
    }

    async fn put_rows(&self, _table: Table, _page: Rows) -> Result<(), StoreFault> {
        Err(refused())
    }

    async fn end_copy(&self) -> Result<(), StoreFault> {
        Err(refused())
    }
}
