//! Users in PostgreSQL.

use async_trait::async_trait;
use keywright_protocol::id::{Subject, TenantId};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::time::Timestamp;
use keywright_protocol::user::{User, Username};

use super::PostgresStore;
use super::column::{Columns as _, json, pack, packed_after};
use super::session::{EndSessions, end_sessions};
use super::transaction::{Mode, Transaction};
use crate::attempt::{Attempt, Undo, either};
use crate::client::{Create, Update};
use crate::revocation::after_waiting;
use crate::session::SessionEnd;
use crate::user::{Login, NewUser, SetPassword, UpdateUser, UserStore};
use crate::{Listed, Page, StoreFault};

const LOAD: &str = r#"SELECT body FROM "user" WHERE tenant = $1 AND sub = $2"#;

#[async_trait]
impl UserStore for PostgresStore {
    async fn create_user(&self, new: NewUser) -> Result<Create, StoreFault> {
        let created = self.write(Mode::Alone, new, |tx, new| Box::pin(create(tx, new)));
        Ok(either(created.await?))
    }

    async fn load_user(
        &self,
        tenant: &TenantId,
        sub: &Subject,
    ) -> Result<Option<User>, StoreFault> {
        let row = self.one(LOAD, &[&tenant.as_str(), &pack(sub)]).await?;
        row.map(|row| row.json(0)).transpose()
    }

    async fn load_login(
        &self,
        tenant: &TenantId,
        username: &Username,
    ) -> Result<Option<Login>, StoreFault> {
        let sql = r#"SELECT body, password_hash FROM "user" WHERE tenant = $1 AND username = $2"#;
        let row = self.one(sql, &[&tenant.as_str(), &username.as_str()]).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Login { user: row.json(0)?, password_hash: row.value(1)? }))
    }

    async fn update_user(&self, update: UpdateUser) -> Result<Update<User>, StoreFault> {
        let updated = self.write(Mode::Alone, update, |tx, update| Box::pin(change(tx, update)));
        Ok(either(updated.await?))
    }

    async fn set_password(&self, set: SetPassword) -> Result<Update<User>, StoreFault> {
        let updated = self.write(Mode::Alone, set, |tx, set| Box::pin(set_password(tx, set)));
        Ok(either(updated.await?))
    }

    async fn list_users(&self, tenant: &TenantId, page: Page) -> Result<Listed<User>, StoreFault> {
        let sql = r#"SELECT body FROM "user" WHERE tenant = $1 AND ($2::bytea IS NULL OR sub > $2)
             ORDER BY sub LIMIT $3"#;
        let after = packed_after::<Subject>(page.after.as_deref());
        let limit = i64::from(page.one_more());
        let rows = self.scan(sql, &[&tenant.as_str(), &after, &limit]).await?;
        let users = rows.iter().map(|row| row.json(0)).collect::<Result<_, _>>()?;
        Ok(page.cut(users, |user: &User| user.sub.to_string()))
    }
}

async fn create(tx: &Transaction<'_>, new: &NewUser) -> Attempt<Create, Create> {
    let user = &new.user;
    let created = tx
        .run(
            r#"INSERT INTO "user" (tenant, sub, username, disabled, not_before, password_hash, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"#,
            &[
                &new.tenant.as_str(),
                &pack(&user.sub),
                &user.username.as_str(),
                &user.disabled,
                &user.not_before.as_millis(),
                &new.password_hash,
                &json(user)?,
            ],
        )
        .await?;
    if created == 0 {
        return Err(Undo::Verdict(Create::Exists));
    }
    tx.admit(&new.record).await?;
    Ok(Create::Created)
}

async fn change(tx: &Transaction<'_>, update: &UpdateUser) -> Attempt<Update<User>, Update<User>> {
    let (tenant, now) = (&update.tenant, after_waiting(update.record.now));
    let Some(before) = load(tx, tenant, &update.sub).await? else {
        return Err(Undo::Verdict(Update::Missing));
    };
    tx.admit(&update.record).await?;
    let mut user = before.clone();
    (update.change)(&mut user);
    (user.sub, user.username) = (before.sub, before.username);
    let mut revoked = Vec::new();
    if let Some(until) = update.revoke_until {
        revoked = revoke_user(tx, tenant, &mut user, now, until).await?;
    }
    save(tx, tenant, &user).await?;
    Ok(Update::Done { value: user, revoked })
}

async fn set_password(
    tx: &Transaction<'_>,
    set: &SetPassword,
) -> Attempt<Update<User>, Update<User>> {
    let Some(user) = load(tx, &set.tenant, &set.sub).await? else {
        return Err(Undo::Verdict(Update::Missing));
    };
    tx.admit(&set.record).await?;
    tx.run(
        r#"UPDATE "user" SET password_hash = $3 WHERE tenant = $1 AND sub = $2"#,
        &[&set.tenant.as_str(), &pack(&set.sub), &set.password_hash],
    )
    .await?;
    let (at, expires_at, how) = (set.record.now, set.tokens_expire_at, SessionEnd::Revoked);
    let ends = EndSessions { tenant: &set.tenant, sub: &set.sub, how, at, expires_at };
    let revoked = end_sessions(tx, &ends, |id| set.keep.as_ref() != Some(id)).await?;
    Ok(Update::Done { value: user, revoked })
}

/// A user, disabled or not.
pub(super) async fn load(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    sub: &Subject,
) -> Result<Option<User>, StoreFault> {
    let row = tx.one(LOAD, &[&tenant.as_str(), &pack(sub)]).await?;
    row.map(|row| row.json(0)).transpose()
}

/// Writes a user that exists.
pub(super) async fn save(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    user: &User,
) -> Result<u64, StoreFault> {
    tx.run(
        r#"UPDATE "user" SET disabled = $3, not_before = $4, body = $5
         WHERE tenant = $1 AND sub = $2"#,
        &[
            &tenant.as_str(),
            &pack(&user.sub),
            &user.disabled,
            &user.not_before.as_millis(),
            &json(user)?,
        ],
    )
    .await
}

/// Ends all that a user has; the caller saves the user. The moment says it of what other nodes
/// give out meanwhile. What the store knows ends by name: a clock that is wrong may have dated it
/// after this one's now.
pub(super) async fn revoke_user(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    user: &mut User,
    at: Timestamp,
    expires_at: Timestamp,
) -> Result<Vec<RevocationEntry>, StoreFault> {
    user.not_before = user.not_before.max(at);
    let target = RevocationTarget::User(user.sub.clone());
    let mut entries = tx.revoked(tenant, target, at, expires_at).await?;
    let end = EndSessions { tenant, sub: &user.sub, how: SessionEnd::Revoked, at, expires_at };
    entries.extend(end_sessions(tx, &end, |_| true).await?);
    Ok(entries)
}
