//! Authorization codes in SQLite.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::grant::authorization_code::{CodeState, StoredCode};
use keywright_protocol::id::{FamilyId, GrantId, Jti, TenantId};
use keywright_protocol::limits::CODE_FAILURES_MAX;
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::scope::ScopeSet;
use keywright_protocol::token::CodeHash;
use keywright_protocol::wire::response::Receipt;
use rusqlite::{Connection, Row};

use super::SqliteStore;
use super::column::{Json, Packed, Statements as _};
use super::refresh::{mark_family, start_family};
use super::transaction::{Refusal, Transaction};
use crate::StoreFault;
use crate::attempt::{Attempt, Undo, either};
use crate::code::{CodeStore, Issue, IssueCode, Redeem, RedeemCode, ReplayedCode};

const ISSUED: i64 = 0;
const REDEEMED: i64 = 1;
const BURNED: i64 = 2;

/// Everybody on whom a code depends. ?1 tenant, ?2 client, ?3 now.
macro_rules! backed {
    () => {
        "EXISTS (
            SELECT 1 FROM client c
            JOIN tenant t ON t.id = c.tenant
            JOIN user u ON u.tenant = c.tenant AND u.sub = code.sub
            JOIN session s ON s.id = code.session AND s.tenant = c.tenant AND s.sub = code.sub
            JOIN user_grant g
                ON g.id = code.user_grant AND g.client = c.key AND g.sub = code.sub
            WHERE c.key = code.client AND c.tenant = ?1 AND c.id = ?2
            AND c.disabled = 0 AND c.not_before < code.created_at
            AND t.disabled = 0 AND t.not_before < code.created_at
            AND u.disabled = 0 AND u.not_before < code.created_at
            AND s.expires_at > ?3
        )"
    };
}

#[async_trait]
impl CodeStore for SqliteStore {
    async fn issue_code(&self, issue: IssueCode) -> Result<Issue, StoreFault> {
        let issued = self.write(move |tx| {
            let client = live_client(tx.db, &issue)?;
            let client = client.ok_or(Undo::Verdict(Issue::SubjectGone))?;
            refuse_other_consent(tx, &issue, client)?;
            tx.admit(&issue.record)?;
            store_grant(tx.db, &issue, client)?;
            store_code(tx.db, &issue, client)?;
            Ok(())
        });
        let issued = issued.await?;
        Ok(issued.map_or_else(|refused| refused, |()| Issue::Committed(Receipt::of_commit())))
    }

    async fn load_code(
        &self,
        tenant: &TenantId,
        code: CodeHash,
    ) -> Result<Option<StoredCode>, StoreFault> {
        self.read(|db| Ok(load(db, tenant, code)?))
    }

    async fn redeem_code(&self, redeem: RedeemCode) -> Result<Redeem, StoreFault> {
        let refusal = Refusal::after_spending(&redeem.record);
        let redeemed = self.write_as(refusal, move |tx| {
            tx.spend(&redeem.record, Undo::Verdict(Redeem::AssertionReplayed))?;
            // The one statement that decides who has the code's tokens.
            let spent = tx.db.run(
                concat!(
                    "UPDATE code SET state = 1, jti = ?5, family = ?6
                     WHERE hash = ?4 AND state = 0 AND expires_at > ?3 AND ",
                    backed!()
                ),
                (
                    redeem.tenant.as_str(),
                    redeem.code.client.as_str(),
                    redeem.record.now.as_millis(),
                    redeem.hash.as_bytes(),
                    redeem.jti.as_str(),
                    redeem.family.as_ref().map(|family| Packed(&family.id)),
                ),
            )?;
            if spent == 0 {
                return Err(Undo::Verdict(why_not(tx.db, &redeem)?));
            }
            if let Some(family) = &redeem.family {
                start_family(tx.db, &redeem.tenant, family)?;
            }
            tx.append(&redeem.record.events)?;
            Ok(())
        });
        let redeemed = redeemed.await?;
        Ok(redeemed.map_or_else(|refused| refused, |()| Redeem::Committed(Receipt::of_commit())))
    }

    async fn fail_code(
        &self,
        tenant: &TenantId,
        code: CodeHash,
        record: Record,
    ) -> Result<(), StoreFault> {
        let tenant = tenant.clone();
        let failed = self.write(move |tx| {
            // Who replays an assertion is not the client: nothing is counted against the code.
            tx.spend(&record, Undo::Verdict(()))?;
            tx.db.run(
                "UPDATE code SET failures = failures + 1,
                    state = iif(state = 0 AND failures + 1 >= ?3, 2, state)
                 WHERE hash = ?2 AND client IN (SELECT key FROM client WHERE tenant = ?1)",
                (tenant.as_str(), code.as_bytes(), CODE_FAILURES_MAX),
            )?;
            tx.append(&record.events)?;
            Ok(())
        });
        failed.await.map(either)
    }

    async fn revoke_replayed_code(
        &self,
        replayed: ReplayedCode,
    ) -> Result<Vec<RevocationEntry>, StoreFault> {
        let revoked = self.write(move |tx| {
            // Who replays an assertion is not the client: nobody's tokens die of it.
            tx.spend(&replayed.record, Undo::Verdict(Vec::new()))?;
            let code = load(tx.db, &replayed.tenant, replayed.hash)?;
            let Some(CodeState::Redeemed { jti, family }) = code.map(|code| code.state) else {
                return Err(Undo::Verdict(Vec::new()));
            };
            tx.append(&replayed.record.events)?;
            let mut targets = vec![RevocationTarget::Token(jti)];
            if let Some(family) = family {
                mark_family(tx.db, &replayed.tenant, &family)?;
                targets.push(RevocationTarget::Family(family));
            }
            Ok(revoke_once(tx, &replayed, targets)?)
        });
        Ok(either(revoked.await?))
    }
}

