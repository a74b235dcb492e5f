//! The audit log: rows of the transactions they tell of, chained by hash within a tenant.

use async_trait::async_trait;
use keywright_jose::sha256_of;
use keywright_protocol::audit::{AuditEvent, EventType, Record};
use keywright_protocol::id::{RequestId, TenantId};
use keywright_protocol::limits::PAGE_ROWS_MAX;
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::json;
use keywright_protocol::wire::response::Receipt;
use serde::{Deserialize, Serialize};

use crate::epoch::SEQUENCE_GAP;
use crate::{SharedStore, StoreFault};

/// The verbs of the audit log.
#[async_trait]
pub trait AuditStore {
    /// Appends events that belong to no other change, and spends what must be used once.
    async fn record(&self, record: Record) -> Result<Recorded, StoreFault>;

    /// A tenant's events after a place, in order.
    async fn audit_since(
        &self,
        tenant: &TenantId,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreFault>;

    /// The last place of a tenant's log; 0 while it is empty.
    async fn audit_head(&self, tenant: &TenantId) -> Result<u64, StoreFault>;

    /// The events of one request, in any tenant.
    async fn audit_of_request(&self, request: &RequestId) -> Result<Vec<StoredEvent>, StoreFault>;

    /// Keeps refused requests for `explain`: the latest `REFUSALS_MAX` of them.
    async fn keep_refusals(&self, refusals: Vec<RefusedRequest>) -> Result<(), StoreFault>;

    /// A refused request.
    async fn load_refusal(&self, id: &RequestId) -> Result<Option<RefusedRequest>, StoreFault>;
}

/// How many refused requests are kept for `explain`; older ones make room.
pub const REFUSALS_MAX: u32 = 10_000;

/// How recording ends.
#[derive(Debug)]
#[must_use = "only `Committed` may leave the process as a response"]
pub enum Recorded {
    /// The client's assertion was used before: nothing was recorded.
    AssertionReplayed,
    /// Durable.
    Committed(Receipt),
}

/// An event in its place in the chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredEvent {
    /// Its place in the tenant's log, from 1 without gaps but those that epochs leave.
    pub seq: u64,
    /// The event as JSON, byte for byte as it was hashed.
    pub body: String,
    /// The hash of the event before; zeros for the first.
    pub prev_hash: [u8; 32],
    /// [`chain_hash`] of this one.
    pub hash: [u8; 32],
}

impl StoredEvent {
    /// The event that follows `prev`.
    pub fn chain(
        tenant: &TenantId,
        seq: u64,
        prev_hash: [u8; 32],
        event: &AuditEvent,
    ) -> Result<Self, StoreFault> {
        Ok(Self::of_body(tenant, seq, prev_hash, event_body(event)?))
    }

    /// The event of this body that follows `prev`.
    pub(crate) fn of_body(tenant: &TenantId, seq: u64, prev_hash: [u8; 32], body: String) -> Self {
        let hash = chain_hash(tenant, seq, &prev_hash, &body);
        Self { seq, body, prev_hash, hash }
    }
}

/// An event as it is stored and hashed.
pub(crate) fn event_body(event: &AuditEvent) -> Result<String, StoreFault> {
    json::to_string(event).map_err(|e| StoreFault::Corrupt(e.to_string()))
}

/// The hash that chains an event to the one before: SHA-256 over the tenant's name and a zero byte,
/// the place (8 bytes, big-endian), the hash before, and the body.
pub fn chain_hash(tenant: &TenantId, seq: u64, prev_hash: &[u8; 32], body: &str) -> [u8; 32] {
    let name = tenant.as_str().as_bytes();
    sha256_of(&[name, &[0], &seq.to_be_bytes(), prev_hash, body.as_bytes()])
}

/// Whether an event is what follows the last one in a tenant's log, of which the beginning is 0 and
/// zeros.
///
/// # Errors
/// What shows that it is not.
pub fn check_link(
    tenant: &TenantId,
    last: (u64, [u8; 32]),
    event: &StoredEvent,
) -> Result<(), &'static str> {
    let (place, prev) = last;
    let skipped = event.seq == place + SEQUENCE_GAP && begins_epoch(&event.body);
    if event.seq != place + 1 && !skipped {
        return Err("an event is missing");
    }
    if event.prev_hash != prev {
        return Err("the event does not follow the one before");
    }
    if event.hash != chain_hash(tenant, event.seq, &prev, &event.body) {
        return Err("the event is not as it was written");
    }
    Ok(())
}

