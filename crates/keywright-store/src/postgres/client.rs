//! Clients in PostgreSQL.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::client::Client;
use keywright_protocol::id::{ClientId, TenantId};
use keywright_protocol::revocation::RevocationTarget;
use tokio_postgres::Row;

use super::PostgresStore;
use super::column::{Columns as _, json};
use super::transaction::{Mode, Transaction};
use crate::attempt::{Attempt, Undo, either};
use crate::change::Changed;
use crate::client::{ClientStore, Create, DeleteClient, Update, UpdateClient};
use crate::revocation::after_waiting;
use crate::{Listed, Page, StoreFault};

const LOAD: &str = "SELECT body FROM client WHERE tenant = $1 AND id = $2";

#[async_trait]
impl ClientStore for PostgresStore {
    async fn create_client(&self, client: Client, record: Record) -> Result<Create, StoreFault> {
        let created =
            self.write(Mode::Alone, (client, record), |tx, new| Box::pin(create(tx, new)));
        Ok(either(created.await?))
    }

    async fn load_client(
        &self,
        tenant: &TenantId,
        id: &ClientId,
    ) -> Result<Option<Client>, StoreFault> {
        let row = self.one(LOAD, &[&tenant.as_str(), &id.as_str()]).await?;
        row.map(|row| row.json(0)).transpose()
    }

    async fn update_client(&self, update: UpdateClient) -> Result<Update<Client>, StoreFault> {
        let updated = self.write(Mode::Alone, update, |tx, update| Box::pin(change(tx, update)));
        Ok(either(updated.await?))
    }

    async fn delete_client(&self, delete: DeleteClient) -> Result<Update<()>, StoreFault> {
        let deleted = self.write(Mode::Alone, delete, |tx, delete| Box::pin(remove(tx, delete)));
        Ok(either(deleted.await?))
    }

    async fn list_clients(
        &self,
        tenant: &TenantId,
        page: Page,
    ) -> Result<Listed<Client>, StoreFault> {
        let sql = "SELECT body FROM client WHERE tenant = $1 AND ($2::text IS NULL OR id > $2)
             ORDER BY id LIMIT $3";
        let limit = i64::from(page.one_more());
        let rows = self.scan(sql, &[&tenant.as_str(), &page.after, &limit]).await?;
        Ok(page.cut(read_all(&rows)?, |client| client.id.to_string()))
    }

    async fn all_clients(&self) -> Result<Vec<Client>, StoreFault> {
        let all = "SELECT body FROM client ORDER BY tenant, id";
        read_all(&self.scan(all, &[]).await?)
    }
}

fn read_all(rows: &[Row]) -> Result<Vec<Client>, StoreFault> {
    rows.iter().map(|row| row.json(0)).collect()
}

async fn create(
    tx: &Transaction<'_>,
    (client, record): &(Client, Record),
) -> Attempt<Create, Create> {
    let created = tx
        .run(
            "INSERT INTO client (tenant, id, disabled, not_before, body)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, id) DO NOTHING",
            &[
                &client.tenant.as_str(),
                &client.id.as_str(),
                &client.disabled,
                &client.not_before.as_millis(),
                &json(client)?,
            ],
        )
        .await?;
    if created == 0 {
        return Err(Undo::Verdict(Create::Exists));
    }
    tx.admit(record).await?;
    tx.changed(&client.tenant, &Changed::Client(client.id.clone()), record.now).await?;
    Ok(Create::Created)
}

async fn change(
    tx: &Transaction<'_>,
    update: &UpdateClient,
) -> Attempt<Update<Client>, Update<Client>> {
    let (tenant, id, now) = (&update.tenant, &update.id, after_waiting(update.record.now));
    let Some(mut client) = load(tx, tenant, id).await? else {
        return Err(Undo::Verdict(Update::Missing));
    };
    tx.admit(&update.record).await?;
    (update.change)(&mut client);
    (client.tenant, client.id) = (tenant.clone(), id.clone());
    let mut revoked = Vec::new();
    if let Some(until) = update.revoke_until {
        client.not_before = client.not_before.max(now);
        revoked = tx.revoked(tenant, RevocationTarget::Client(id.clone()), now, until).await?;
    }
    save(tx, &client).await?;
    tx.changed(tenant, &Changed::Client(id.clone()), now).await?;
    Ok(Update::Done { value: client, revoked })
}

async fn remove(tx: &Transaction<'_>, delete: &DeleteClient) -> Attempt<Update<()>, Update<()>> {
    let DeleteClient { tenant, id, tokens_expire_at, record } = delete;
    let deleted = tx
        .one(
            "DELETE FROM client WHERE tenant = $1 AND id = $2 RETURNING key",
            &[&tenant.as_str(), &id.as_str()],
        )
        .await?;
    let Some(row) = deleted else { return Err(Undo::Verdict(Update::Missing)) };
    let key: i64 = row.value(0)?;
    // Without client and shape its grants, codes and families are nobody's. There may be
    // millions: the sweeper deletes them a few at a time.
    tx.run("DELETE FROM family_shape WHERE client = $1", &[&key]).await?;
    tx.run("INSERT INTO deleted_client (key) VALUES ($1)", &[&key]).await?;
    tx.admit(record).await?;
    tx.changed(tenant, &Changed::Client(id.clone()), record.now).await?;
    let target = RevocationTarget::Client(id.clone());
    let at = after_waiting(record.now);
    let revoked = tx.revoked(tenant, target, at, *tokens_expire_at).await?;
    Ok(Update::Done { value: (), revoked })
}

/// A client, disabled or not.
pub(super) async fn load(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    id: &ClientId,
) -> Result<Option<Client>, StoreFault> {
    let row = tx.one(LOAD, &[&tenant.as_str(), &id.as_str()]).await?;
    row.map(|row| row.json(0)).transpose()
}

/// Writes a client that exists.
pub(super) async fn save(tx: &Transaction<'_>, client: &Client) -> Result<u64, StoreFault> {
    tx.run(
        "UPDATE client SET disabled = $3, not_before = $4, body = $5
         WHERE tenant = $1 AND id = $2",
        &[
            &client.tenant.as_str(),
            &client.id.as_str(),
            &client.disabled,
            &client.not_before.as_millis(),
            &json(client)?,
        ],
    )
    .await
}
