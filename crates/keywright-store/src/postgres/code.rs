//! Authorization codes in PostgreSQL.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::grant::authorization_code::{CodeState, StoredCode};
use keywright_protocol::id::{GrantId, Jti, TenantId};
use keywright_protocol::limits::CODE_FAILURES_MAX;
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::scope::ScopeSet;
use keywright_protocol::token::CodeHash;
use keywright_protocol::wire::response::Receipt;
use tokio_postgres::Row;

use super::PostgresStore;
use super::column::{Columns as _, json, pack};
use super::refresh::{mark_family, start_family};
use super::transaction::{Mode, Transaction};
use crate::StoreFault;
use crate::attempt::{Attempt, Undo, either};
use crate::code::{CodeStore, Issue, IssueCode, Redeem, RedeemCode, ReplayedCode};

const ISSUED: i64 = 0;
const REDEEMED: i64 = 1;
const BURNED: i64 = 2;

/// A code of a tenant. $1 hash, $2 tenant.
macro_rules! load {
    () => {
        "SELECT code.body, state, jti, family FROM code
         JOIN client c ON c.key = code.client WHERE hash = $1 AND c.tenant = $2"
    };
}

/// Everybody on whom a code depends. $1 tenant, $2 client, $3 now.
macro_rules! backed {
    () => {
        r#"EXISTS (
            SELECT 1 FROM client c
            JOIN tenant t ON t.id = c.tenant
            JOIN "user" u ON u.tenant = c.tenant AND u.sub = code.sub
            JOIN session s ON s.id = code.session AND s.tenant = c.tenant AND s.sub = code.sub
            JOIN user_grant g
                ON g.id = code.user_grant AND g.client = c.key AND g.sub = code.sub
            WHERE c.key = code.client AND c.tenant = $1 AND c.id = $2
            AND NOT c.disabled AND c.not_before < code.created_at
            AND NOT t.disabled AND t.not_before < code.created_at
            AND NOT u.disabled AND u.not_before < code.created_at
            AND s.expires_at > $3
        )"#
    };
}

#[async_trait]
impl CodeStore for PostgresStore {
    async fn issue_code(&self, issue: IssueCode) -> Result<Issue, StoreFault> {
        let issued = self.write(Mode::Together, issue, |tx, issue| Box::pin(store(tx, issue)));
        let issued = issued.await?;
        Ok(issued.map_or_else(|refused| refused, |()| Issue::Committed(Receipt::of_commit())))
    }

    async fn load_code(
        &self,
        tenant: &TenantId,
        code: CodeHash,
    ) -> Result<Option<StoredCode>, StoreFault> {
        let hash = code.as_bytes().as_slice();
        let row = self.one(load!(), &[&hash, &tenant.as_str()]).await?;
        row.as_ref().map(read_code).transpose()
    }

    async fn redeem_code(&self, redeem: RedeemCode) -> Result<Redeem, StoreFault> {
        let redeemed =
            self.write(Mode::Together, redeem, |tx, redeem| Box::pin(spend_code(tx, redeem)));
        let redeemed = redeemed.await?;
        Ok(redeemed.map_or_else(|refused| refused, |()| Redeem::Committed(Receipt::of_commit())))
    }

    async fn fail_code(
        &self,
        tenant: &TenantId,
        code: CodeHash,
        record: Record,
    ) -> Result<(), StoreFault> {
        let failure = (tenant.clone(), code, record);
        let failed = self.write(Mode::Together, failure, |tx, failure| Box::pin(fail(tx, failure)));
        failed.await.map(either)
    }

    async fn revoke_replayed_code(
        &self,
        replayed: ReplayedCode,
    ) -> Result<Vec<RevocationEntry>, StoreFault> {
        let revoked = self.write(Mode::Together, replayed, |tx, replayed| {
            Box::pin(revoke_replayed(tx, replayed))
        });
        Ok(either(revoked.await?))
    }
}

fn read_code(row: &Row) -> Result<StoredCode, StoreFault> {
    let mut code: StoredCode = row.json(0)?;
    code.state = match row.value(1)? {
        ISSUED => CodeState::Issued,
        REDEEMED => CodeState::Redeemed {
            jti: Jti::from_trusted(row.text(2)?),
            family: row.optional_id(3)?,
        },
        BURNED => CodeState::Burned,
        other => return Err(StoreFault::Corrupt(format!("a code in the unknown state {other}"))),
    };
    Ok(code)
}

