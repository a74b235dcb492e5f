//! Sessions in PostgreSQL.

use async_trait::async_trait;
use keywright_protocol::id::{SessionId, Subject, TenantId};
use keywright_protocol::revocation::RevocationEntry;
use keywright_protocol::session::Session;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::SessionHash;

use super::PostgresStore;
use super::column::{Columns as _, json, pack, packed_after};
use super::connection::Values;
use super::transaction::{Mode, Transaction};
use crate::attempt::{Attempt, Undo, either};
use crate::ending::{Ending, HeldFamily, Holdings};
use crate::session::{EndSession, SessionEnd, SessionStore, SignIn, SignedIn};
use crate::{Listed, Page, StoreFault};

/// A session that is not over, of a user and tenant that still accept it. $1 tenant, $2 now.
macro_rules! live {
    () => {
        r#"s.tenant = $1 AND s.expires_at > $2 AND EXISTS (
            SELECT 1 FROM "user" u JOIN tenant t ON t.id = u.tenant
            WHERE u.tenant = s.tenant AND u.sub = s.sub
            AND NOT u.disabled AND u.not_before < s.authenticated_at
            AND NOT t.disabled AND t.not_before < s.authenticated_at
        )"#
    };
}

/// The live session of a cookie, $3.
const LIVE_SESSION: &str =
    concat!("SELECT s.body FROM session s WHERE s.cookie = $3 AND ", live!());

#[async_trait]
impl SessionStore for PostgresStore {
    async fn sign_in(&self, sign_in: SignIn) -> Result<SignedIn, StoreFault> {
        let together = self.write(Mode::Together, sign_in.clone(), |tx, sign_in| {
            Box::pin(begin(tx, sign_in, OthersSession::Refused))
        });
        match together.await? {
            Err(NotBegun::EndsAnother) => {}
            Err(NotBegun::SubjectGone) => return Ok(SignedIn::SubjectGone),
            Ok(signed_in) => return Ok(signed_in),
        }
        let alone = self.write(Mode::Alone, sign_in, |tx, sign_in| {
            Box::pin(begin(tx, sign_in, OthersSession::Ended))
        });
        Ok(alone.await?.unwrap_or(SignedIn::SubjectGone))
    }

