//! Grants in PostgreSQL.

use async_trait::async_trait;
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::id::{ClientId, GrantId, Subject, TenantId};
use tokio_postgres::Row;

use super::PostgresStore;
use super::column::{Columns as _, pack, packed_after};
use crate::grant::{GrantFilter, GrantStore};
use crate::{Listed, Page, StoreFault};

const GRANT: &str = "SELECT g.id, g.sub, c.id, g.scope, g.session, g.updated_at, g.resources
    FROM user_grant g JOIN client c ON c.key = g.client";

#[async_trait]
impl GrantStore for PostgresStore {
    async fn load_grant(
        &self,
        tenant: &TenantId,
        sub: &Subject,
        client: &ClientId,
    ) -> Result<Option<StoredGrant>, StoreFault> {
        let sql = format!("{GRANT} WHERE c.tenant = $1 AND c.id = $2 AND g.sub = $3");
        let row = self.one(&sql, &[&tenant.as_str(), &client.as_str(), &pack(sub)]).await?;
        row.as_ref().map(read_grant).transpose()
    }

    async fn list_grants(
        &self,
        tenant: &TenantId,
        filter: GrantFilter,
        page: Page,
    ) -> Result<Listed<StoredGrant>, StoreFault> {
        // A known user or client is looked up by its index; `IS NULL OR` would read them all.
        let by_user = filter.sub.as_ref().map_or("$3::bytea IS NULL", |_| "g.sub = $3");
        let by_client = filter.client.as_ref().map_or("$2::text IS NULL", |_| "c.id = $2");
        let sql = format!(
            "{GRANT} WHERE c.tenant = $1 AND {by_client} AND {by_user}
             AND ($4::bytea IS NULL OR g.id > $4) ORDER BY g.id LIMIT $5"
        );
        let client = filter.client.as_ref().map(ClientId::as_str);
        let (sub, limit) = (filter.sub.as_ref().map(pack), i64::from(page.one_more()));
        let after = packed_after::<GrantId>(page.after.as_deref());
        let rows = self.scan(&sql, &[&tenant.as_str(), &client, &sub, &after, &limit]).await?;
        let grants = rows.iter().map(read_grant).collect::<Result<_, _>>()?;
        Ok(page.cut(grants, |grant: &StoredGrant| grant.id.to_string()))
    }
}

fn read_grant(row: &Row) -> Result<StoredGrant, StoreFault> {
    Ok(StoredGrant {
        id: row.id(0)?,
        sub: row.id(1)?,
        client: ClientId::from_trusted(row.text(2)?),
        scope: row.json(3)?,
        session: row.id(4)?,
        updated_at: row.time(5)?,
        resources: row.json(6)?,
    })
}
