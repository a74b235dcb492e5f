//! The audit log: rows of the transactions they tell of, chained by hash within a tenant.

use async_trait::async_trait;
use keywright_jose::sha256_of;
use keywright_protocol::audit::{AuditEvent, EventType, Record};
use keywright_protocol::id::{RequestId, TenantId};
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::json;
use keywright_protocol::wire::response::Receipt;
use serde::{Deserialize, Serialize};

use crate::StoreFault;
use crate::epoch::SEQUENCE_GAP;

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
