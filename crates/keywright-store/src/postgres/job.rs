//! Housekeeping in PostgreSQL.

use async_trait::async_trait;
use keywright_protocol::limits::CODE_REMEMBERED;
use keywright_protocol::time::Timestamp;

use super::PostgresStore;
use super::column::Columns as _;
use super::pool::held;
use super::transaction::{Mode, Transaction};
use crate::StoreFault;
use crate::attempt::{Attempt, kept};
use crate::job::{
    CHANGE_REMEMBERED, EXPIRED_REMEMBERED, FAMILY_REMEMBERED, JobStore, KEY_REMEMBERED, Lease,
    NODE_REMEMBERED, Swept,
};

/// Rows that a sweep deletes in one transaction.
const ROWS_MAX: u64 = 1000;

/// A step of the sweep: deletes at most $2 rows that ended at $1. What is found is asked about once
/// more where it is deleted: another transaction may have given it another end meanwhile.
type Step = (&'static str, fn(Timestamp) -> Timestamp);

const STEPS: [Step; 10] = [
    (
        "DELETE FROM code WHERE created_at <= $1 AND hash IN
            (SELECT hash FROM code WHERE created_at <= $1 LIMIT $2)",
        |now| now.minus(CODE_REMEMBERED),
    ),
    (
        "DELETE FROM family WHERE absolute_expires_at <= $1 AND key IN
            (SELECT key FROM family WHERE absolute_expires_at <= $1 LIMIT $2)",
        |now| now.minus(FAMILY_REMEMBERED),
    ),
    (
        "DELETE FROM session WHERE expires_at <= $1 AND id IN
            (SELECT id FROM session WHERE expires_at <= $1 LIMIT $2)",
        |now| now.minus(EXPIRED_REMEMBERED),
    ),
    (
        "DELETE FROM one_time WHERE expires_at <= $1 AND key IN
            (SELECT key FROM one_time WHERE expires_at <= $1 LIMIT $2)",
        |now| now.minus(EXPIRED_REMEMBERED),
    ),
    (
        "DELETE FROM revocation WHERE expires_at <= $1 AND seq IN
            (SELECT seq FROM revocation WHERE expires_at <= $1 LIMIT $2)",
        |now| now.minus(EXPIRED_REMEMBERED),
    ),
    (
        "DELETE FROM change WHERE at <= $1 AND seq IN
            (SELECT seq FROM change WHERE at <= $1 LIMIT $2)",
        |now| now.minus(CHANGE_REMEMBERED),
    ),
    (
        "DELETE FROM signing_key WHERE gone_at <= $1 AND (tenant, kid) IN
            (SELECT tenant, kid FROM signing_key WHERE gone_at <= $1 LIMIT $2)",
        |now| now.minus(KEY_REMEMBERED),
    ),
    (
        "DELETE FROM node WHERE seen_at <= $1 AND id IN
            (SELECT id FROM node WHERE seen_at <= $1 LIMIT $2)",
        |now| now.minus(NODE_REMEMBERED),
    ),
    (
        "DELETE FROM failure WHERE since <= $1 AND key IN
            (SELECT key FROM failure WHERE since <= $1 LIMIT $2)",
        |now| now.minus(EXPIRED_REMEMBERED),
    ),
    (
        "DELETE FROM listed_token WHERE expires_at <= $1 AND (tenant, list, idx) IN
            (SELECT tenant, list, idx FROM listed_token WHERE expires_at <= $1 LIMIT $2)",
        |now| now.minus(EXPIRED_REMEMBERED),
    ),
];

#[async_trait]
impl JobStore for PostgresStore {
    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreFault> {
        let mut swept = Swept::default();
        for (sql, until) in STEPS {
            loop {
                let step = (sql, until(now).as_millis(), ROWS_MAX.cast_signed());
                let rows = self.write(Mode::Together, step, |tx, (sql, until, rows)| {
                    Box::pin(async move { Ok(tx.run(sql, &[until, rows]).await?) })
                });
                let rows = kept(rows.await?);
                swept.rows += rows;
                if rows < ROWS_MAX {
                    break;
                }
            }
        }
        self.sweep_shapes(now.minus(FAMILY_REMEMBERED)).await?;
        swept.rows += self.sweep_deleted_clients().await?;
        Ok(swept)
    }

    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreFault> {
        let wish = (name.to_owned(), holder.to_owned(), now.as_millis(), until.as_millis());
        let taken = self.write(Mode::Together, wish, |tx, wish| Box::pin(take_lease(tx, wish)));
        Ok(kept(taken.await?))
    }

    async fn clock(&self) -> Result<Option<Timestamp>, StoreFault> {
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        self.one(sql, &[]).await?.map(|row| row.time(0)).transpose()
    }

    async fn ping(&self) -> Result<(), StoreFault> {
        let beat = self.write(Mode::Together, (), |tx, ()| {
            Box::pin(async move {
                tx.run("UPDATE heartbeat SET beats = beats + 1", &[]).await?;
                Ok(())
            })
        });
        beat.await.map(kept)
    }

    async fn close(&self) {
        self.shared.batches.close();
        let writers = std::mem::take(&mut *held(&self.writers));
        for writer in writers {
            // Its panic was reported when it happened.
            drop(writer.await);
        }
        self.shared.pool.close().await;
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

impl PostgresStore {
    /// Shapes that no family has any more. A family that begins meanwhile writes its shape's end or
    /// has found it far ahead.
    async fn sweep_shapes(&self, until: Timestamp) -> Result<(), StoreFault> {
        let swept = self.write(Mode::Together, until.as_millis(), |tx, until| {
            Box::pin(async move {
                tx.run("DELETE FROM family_shape WHERE used_until <= $1", &[until]).await?;
                Ok(())
            })
        });
        swept.await.map(kept)
    }

    /// The grants of clients that are gone; their codes and families end by themselves.
    async fn sweep_deleted_clients(&self) -> Result<u64, StoreFault> {
        let sql = "SELECT 1 FROM deleted_client LIMIT 1";
        let mut swept = 0;
        while self.one(sql, &[]).await?.is_some() {
            let rows = self.write(Mode::Alone, (), |tx, ()| Box::pin(sweep_grants(tx)));
            swept += kept(rows.await?);
        }
        Ok(swept)
    }
}

/// Alone: no client is deleted between the two statements.
async fn sweep_grants(tx: &Transaction<'_>) -> Attempt<u64, std::convert::Infallible> {
    let swept = tx
        .run(
            "DELETE FROM user_grant WHERE id IN
            (SELECT id FROM user_grant WHERE client IN (SELECT key FROM deleted_client) LIMIT $1)",
            &[&ROWS_MAX.cast_signed()],
        )
        .await?;
    if swept < ROWS_MAX {
        tx.run("DELETE FROM deleted_client", &[]).await?;
    }
    Ok(swept)
}

async fn take_lease(
    tx: &Transaction<'_>,
    (name, holder, now, until): &(String, String, i64, i64),
) -> Attempt<Lease, std::convert::Infallible> {
    // Whoever is second waits for the first and then finds the lease taken.
    let taken = tx
        .run(
            "INSERT INTO lease (name, holder, until) VALUES ($1, $2, $4)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
         WHERE lease.holder = excluded.holder OR lease.until <= $3",
            &[name, holder, now, until],
        )
        .await?;
    if taken == 1 {
        return Ok(Lease::Held);
    }
    let row = tx.one("SELECT until FROM lease WHERE name = $1", &[name]).await?;
    let row = row.ok_or_else(|| StoreFault::Corrupt("a lease vanished".to_owned()))?;
    Ok(Lease::HeldByAnother { until: row.time(0)? })
}
