//! Grants in SQLite.

use async_trait::async_trait;
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::id::{ClientId, GrantId, SessionId, Subject, TenantId};
use keywright_protocol::time::Timestamp;
use rusqlite::Row;

use super::SqliteStore;
use super::column::{Json, Packed, Statements as _, packed_after};
use crate::grant::{GrantFilter, GrantStore};
use crate::{Listed, Page, StoreFault};

const GRANT: &str = "SELECT g.id, g.sub, c.id, g.scope, g.session, g.updated_at, g.resources
    FROM user_grant g JOIN client c ON c.key = g.client";

#[async_trait]
impl GrantStore for SqliteStore {
    async fn load_grant(
        &self,
        tenant: &TenantId,
        sub: &Subject,
        client: &ClientId,
    ) -> Result<Option<StoredGrant>, StoreFault> {
        self.read(|db| {
            Ok(db.one(
                &format!("{GRANT} WHERE c.tenant = ?1 AND c.id = ?2 AND g.sub = ?3"),
                (tenant.as_str(), client.as_str(), Packed(sub)),
                read_grant,
            )?)
        })
    }

    async fn list_grants(
        &self,
        tenant: &TenantId,
        filter: GrantFilter,
        page: Page,
    ) -> Result<Listed<StoredGrant>, StoreFault> {
        let tenant = tenant.clone();
        self.scan(move |db| {
            // A known user or client is looked up by its index; `IS NULL OR` would read them all.
            let by_user = filter.sub.as_ref().map_or("?3 IS NULL", |_| "g.sub = ?3");
            let by_client = filter.client.as_ref().map_or("?2 IS NULL", |_| "c.id = ?2");
            let rows = db.all(
                &format!(
                    "{GRANT} WHERE c.tenant = ?1 AND {by_client} AND {by_user}
                     AND (?4 IS NULL OR g.id > ?4) ORDER BY g.id LIMIT ?5"
                ),
                (
                    tenant.as_str(),
                    filter.client.as_ref().map(ClientId::as_str),
                    filter.sub.as_ref().map(Packed),
                    packed_after::<GrantId>(page.after.as_deref()),
                    page.one_more(),
                ),
                read_grant,
            )?;
            Ok(page.cut(rows, |grant| grant.id.to_string()))
        })
        .await
    }
}

fn read_grant(row: &Row<'_>) -> rusqlite::Result<StoredGrant> {
    Ok(StoredGrant {
        id: row.get::<_, Packed<GrantId>>(0)?.0,
        sub: row.get::<_, Packed<Subject>>(1)?.0,
        client: ClientId::from_trusted(row.get::<_, String>(2)?),
        scope: row.get::<_, Json<_>>(3)?.0,
        session: row.get::<_, Packed<SessionId>>(4)?.0,
        resources: row.get::<_, Json<_>>(6)?.0,
        updated_at: Timestamp::from_millis(row.get(5)?),
    })
}
