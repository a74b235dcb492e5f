//! The revocation log in SQLite.

use async_trait::async_trait;
use keywright_protocol::id::{ClientId, GrantId, SessionId, StatusListId, Subject, TenantId};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::status_list::TokenNames;
use keywright_protocol::time::Timestamp;
use rusqlite::Row;

use super::column::{Json, Packed, Statements as _};
use super::session::{EndSessions, end_sessions, user_of_session};
use super::transaction::Transaction;
use super::{SqliteStore, client, key, refresh, tenant, user};
use crate::StoreFault;
use crate::attempt::{Undo, either};
use crate::change::Changed;
use crate::revocation::{RevocationStore, Revoke, Revoked, after_waiting};
use crate::session::SessionEnd;

#[async_trait]
impl RevocationStore for SqliteStore {
    async fn revoke(&self, revoke: Revoke) -> Result<Revoked, StoreFault> {
        let revoked = self.write(move |tx| {
            tx.spend(&revoke.record, Undo::Verdict(Revoked::AssertionReplayed))?;
            let entries = carry_out(tx, &revoke)?;
            let entries = entries.ok_or(Undo::Verdict(Revoked::Missing))?;
            tx.append(&revoke.record.events)?;
            Ok(Revoked::Done(entries))
        });
        Ok(either(revoked.await?))
    }

    async fn revocations_since(
        &self,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<RevocationEntry>, StoreFault> {
        let sql = "SELECT seq, tenant, target, at, expires_at FROM revocation WHERE seq > ?1
             ORDER BY seq LIMIT ?2";
        self.scan(move |db| Ok(db.all(sql, (seq.cast_signed(), limit), read_entry)?)).await
    }

    async fn listed_tokens(
        &self,
        tenant: &TenantId,
        list: &StatusListId,
        now: Timestamp,
    ) -> Result<Vec<(u32, TokenNames)>, StoreFault> {
        let (tenant, list) = (tenant.clone(), list.clone());
        let sql = "SELECT idx, names FROM listed_token
             WHERE tenant = ?1 AND list = ?2 AND expires_at > ?3";
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Json<_>>(1)?.0));
        self.scan(move |db| {
            Ok(db.all(sql, (tenant.as_str(), list.as_str(), now.as_millis()), read)?)
        })
        .await
    }
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<RevocationEntry> {
    Ok(RevocationEntry {
        seq: row.get::<_, i64>(0)?.cast_unsigned(),
        tenant: TenantId::from_trusted(row.get::<_, String>(1)?),
        target: row.get::<_, Json<_>>(2)?.0,
        at: Timestamp::from_millis(row.get(3)?),
        expires_at: Timestamp::from_millis(row.get(4)?),
    })
}

/// Revokes; the entries that the log gained, or nothing if there is no such thing.
fn carry_out(
    tx: &Transaction<'_>,
    revoke: &Revoke,
) -> rusqlite::Result<Option<Vec<RevocationEntry>>> {
    let (tenant, now) = (&revoke.tenant, after_waiting(revoke.record.now));
    let found = match &revoke.target {
        RevocationTarget::Client(id) => revoke_client(tx, tenant, id, now)?,
        RevocationTarget::Family(id) => refresh::mark_family(tx.db, tenant, id)?,
        RevocationTarget::Grant(id) => revoke_grant(tx, tenant, id)?,
        RevocationTarget::Session(id) => return revoke_session(tx, revoke, id),
        RevocationTarget::SigningKey(kid) => revoke_key(tx, tenant, kid, now)?,
        RevocationTarget::Tenant => revoke_tenant(tx, tenant, now)?,
        RevocationTarget::Token(_) => true,
        RevocationTarget::User(sub) => return revoke_user(tx, revoke, sub),
    };
    if !found {
        return Ok(None);
    }
    let entry = tx.revoked(tenant, revoke.target.clone(), now, revoke.tokens_expire_at)?;
    Ok(Some(vec![entry]))
}

fn revoke_client(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    id: &ClientId,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let Some(mut client) = client::load(tx.db, tenant, id)? else {
        return tx.is_revoked(tenant, &RevocationTarget::Client(id.clone()));
    };
    client.not_before = client.not_before.max(now);
    client::save(tx.db, &client)?;
    tx.changed(tenant, &Changed::Client(id.clone()), now)?;
    Ok(true)
}

fn revoke_grant(tx: &Transaction<'_>, tenant: &TenantId, id: &GrantId) -> rusqlite::Result<bool> {
    let sub = tx.db.one(
        "DELETE FROM user_grant WHERE id = ?1
         AND client IN (SELECT key FROM client WHERE tenant = ?2) RETURNING sub",
        (Packed(id), tenant.as_str()),
        |row| Ok(row.get::<_, Packed<Subject>>(0)?.0),
    )?;
    let Some(sub) = sub else { return Ok(false) };
    tx.db.run(
        "UPDATE family SET revoked = 1 WHERE sub = ?1 AND user_grant = ?2",
        (Packed(&sub), Packed(id)),
    )?;
    Ok(true)
}

fn revoke_session(
    tx: &Transaction<'_>,
    revoke: &Revoke,
    id: &SessionId,
) -> rusqlite::Result<Option<Vec<RevocationEntry>>> {
    let tenant = &revoke.tenant;
    let Some(sub) = user_of_session(tx.db, tenant, id)? else { return Ok(None) };
    let (at, expires_at) = (revoke.record.now, revoke.tokens_expire_at);
    let ends = EndSessions { tenant, sub: &sub, how: SessionEnd::Revoked, at, expires_at };
    end_sessions(tx, &ends, |ends| ends == id).map(Some)
}

fn revoke_key(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    kid: &str,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let Some(mut times) = key::load_times(tx.db, tenant, kid)? else { return Ok(false) };
    times.withdraw(now);
    key::save_times(tx.db, tenant, kid, times)?;
    tx.changed(tenant, &Changed::Keys, now)?;
    Ok(true)
}

fn revoke_tenant(tx: &Transaction<'_>, id: &TenantId, now: Timestamp) -> rusqlite::Result<bool> {
    let Some(mut tenant) = tenant::load(tx.db, id)? else { return Ok(false) };
    tenant.not_before = tenant.not_before.max(now);
    tenant::save(tx.db, &tenant)?;
    tx.changed(id, &Changed::Tenant, now)?;
    Ok(true)
}

fn revoke_user(
    tx: &Transaction<'_>,
    revoke: &Revoke,
    sub: &Subject,
) -> rusqlite::Result<Option<Vec<RevocationEntry>>> {
    let (tenant, now) = (&revoke.tenant, after_waiting(revoke.record.now));
    let Some(mut user) = user::load(tx.db, tenant, sub)? else { return Ok(None) };
    let entries = user::revoke_user(tx, tenant, &mut user, now, revoke.tokens_expire_at)?;
    user::save(tx.db, tenant, &user)?;
    Ok(Some(entries))
}
