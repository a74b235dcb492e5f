//! The revocation log in PostgreSQL.

use async_trait::async_trait;
use keywright_protocol::id::{ClientId, GrantId, SessionId, StatusListId, Subject, TenantId};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::status_list::TokenNames;
use keywright_protocol::time::Timestamp;
use tokio_postgres::Row;

use super::batch::{Outcome, Work, can_share};
use super::column::{Columns as _, pack};
use super::session::{EndSessions, end_sessions, user_of_session};
use super::transaction::{Mode, Transaction};
use super::{PostgresStore, client, key, refresh, tenant, user};
use crate::StoreFault;
use crate::attempt::{Attempt, Undo, either};
use crate::change::Changed;
use crate::revocation::{RevocationStore, Revoke, Revoked, after_waiting};
use crate::session::SessionEnd;

#[async_trait]
impl RevocationStore for PostgresStore {
    async fn revoke(&self, revoke: Revoke) -> Result<Revoked, StoreFault> {
        if can_share(&revoke) {
            return match self.shared.batches.carry_out(Work::Revoke(revoke)).await? {
                Outcome::Revoke(revoked) => Ok(revoked),
                other => Err(other.unexpected()),
            };
        }
        let mode = match &revoke.target {
            // Nothing but the row of the family depends on these.
            RevocationTarget::Family(_) | RevocationTarget::Token(_) => Mode::Together,
            _ => Mode::Alone,
        };
        let revoked = self.write(mode, revoke, |tx, revoke| Box::pin(carry_out(tx, revoke)));
        Ok(either(revoked.await?))
    }

