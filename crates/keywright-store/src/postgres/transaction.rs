//! What verbs share inside a transaction: one-time values, events, logs to follow.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use keywright_protocol::audit::{AuditEvent, Record};
use keywright_protocol::id::TenantId;
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::status_list::ListedToken;
use keywright_protocol::time::Timestamp;
use tokio_postgres::Row;

use super::column::{Columns as _, json, pack};
use super::connection::{Connection, Values};
use super::pool::held;
use crate::StoreFault;
use crate::attempt::{Attempt, Undo};
use crate::audit::event_body;
use crate::change::Changed;

/// How a verb stands to the others that run at the same time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    /// Ends or changes something on which others depend: alone.
    Alone,
    /// Changes only what conditional statements and unique keys guard: with others.
    Together,
}

impl Mode {
    /// Begins a transaction. The lock is a statement of its own: what the next statement sees
    /// includes all that was committed before the lock was given.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Alone => {
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
                 LOCK TABLE liveness IN SHARE ROW EXCLUSIVE MODE"
            }
            Self::Together => {
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
                 LOCK TABLE liveness IN ROW EXCLUSIVE MODE"
            }
        }
    }
}

/// Ends a transaction of which followers must hear.
pub(super) const COMMIT_AND_NOTIFY: &str = "NOTIFY keywright; COMMIT";

/// Adds events, in their order, to what waits for the chain.
pub(super) const ADD_EVENTS: &str = "INSERT INTO audit_outbox (tenant, request, body)
    SELECT tenant, request, body FROM unnest($1::text[], $2::bytea[], $3::text[])
        WITH ORDINALITY AS e (tenant, request, body, n) ORDER BY n";

/// Enters tokens in their status lists; a place is never taken twice.
pub(super) const LIST_TOKENS: &str =
    "INSERT INTO listed_token (tenant, list, idx, expires_at, names)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])";

/// A one-time value that was used and is over may be used again.
pub(super) const SPEND: &str = "INSERT INTO one_time (key, spent_at, expires_at)
    SELECT i.key, i.spent_at, i.expires_at
    FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[])
        AS i (key, spent_at, expires_at, usable_from)
    WHERE NOT EXISTS (SELECT 1 FROM epoch WHERE raised_at >= i.usable_from)
    ON CONFLICT (key) DO UPDATE
        SET spent_at = excluded.spent_at, expires_at = excluded.expires_at
        WHERE one_time.expires_at <= excluded.spent_at
    RETURNING key";

/// Appends $1 entries to the revocation log and answers their places, the first first. Others wait
/// for the places after them until this transaction has ended, so it comes last before the commit.
pub(super) const LOG_REVOCATIONS: &str = "WITH head AS (
        UPDATE log_head SET seq = seq + $1 WHERE name = 'revocation' RETURNING seq
    )
    INSERT INTO revocation (seq, tenant, target, at, expires_at)
    SELECT head.seq - $1 + r.n, r.tenant, r.target, r.at, r.expires_at
    FROM head, unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[])
        WITH ORDINALITY AS r (tenant, target, at, expires_at, n)
    RETURNING seq";

/// Appends to the change log, in the same way.
const LOG_CHANGE: &str = "WITH head AS (
        UPDATE log_head SET seq = seq + 1 WHERE name = 'change' RETURNING seq
    )
    INSERT INTO change (seq, tenant, kind, client, at) SELECT seq, $1, $2, $3, $4 FROM head";

/// Events as columns, and the entries of status lists that come with them.
#[derive(Default)]
pub(super) struct Events {
    pub(super) tenants: Vec<String>,
    pub(super) requests: Vec<Option<Vec<u8>>>,
    pub(super) bodies: Vec<String>,
    pub(super) listed: Listed,
}

/// Entries of status lists as columns.
#[derive(Default)]
pub(super) struct Listed {
    tenants: Vec<String>,
    lists: Vec<String>,
    places: Vec<i64>,
    ends: Vec<i64>,
    names: Vec<String>,
}

impl Listed {
    fn push(&mut self, tenant: &TenantId, token: &ListedToken) -> Result<(), StoreFault> {
        self.names.push(json(&token.names)?);
        self.tenants.push(tenant.as_str().to_owned());
        self.lists.push(token.list.as_str().to_owned());
        self.places.push(token.idx.into());
        self.ends.push(token.expires_at.as_millis());
        Ok(())
    }

    /// Writes them, unless there are none. The statement was prepared.
    pub(super) async fn write(&self, db: &Connection) -> Result<(), StoreFault> {
        if self.names.is_empty() {
            return Ok(());
        }
        let values: Values<'_> =
            &[&self.tenants, &self.lists, &self.places, &self.ends, &self.names];
        db.run(LIST_TOKENS, values).await?;
        Ok(())
    }
}

impl Events {
    pub(super) fn push(&mut self, event: &AuditEvent) -> Result<(), StoreFault> {
        self.bodies.push(event_body(event)?);
        self.tenants.push(event.tenant.as_str().to_owned());
        self.requests.push(event.request_id.as_ref().map(pack));
        event.listed.iter().try_for_each(|token| self.listed.push(&event.tenant, token))
    }
}

