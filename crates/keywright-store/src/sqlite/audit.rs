//! The audit log in SQLite.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::{RequestId, TenantId};
use keywright_protocol::wire::response::Receipt;
use rusqlite::Row;

use super::SqliteStore;
use super::column::{Json, Packed, Statements as _};
use super::transaction::Refusal;
use crate::StoreFault;
use crate::attempt::{Undo, kept};
use crate::audit::{AuditStore, REFUSALS_MAX, Recorded, RefusedRequest, StoredEvent};

/// Each stretch of each log has its own small tree of requests; without being told, SQLite would
/// read the log instead.
pub(super) const OF_REQUEST: &str = "WITH RECURSIVE stretch (tenant, number, last) AS (
        SELECT id, 0, (SELECT max(seq) FROM audit WHERE tenant = id) >> 12 FROM tenant
        UNION ALL
        SELECT tenant,
            (SELECT min(seq) FROM audit a
             WHERE a.tenant = stretch.tenant AND a.seq >= (number + 1) << 12) >> 12,
            last
        FROM stretch WHERE number < last
     )
     SELECT a.seq, a.body, a.prev_hash, a.hash FROM stretch s
     CROSS JOIN audit a INDEXED BY audit_of_request
        ON a.tenant = s.tenant AND a.seq >> 12 = s.number AND a.request = ?1
     ORDER BY a.tenant, a.seq";

#[async_trait]
impl AuditStore for SqliteStore {
    async fn record(&self, record: Record) -> Result<Recorded, StoreFault> {
        let refusal = Refusal::after_spending(&record);
        let recorded = self.write_as(refusal, move |tx| {
            tx.spend(&record, Undo::Verdict(Recorded::AssertionReplayed))?;
            tx.append(&record.events)?;
            Ok(())
        });
        let recorded = recorded.await?;
        Ok(recorded.map_or_else(|refused| refused, |()| Recorded::Committed(Receipt::of_commit())))
    }

    async fn audit_since(
        &self,
        tenant: &TenantId,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreFault> {
        let tenant = tenant.clone();
        let sql = "SELECT seq, body, prev_hash, hash FROM audit WHERE tenant = ?1 AND seq > ?2
             ORDER BY seq LIMIT ?3";
        let scan = self.scan(move |db| {
            Ok(db.all(sql, (tenant.as_str(), seq.cast_signed(), limit), read_event)?)
        });
        scan.await
    }

    async fn audit_head(&self, tenant: &TenantId) -> Result<u64, StoreFault> {
        let sql = "SELECT seq FROM audit WHERE tenant = ?1 ORDER BY seq DESC LIMIT 1";
        self.read(|db| {
            let seq = db.one(sql, [tenant.as_str()], |row| row.get::<_, i64>(0))?;
            Ok(seq.unwrap_or(0).cast_unsigned())
        })
    }

    async fn audit_of_request(&self, request: &RequestId) -> Result<Vec<StoredEvent>, StoreFault> {
        let request = request.clone();
        self.scan(move |db| Ok(db.all(OF_REQUEST, [Packed(&request)], read_event)?)).await
    }

    async fn keep_refusals(&self, refusals: Vec<RefusedRequest>) -> Result<(), StoreFault> {
        let stored = self.write(move |tx| {
            for refusal in &refusals {
                tx.db.run(
                    "INSERT INTO refusal (request, body) VALUES (?1, ?2)",
                    (refusal.request_id.as_str(), Json(refusal)),
                )?;
            }
            tx.db.run(
                "DELETE FROM refusal WHERE key <= (SELECT max(key) FROM refusal) - ?1",
                [REFUSALS_MAX],
            )?;
            Ok(())
        });
        stored.await.map(kept)
    }

    async fn load_refusal(&self, id: &RequestId) -> Result<Option<RefusedRequest>, StoreFault> {
        let sql = "SELECT body FROM refusal WHERE request = ?1 ORDER BY key LIMIT 1";
        self.read(|db| Ok(db.one(sql, [id.as_str()], |row| Ok(row.get::<_, Json<_>>(0)?.0))?))
    }
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    Ok(StoredEvent {
        seq: row.get::<_, i64>(0)?.cast_unsigned(),
        body: row.get(1)?,
        prev_hash: row.get(2)?,
        hash: row.get(3)?,
    })
}