fn load(
    db: &Connection,
    tenant: &TenantId,
    code: CodeHash,
) -> rusqlite::Result<Option<StoredCode>> {
    db.one(
        "SELECT code.body, state, jti, family FROM code JOIN client c ON c.key = code.client
         WHERE hash = ?1 AND c.tenant = ?2",
        (code.as_bytes(), tenant.as_str()),
        read_code,
    )
}

fn read_code(row: &Row<'_>) -> rusqlite::Result<StoredCode> {
    let Json(mut code) = row.get::<_, Json<StoredCode>>(0)?;
    code.state = match row.get(1)? {
        ISSUED => CodeState::Issued,
        REDEEMED => CodeState::Redeemed {
            jti: Jti::from_trusted(row.get::<_, String>(2)?),
            family: row.get::<_, Option<Packed<FamilyId>>>(3)?.map(|packed| packed.0),
        },
        BURNED => CodeState::Burned,
        other => return Err(rusqlite::Error::IntegralValueOutOfRange(1, other)),
    };
    Ok(code)
}

/// The client to whom a code may be issued, if all on whom it depends are live.
fn live_client(db: &Connection, issue: &IssueCode) -> rusqlite::Result<Option<i64>> {
    let code = &issue.code;
    db.one(
        "SELECT c.key FROM client c
         JOIN tenant t ON t.id = c.tenant
         JOIN user u ON u.tenant = c.tenant AND u.sub = ?3
         JOIN session s ON s.id = ?4 AND s.tenant = c.tenant AND s.sub = u.sub
         WHERE c.tenant = ?1 AND c.id = ?2 AND s.expires_at > ?6
         AND c.disabled = 0 AND c.not_before < ?5
         AND t.disabled = 0 AND t.not_before < min(?5, s.authenticated_at)
         AND u.disabled = 0 AND u.not_before < min(?5, s.authenticated_at)",
        (
            issue.tenant.as_str(),
            code.client.as_str(),
            Packed(&code.sub),
            Packed(&code.session),
            code.created_at.as_millis(),
            issue.record.now.as_millis(),
        ),
        |row| row.get(0),
    )
}

/// Refuses a consent that would undo another, or bring a revoked one back.
fn refuse_other_consent(
    tx: &Transaction<'_>,
    issue: &IssueCode,
    client: i64,
) -> Attempt<(), Issue> {
    let grant = &issue.grant;
    let stored = tx.db.one(
        "SELECT id, scope FROM user_grant WHERE client = ?1 AND sub = ?2",
        (client, Packed(&grant.sub)),
        |row| Ok((row.get::<_, Packed<GrantId>>(0)?.0, row.get::<_, Json<ScopeSet>>(1)?.0)),
    )?;
    let as_judged = match stored {
        Some((id, scope)) => id == grant.id && issue.granted_before == Some(scope),
        None => {
            let target = RevocationTarget::Grant(grant.id.clone());
            issue.granted_before.is_none() && !tx.is_revoked(&issue.tenant, &target)?
        }
    };
    if as_judged { Ok(()) } else { Err(Undo::Verdict(Issue::LostRace)) }
}

fn store_grant(db: &Connection, issue: &IssueCode, client: i64) -> rusqlite::Result<usize> {
    let grant = &issue.grant;
    db.run(
        "INSERT INTO user_grant (id, client, sub, session, updated_at, scope, resources)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET client = excluded.client, sub = excluded.sub,
            session = excluded.session, updated_at = excluded.updated_at, scope = excluded.scope,
            resources = excluded.resources",
        (
            Packed(&grant.id),
            client,
            Packed(&grant.sub),
            Packed(&grant.session),
            grant.updated_at.as_millis(),
            Json(&grant.scope),
            Json(&grant.resources),
        ),
    )
}

fn store_code(db: &Connection, issue: &IssueCode, client: i64) -> rusqlite::Result<usize> {
    let code = &issue.code;
    db.run(
        "INSERT INTO code (hash, client, sub, session, user_grant, created_at, expires_at, body,
            state, failures)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0)",
        (
            issue.hash.as_bytes(),
            client,
            Packed(&code.sub),
            Packed(&code.session),
            Packed(&code.grant),
            code.created_at.as_millis(),
            code.expires_at.as_millis(),
            Json(code),
        ),
    )
}

fn why_not(db: &Connection, redeem: &RedeemCode) -> rusqlite::Result<Redeem> {
    let backed = db.one(
        concat!(
            "SELECT ",
            backed!(),
            " FROM code JOIN client o ON o.key = code.client
             WHERE hash = ?4 AND o.tenant = ?1 AND o.id = ?2"
        ),
        (
            redeem.tenant.as_str(),
            redeem.code.client.as_str(),
            redeem.record.now.as_millis(),
            redeem.hash.as_bytes(),
        ),
        |row| row.get::<_, bool>(0),
    )?;
    Ok(if backed == Some(false) { Redeem::SubjectGone } else { Redeem::LostRace })
}

/// A second replay finds all of it dead already: the log does not grow by it.
fn revoke_once(
    tx: &Transaction<'_>,
    replayed: &ReplayedCode,
    targets: Vec<RevocationTarget>,
) -> rusqlite::Result<Vec<RevocationEntry>> {
    let (at, expires_at) = (replayed.record.now, replayed.tokens_expire_at);
    let mut entries = Vec::new();
    for target in targets {
        if !tx.is_revoked(&replayed.tenant, &target)? {
            entries.push(tx.revoked(&replayed.tenant, target, at, expires_at)?);
        }
    }
    Ok(entries)
}
