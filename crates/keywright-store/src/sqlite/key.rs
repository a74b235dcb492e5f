//! Keys and sealed secrets in SQLite.

use async_trait::async_trait;
use keywright_jose::Algorithm;
use keywright_protocol::audit::Record;
use keywright_protocol::id::TenantId;
use keywright_protocol::time::Timestamp;
use rusqlite::{Connection, Row};

use super::SqliteStore;
use super::column::{Json, Statements as _};
use crate::StoreFault;
use crate::attempt::{Undo, either, kept};
use crate::change::Changed;
use crate::client::{Create, Update};
use crate::key::{KeyChange, KeyStore, KeyTimes, StoredKey};

#[async_trait]
impl KeyStore for SqliteStore {
    async fn create_key(&self, key: StoredKey, record: Record) -> Result<Create, StoreFault> {
        let created = self.write(move |tx| {
            if !insert(tx.db, &key)? {
                return Err(Undo::Verdict(Create::Exists));
            }
            tx.admit(&record)?;
            tx.changed(&key.tenant, &Changed::Keys, record.now)?;
            Ok(Create::Created)
        });
        Ok(either(created.await?))
    }

    async fn update_keys(
        &self,
        tenant: &TenantId,
        changes: Vec<KeyChange>,
        record: Record,
    ) -> Result<Update<()>, StoreFault> {
        let tenant = tenant.clone();
        let updated = self.write(move |tx| {
            for change in &changes {
                let Some(mut times) = load_times(tx.db, &tenant, &change.kid)? else {
                    return Err(Undo::Verdict(Update::Missing));
                };
                (change.change)(&mut times);
                save_times(tx.db, &tenant, &change.kid, times)?;
            }
            tx.admit(&record)?;
            tx.changed(&tenant, &Changed::Keys, record.now)?;
            Ok(Update::Done { value: (), revoked: Vec::new() })
        });
        Ok(either(updated.await?))
    }

    async fn list_keys(&self, tenant: &TenantId) -> Result<Vec<StoredKey>, StoreFault> {
        let tenant = tenant.clone();
        let sql = "SELECT published_at, active_at, retire_at, gone_at, tenant, kid, alg,
                sealed_private, public
             FROM signing_key WHERE tenant = ?1 ORDER BY kid";
        self.scan(move |db| Ok(db.all(sql, [tenant.as_str()], read_key)?)).await
    }

    async fn keep_secret(&self, name: &str, sealed: Vec<u8>) -> Result<Vec<u8>, StoreFault> {
        let name = name.to_owned();
        let secret = self.write(move |tx| {
            tx.db.run(
                "INSERT INTO secret (name, sealed) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                (&name, &sealed),
            )?;
            Ok(load_secret(tx.db, &name)?.unwrap_or(sealed))
        });
        Ok(kept(secret.await?))
    }

    async fn load_secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.read(|db| Ok(load_secret(db, name)?))
    }
}

fn load_secret(db: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    db.one("SELECT sealed FROM secret WHERE name = ?1", [name], |row| row.get(0))
}

fn insert(db: &Connection, key: &StoredKey) -> rusqlite::Result<bool> {
    let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millis);
    let created = db.run(
        "INSERT INTO signing_key (tenant, kid, alg, sealed_private, public, published_at,
            active_at, retire_at, gone_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        (
            key.tenant.as_str(),
            &key.kid,
            key.alg.name(),
            &key.sealed_private,
            Json(&key.public),
            key.times.published_at.as_millis(),
            key.times.active_at.as_millis(),
            millis(key.times.retire_at),
            millis(key.times.gone_at),
        ),
    )?;
    Ok(created == 1)
}

fn read_key(row: &Row<'_>) -> rusqlite::Result<StoredKey> {
    let alg: String = row.get(6)?;
    let unknown =
        || rusqlite::Error::InvalidColumnType(6, alg.clone(), rusqlite::types::Type::Text);
    Ok(StoredKey {
        tenant: TenantId::from_trusted(row.get::<_, String>(4)?),
        kid: row.get(5)?,
        alg: Algorithm::parse(&alg).ok_or_else(unknown)?,
        sealed_private: row.get(7)?,
        public: row.get::<_, Json<_>>(8)?.0,
        times: read_times(row)?,
    })
}

fn read_times(row: &Row<'_>) -> rusqlite::Result<KeyTimes> {
    let optional = |at: usize| -> rusqlite::Result<_> {
        Ok(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_millis))
    };
    Ok(KeyTimes {
        published_at: Timestamp::from_millis(row.get(0)?),
        active_at: Timestamp::from_millis(row.get(1)?),
        retire_at: optional(2)?,
        gone_at: optional(3)?,
    })
}

/// When a key changes its state.
pub(super) fn load_times(
    db: &Connection,
    tenant: &TenantId,
    kid: &str,
) -> rusqlite::Result<Option<KeyTimes>> {
    db.one(
        "SELECT published_at, active_at, retire_at, gone_at FROM signing_key
         WHERE tenant = ?1 AND kid = ?2",
        (tenant.as_str(), kid),
        read_times,
    )
}

/// Writes the times of a key that exists.
pub(super) fn save_times(
    db: &Connection,
    tenant: &TenantId,
    kid: &str,
    times: KeyTimes,
) -> rusqlite::Result<usize> {
    let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millis);
    db.run(
        "UPDATE signing_key SET published_at = ?3, active_at = ?4, retire_at = ?5, gone_at = ?6
         WHERE tenant = ?1 AND kid = ?2",
        (
            tenant.as_str(),
            kid,
            times.published_at.as_millis(),
            times.active_at.as_millis(),
            millis(times.retire_at),
            millis(times.gone_at),
        ),
    )
}
