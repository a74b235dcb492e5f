//! Sessions in SQLite.

use std::convert::Infallible;

use async_trait::async_trait;
use keywright_protocol::id::{FamilyId, GrantId, SessionId, Subject, TenantId};
use keywright_protocol::revocation::RevocationEntry;
use keywright_protocol::session::Session;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::SessionHash;
use rusqlite::{Connection, Row};

use super::SqliteStore;
use super::column::{Json, Packed, Statements as _, packed_after};
use super::refresh::mark_family;
use super::transaction::Transaction;
use crate::attempt::{Attempt, Undo, either, kept};
use crate::ending::{Ending, HeldFamily, Holdings};
use crate::session::{EndSession, SessionEnd, SessionStore, SignIn, SignedIn};
use crate::{Listed, Page, StoreFault};

/// A session that is not over, of a user and tenant that still accept it. ?1 tenant, ?2 now.
macro_rules! live {
    () => {
        "s.tenant = ?1 AND s.expires_at > ?2 AND EXISTS (
            SELECT 1 FROM user u JOIN tenant t ON t.id = u.tenant
            WHERE u.tenant = s.tenant AND u.sub = s.sub
            AND u.disabled = 0 AND u.not_before < s.authenticated_at
            AND t.disabled = 0 AND t.not_before < s.authenticated_at
        )"
    };
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn sign_in(&self, sign_in: SignIn) -> Result<SignedIn, StoreFault> {
        Ok(kept(self.write(move |tx| begin(tx, sign_in)).await?))
    }

    async fn load_session(
        &self,
        tenant: &TenantId,
        cookie: SessionHash,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreFault> {
        self.read(|db| Ok(live_session(db, tenant, cookie, now)?))
    }

    async fn end_session(&self, end: EndSession) -> Result<Vec<RevocationEntry>, StoreFault> {
        let ended = self.write(move |tx| {
            let Some(sub) = user_of_session(tx.db, &end.tenant, &end.session)? else {
                return Err(Undo::Verdict(Vec::new()));
            };
            tx.admit(&end.record)?;
            let (at, expires_at) = (end.record.now, end.tokens_expire_at);
            let ends = EndSessions { tenant: &end.tenant, sub: &sub, how: end.how, at, expires_at };
            Ok(end_sessions(tx, &ends, |id| *id == end.session)?)
        });
        Ok(either(ended.await?))
    }

    async fn list_sessions(
        &self,
        tenant: &TenantId,
        sub: Option<&Subject>,
        now: Timestamp,
        page: Page,
    ) -> Result<Listed<Session>, StoreFault> {
        let (tenant, sub) = (tenant.clone(), sub.cloned());
        self.scan(move |db| {
            // One user's sessions are few. All of them are read in the order of their identifiers:
            // the plus keeps SQLite from reading them by tenant and sorting.
            let of_user = concat!(live!(), " AND s.sub = ?3");
            let of_all = concat!("+", live!(), " AND ?3 IS NULL");
            let which = if sub.is_some() { of_user } else { of_all };
            let rows = db.all(
                &format!(
                    "SELECT s.body FROM session s WHERE {which}
                     AND (?4 IS NULL OR s.id > ?4) ORDER BY s.id LIMIT ?5"
                ),
                (
                    tenant.as_str(),
                    now.as_millis(),
                    sub.as_ref().map(Packed),
                    packed_after::<SessionId>(page.after.as_deref()),
                    page.one_more(),
                ),
                read_session,
            )?;
            Ok(page.cut(rows, |session| session.id.to_string()))
        })
        .await
    }
}

fn read_session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(row.get::<_, Json<Session>>(0)?.0)
}

fn live_session(
    db: &Connection,
    tenant: &TenantId,
    cookie: SessionHash,
    now: Timestamp,
) -> rusqlite::Result<Option<Session>> {
    db.one(
        concat!("SELECT s.body FROM session s WHERE s.cookie = ?3 AND ", live!()),
        (tenant.as_str(), now.as_millis(), cookie.as_bytes()),
        read_session,
    )
}

/// The user of a session, over or not.
pub(super) fn user_of_session(
    db: &Connection,
    tenant: &TenantId,
    session: &SessionId,
) -> rusqlite::Result<Option<Subject>> {
    db.one(
        "SELECT sub FROM session WHERE id = ?1 AND tenant = ?2",
        (Packed(session), tenant.as_str()),
        |row| Ok(row.get::<_, Packed<Subject>>(0)?.0),
    )
}

fn begin(tx: &mut Transaction<'_>, sign_in: SignIn) -> Attempt<SignedIn, Infallible> {
    let SignIn { tenant, cookie, mut session, previous, tokens_expire_at, mut record } = sign_in;
    if !accepts(tx.db, &tenant, &session)? {
        return Ok(SignedIn::SubjectGone);
    }
    let mut other = None;
    if let Some(previous) = previous {
        match live_session(tx.db, &tenant, previous, record.now)? {
            Some(own) if own.sub == session.sub => session.id = own.id,
            _ => other = session_of_other(tx.db, &tenant, previous, &session.sub)?,
        }
    }
    record.events.iter_mut().for_each(|event| event.session_id = Some(session.id.clone()));
    tx.admit(&record)?;
    let mut revoked = Vec::new();
    if let Some((id, sub)) = other {
        let (how, at, expires_at) = (SessionEnd::Logout, record.now, tokens_expire_at);
        let ends = EndSessions { tenant: &tenant, sub: &sub, how, at, expires_at };
        revoked = end_sessions(tx, &ends, |ends| *ends == id)?;
    }
    store_session(tx.db, &tenant, cookie, &session)?;
    Ok(SignedIn::Committed { session, revoked })
}

