//! The change log and the nodes that follow it, in memory.

use async_trait::async_trait;
use keywright_protocol::time::Timestamp;

use super::MemoryStore;
use crate::StoreFault;
use crate::change::{ChangeEntry, ChangeStore, LogHeads, NodeReport};

#[async_trait]
impl ChangeStore for MemoryStore {
    async fn changes_since(&self, seq: u64, limit: u32) -> Result<Vec<ChangeEntry>, StoreFault> {
        self.read(|state| {
            let later = state.changes.iter().map(|(_, entry)| entry).filter(|e| e.seq > seq);
            later.take(limit as usize).cloned().collect()
        })
    }

    async fn log_heads(&self) -> Result<LogHeads, StoreFault> {
        self.read(|state| state.heads)
    }

    async fn report_node(&self, node: NodeReport) -> Result<(), StoreFault> {
        self.state()?.nodes.insert(node.id.clone(), node);
        Ok(())
    }

    async fn remove_node(&self, node: &str) -> Result<(), StoreFault> {
        self.state()?.nodes.remove(node);
        Ok(())
    }

    async fn list_nodes(&self, since: Timestamp) -> Result<Vec<NodeReport>, StoreFault> {
        self.read(|state| {
            state.nodes.values().filter(|node| node.seen_at >= since).cloned().collect()
        })
    }
}
