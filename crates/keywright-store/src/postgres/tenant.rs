//! Tenants in PostgreSQL.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::TenantId;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::tenant::Tenant;

use super::PostgresStore;
use super::column::{Columns as _, json};
use super::transaction::{Mode, Transaction};
use crate::StoreFault;
use crate::attempt::{Attempt, Undo, either};
use crate::change::Changed;
use crate::client::{Create, Update};
use crate::revocation::after_waiting;
use crate::tenant::{TenantStore, UpdateTenant};

#[async_trait]
impl TenantStore for PostgresStore {
    async fn create_tenant(&self, tenant: Tenant, record: Record) -> Result<Create, StoreFault> {
        let created =
            self.write(Mode::Alone, (tenant, record), |tx, new| Box::pin(create(tx, new)));
        Ok(either(created.await?))
    }

    async fn update_tenant(&self, update: UpdateTenant) -> Result<Update<Tenant>, StoreFault> {
        let updated = self.write(Mode::Alone, update, |tx, update| Box::pin(change(tx, update)));
        Ok(either(updated.await?))
    }

    async fn list_tenants(&self) -> Result<Vec<Tenant>, StoreFault> {
        let sql = "SELECT body FROM tenant ORDER BY id";
        let rows = self.scan(sql, &[]).await?;
        rows.iter().map(|row| row.json(0)).collect()
    }
}

async fn create(
    tx: &Transaction<'_>,
    (tenant, record): &(Tenant, Record),
) -> Attempt<Create, Create> {
    let created = tx
        .run(
            "INSERT INTO tenant (id, disabled, not_before, body) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
            &[
                &tenant.id.as_str(),
                &tenant.disabled,
                &tenant.not_before.as_millis(),
                &json(tenant)?,
            ],
        )
        .await?;
    if created == 0 {
        return Err(Undo::Verdict(Create::Exists));
    }
    tx.admit(record).await?;
    tx.changed(&tenant.id, &Changed::Tenant, record.now).await?;
    Ok(Create::Created)
}

async fn change(
    tx: &Transaction<'_>,
    update: &UpdateTenant,
) -> Attempt<Update<Tenant>, Update<Tenant>> {
    let (id, now) = (&update.id, after_waiting(update.record.now));
    let Some(mut tenant) = load(tx, id).await? else {
        return Err(Undo::Verdict(Update::Missing));
    };
    tx.admit(&update.record).await?;
    (update.change)(&mut tenant);
    tenant.id = id.clone();
    let mut revoked = Vec::new();
    if let Some(until) = update.revoke_until {
        tenant.not_before = tenant.not_before.max(now);
        revoked = tx.revoked(id, RevocationTarget::Tenant, now, until).await?;
    }
    save(tx, &tenant).await?;
    tx.changed(id, &Changed::Tenant, now).await?;
    Ok(Update::Done { value: tenant, revoked })
}

/// A tenant, disabled or not.
pub(super) async fn load(
    tx: &Transaction<'_>,
    id: &TenantId,
) -> Result<Option<Tenant>, StoreFault> {
    let row = tx.one("SELECT body FROM tenant WHERE id = $1", &[&id.as_str()]).await?;
    row.map(|row| row.json(0)).transpose()
}

/// Writes a tenant that exists.
pub(super) async fn save(tx: &Transaction<'_>, tenant: &Tenant) -> Result<u64, StoreFault> {
    tx.run(
        "UPDATE tenant SET disabled = $2, not_before = $3, body = $4 WHERE id = $1",
        &[&tenant.id.as_str(), &tenant.disabled, &tenant.not_before.as_millis(), &json(tenant)?],
    )
    .await
}