/// Whether tenant and user accept a sign-in of its moment.
fn accepts(db: &Connection, tenant: &TenantId, session: &Session) -> rusqlite::Result<bool> {
    let accepts = db.one(
        "SELECT 1 FROM user u JOIN tenant t ON t.id = u.tenant
         WHERE u.tenant = ?1 AND u.sub = ?2 AND u.disabled = 0 AND u.not_before < ?3
         AND t.disabled = 0 AND t.not_before < ?3",
        (tenant.as_str(), Packed(&session.sub), session.authentication.time.as_millis()),
        |_| Ok(()),
    )?;
    Ok(accepts.is_some())
}

fn session_of_other(
    db: &Connection,
    tenant: &TenantId,
    cookie: SessionHash,
    sub: &Subject,
) -> rusqlite::Result<Option<(SessionId, Subject)>> {
    db.one(
        "SELECT id, sub FROM session WHERE cookie = ?1 AND tenant = ?2 AND sub <> ?3",
        (cookie.as_bytes(), tenant.as_str(), Packed(sub)),
        |row| Ok((row.get::<_, Packed<_>>(0)?.0, row.get::<_, Packed<_>>(1)?.0)),
    )
}

fn store_session(
    db: &Connection,
    tenant: &TenantId,
    cookie: SessionHash,
    session: &Session,
) -> rusqlite::Result<()> {
    let stored = db.run(
        "INSERT INTO session (id, tenant, sub, cookie, authenticated_at, expires_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET cookie = excluded.cookie, body = excluded.body,
            authenticated_at = excluded.authenticated_at, expires_at = excluded.expires_at
         WHERE session.tenant = excluded.tenant AND session.sub = excluded.sub",
        (
            Packed(&session.id),
            tenant.as_str(),
            Packed(&session.sub),
            cookie.as_bytes(),
            session.authentication.time.as_millis(),
            session.expires_at.as_millis(),
            Json(session),
        ),
    )?;
    // No identifier is ever given twice; if one were, nobody's session changes hands.
    if stored == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(stored)) }
}

/// Whose sessions end, and how.
pub(super) struct EndSessions<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) sub: &'a Subject,
    pub(super) how: SessionEnd,
    pub(super) at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// Ends sessions of a user and what ends with them.
pub(super) fn end_sessions(
    tx: &Transaction<'_>,
    end: &EndSessions<'_>,
    ends: impl Fn(&SessionId) -> bool,
) -> rusqlite::Result<Vec<RevocationEntry>> {
    let ending = Ending::of(holdings(tx.db, end.tenant, end.sub)?, end.how, ends);
    for session in &ending.sessions {
        tx.db.run("DELETE FROM session WHERE id = ?1", [Packed(session)])?;
    }
    for grant in &ending.grants {
        tx.db.run("DELETE FROM user_grant WHERE id = ?1", [Packed(grant)])?;
    }
    for family in &ending.families {
        mark_family(tx.db, end.tenant, family)?;
    }
    let targets = ending.targets.into_iter();
    targets.map(|target| tx.revoked(end.tenant, target, end.at, end.expires_at)).collect()
}

/// What a user has in the store.
pub(super) fn holdings(
    db: &Connection,
    tenant: &TenantId,
    sub: &Subject,
) -> rusqlite::Result<Holdings> {
    let user = || (Packed(sub), tenant.as_str());
    let sessions =
        db.all("SELECT id FROM session WHERE sub = ?1 AND tenant = ?2", user(), |row| {
            Ok(row.get::<_, Packed<SessionId>>(0)?.0)
        })?;
    let grants = db.all(
        "SELECT g.id, g.session FROM user_grant g JOIN client c ON c.key = g.client
         WHERE g.sub = ?1 AND c.tenant = ?2",
        user(),
        |row| Ok((row.get::<_, Packed<GrantId>>(0)?.0, row.get::<_, Packed<SessionId>>(1)?.0)),
    )?;
    let families = db.all(
        "SELECT family.id, user_grant, session, offline FROM family
         JOIN family_shape f ON f.key = family.shape JOIN client c ON c.key = f.client
         WHERE family.sub = ?1 AND c.tenant = ?2 AND revoked = 0",
        user(),
        |row| {
            Ok(HeldFamily {
                id: row.get::<_, Packed<FamilyId>>(0)?.0,
                grant: row.get::<_, Packed<GrantId>>(1)?.0,
                session: row.get::<_, Packed<SessionId>>(2)?.0,
                offline: row.get(3)?,
            })
        },
    )?;
    Ok(Holdings { families, grants, sessions })
}