    async fn revocations_since(
        &self,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<RevocationEntry>, StoreFault> {
        let sql = "SELECT seq, tenant, target, at, expires_at FROM revocation WHERE seq > $1
             ORDER BY seq LIMIT $2";
        let (seq, limit) = (seq.cast_signed(), i64::from(limit));
        let rows = self.scan(sql, &[&seq, &limit]).await?;
        rows.iter().map(read_entry).collect()
    }

    async fn listed_tokens(
        &self,
        tenant: &TenantId,
        list: &StatusListId,
        now: Timestamp,
    ) -> Result<Vec<(u32, TokenNames)>, StoreFault> {
        let sql = "SELECT idx, names FROM listed_token
             WHERE tenant = $1 AND list = $2 AND expires_at > $3";
        let rows = self.scan(sql, &[&tenant.as_str(), &list.as_str(), &now.as_millis()]).await?;
        let read =
            |row: &Row| Ok((u32::try_from(row.number(0)?).unwrap_or(u32::MAX), row.json(1)?));
        rows.iter().map(read).collect()
    }
}

fn read_entry(row: &Row) -> Result<RevocationEntry, StoreFault> {
    Ok(RevocationEntry {
        seq: row.number(0)?,
        tenant: TenantId::from_trusted(row.text(1)?),
        target: row.json(2)?,
        at: row.time(3)?,
        expires_at: row.time(4)?,
    })
}

async fn carry_out(tx: &Transaction<'_>, revoke: &Revoke) -> Attempt<Revoked, Revoked> {
    tx.spend(&revoke.record, Undo::Verdict(Revoked::AssertionReplayed)).await?;
    let entries = revoke_target(tx, revoke).await?;
    let entries = entries.ok_or(Undo::Verdict(Revoked::Missing))?;
    tx.append(&revoke.record.events)?;
    Ok(Revoked::Done(entries))
}

/// Revokes; the entries that the log gained, or nothing if there is no such thing.
async fn revoke_target(
    tx: &Transaction<'_>,
    revoke: &Revoke,
) -> Result<Option<Vec<RevocationEntry>>, StoreFault> {
    let (tenant, now) = (&revoke.tenant, after_waiting(revoke.record.now));
    let found = match &revoke.target {
        RevocationTarget::Client(id) => revoke_client(tx, tenant, id, now).await?,
        RevocationTarget::Family(id) => refresh::mark_family(tx, tenant, id).await?,
        RevocationTarget::Grant(id) => revoke_grant(tx, tenant, id).await?,
        RevocationTarget::Session(id) => return revoke_session(tx, revoke, id).await,
        RevocationTarget::SigningKey(kid) => revoke_key(tx, tenant, kid, now).await?,
        RevocationTarget::Tenant => revoke_tenant(tx, tenant, now).await?,
        RevocationTarget::Token(_) => true,
        RevocationTarget::User(sub) => return revoke_user(tx, revoke, sub).await,
    };
    if !found {
        return Ok(None);
    }
    tx.revoked(tenant, revoke.target.clone(), now, revoke.tokens_expire_at).await.map(Some)
}

async fn revoke_client(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    id: &ClientId,
    now: Timestamp,
) -> Result<bool, StoreFault> {
    let Some(mut client) = client::load(tx, tenant, id).await? else {
        return tx.is_revoked(tenant, &RevocationTarget::Client(id.clone())).await;
    };
    client.not_before = client.not_before.max(now);
    client::save(tx, &client).await?;
    tx.changed(tenant, &Changed::Client(id.clone()), now).await?;
    Ok(true)
}

async fn revoke_grant(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    id: &GrantId,
) -> Result<bool, StoreFault> {
    let deleted = tx
        .one(
            "DELETE FROM user_grant WHERE id = $1
         AND client IN (SELECT key FROM client WHERE tenant = $2) RETURNING sub",
            &[&pack(id), &tenant.as_str()],
        )
        .await?;
    let Some(row) = deleted else { return Ok(false) };
    let sub: Subject = row.id(0)?;
    tx.run(
        "UPDATE family SET revoked = true WHERE sub = $1 AND user_grant = $2",
        &[&pack(&sub), &pack(id)],
    )
    .await?;
    Ok(true)
}

async fn revoke_session(
    tx: &Transaction<'_>,
    revoke: &Revoke,
    id: &SessionId,
) -> Result<Option<Vec<RevocationEntry>>, StoreFault> {
    let tenant = &revoke.tenant;
    let Some(sub) = user_of_session(tx, tenant, id).await? else { return Ok(None) };
    let (at, expires_at) = (revoke.record.now, revoke.tokens_expire_at);
    let ends = EndSessions { tenant, sub: &sub, how: SessionEnd::Revoked, at, expires_at };
    end_sessions(tx, &ends, |ends| ends == id).await.map(Some)
}

async fn revoke_key(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    kid: &str,
    now: Timestamp,
) -> Result<bool, StoreFault> {
    let Some(mut times) = key::load_times(tx, tenant, kid).await? else { return Ok(false) };
    times.withdraw(now);
    key::save_times(tx, tenant, kid, times).await?;
    tx.changed(tenant, &Changed::Keys, now).await?;
    Ok(true)
}

async fn revoke_tenant(
    tx: &Transaction<'_>,
    id: &TenantId,
    now: Timestamp,
) -> Result<bool, StoreFault> {
    let Some(mut tenant) = tenant::load(tx, id).await? else { return Ok(false) };
    tenant.not_before = tenant.not_before.max(now);
    tenant::save(tx, &tenant).await?;
    tx.changed(id, &Changed::Tenant, now).await?;
    Ok(true)
}

async fn revoke_user(
    tx: &Transaction<'_>,
    revoke: &Revoke,
    sub: &Subject,
) -> Result<Option<Vec<RevocationEntry>>, StoreFault> {
    let (tenant, now) = (&revoke.tenant, after_waiting(revoke.record.now));
    let Some(mut user) = user::load(tx, tenant, sub).await? else { return Ok(None) };
    let entries = user::revoke_user(tx, tenant, &mut user, now, revoke.tokens_expire_at).await?;
    user::save(tx, tenant, &user).await?;
    Ok(Some(entries))
}
