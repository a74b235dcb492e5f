//! Sessions in memory.

use async_trait::async_trait;
use keywright_protocol::id::{Subject, TenantId};
use keywright_protocol::revocation::RevocationEntry;
use keywright_protocol::session::Session;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::SessionHash;

use super::{EndSessions, MemoryStore, SessionRow, State, page};
use crate::attempt::{Undo, either, kept};
use crate::session::{EndSession, SessionEnd, SessionStore, SignIn, SignedIn};
use crate::{Listed, Page, StoreFault};

#[async_trait]
impl SessionStore for MemoryStore {
    async fn sign_in(&self, sign_in: SignIn) -> Result<SignedIn, StoreFault> {
        let signed_in = self.write(|state| {
            let SignIn { tenant, cookie, mut session, previous, tokens_expire_at, mut record } =
                sign_in;
            if !state.accepts_user(&tenant, &session.sub, session.authentication.time) {
                return Ok(SignedIn::SubjectGone);
            }
            let previous = previous.and_then(|cookie| state.by_cookie(&tenant, cookie)).cloned();
            let own = previous.as_ref().filter(|p| p.sub == session.sub);
            if let Some(own) = own.filter(|own| state.is_live(&tenant, own, record.now)) {
                session.id = own.id.clone();
            }
            record.events.iter_mut().for_each(|e| e.session_id = Some(session.id.clone()));
            state.admit(&record)?;
            let mut revoked = Vec::new();
            if let Some(other) = previous.filter(|p| p.sub != session.sub) {
                let how = SessionEnd::Logout;
                let (at, expires_at) = (record.now, tokens_expire_at);
                let end = EndSessions { tenant: &tenant, sub: &other.sub, how, at, expires_at };
                revoked = state.end_sessions(&end, |id| *id == other.id);
            }
            let row = SessionRow { cookie, session: session.clone() };
            state.sessions.insert((tenant, session.id.clone()), row);
            Ok(SignedIn::Committed { session, revoked })
        })?;
        Ok(kept(signed_in))
    }

    async fn load_session(
        &self,
        tenant: &TenantId,
        cookie: SessionHash,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreFault> {
        self.read(|state| {
            let session = state.by_cookie(tenant, cookie);
            session.filter(|session| state.is_live(tenant, session, now)).cloned()
        })
    }

    async fn end_session(&self, end: EndSession) -> Result<Vec<RevocationEntry>, StoreFault> {
        let ended = self.write(|state| {
            let row = state.sessions.get(&(end.tenant.clone(), end.session.clone()));
            let Some(sub) = row.map(|row| row.session.sub.clone()) else {
                return Err(Undo::Verdict(Vec::new()));
            };
            state.admit(&end.record)?;
            let (at, expires_at) = (end.record.now, end.tokens_expire_at);
            let how = EndSessions { tenant: &end.tenant, sub: &sub, how: end.how, at, expires_at };
            Ok(state.end_sessions(&how, |id| *id == end.session))
        })?;
        Ok(either(ended))
    }

    async fn list_sessions(
        &self,
        tenant: &TenantId,
        sub: Option<&Subject>,
        now: Timestamp,
        part: Page,
    ) -> Result<Listed<Session>, StoreFault> {
        self.read(|state| {
            let rows = state.sessions.iter().filter(|((of, _), row)| {
                of == tenant
                    && sub.is_none_or(|sub| row.session.sub == *sub)
                    && state.is_live(tenant, &row.session, now)
            });
            page(rows.map(|((_, id), r)| (id.to_string(), r.session.clone())), &part)
        })
    }
}

impl State {
    fn by_cookie(&self, tenant: &TenantId, cookie: SessionHash) -> Option<&Session> {
        let mut rows = self.sessions.iter().filter(|((of, _), _)| of == tenant);
        rows.find(|(_, row)| row.cookie == cookie).map(|(_, row)| &row.session)
    }
}
