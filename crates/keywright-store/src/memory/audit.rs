//! The audit log in memory.

use async_trait::async_trait;
use keywright_protocol::audit::{AuditEvent, Record};
use keywright_protocol::id::{RequestId, TenantId};
use keywright_protocol::wire::response::Receipt;

use super::MemoryStore;
use crate::StoreFault;
use crate::attempt::Undo;
use crate::audit::{AuditStore, REFUSALS_MAX, Recorded, RefusedRequest, StoredEvent};

#[async_trait]
impl AuditStore for MemoryStore {
    async fn record(&self, record: Record) -> Result<Recorded, StoreFault> {
        let recorded = self.write(|state| {
            state.refuse_used(&record, Undo::Verdict(Recorded::AssertionReplayed))?;
            state.admit(&record)
        })?;
        Ok(recorded.map_or_else(|refused| refused, |()| Recorded::Committed(Receipt::of_commit())))
    }

    async fn audit_since(
        &self,
        tenant: &TenantId,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreFault> {
        self.read(|state| {
            let log = state.audit.get(tenant).into_iter().flatten();
            log.filter(|event| event.seq > seq).take(limit as usize).cloned().collect()
        })
    }

    async fn audit_head(&self, tenant: &TenantId) -> Result<u64, StoreFault> {
        self.read(|state| {
            let last = state.audit.get(tenant).and_then(|log| log.last());
            last.map_or(0, |event| event.seq)
        })
    }

    async fn audit_of_request(&self, request: &RequestId) -> Result<Vec<StoredEvent>, StoreFault> {
        let of_request = |stored: &&StoredEvent| {
            let event = serde_json::from_str::<AuditEvent>(&stored.body);
            event.is_ok_and(|event| event.request_id.as_ref() == Some(request))
        };
        self.read(|state| state.audit.values().flatten().filter(of_request).cloned().collect())
    }

    async fn keep_refusals(&self, refusals: Vec<RefusedRequest>) -> Result<(), StoreFault> {
        let mut state = self.state()?;
        state.refusals.extend(refusals);
        while state.refusals.len() > REFUSALS_MAX as usize {
            state.refusals.pop_front();
        }
        Ok(())
    }

    async fn load_refusal(&self, id: &RequestId) -> Result<Option<RefusedRequest>, StoreFault> {
        self.read(|state| state.refusals.iter().find(|r| r.request_id == *id).cloned())
    }
}
