//! Authorization codes in memory.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::grant::authorization_code::{CodeState, StoredCode};
use keywright_protocol::grant::refresh_token::StoredFamily;
use keywright_protocol::id::TenantId;
use keywright_protocol::limits::CODE_FAILURES_MAX;
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::CodeHash;
use keywright_protocol::wire::response::Receipt;

use super::{CodeRow, MemoryStore, State};
use crate::StoreFault;
use crate::attempt::{Attempt, Undo, either};
use crate::code::{CodeStore, Issue, IssueCode, Redeem, RedeemCode, ReplayedCode};
use crate::refresh::NewFamily;

#[async_trait]
impl CodeStore for MemoryStore {
    async fn issue_code(&self, issue: IssueCode) -> Result<Issue, StoreFault> {
        let issued = self.write(|state| {
            let (tenant, code) = (&issue.tenant, &issue.code);
            if !state.may_issue(tenant, code, issue.record.now) {
                return Err(Undo::Verdict(Issue::SubjectGone));
            }
            state.refuse_other_consent(&issue)?;
            state.refuse_used(&issue.record, Undo::used_before())?;
            state.admit(&issue.record)?;
            let row = CodeRow { code: code.clone(), failures: 0 };
            state.codes.insert((tenant.clone(), *issue.hash.as_bytes()), row);
            state.grants.insert((tenant.clone(), issue.grant.id.clone()), issue.grant.clone());
            Ok(())
        })?;
        Ok(issued.map_or_else(|refused| refused, |()| Issue::Committed(Receipt::of_commit())))
    }

    async fn load_code(
        &self,
        tenant: &TenantId,
        code: CodeHash,
    ) -> Result<Option<StoredCode>, StoreFault> {
        self.read(|state| state.code(tenant, code).map(|row| row.code.clone()))
    }

    async fn redeem_code(&self, redeem: RedeemCode) -> Result<Redeem, StoreFault> {
        let redeemed = self.write(|state| {
            state.refuse_used(&redeem.record, Undo::Verdict(Redeem::AssertionReplayed))?;
            let lost = Undo::Verdict(Redeem::LostRace);
            let Some(row) = state.code(&redeem.tenant, redeem.hash) else { return Err(lost) };
            let (code, now) = (&row.code, redeem.record.now);
            if code.client != redeem.code.client {
                return Err(lost);
            }
            if !state.may_redeem(&redeem.tenant, code, now) {
                return Err(Undo::Verdict(Redeem::SubjectGone));
            }
            if code.state != CodeState::Issued || code.expires_at <= now {
                return Err(lost);
            }
            state.admit(&redeem.record)?;
            state.spend_code(redeem);
            Ok(())
        })?;
        Ok(redeemed.map_or_else(|refused| refused, |()| Redeem::Committed(Receipt::of_commit())))
    }

    async fn fail_code(
        &self,
        tenant: &TenantId,
        code: CodeHash,
        record: Record,
    ) -> Result<(), StoreFault> {
        // Who replays an assertion is not the client: nothing is counted against the code.
        let failed = self.write(|state| {
            state.refuse_used(&record, Undo::Verdict(()))?;
            state.admit(&record)?;
            if let Some(row) = state.codes.get_mut(&(tenant.clone(), *code.as_bytes())) {
                row.failures += 1;
                if row.code.state == CodeState::Issued && row.failures >= CODE_FAILURES_MAX {
                    row.code.state = CodeState::Burned;
                }
            }
            Ok(())
        })?;
        let _: () = either(failed);
        Ok(())
    }

    async fn revoke_replayed_code(
        &self,
        replayed: ReplayedCode,
    ) -> Result<Vec<RevocationEntry>, StoreFault> {
        // Who replays an assertion is not the client: nobody's tokens die of it.
        let revoked = self.write(|state| {
            state.refuse_used(&replayed.record, Undo::Verdict(Vec::new()))?;
            let row = state.code(&replayed.tenant, replayed.hash);
            let Some(CodeState::Redeemed { jti, family }) = row.map(|row| row.code.state.clone())
            else {
                return Err(Undo::Verdict(Vec::new()));
            };
            state.admit(&replayed.record)?;
            let tenant = &replayed.tenant;
            let mut targets = vec![RevocationTarget::Token(jti)];
            if let Some(family) = family {
                state.mark_family(tenant, &family);
                targets.push(RevocationTarget::Family(family));
            }
            // A second replay finds all of it dead already: the log does not grow by it.
            targets.retain(|target| !state.is_revoked(tenant, target));
            let (at, expires_at) = (replayed.record.now, replayed.tokens_expire_at);
            let targets = targets.into_iter();
            Ok(targets.map(|target| state.revoked(tenant, target, at, expires_at)).collect())
        })?;
        Ok(either(revoked))
    }
}

impl State {
    fn may_issue(&self, tenant: &TenantId, code: &StoredCode, now: Timestamp) -> bool {
        let row = self.sessions.get(&(tenant.clone(), code.session.clone()));
        let session =
            row.is_some_and(|r| r.session.sub == code.sub && self.is_live(tenant, &r.session, now));
        session
            && self.accepts_user(tenant, &code.sub, code.created_at)
            && self.accepts_client(tenant, &code.client, code.created_at)
    }

    fn may_redeem(&self, tenant: &TenantId, code: &StoredCode, now: Timestamp) -> bool {
        self.has_session(tenant, &code.session, &code.sub, now)
            && self.has_grant(tenant, &code.grant, &code.sub, &code.client)
            && self.accepts_user(tenant, &code.sub, code.created_at)
            && self.accepts_client(tenant, &code.client, code.created_at)
    }

    /// Refuses a consent that would undo another, or bring a revoked one back.
    fn refuse_other_consent(&self, issue: &IssueCode) -> Attempt<(), Issue> {
        let (tenant, grant) = (&issue.tenant, &issue.grant);
        let stored = self.grants.iter().find(|((of, _), stored)| {
            of == tenant && stored.sub == grant.sub && stored.client == grant.client
        });
        let as_judged = match stored {
            Some((_, stored)) => {
                stored.id == grant.id && issue.granted_before.as_ref() == Some(&stored.scope)
            }
            None => {
                let target = RevocationTarget::Grant(grant.id.clone());
                issue.granted_before.is_none() && !self.is_revoked(tenant, &target)
            }
        };
        if as_judged { Ok(()) } else { Err(Undo::Verdict(Issue::LostRace)) }
    }

    fn spend_code(&mut self, redeem: RedeemCode) {
        let family = redeem.family.as_ref().map(|family| family.id.clone());
        if let Some(row) = self.codes.get_mut(&(redeem.tenant.clone(), *redeem.hash.as_bytes())) {
            row.code.state = CodeState::Redeemed { jti: redeem.jti, family };
        }
        if let Some(new) = redeem.family {
            self.families.insert((redeem.tenant, new.id.clone()), begin(new));
        }
    }
}

fn begin(new: NewFamily) -> StoredFamily {
    StoredFamily {
        id: new.id,
        current: new.current,
        parent: None,
        sealed_child: None,
        generation: 0,
        rotated_at: new.origin.created_at,
        idle_expires_at: new.idle_expires_at.min(new.absolute_expires_at),
        absolute_expires_at: new.absolute_expires_at,
        revoked: false,
        restored: false,
        origin: new.origin,
    }
}