    async fn load_session(
        &self,
        tenant: &TenantId,
        cookie: SessionHash,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreFault> {
        let cookie = cookie.as_bytes().as_slice();
        let row = self.one(LIVE_SESSION, &[&tenant.as_str(), &now.as_millis(), &cookie]).await?;
        row.map(|row| row.json(0)).transpose()
    }

    async fn end_session(&self, end: EndSession) -> Result<Vec<RevocationEntry>, StoreFault> {
        let ended = self.write(Mode::Alone, end, |tx, end| Box::pin(end_one(tx, end)));
        Ok(either(ended.await?))
    }

    async fn list_sessions(
        &self,
        tenant: &TenantId,
        sub: Option<&Subject>,
        now: Timestamp,
        page: Page,
    ) -> Result<Listed<Session>, StoreFault> {
        let by_user = if sub.is_some() { "s.sub = $3" } else { "$3::bytea IS NULL" };
        let sql = format!(
            "SELECT s.body FROM session s WHERE {} AND {by_user}
             AND ($4::bytea IS NULL OR s.id > $4) ORDER BY s.id LIMIT $5",
            live!()
        );
        let (sub, limit) = (sub.map(pack), i64::from(page.one_more()));
        let after = packed_after::<SessionId>(page.after.as_deref());
        let rows =
            self.scan(&sql, &[&tenant.as_str(), &now.as_millis(), &sub, &after, &limit]).await?;
        let sessions = rows.iter().map(|row| row.json(0)).collect::<Result<_, _>>()?;
        Ok(page.cut(sessions, |session: &Session| session.id.to_string()))
    }
}

async fn live_session(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    cookie: SessionHash,
    now: Timestamp,
) -> Result<Option<Session>, StoreFault> {
    let cookie = cookie.as_bytes().as_slice();
    let row = tx.one(LIVE_SESSION, &[&tenant.as_str(), &now.as_millis(), &cookie]).await?;
    row.map(|row| row.json(0)).transpose()
}

/// The user of a session, over or not.
pub(super) async fn user_of_session(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    session: &SessionId,
) -> Result<Option<Subject>, StoreFault> {
    let sql = "SELECT sub FROM session WHERE id = $1 AND tenant = $2";
    let row = tx.one(sql, &[&pack(session), &tenant.as_str()]).await?;
    row.map(|row| row.id(0)).transpose()
}

/// What becomes of another user's session in the same browser.
#[derive(Clone, Copy)]
enum OthersSession {
    Ended,
    Refused,
}

/// Why a session did not begin.
enum NotBegun {
    /// It would end another user's session, for which the verb must run alone.
    EndsAnother,
    SubjectGone,
}

async fn begin(
    tx: &Transaction<'_>,
    sign_in: &SignIn,
    others: OthersSession,
) -> Attempt<SignedIn, NotBegun> {
    let SignIn { tenant, cookie, session, previous, tokens_expire_at, record } = sign_in;
    let (mut session, mut record) = (session.clone(), record.clone());
    if !accepts(tx, tenant, &session).await? {
        return Err(Undo::Verdict(NotBegun::SubjectGone));
    }
    let mut other = None;
    if let Some(previous) = *previous {
        match live_session(tx, tenant, previous, record.now).await? {
            Some(own) if own.sub == session.sub => session.id = own.id,
            _ => other = session_of_other(tx, tenant, previous, &session.sub).await?,
        }
    }
    record.events.iter_mut().for_each(|event| event.session_id = Some(session.id.clone()));
    tx.admit(&record).await?;
    let mut revoked = Vec::new();
    if let Some((id, sub)) = other {
        if matches!(others, OthersSession::Refused) {
            return Err(Undo::Verdict(NotBegun::EndsAnother));
        }
        let (how, at, expires_at) = (SessionEnd::Logout, record.now, *tokens_expire_at);
        let ends = EndSessions { tenant, sub: &sub, how, at, expires_at };
        revoked = end_sessions(tx, &ends, |ends| *ends == id).await?;
    }
    store_session(tx, tenant, *cookie, &session).await?;
    Ok(SignedIn::Committed { session, revoked })
}

/// Whether tenant and user accept a sign-in of its moment.
async fn accepts(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    session: &Session,
) -> Result<bool, StoreFault> {
    let accepts = tx
        .one(
            r#"SELECT 1 FROM "user" u JOIN tenant t ON t.id = u.tenant
         WHERE u.tenant = $1 AND u.sub = $2 AND NOT u.disabled AND u.not_before < $3
         AND NOT t.disabled AND t.not_before < $3"#,
            &[&tenant.as_str(), &pack(&session.sub), &session.authentication.time.as_millis()],
        )
        .await?;
    Ok(accepts.is_some())
}

async fn session_of_other(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    cookie: SessionHash,
    sub: &Subject,
) -> Result<Option<(SessionId, Subject)>, StoreFault> {
    let sql = "SELECT id, sub FROM session WHERE cookie = $1 AND tenant = $2 AND sub <> $3";
    let cookie = cookie.as_bytes().as_slice();
    let row = tx.one(sql, &[&cookie, &tenant.as_str(), &pack(sub)]).await?;
    row.map(|row| Ok((row.id(0)?, row.id(1)?))).transpose()
}

async fn store_session(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    cookie: SessionHash,
    session: &Session,
) -> Result<(), StoreFault> {
    let stored = tx
        .run(
            "INSERT INTO session (id, tenant, sub, cookie, authenticated_at, expires_at, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (id) DO UPDATE SET cookie = excluded.cookie, body = excluded.body,
            authenticated_at = excluded.authenticated_at, expires_at = excluded.expires_at
         WHERE session.tenant = excluded.tenant AND session.sub = excluded.sub",
            &[
                &pack(&session.id),
                &tenant.as_str(),
                &pack(&session.sub),
                &cookie.as_bytes().as_slice(),
                &session.authentication.time.as_millis(),
                &session.expires_at.as_millis(),
                &json(session)?,
            ],
        )
        .await?;
    // No identifier is ever given twice; if one were, nobody's session changes hands.
    if stored == 1 {
        Ok(())
    } else {
        Err(StoreFault::Corrupt("a session's identifier belongs to somebody else".to_owned()))
    }
}

async fn end_one(
    tx: &Transaction<'_>,
    end: &EndSession,
) -> Attempt<Vec<RevocationEntry>, Vec<RevocationEntry>> {
    let Some(sub) = user_of_session(tx, &end.tenant, &end.session).await? else {
        return Err(Undo::Verdict(Vec::new()));
    };
    tx.admit(&end.record).await?;
    let (at, expires_at) = (end.record.now, end.tokens_expire_at);
    let ends = EndSessions { tenant: &end.tenant, sub: &sub, how: end.how, at, expires_at };
    Ok(end_sessions(tx, &ends, |id| *id == end.session).await?)
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
pub(super) async fn end_sessions(
    tx: &Transaction<'_>,
    end: &EndSessions<'_>,
    ends: impl Fn(&SessionId) -> bool,
) -> Result<Vec<RevocationEntry>, StoreFault> {
    let ending = Ending::of(holdings(tx, end.tenant, end.sub).await?, end.how, ends);
    let sessions: Vec<_> = ending.sessions.iter().map(pack).collect();
    let grants: Vec<_> = ending.grants.iter().map(pack).collect();
    let families: Vec<_> = ending.families.iter().map(pack).collect();
    tx.run("DELETE FROM session WHERE id = ANY ($1)", &[&sessions]).await?;
    tx.run("DELETE FROM user_grant WHERE id = ANY ($1)", &[&grants]).await?;
    tx.run("UPDATE family SET revoked = true WHERE id = ANY ($1)", &[&families]).await?;
    tx.all_revoked(end.tenant, ending.targets, end.at, end.expires_at).await
}

/// What a user has in the store.
async fn holdings(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    sub: &Subject,
) -> Result<Holdings, StoreFault> {
    let (sub, tenant) = (pack(sub), tenant.as_str());
    let user: Values<'_> = &[&sub, &tenant];
    let sql = "SELECT id FROM session WHERE sub = $1 AND tenant = $2 ORDER BY id";
    let sessions = tx.all(sql, user).await?;
    let sql = "SELECT g.id, g.session FROM user_grant g JOIN client c ON c.key = g.client
         WHERE g.sub = $1 AND c.tenant = $2 ORDER BY g.id";
    let grants = tx.all(sql, user).await?;
    let sql = "SELECT family.id, user_grant, session, offline FROM family
         JOIN family_shape f ON f.key = family.shape JOIN client c ON c.key = f.client
         WHERE family.sub = $1 AND c.tenant = $2 AND NOT revoked ORDER BY family.key";
    let families = tx.all(sql, user).await?;
    let family = |row: &tokio_postgres::Row| {
        let (id, grant, session) = (row.id(0)?, row.id(1)?, row.id(2)?);
        Ok::<_, StoreFault>(HeldFamily { id, grant, session, offline: row.value(3)? })
    };
    Ok(Holdings {
        families: families.iter().map(family).collect::<Result<_, _>>()?,
        grants: grants
            .iter()
            .map(|row| Ok::<_, StoreFault>((row.id(0)?, row.id(1)?)))
            .collect::<Result<_, _>>()?,
        sessions: sessions.iter().map(|row| row.id(0)).collect::<Result<_, _>>()?,
    })
}
