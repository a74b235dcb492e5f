//! Protected resources in PostgreSQL.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::TenantId;
use keywright_protocol::resource::{ProtectedResource, ResourceIndicator};

use super::PostgresStore;
use super::column::{Columns as _, json};
use super::transaction::{Mode, Transaction};
use crate::StoreFault;
use crate::attempt::{Attempt, Undo, either};
use crate::change::Changed;
use crate::client::{Create, Update};
use crate::resource::ResourceStore;

#[async_trait]
impl ResourceStore for PostgresStore {
    async fn create_resource(
        &self,
        tenant: &TenantId,
        resource: ProtectedResource,
        record: Record,
    ) -> Result<Create, StoreFault> {
        let new = (tenant.clone(), resource, record);
        let created = self.write(Mode::Alone, new, |tx, new| Box::pin(create(tx, new)));
        Ok(either(created.await?))
    }

    async fn replace_resource(
        &self,
        tenant: &TenantId,
        resource: ProtectedResource,
        record: Record,
    ) -> Result<Update<()>, StoreFault> {
        let body = Some(json(&resource)?);
        let (tenant, identifier) = (tenant.clone(), resource.identifier);
        self.change_resource(Replacement { tenant, identifier, body, record }).await
    }

    async fn delete_resource(
        &self,
        tenant: &TenantId,
        identifier: &ResourceIndicator,
        record: Record,
    ) -> Result<Update<()>, StoreFault> {
        let (tenant, identifier) = (tenant.clone(), identifier.clone());
        self.change_resource(Replacement { tenant, identifier, body: None, record }).await
    }

    async fn list_resources(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<ProtectedResource>, StoreFault> {
        let sql = "SELECT body FROM resource WHERE tenant = $1 ORDER BY identifier";
        let rows = self.scan(sql, &[&tenant.as_str()]).await?;
        rows.iter().map(|row| row.json(0)).collect()
    }
}

/// Another body for a resource, or none: then it is deleted.
struct Replacement {
    tenant: TenantId,
    identifier: ResourceIndicator,
    body: Option<String>,
    record: Record,
}

impl PostgresStore {
    async fn change_resource(&self, replacement: Replacement) -> Result<Update<()>, StoreFault> {
        let changed = self
            .write(Mode::Alone, replacement, |tx, replacement| Box::pin(change(tx, replacement)));
        Ok(either(changed.await?))
    }
}

async fn create(
    tx: &Transaction<'_>,
    (tenant, resource, record): &(TenantId, ProtectedResource, Record),
) -> Attempt<Create, Create> {
    let created = tx
        .run(
            "INSERT INTO resource (tenant, identifier, body) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
            &[&tenant.as_str(), &resource.identifier.as_str(), &json(resource)?],
        )
        .await?;
    if created == 0 {
        return Err(Undo::Verdict(Create::Exists));
    }
    tx.admit(record).await?;
    tx.changed(tenant, &Changed::Resources, record.now).await?;
    Ok(Create::Created)
}

async fn change(
    tx: &Transaction<'_>,
    replacement: &Replacement,
) -> Attempt<Update<()>, Update<()>> {
    let Replacement { tenant, identifier, body, record } = replacement;
    let (of, name) = (tenant.as_str(), identifier.as_str());
    let found = match body {
        Some(body) => {
            let sql = "UPDATE resource SET body = $3 WHERE tenant = $1 AND identifier = $2";
            tx.run(sql, &[&of, &name, body]).await?
        }
        None => {
            let sql = "DELETE FROM resource WHERE tenant = $1 AND identifier = $2";
            tx.run(sql, &[&of, &name]).await?
        }
    };
    if found == 0 {
        return Err(Undo::Verdict(Update::Missing));
    }
    tx.admit(record).await?;
    tx.changed(tenant, &Changed::Resources, record.now).await?;
    Ok(Update::Done { value: (), revoked: Vec::new() })
}
