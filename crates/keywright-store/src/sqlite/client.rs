//! Clients in SQLite.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::client::Client;
use keywright_protocol::id::{ClientId, TenantId};
use keywright_protocol::revocation::RevocationTarget;
use rusqlite::{Connection, Row};

use super::SqliteStore;
use super::column::{Json, Statements as _};
use crate::attempt::{Undo, either, kept};
use crate::change::Changed;
use crate::client::{ClientStore, Create, DeleteClient, Update, UpdateClient};
use crate::revocation::after_waiting;
use crate::{Listed, Page, StoreFault};

#[async_trait]
impl ClientStore for SqliteStore {
    async fn create_client(&self, client: Client, record: Record) -> Result<Create, StoreFault> {
        let created = self.write(move |tx| {
            let created = tx.db.run(
                "INSERT INTO client (tenant, id, disabled, not_before, body)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tenant, id) DO NOTHING",
                (
                    client.tenant.as_str(),
                    client.id.as_str(),
                    client.disabled,
                    client.not_before.as_millis(),
                    Json(&client),
                ),
            )?;
            if created == 0 {
                return Err(Undo::Verdict(Create::Exists));
            }
            tx.admit(&record)?;
            tx.changed(&client.tenant, &Changed::Client(client.id.clone()), record.now)?;
            Ok(Create::Created)
        });
        Ok(either(created.await?))
    }

    async fn load_client(
        &self,
        tenant: &TenantId,
        id: &ClientId,
    ) -> Result<Option<Client>, StoreFault> {
        self.read(|db| Ok(load(db, tenant, id)?))
    }

    async fn update_client(&self, update: UpdateClient) -> Result<Update<Client>, StoreFault> {
        let updated = self.write(move |tx| {
            let (tenant, id, now) = (update.tenant, update.id, after_waiting(update.record.now));
            let Some(mut client) = load(tx.db, &tenant, &id)? else {
                return Ok(Update::Missing);
            };
            tx.admit(&update.record)?;
            (update.change)(&mut client);
            (client.tenant, client.id) = (tenant.clone(), id.clone());
            let mut revoked = Vec::new();
            if let Some(until) = update.revoke_until {
                client.not_before = client.not_before.max(now);
                revoked.push(tx.revoked(
                    &tenant,
                    RevocationTarget::Client(id.clone()),
                    now,
                    until,
                )?);
            }
            save(tx.db, &client)?;
            tx.changed(&tenant, &Changed::Client(id), now)?;
            Ok(Update::Done { value: client, revoked })
        });
        Ok(kept(updated.await?))
    }

    async fn delete_client(&self, delete: DeleteClient) -> Result<Update<()>, StoreFault> {
        let deleted = self.write(move |tx| {
            let DeleteClient { tenant, id, tokens_expire_at, record } = delete;
            let key = tx.db.one(
                "DELETE FROM client WHERE tenant = ?1 AND id = ?2 RETURNING key",
                (tenant.as_str(), id.as_str()),
                |row| row.get::<_, i64>(0),
            )?;
            let Some(key) = key else { return Err(Undo::Verdict(Update::Missing)) };
            // Without client and shape its grants, codes and families are nobody's. There may be
            // millions: the sweeper deletes them a few at a time.
            tx.db.run("DELETE FROM family_shape WHERE client = ?1", [key])?;
            tx.db.run("INSERT INTO deleted_client (key) VALUES (?1)", [key])?;
            tx.admit(&record)?;
            tx.changed(&tenant, &Changed::Client(id.clone()), record.now)?;
            let target = RevocationTarget::Client(id);
            let at = after_waiting(record.now);
            let revoked = vec![tx.revoked(&tenant, target, at, tokens_expire_at)?];
            Ok(Update::Done { value: (), revoked })
        });
        Ok(either(deleted.await?))
    }

    async fn list_clients(
        &self,
        tenant: &TenantId,
        page: Page,
    ) -> Result<Listed<Client>, StoreFault> {
        let tenant = tenant.clone();
        self.scan(move |db| {
            let rows = db.all(
                "SELECT body FROM client WHERE tenant = ?1 AND (?2 IS NULL OR id > ?2)
                 ORDER BY id LIMIT ?3",
                (tenant.as_str(), &page.after, page.one_more()),
                read_client,
            )?;
            Ok(page.cut(rows, |client| client.id.to_string()))
        })
        .await
    }

    async fn all_clients(&self) -> Result<Vec<Client>, StoreFault> {
        let all = "SELECT body FROM client ORDER BY tenant, id";
        self.scan(move |db| Ok(db.all(all, [], read_client)?)).await
    }
}

fn read_client(row: &Row<'_>) -> rusqlite::Result<Client> {
    Ok(row.get::<_, Json<Client>>(0)?.0)
}

/// A client, disabled or not.
pub(super) fn load(
    db: &Connection,
    tenant: &TenantId,
    id: &ClientId,
) -> rusqlite::Result<Option<Client>> {
    let sql = "SELECT body FROM client WHERE tenant = ?1 AND id = ?2";
    db.one(sql, (tenant.as_str(), id.as_str()), read_client)
}

/// Writes a client that exists.
pub(super) fn save(db: &Connection, client: &Client) -> rusqlite::Result<usize> {
    db.run(
        "UPDATE client SET disabled = ?3, not_before = ?4, body = ?5
         WHERE tenant = ?1 AND id = ?2",
        (
            client.tenant.as_str(),
            client.id.as_str(),
            client.disabled,
            client.not_before.as_millis(),
            Json(client),
        ),
    )
}
