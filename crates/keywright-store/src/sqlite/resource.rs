//! Protected resources in SQLite.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::TenantId;
use keywright_protocol::resource::{ProtectedResource, ResourceIndicator};
use rusqlite::params;

use super::SqliteStore;
use super::column::{Json, Statements as _};
use crate::StoreFault;
use crate::attempt::{Undo, either};
use crate::change::Changed;
use crate::client::{Create, Update};
use crate::resource::ResourceStore;

#[async_trait]
impl ResourceStore for SqliteStore {
    async fn create_resource(
        &self,
        tenant: &TenantId,
        resource: ProtectedResource,
        record: Record,
    ) -> Result<Create, StoreFault> {
        let tenant = tenant.clone();
        let created = self.write(move |tx| {
            let created = tx.db.run(
                "INSERT INTO resource (tenant, identifier, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
                (tenant.as_str(), resource.identifier.as_str(), Json(&resource)),
            )?;
            if created == 0 {
                return Err(Undo::Verdict(Create::Exists));
            }
            tx.admit(&record)?;
            tx.changed(&tenant, &Changed::Resources, record.now)?;
            Ok(Create::Created)
        });
        Ok(either(created.await?))
    }

    async fn replace_resource(
        &self,
        tenant: &TenantId,
        resource: ProtectedResource,
        record: Record,
    ) -> Result<Update<()>, StoreFault> {
        let body = serde_json::to_string(&resource);
        let body = body.map_err(|e| StoreFault::Corrupt(e.to_string()))?;
        self.change_resource(tenant, resource.identifier, Some(body), record).await
    }

    async fn delete_resource(
        &self,
        tenant: &TenantId,
        identifier: &ResourceIndicator,
        record: Record,
    ) -> Result<Update<()>, StoreFault> {
        self.change_resource(tenant, identifier.clone(), None, record).await
    }

    async fn list_resources(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<ProtectedResource>, StoreFault> {
        let tenant = tenant.clone();
        let sql = "SELECT body FROM resource WHERE tenant = ?1 ORDER BY identifier";
        let read = |row: &rusqlite::Row<'_>| Ok(row.get::<_, Json<_>>(0)?.0);
        self.scan(move |db| Ok(db.all(sql, [tenant.as_str()], read)?)).await
    }
}

impl SqliteStore {
    /// Gives a resource another body, or none: then it is deleted.
    async fn change_resource(
        &self,
        tenant: &TenantId,
        identifier: ResourceIndicator,
        body: Option<String>,
        record: Record,
    ) -> Result<Update<()>, StoreFault> {
        let tenant = tenant.clone();
        let changed = self.write(move |tx| {
            let (of, name) = (tenant.as_str(), identifier.as_str());
            let found = match &body {
                Some(body) => tx.db.run(
                    "UPDATE resource SET body = ?3 WHERE tenant = ?1 AND identifier = ?2",
                    params![of, name, body],
                )?,
                None => tx.db.run(
                    "DELETE FROM resource WHERE tenant = ?1 AND identifier = ?2",
                    params![of, name],
                )?,
            };
            if found == 0 {
                return Err(Undo::Verdict(Update::Missing));
            }
            tx.admit(&record)?;
            tx.changed(&tenant, &Changed::Resources, record.now)?;
            Ok(Update::Done { value: (), revoked: Vec::new() })
        });
        Ok(either(changed.await?))
    }
}
