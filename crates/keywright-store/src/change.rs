//! How nodes learn of changes that another process made.

use async_trait::async_trait;
use keywright_protocol::id::{ClientId, TenantId};
use keywright_protocol::time::Timestamp;

use crate::StoreFault;

/// The verbs of the change log. Every verb that changes a client, resource, tenant or key appends
/// to it in its own transaction.
#[async_trait]
pub trait ChangeStore {
    /// The changes after a place, in order.
    async fn changes_since(&self, seq: u64, limit: u32) -> Result<Vec<ChangeEntry>, StoreFault>;

    /// The last places of the change log and the revocation log: cheap enough to ask often.
    async fn log_heads(&self) -> Result<LogHeads, StoreFault>;

    /// Resolves when somebody may have appended to one of the logs: the signal to ask for their
    /// ends sooner than usual. A store that hears of nothing never resolves.
    async fn wait_for_change(&self) {
        std::future::pending::<()>().await;
    }

    /// Whether [`wait_for_change`](Self::wait_for_change) ever resolves.
    fn tells_of_changes(&self) -> bool {
        false
    }

    /// Says that a node lives, and how far it has followed.
    async fn report_node(&self, node: NodeReport) -> Result<(), StoreFault>;

    /// Forgets a node that stops.
    async fn remove_node(&self, node: &str) -> Result<(), StoreFault>;

    /// The nodes that reported since a moment.
    async fn list_nodes(&self, since: Timestamp) -> Result<Vec<NodeReport>, StoreFault>;
}

/// A change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangeEntry {
    /// Its place in the log.
    pub seq: u64,
    /// Whose.
    pub tenant: TenantId,
    /// What must be loaded again.
    pub changed: Changed,
}

/// What must be loaded again.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Changed {
    /// A client, or its absence.
    Client(ClientId),
    /// All of every tenant: the store went back in time.
    Everything,
    /// The keys of a tenant.
    Keys,
    /// The resources of a tenant.
    Resources,
    /// The tenant itself.
    Tenant,
}

/// The last places of the logs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LogHeads {
    /// Of the change log.
    pub change: u64,
    /// Of the revocation log.
    pub revocation: u64,
}

/// A node that lives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeReport {
    /// Its name, made at its start.
    pub id: String,
    /// The machine that it runs on.
    pub machine: String,
    /// When it reported.
    pub seen_at: Timestamp,
    /// How far it has followed.
    pub followed: LogHeads,
}
