//! Epochs in SQLite.

use async_trait::async_trait;
use keywright_protocol::id::TenantId;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::time::Timestamp;
use rusqlite::Connection;

use super::SqliteStore;
use super::column::Statements as _;
use super::transaction::Transaction;
use crate::StoreFault;
use crate::attempt::kept;
use crate::change::Changed;
use crate::epoch::{Epoch, EpochStore, RaiseEpoch, SEQUENCE_GAP};

#[async_trait]
impl EpochStore for SqliteStore {
    async fn load_epoch(&self) -> Result<Epoch, StoreFault> {
        self.read(|db| Ok(load(db)?))
    }

    async fn raise_epoch(&self, raise: RaiseEpoch) -> Result<Epoch, StoreFault> {
        self.write(move |tx| Ok(begin(tx, &raise)?)).await.map(kept)
    }
}

fn load(db: &Connection) -> rusqlite::Result<Epoch> {
    let epoch = db.one("SELECT number, raised_at FROM epoch", [], |row| {
        let number = row.get::<_, i64>(0)?.cast_unsigned();
        Ok(Epoch { number, raised_at: Timestamp::from_millis(row.get(1)?) })
    });
    Ok(epoch?.unwrap_or_default())
}

fn begin(tx: &mut Transaction<'_>, raise: &RaiseEpoch) -> Result<Epoch, StoreFault> {
    let epoch = raise.after(load(tx.db)?);
    tx.db.run(
        "UPDATE epoch SET number = ?1, raised_at = ?2",
        (epoch.number.cast_signed(), epoch.raised_at.as_millis()),
    )?;
    tx.db.run("UPDATE code SET state = 2 WHERE state = 0", [])?;
    for log in ["change", "revocation"] {
        skip(tx.db, log, raise)?;
    }
    let tenants = tx.db.all("SELECT id FROM tenant ORDER BY id", [], |row| {
        Ok(TenantId::from_trusted(row.get::<_, String>(0)?))
    })?;
    for tenant in &tenants {
        let (at, expires_at) = (raise.issued_until(), raise.tokens_expire_at);
        tx.revoked(tenant, RevocationTarget::Tenant, at, expires_at)?;
        tx.append_epoch(tenant, raise)?;
    }
    tx.changed(&TenantId::default_tenant(), &Changed::Everything, raise.now)?;
    Ok(epoch)
}

/// Lets a log go on at [`RaiseEpoch::place_after`].
fn skip(db: &Connection, log: &str, raise: &RaiseEpoch) -> rusqlite::Result<usize> {
    db.run(
        "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0
         WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
        [log],
    )?;
    db.run(
        "UPDATE sqlite_sequence SET seq = CASE WHEN ?2 > seq THEN ?2 ELSE seq + ?3 END
         WHERE name = ?1",
        (log, raise.clock_place().cast_signed(), SEQUENCE_GAP.cast_signed()),
    )
}
