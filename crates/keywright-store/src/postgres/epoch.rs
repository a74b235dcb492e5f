//! Epochs in PostgreSQL.
//!
//! A database that failed over to a standby, or was recovered to an earlier moment, writes another
//! timeline. Every connection asks for it before it is used for anything else, and the first that
//! finds another one than the last raises the epoch: no verb ever runs between the two.

use std::time::Duration;

use async_trait::async_trait;
use keywright_protocol::id::TenantId;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::time::Timestamp;

use super::column::Columns as _;
use super::connection::Connection;
use super::transaction::{Mode, Transaction};
use super::{PostgresStore, roll_back};
use crate::StoreFault;
use crate::attempt::{Attempt, kept};
use crate::change::Changed;
use crate::epoch::{Epoch, EpochStore, RaiseEpoch, SEQUENCE_GAP, TOKENS_LIVE_MAX};

#[async_trait]
impl EpochStore for PostgresStore {
    async fn load_epoch(&self) -> Result<Epoch, StoreFault> {
        let row = self.one("SELECT number, raised_at FROM epoch", &[]).await?;
        row.map_or(Ok(Epoch::default()), |row| {
            Ok(Epoch { number: row.number(0)?, raised_at: row.time(1)? })
        })
    }

    async fn raise_epoch(&self, raise: RaiseEpoch) -> Result<Epoch, StoreFault> {
        let raised = self.write(Mode::Alone, raise, |tx, raise| Box::pin(begin(tx, raise)));
        raised.await.map(kept)
    }
}

async fn begin(
    tx: &Transaction<'_>,
    raise: &RaiseEpoch,
) -> Attempt<Epoch, std::convert::Infallible> {
    let row = tx.one("SELECT number, raised_at FROM epoch FOR UPDATE", &[]).await?;
    let last = match row {
        Some(row) => Epoch { number: row.number(0)?, raised_at: row.time(1)? },
        None => Epoch::default(),
    };
    let epoch = raise.after(last);
    tx.run(
        "UPDATE epoch SET number = $1, raised_at = $2",
        &[&epoch.number.cast_signed(), &epoch.raised_at.as_millis()],
    )
    .await?;
    tx.run("UPDATE code SET state = 2 WHERE state = 0", &[]).await?;
    // `RaiseEpoch::place_after`.
    tx.run(
        "UPDATE log_head SET seq = CASE WHEN $1 > seq THEN $1 ELSE seq + $2 END",
        &[&raise.clock_place().cast_signed(), &SEQUENCE_GAP.cast_signed()],
    )
    .await?;
    for row in tx.all("SELECT id FROM tenant ORDER BY id", &[]).await? {
        let tenant = TenantId::from_trusted(row.text(0)?);
        let (at, expires_at) = (raise.issued_until(), raise.tokens_expire_at);
        tx.revoked(&tenant, RevocationTarget::Tenant, at, expires_at).await?;
        tx.append(&[raise.event(&tenant)])?;
    }
    tx.changed(&TenantId::default_tenant(), &Changed::Everything, raise.now).await?;
    Ok(epoch)
}

/// Raises the epoch if the server writes another timeline than when it was asked last. Engines that
/// have no timelines are believed; what they promise of their fail-overs is their own.
pub(super) async fn follow_timeline(db: &Connection) -> Result<(), StoreFault> {
    let Some(timeline) = timeline(db).await? else { return Ok(()) };
    let known = "SELECT 1 FROM epoch WHERE timeline = $1";
    if db.one(known, &[&timeline]).await?.is_some() {
        return Ok(());
    }
    db.batch(Mode::Alone.begin()).await?;
    let followed = follow(db, &timeline).await;
    if followed.is_err() {
        roll_back(db).await;
    }
    followed
}

/// Eight hexadecimal digits, the first part of the log's file names.
async fn timeline(db: &Connection) -> Result<Option<String>, StoreFault> {
    let known = "SELECT 1 WHERE to_regclass('epoch') IS NOT NULL
        AND to_regproc('pg_walfile_name') IS NOT NULL
        AND to_regproc('pg_current_wal_lsn') IS NOT NULL";
    if !matches!(db.one(known, &[]).await, Ok(Some(_))) {
        return Ok(None);
    }
    let sql = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)";
    match db.one(sql, &[]).await {
        Ok(row) => row.map(|row| row.text(0)).transpose(),
        Err(fault) if db.is_usable() => {
            tracing::debug!(error = %fault, "the database does not tell its timeline");
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

async fn follow(db: &Connection, timeline: &str) -> Result<(), StoreFault> {
    let sql = "SELECT timeline, (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
            (SELECT max((body::json ->> 'longest_lifetime_s')::bigint) FROM tenant)
        FROM epoch FOR UPDATE";
    let Some(row) = db.one(sql, &[]).await? else { return db.batch("ROLLBACK").await };
    let before: Option<String> = row.value(0)?;
    let (now, longest): (Timestamp, Option<i64>) = (row.time(1)?, row.value(2)?);
    if before.as_deref() == Some(timeline) {
        // Another connection was faster.
        return db.batch("ROLLBACK").await;
    }
    let transaction = Transaction::new(db);
    if let Some(before) = before {
        let longest = Duration::from_secs(longest.unwrap_or(0).try_into().unwrap_or(0));
        let tokens_expire_at = now.plus(longest.max(TOKENS_LIVE_MAX));
        let reason = format!("the database went from timeline {before} to {timeline}");
        tracing::warn!(reason, "raising the epoch");
        let begun = begin(&transaction, &RaiseEpoch { now, tokens_expire_at, reason }).await;
        begun.map_err(|undo| undo.fault().cloned().unwrap_or_else(super::no_answer))?;
    }
    transaction.run("UPDATE epoch SET timeline = $1", &[&timeline]).await?;
    transaction.commit().await
}
