//! Tenants in SQLite.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::TenantId;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::tenant::Tenant;
use rusqlite::{Connection, Row};

use super::SqliteStore;
use super::column::{Json, Statements as _};
use crate::StoreFault;
use crate::attempt::{Undo, either, kept};
use crate::change::Changed;
use crate::client::{Create, Update};
use crate::revocation::after_waiting;
use crate::tenant::{TenantStore, UpdateTenant};

#[async_trait]
impl TenantStore for SqliteStore {
    async fn create_tenant(&self, tenant: Tenant, record: Record) -> Result<Create, StoreFault> {
        let created = self.write(move |tx| {
            let created = tx.db.run(
                "INSERT INTO tenant (id, disabled, not_before, body) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
                (tenant.id.as_str(), tenant.disabled, tenant.not_before.as_millis(), Json(&tenant)),
            )?;
            if created == 0 {
                return Err(Undo::Verdict(Create::Exists));
            }
            tx.admit(&record)?;
            tx.changed(&tenant.id, &Changed::Tenant, record.now)?;
            Ok(Create::Created)
        });
        Ok(either(created.await?))
    }

    async fn update_tenant(&self, update: UpdateTenant) -> Result<Update<Tenant>, StoreFault> {
        let updated = self.write(move |tx| {
            let (id, now) = (&update.id, after_waiting(update.record.now));
            let Some(mut tenant) = load(tx.db, id)? else { return Ok(Update::Missing) };
            tx.admit(&update.record)?;
            (update.change)(&mut tenant);
            tenant.id = id.clone();
            let mut revoked = Vec::new();
            if let Some(until) = update.revoke_until {
                tenant.not_before = tenant.not_before.max(now);
                revoked.push(tx.revoked(id, RevocationTarget::Tenant, now, until)?);
            }
            save(tx.db, &tenant)?;
            tx.changed(id, &Changed::Tenant, now)?;
            Ok(Update::Done { value: tenant, revoked })
        });
        Ok(kept(updated.await?))
    }

    async fn list_tenants(&self) -> Result<Vec<Tenant>, StoreFault> {
        let sql = "SELECT body FROM tenant ORDER BY id";
        self.scan(move |db| Ok(db.all(sql, [], read_tenant)?)).await
    }
}

fn read_tenant(row: &Row<'_>) -> rusqlite::Result<Tenant> {
    Ok(row.get::<_, Json<Tenant>>(0)?.0)
}

/// A tenant, disabled or not.
pub(super) fn load(db: &Connection, id: &TenantId) -> rusqlite::Result<Option<Tenant>> {
    db.one("SELECT body FROM tenant WHERE id = ?1", [id.as_str()], read_tenant)
}

/// Writes a tenant that exists.
pub(super) fn save(db: &Connection, tenant: &Tenant) -> rusqlite::Result<usize> {
    db.run(
        "UPDATE tenant SET disabled = ?2, not_before = ?3, body = ?4 WHERE id = ?1",
        (tenant.id.as_str(), tenant.disabled, tenant.not_before.as_millis(), Json(tenant)),
    )
}