/// A verb's transaction.
pub(super) struct Transaction<'a> {
    pub(super) db: &'a Connection,
    /// Written with the commit, so that a verb that is refused has written none.
    events: Mutex<Events>,
    /// Whether there is something to follow.
    logged: AtomicBool,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(db: &'a Connection) -> Self {
        Self { db, events: Mutex::default(), logged: AtomicBool::new(false) }
    }

    /// Runs a statement; answers how many rows it changed.
    pub(super) async fn run(&self, sql: &str, values: Values<'_>) -> Result<u64, StoreFault> {
        self.db.run(sql, values).await
    }

    /// The first row, if there is one.
    pub(super) async fn one(
        &self,
        sql: &str,
        values: Values<'_>,
    ) -> Result<Option<Row>, StoreFault> {
        self.db.one(sql, values).await
    }

    /// All rows.
    pub(super) async fn all(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, StoreFault> {
        self.db.all(sql, values).await
    }

    /// Writes the events and commits, in one round trip.
    pub(super) async fn commit(self) -> Result<(), StoreFault> {
        let commit = if self.logged.into_inner() { COMMIT_AND_NOTIFY } else { "COMMIT" };
        let events = self.events.into_inner().unwrap_or_default();
        if events.bodies.is_empty() {
            return self.db.batch(commit).await;
        }
        // Prepared before: what is sent first must be the insertions.
        for sql in [ADD_EVENTS, LIST_TOKENS] {
            self.db.statement(sql).await?;
        }
        let values: Values<'_> = &[&events.tenants, &events.requests, &events.bodies];
        let (added, listed, committed) = tokio::join!(
            biased;
            self.db.run(ADD_EVENTS, values),
            events.listed.write(self.db),
            self.db.batch(commit),
        );
        added?;
        listed?;
        committed
    }

    /// Spends what must be used once, or refuses.
    pub(super) async fn spend<O>(&self, record: &Record, refusal: Undo<O>) -> Attempt<(), O> {
        let Some(once) = &record.once else { return Ok(()) };
        let (keys, ends) = ([once.key.as_slice()], [once.expires_at.as_millis()]);
        let (nows, beginnings) = ([record.now.as_millis()], [once.usable_from.as_millis()]);
        let (nows, beginnings) = (nows.as_slice(), beginnings.as_slice());
        let values: Values<'_> = &[&keys.as_slice(), &nows, &ends.as_slice(), &beginnings];
        if self.run(SPEND, values).await? == 1 { Ok(()) } else { Err(refusal) }
    }

    /// Spends and appends, for verbs that have no outcome for what was used before.
    pub(super) async fn admit<O>(&self, record: &Record) -> Attempt<(), O> {
        self.spend(record, Undo::used_before()).await?;
        self.append(&record.events)?;
        Ok(())
    }

    /// Appends events to the audit logs of their tenants.
    pub(super) fn append(&self, events: &[AuditEvent]) -> Result<(), StoreFault> {
        let mut waiting = held(&self.events);
        events.iter().try_for_each(|event| waiting.push(event))
    }

    /// Appends to the change log.
    pub(super) async fn changed(
        &self,
        tenant: &TenantId,
        changed: &Changed,
        now: Timestamp,
    ) -> Result<(), StoreFault> {
        let (kind, client) = match changed {
            Changed::Client(id) => ("client", Some(id.as_str())),
            Changed::Everything => ("everything", None),
            Changed::Keys => ("keys", None),
            Changed::Resources => ("resources", None),
            Changed::Tenant => ("tenant", None),
        };
        self.logged.store(true, Ordering::Relaxed);
        self.run(LOG_CHANGE, &[&tenant.as_str(), &kind, &client, &now.as_millis()]).await?;
        Ok(())
    }

    /// Appends to the revocation log.
    pub(super) async fn revoked(
        &self,
        tenant: &TenantId,
        target: RevocationTarget,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Vec<RevocationEntry>, StoreFault> {
        self.all_revoked(tenant, vec![target], at, expires_at).await
    }

    /// Appends several to the revocation log, in their order.
    pub(super) async fn all_revoked(
        &self,
        tenant: &TenantId,
        targets: Vec<RevocationTarget>,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Vec<RevocationEntry>, StoreFault> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let texts = targets.iter().map(json).collect::<Result<Vec<_>, _>>()?;
        let count = i64::try_from(texts.len()).unwrap_or(i64::MAX);
        let all = |time: Timestamp| vec![time.as_millis(); texts.len()];
        let tenants = vec![tenant.as_str(); texts.len()];
        self.logged.store(true, Ordering::Relaxed);
        let values: Values<'_> = &[&count, &tenants, &texts, &all(at), &all(expires_at)];
        let rows = self.all(LOG_REVOCATIONS, values).await?;
        let places = rows.iter().map(|row| row.value(0)).collect::<Result<BTreeSet<i64>, _>>()?;
        let entry = |(seq, target): (i64, _)| {
            let seq = seq.cast_unsigned();
            RevocationEntry { seq, tenant: tenant.clone(), target, at, expires_at }
        };
        Ok(places.into_iter().zip(targets).map(entry).collect())
    }

    /// Whether the revocation log names exactly this.
    pub(super) async fn is_revoked(
        &self,
        tenant: &TenantId,
        target: &RevocationTarget,
    ) -> Result<bool, StoreFault> {
        let sql = "SELECT 1 FROM revocation WHERE tenant = $1 AND target = $2 LIMIT 1";
        Ok(self.one(sql, &[&tenant.as_str(), &json(target)?]).await?.is_some())
    }
}