async fn store(tx: &Transaction<'_>, issue: &IssueCode) -> Attempt<(), Issue> {
    let client = live_client(tx, issue).await?;
    let client = client.ok_or(Undo::Verdict(Issue::SubjectGone))?;
    tx.admit(&issue.record).await?;
    store_grant(tx, issue, client).await?;
    store_code(tx, issue, client).await?;
    Ok(())
}

/// The client to whom a code may be issued, if all on whom it depends are live.
async fn live_client(tx: &Transaction<'_>, issue: &IssueCode) -> Result<Option<i64>, StoreFault> {
    let code = &issue.code;
    let client = tx
        .one(
            r#"SELECT c.key FROM client c
         JOIN tenant t ON t.id = c.tenant
         JOIN "user" u ON u.tenant = c.tenant AND u.sub = $3
         JOIN session s ON s.id = $4 AND s.tenant = c.tenant AND s.sub = u.sub
         WHERE c.tenant = $1 AND c.id = $2 AND s.expires_at > $6
         AND NOT c.disabled AND c.not_before < $5
         AND NOT t.disabled AND t.not_before < least($5, s.authenticated_at)
         AND NOT u.disabled AND u.not_before < least($5, s.authenticated_at)"#,
            &[
                &issue.tenant.as_str(),
                &code.client.as_str(),
                &pack(&code.sub),
                &pack(&code.session),
                &code.created_at.as_millis(),
                &issue.record.now.as_millis(),
            ],
        )
        .await?;
    client.map(|row| row.value(0)).transpose()
}

/// Stores a consent, unless it would undo another or bring a revoked one back. Others that decide
/// on a consent of the same user to the same client wait from here until this one is stored.
async fn store_grant(tx: &Transaction<'_>, issue: &IssueCode, client: i64) -> Attempt<(), Issue> {
    let grant = &issue.grant;
    let (id, sub) = (pack(&grant.id), pack(&grant.sub));
    let sql = "SELECT id, scope FROM user_grant WHERE client = $1 AND sub = $2 FOR UPDATE";
    let stored = tx.one(sql, &[&client, &sub]).await?;
    let sql = match &stored {
        Some(row) => {
            let (id, scope): (GrantId, ScopeSet) = (row.id(0)?, row.json(1)?);
            if id != grant.id || issue.granted_before != Some(scope) {
                return Err(Undo::Verdict(Issue::LostRace));
            }
            "UPDATE user_grant SET session = $4, updated_at = $5, scope = $6, resources = $7
             WHERE id = $1 AND client = $2 AND sub = $3"
        }
        None => {
            let target = RevocationTarget::Grant(grant.id.clone());
            if issue.granted_before.is_some() || tx.is_revoked(&issue.tenant, &target).await? {
                return Err(Undo::Verdict(Issue::LostRace));
            }
            "INSERT INTO user_grant (id, client, sub, session, updated_at, scope, resources)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
        }
    };
    let written = tx
        .run(
            sql,
            &[
                &id,
                &client,
                &sub,
                &pack(&grant.session),
                &grant.updated_at.as_millis(),
                &json(&grant.scope)?,
                &json(&grant.resources)?,
            ],
        )
        .await?;
    // Nothing is written where another first consent came between.
    if written == 1 { Ok(()) } else { Err(Undo::Verdict(Issue::LostRace)) }
}

async fn store_code(
    tx: &Transaction<'_>,
    issue: &IssueCode,
    client: i64,
) -> Result<u64, StoreFault> {
    let code = &issue.code;
    tx.run(
        "INSERT INTO code (hash, client, sub, session, user_grant, created_at, expires_at, body,
            state, failures)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0)",
        &[
            &issue.hash.as_bytes().as_slice(),
            &client,
            &pack(&code.sub),
            &pack(&code.session),
            &pack(&code.grant),
            &code.created_at.as_millis(),
            &code.expires_at.as_millis(),
            &json(code)?,
        ],
    )
    .await
}

