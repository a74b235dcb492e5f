//! Users in SQLite.

use async_trait::async_trait;
use keywright_protocol::id::{Subject, TenantId};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::time::Timestamp;
use keywright_protocol::user::{User, Username};
use rusqlite::{Connection, Row};

use super::SqliteStore;
use super::column::{Json, Packed, Statements as _, packed_after};
use super::session::{EndSessions, end_sessions};
use super::transaction::Transaction;
use crate::attempt::{Undo, either, kept};
use crate::client::{Create, Update};
use crate::revocation::after_waiting;
use crate::session::SessionEnd;
use crate::user::{Login, NewUser, SetPassword, UpdateUser, UserStore};
use crate::{Listed, Page, StoreFault};

#[async_trait]
impl UserStore for SqliteStore {
    async fn create_user(&self, new: NewUser) -> Result<Create, StoreFault> {
        let created = self.write(move |tx| {
            let user = &new.user;
            let created = tx.db.run(
                "INSERT INTO user (tenant, sub, username, disabled, not_before, password_hash,
                    body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
                (
                    new.tenant.as_str(),
                    Packed(&user.sub),
                    user.username.as_str(),
                    user.disabled,
                    user.not_before.as_millis(),
                    &new.password_hash,
                    Json(user),
                ),
            )?;
            if created == 0 {
                return Err(Undo::Verdict(Create::Exists));
            }
            tx.admit(&new.record)?;
            Ok(Create::Created)
        });
        Ok(either(created.await?))
    }

    async fn load_user(
        &self,
        tenant: &TenantId,
        sub: &Subject,
    ) -> Result<Option<User>, StoreFault> {
        self.read(|db| Ok(load(db, tenant, sub)?))
    }

    async fn load_login(
        &self,
        tenant: &TenantId,
        username: &Username,
    ) -> Result<Option<Login>, StoreFault> {
        self.read(|db| {
            Ok(db.one(
                "SELECT body, password_hash FROM user WHERE tenant = ?1 AND username = ?2",
                (tenant.as_str(), username.as_str()),
                |row| Ok(Login { user: read_user(row)?, password_hash: row.get(1)? }),
            )?)
        })
    }

    async fn update_user(&self, update: UpdateUser) -> Result<Update<User>, StoreFault> {
        let updated = self.write(move |tx| {
            let (tenant, now) = (&update.tenant, after_waiting(update.record.now));
            let Some(before) = load(tx.db, tenant, &update.sub)? else {
                return Ok(Update::Missing);
            };
            tx.admit(&update.record)?;
            let mut user = before.clone();
            (update.change)(&mut user);
            (user.sub, user.username) = (before.sub, before.username);
            let mut revoked = Vec::new();
            if let Some(until) = update.revoke_until {
                revoked = revoke_user(tx, tenant, &mut user, now, until)?;
            }
            save(tx.db, tenant, &user)?;
            Ok(Update::Done { value: user, revoked })
        });
        Ok(kept(updated.await?))
    }

    async fn set_password(&self, set: SetPassword) -> Result<Update<User>, StoreFault> {
        let updated = self.write(move |tx| {
            let Some(user) = load(tx.db, &set.tenant, &set.sub)? else {
                return Ok(Update::Missing);
            };
            tx.admit(&set.record)?;
            tx.db.run(
                "UPDATE user SET password_hash = ?3 WHERE tenant = ?1 AND sub = ?2",
                (set.tenant.as_str(), Packed(&set.sub), &set.password_hash),
            )?;
            let (at, expires_at) = (set.record.now, set.tokens_expire_at);
            let how = SessionEnd::Revoked;
            let ends = EndSessions { tenant: &set.tenant, sub: &set.sub, how, at, expires_at };
            let revoked = end_sessions(tx, &ends, |id| set.keep.as_ref() != Some(id))?;
            Ok(Update::Done { value: user, revoked })
        });
        Ok(kept(updated.await?))
    }

    async fn list_users(&self, tenant: &TenantId, page: Page) -> Result<Listed<User>, StoreFault> {
        let tenant = tenant.clone();
        self.scan(move |db| {
            let rows = db.all(
                "SELECT body FROM user WHERE tenant = ?1 AND (?2 IS NULL OR sub > ?2)
                 ORDER BY sub LIMIT ?3",
                (tenant.as_str(), packed_after::<Subject>(page.after.as_deref()), page.one_more()),
                read_user,
            )?;
            Ok(page.cut(rows, |user| user.sub.to_string()))
        })
        .await
    }
}

fn read_user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(row.get::<_, Json<User>>(0)?.0)
}

/// A user, disabled or not.
pub(super) fn load(
    db: &Connection,
    tenant: &TenantId,
    sub: &Subject,
) -> rusqlite::Result<Option<User>> {
    let sql = "SELECT body FROM user WHERE tenant = ?1 AND sub = ?2";
    db.one(sql, (tenant.as_str(), Packed(sub)), read_user)
}

/// Writes a user that exists.
pub(super) fn save(db: &Connection, tenant: &TenantId, user: &User) -> rusqlite::Result<usize> {
    db.run(
        "UPDATE user SET disabled = ?3, not_before = ?4, body = ?5
         WHERE tenant = ?1 AND sub = ?2",
        (
            tenant.as_str(),
            Packed(&user.sub),
            user.disabled,
            user.not_before.as_millis(),
            Json(user),
        ),
    )
}

/// Ends all that a user has; the caller saves the user. The moment says it of what other nodes
/// give out meanwhile. What the store knows ends by name: a clock that is wrong may have dated it
/// after this one's now.
pub(super) fn revoke_user(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    user: &mut User,
    at: Timestamp,
    expires_at: Timestamp,
) -> rusqlite::Result<Vec<RevocationEntry>> {
    user.not_before = user.not_before.max(at);
    let target = RevocationTarget::User(user.sub.clone());
    let mut entries = vec![tx.revoked(tenant, target, at, expires_at)?];
    let end = EndSessions { tenant, sub: &user.sub, how: SessionEnd::Revoked, at, expires_at };
    entries.extend(end_sessions(tx, &end, |_| true)?);
    Ok(entries)
}