/// What recomputing the chain found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Verification {
    /// The log is not what was written.
    Broken {
        /// The first place where that shows.
        seq: u64,
        /// What shows it.
        reason: &'static str,
    },
    /// Every event is there, as it was written, in its place.
    Intact {
        /// How many.
        count: u64,
        /// The hash of the last: whoever keeps it elsewhere can prove that nothing before changed.
        head: [u8; 32],
    },
}

/// Recomputes a tenant's hash chain from its first event.
pub async fn verify_chain(
    store: &SharedStore,
    tenant: &TenantId,
) -> Result<Verification, StoreFault> {
    // Read before the events: what is appended meanwhile only makes the log longer.
    let head = store.audit_head(tenant).await?;
    let (mut count, mut last) = (0, (0, [0; 32]));
    loop {
        let part = store.audit_since(tenant, last.0, PAGE_ROWS_MAX).await?;
        if part.is_empty() {
            break;
        }
        for event in &part {
            if let Err(reason) = check_link(tenant, last, event) {
                return Ok(Verification::Broken { seq: last.0 + 1, reason });
            }
            count += 1;
            last = (event.seq, event.hash);
        }
    }
    if last.0 < head {
        let reason = "the last events are missing";
        return Ok(Verification::Broken { seq: last.0 + 1, reason });
    }
    Ok(Verification::Intact { count, head: last.1 })
}

/// The place of the event that follows a place.
pub(crate) fn place_after(place: u64, body: &str) -> u64 {
    // Parsed only where it may matter: a chain is made longer many events at a time.
    let epoch = body.contains("epoch.raised") && begins_epoch(body);
    place + if epoch { SEQUENCE_GAP } else { 1 }
}

fn begins_epoch(body: &str) -> bool {
    let event = serde_json::from_str::<AuditEvent>(body);
    event.is_ok_and(|event| event.event_type == EventType::EpochRaised)
}

/// A request that was refused: what `explain` shows.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RefusedRequest {
    /// The request.
    pub request_id: RequestId,
    /// Whose.
    pub tenant: TenantId,
    /// When.
    pub time: Timestamp,
    /// Which endpoint.
    pub endpoint: String,
    /// Who it claimed to be.
    pub client_id: Option<String>,
    /// The checks in order; those before the failed one passed.
    pub checks: Vec<String>,
    /// The one that failed.
    pub failed: String,
    /// The full reason, for the operator.
    pub reason: String,
    /// What the peer was told.
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(bodies: &[&str]) -> Vec<StoredEvent> {
        let tenant = TenantId::default_tenant();
        let mut prev_hash = [0; 32];
        let events = (1..).zip(bodies).map(|(seq, body)| {
            let hash = chain_hash(&tenant, seq, &prev_hash, body);
            let event = StoredEvent { seq, body: (*body).to_owned(), prev_hash, hash };
            prev_hash = hash;
            event
        });
        events.collect()
    }

    fn first_broken(events: &[StoredEvent]) -> Option<u64> {
        let (tenant, mut last) = (TenantId::default_tenant(), (0, [0; 32]));
        for event in events {
            if check_link(&tenant, last, event).is_err() {
                return Some(last.0 + 1);
            }
            last = (event.seq, event.hash);
        }
        None
    }

    #[test]
    fn an_edited_a_removed_and_a_moved_event_show() {
        let whole = chain(&["a", "b", "c"]);
        assert_eq!(first_broken(&whole), None);
        let mut edited = whole.clone();
        edited[1].body = "B".to_owned();
        assert_eq!(first_broken(&edited), Some(2));
        edited[1].hash = chain_hash(&TenantId::default_tenant(), 2, &edited[0].hash, "B");
        assert_eq!(first_broken(&edited), Some(3), "a hash that fits breaks the next");
        let mut removed = whole.clone();
        removed.remove(1);
        assert_eq!(first_broken(&removed), Some(2));
        let mut moved = whole.clone();
        moved.swap(0, 1);
        assert_eq!(first_broken(&moved), Some(1));
    }
}