async fn spend_code(tx: &Transaction<'_>, redeem: &RedeemCode) -> Attempt<(), Redeem> {
    tx.spend(&redeem.record, Undo::Verdict(Redeem::AssertionReplayed)).await?;
    // The one statement that decides who has the code's tokens. Whoever comes second waits for the
    // first to commit and then finds the code spent.
    let spent = tx
        .run(
            concat!(
                "UPDATE code SET state = 1, jti = $5, family = $6
             WHERE hash = $4 AND state = 0 AND expires_at > $3 AND ",
                backed!()
            ),
            &[
                &redeem.tenant.as_str(),
                &redeem.code.client.as_str(),
                &redeem.record.now.as_millis(),
                &redeem.hash.as_bytes().as_slice(),
                &redeem.jti.as_str(),
                &redeem.family.as_ref().map(|family| pack(&family.id)),
            ],
        )
        .await?;
    if spent == 0 {
        return Err(Undo::Verdict(why_not(tx, redeem).await?));
    }
    if let Some(family) = &redeem.family {
        start_family(tx, &redeem.tenant, family).await?;
    }
    tx.append(&redeem.record.events)?;
    Ok(())
}

async fn why_not(tx: &Transaction<'_>, redeem: &RedeemCode) -> Result<Redeem, StoreFault> {
    let backed = tx
        .one(
            concat!(
                "SELECT ",
                backed!(),
                " FROM code JOIN client o ON o.key = code.client
             WHERE hash = $4 AND o.tenant = $1 AND o.id = $2"
            ),
            &[
                &redeem.tenant.as_str(),
                &redeem.code.client.as_str(),
                &redeem.record.now.as_millis(),
                &redeem.hash.as_bytes().as_slice(),
            ],
        )
        .await?;
    let backed = backed.map(|row| row.value::<bool>(0)).transpose()?;
    Ok(if backed == Some(false) { Redeem::SubjectGone } else { Redeem::LostRace })
}

async fn fail(
    tx: &Transaction<'_>,
    (tenant, code, record): &(TenantId, CodeHash, Record),
) -> Attempt<(), ()> {
    // Who replays an assertion is not the client: nothing is counted against the code.
    tx.spend(record, Undo::Verdict(())).await?;
    tx.run(
        "UPDATE code SET failures = failures + 1,
            state = CASE WHEN state = 0 AND failures + 1 >= $3 THEN 2 ELSE state END
         WHERE hash = $2 AND client IN (SELECT key FROM client WHERE tenant = $1)",
        &[&tenant.as_str(), &code.as_bytes().as_slice(), &i64::from(CODE_FAILURES_MAX)],
    )
    .await?;
    tx.append(&record.events)?;
    Ok(())
}

async fn revoke_replayed(
    tx: &Transaction<'_>,
    replayed: &ReplayedCode,
) -> Attempt<Vec<RevocationEntry>, Vec<RevocationEntry>> {
    // Who replays an assertion is not the client: nobody's tokens die of it.
    tx.spend(&replayed.record, Undo::Verdict(Vec::new())).await?;
    // Replays of one code wait for each other, so that each sees what the one before logged.
    let sql = concat!(load!(), " FOR UPDATE OF code");
    let hash = replayed.hash.as_bytes().as_slice();
    let row = tx.one(sql, &[&hash, &replayed.tenant.as_str()]).await?;
    let code = row.as_ref().map(read_code).transpose()?;
    let Some(CodeState::Redeemed { jti, family }) = code.map(|code| code.state) else {
        return Err(Undo::Verdict(Vec::new()));
    };
    tx.append(&replayed.record.events)?;
    let mut targets = vec![RevocationTarget::Token(jti)];
    if let Some(family) = family {
        mark_family(tx, &replayed.tenant, &family).await?;
        targets.push(RevocationTarget::Family(family));
    }
    // A second replay finds all of it dead already: the log does not grow by it.
    let mut new = Vec::new();
    for target in targets {
        if !tx.is_revoked(&replayed.tenant, &target).await? {
            new.push(target);
        }
    }
    let (at, expires_at) = (replayed.record.now, replayed.tokens_expire_at);
    Ok(tx.all_revoked(&replayed.tenant, new, at, expires_at).await?)
}
