//! Keys and sealed secrets in PostgreSQL.

use async_trait::async_trait;
use keywright_jose::Algorithm;
use keywright_protocol::audit::Record;
use keywright_protocol::id::TenantId;
use keywright_protocol::time::Timestamp;
use tokio_postgres::Row;

use super::PostgresStore;
use super::column::{Columns as _, json};
use super::transaction::{Mode, Transaction};
use crate::StoreFault;
use crate::attempt::{Attempt, Undo, either, kept};
use crate::change::Changed;
use crate::client::{Create, Update};
use crate::key::{KeyChange, KeyStore, KeyTimes, StoredKey};

const LOAD_SECRET: &str = "SELECT sealed FROM secret WHERE name = $1";

#[async_trait]
impl KeyStore for PostgresStore {
    async fn create_key(&self, key: StoredKey, record: Record) -> Result<Create, StoreFault> {
        let created = self.write(Mode::Alone, (key, record), |tx, new| Box::pin(create(tx, new)));
        Ok(either(created.await?))
    }

    async fn update_keys(
        &self,
        tenant: &TenantId,
        changes: Vec<KeyChange>,
        record: Record,
    ) -> Result<Update<()>, StoreFault> {
        let input = (tenant.clone(), changes, record);
        let updated = self.write(Mode::Alone, input, |tx, input| Box::pin(change(tx, input)));
        Ok(either(updated.await?))
    }

    async fn list_keys(&self, tenant: &TenantId) -> Result<Vec<StoredKey>, StoreFault> {
        let sql = "SELECT published_at, active_at, retire_at, gone_at, tenant, kid, alg,
                sealed_private, public
             FROM signing_key WHERE tenant = $1 ORDER BY kid";
        let rows = self.scan(sql, &[&tenant.as_str()]).await?;
        rows.iter().map(read_key).collect()
    }

    async fn keep_secret(&self, name: &str, sealed: Vec<u8>) -> Result<Vec<u8>, StoreFault> {
        let input = (name.to_owned(), sealed);
        let secret = self.write(Mode::Together, input, |tx, (name, sealed)| {
            Box::pin(async move {
                // A statement of its own then sees the one that is kept, whoever kept it.
                tx.run(
                    "INSERT INTO secret (name, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    &[name, sealed],
                )
                .await?;
                let row = tx.one(LOAD_SECRET, &[name]).await?;
                row.map_or_else(|| Ok(sealed.clone()), |row| Ok(row.value(0)?))
            })
        });
        Ok(kept(secret.await?))
    }

    async fn load_secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        let row = self.one(LOAD_SECRET, &[&name]).await?;
        row.map(|row| row.value(0)).transpose()
    }
}

async fn create(
    tx: &Transaction<'_>,
    (key, record): &(StoredKey, Record),
) -> Attempt<Create, Create> {
    let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millis);
    let created = tx
        .run(
            "INSERT INTO signing_key (tenant, kid, alg, sealed_private, public, published_at,
            active_at, retire_at, gone_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
            &[
                &key.tenant.as_str(),
                &key.kid,
                &key.alg.name(),
                &key.sealed_private,
                &json(&key.public)?,
                &key.times.published_at.as_millis(),
                &key.times.active_at.as_millis(),
                &millis(key.times.retire_at),
                &millis(key.times.gone_at),
            ],
        )
        .await?;
    if created == 0 {
        return Err(Undo::Verdict(Create::Exists));
    }
    tx.admit(record).await?;
    tx.changed(&key.tenant, &Changed::Keys, record.now).await?;
    Ok(Create::Created)
}

async fn change(
    tx: &Transaction<'_>,
    (tenant, changes, record): &(TenantId, Vec<KeyChange>, Record),
) -> Attempt<Update<()>, Update<()>> {
    for change in changes {
        let Some(mut times) = load_times(tx, tenant, &change.kid).await? else {
            return Err(Undo::Verdict(Update::Missing));
        };
        (change.change)(&mut times);
        save_times(tx, tenant, &change.kid, times).await?;
    }
    tx.admit(record).await?;
    tx.changed(tenant, &Changed::Keys, record.now).await?;
    Ok(Update::Done { value: (), revoked: Vec::new() })
}

fn read_key(row: &Row) -> Result<StoredKey, StoreFault> {
    let alg = row.text(6)?;
    let unknown = || StoreFault::Corrupt(format!("a key of the unknown algorithm {alg}"));
    Ok(StoredKey {
        tenant: TenantId::from_trusted(row.text(4)?),
        kid: row.text(5)?,
        alg: Algorithm::parse(&alg).ok_or_else(unknown)?,
        sealed_private: row.value(7)?,
        public: row.json(8)?,
        times: read_times(row)?,
    })
}

fn read_times(row: &Row) -> Result<KeyTimes, StoreFault> {
    Ok(KeyTimes {
        published_at: row.time(0)?,
        active_at: row.time(1)?,
        retire_at: row.optional_time(2)?,
        gone_at: row.optional_time(3)?,
    })
}

/// When a key changes its state.
pub(super) async fn load_times(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    kid: &str,
) -> Result<Option<KeyTimes>, StoreFault> {
    let row = tx
        .one(
            "SELECT published_at, active_at, retire_at, gone_at FROM signing_key
         WHERE tenant = $1 AND kid = $2",
            &[&tenant.as_str(), &kid],
        )
        .await?;
    row.as_ref().map(read_times).transpose()
}

/// Writes the times of a key that exists.
pub(super) async fn save_times(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    kid: &str,
    times: KeyTimes,
) -> Result<u64, StoreFault> {
    let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millis);
    tx.run(
        "UPDATE signing_key SET published_at = $3, active_at = $4, retire_at = $5, gone_at = $6
         WHERE tenant = $1 AND kid = $2",
        &[
            &tenant.as_str(),
            &kid,
            &times.published_at.as_millis(),
            &times.active_at.as_millis(),
            &millis(times.retire_at),
            &millis(times.gone_at),
        ],
    )
    .await
}
