//! The audit log in PostgreSQL.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::{RequestId, TenantId};
use tokio_postgres::Row;

use super::batch::{Outcome, Work};
use super::column::{Columns as _, json, pack};
use super::transaction::Mode;
use super::{PostgresStore, chain};
use crate::StoreFault;
use crate::attempt::kept;
use crate::audit::{AuditStore, REFUSALS_MAX, Recorded, RefusedRequest, StoredEvent};

/// Each stretch of each log has its own small tree of requests. An epoch skips many stretches.
const OF_REQUEST: &str = "WITH RECURSIVE stretch (tenant, number, last) AS (
        SELECT tenant, 0::bigint, seq >> 12 FROM audit_head
        UNION ALL
        SELECT tenant,
            (SELECT min(a.seq) FROM audit a
             WHERE a.tenant = stretch.tenant AND a.seq >= (number + 1) << 12) >> 12,
            last
        FROM stretch WHERE number < last
     )
     SELECT a.seq, a.body, a.prev_hash, a.hash FROM stretch s
     JOIN audit a ON a.tenant = s.tenant AND a.seq >> 12 = s.number AND a.request = $1
     ORDER BY a.tenant, a.seq";

#[async_trait]
impl AuditStore for PostgresStore {
    async fn record(&self, record: Record) -> Result<Recorded, StoreFault> {
        match self.shared.batches.carry_out(Work::Record(record)).await? {
            Outcome::Record(recorded) => Ok(recorded),
            other => Err(other.unexpected()),
        }
    }

    async fn audit_since(
        &self,
        tenant: &TenantId,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreFault> {
        chain::lengthen(&self.shared, chain::Held::WaitedFor).await?;
        let sql = "SELECT seq, body, prev_hash, hash FROM audit WHERE tenant = $1 AND seq > $2
             ORDER BY seq LIMIT $3";
        let (seq, limit) = (seq.cast_signed(), i64::from(limit));
        let rows = self.scan(sql, &[&tenant.as_str(), &seq, &limit]).await?;
        rows.iter().map(read_event).collect()
    }

    async fn audit_head(&self, tenant: &TenantId) -> Result<u64, StoreFault> {
        chain::lengthen(&self.shared, chain::Held::WaitedFor).await?;
        let sql = "SELECT seq FROM audit_head WHERE tenant = $1";
        let row = self.one(sql, &[&tenant.as_str()]).await?;
        row.map_or(Ok(0), |row| row.number(0))
    }

    async fn audit_of_request(&self, request: &RequestId) -> Result<Vec<StoredEvent>, StoreFault> {
        chain::lengthen(&self.shared, chain::Held::WaitedFor).await?;
        let rows = self.all(OF_REQUEST, &[&pack(request)]).await?;
        rows.iter().map(read_event).collect()
    }

    async fn keep_refusals(&self, refusals: Vec<RefusedRequest>) -> Result<(), StoreFault> {
        let stored = self.write(Mode::Together, refusals, |tx, refusals| {
            Box::pin(async move {
                let requests: Vec<_> = refusals.iter().map(|r| r.request_id.as_str()).collect();
                let bodies = refusals.iter().map(json).collect::<Result<Vec<_>, _>>()?;
                tx.run(
                    "INSERT INTO refusal (request, body)
                     SELECT request, body FROM unnest($1::text[], $2::text[])
                        WITH ORDINALITY AS r (request, body, n) ORDER BY n",
                    &[&requests, &bodies],
                )
                .await?;
                tx.run(
                    "DELETE FROM refusal WHERE key <= (SELECT max(key) FROM refusal) - $1",
                    &[&i64::from(REFUSALS_MAX)],
                )
                .await?;
                Ok(())
            })
        });
        stored.await.map(kept)
    }

    async fn load_refusal(&self, id: &RequestId) -> Result<Option<RefusedRequest>, StoreFault> {
        let sql = "SELECT body FROM refusal WHERE request = $1 ORDER BY key LIMIT 1";
        let row = self.one(sql, &[&id.as_str()]).await?;
        row.map(|row| row.json(0)).transpose()
    }
}

fn read_event(row: &Row) -> Result<StoredEvent, StoreFault> {
    Ok(StoredEvent {
        seq: row.number(0)?,
        body: row.text(1)?,
        prev_hash: row.hash(2)?,
        hash: row.hash(3)?,
    })
}
