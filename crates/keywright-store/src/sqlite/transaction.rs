//! What verbs share inside the writer's transaction: audit log, one-time values, logs to follow.

use std::collections::HashMap;

use keywright_protocol::audit::{AuditEvent, Record};
use keywright_protocol::id::{RequestId, TenantId};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::status_list::ListedToken;
use keywright_protocol::time::Timestamp;
use rusqlite::Connection;

use super::column::{Json, Packed, Statements as _};
use crate::StoreFault;
use crate::attempt::{Attempt, Undo};
use crate::audit::StoredEvent;
use crate::change::Changed;
use crate::epoch::RaiseEpoch;

/// What a verb that is refused leaves to undo.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// Nothing: whatever can refuse comes before the first change. Such a verb needs no savepoint,
    /// which would copy every page that it touches.
    ChangesNothing,
    /// What it had done until then: a savepoint undoes it.
    IsUndone,
}

impl Refusal {
    /// For verbs that spend a one-time value, if there is one, before they can be refused.
    pub(super) const fn after_spending(record: &Record) -> Self {
        if record.once.is_some() { Self::IsUndone } else { Self::ChangesNothing }
    }
}

/// The transaction that a batch of verbs shares.
pub(super) struct Transaction<'a> {
    pub(super) db: &'a Connection,
    /// The last place and hash of the audit logs that this batch has looked at. Other processes
    /// write the same file, so it is forgotten with the transaction.
    heads: HashMap<TenantId, Head>,
    /// What `heads` said before the verb that runs now.
    replaced: Vec<(TenantId, Head)>,
    /// Events in their places, which the commit writes: many rows by one statement.
    appended: Vec<Appended>,
    /// Why SQLite undid everything by itself, as it does when a disk is full or broken.
    pub(super) undone: Option<StoreFault>,
}

type Head = (u64, [u8; 32]);

struct Appended {
    tenant: TenantId,
    request: Option<RequestId>,
    stored: StoredEvent,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(db: &'a Connection) -> rusqlite::Result<Self> {
        db.run("BEGIN IMMEDIATE", [])?;
        let (heads, replaced, appended) = (HashMap::new(), Vec::new(), Vec::new());
        Ok(Self { db, heads, replaced, appended, undone: None })
    }

    pub(super) fn commit(self) -> rusqlite::Result<()> {
        let mut events = self.appended.as_slice();
        for rows in [32, 8, 1] {
            while let Some((now, later)) = events.split_at_checked(rows) {
                insert(self.db, now)?;
                events = later;
            }
        }
        self.db.run("COMMIT", [])?;
        Ok(())
    }

    /// Runs a verb; keeps what it did only if it says so.
    pub(super) fn attempt<T, O>(
        &mut self,
        refusal: Refusal,
        verb: impl FnOnce(&mut Transaction<'_>) -> Attempt<T, O>,
    ) -> Attempt<T, O> {
        match refusal {
            Refusal::ChangesNothing => self.attempt_straight(verb),
            Refusal::IsUndone => self.attempt_in_savepoint(verb),
        }
    }

    /// A failure here fails the whole transaction: there is no place to go back to.
    fn attempt_straight<T, O>(
        &mut self,
        verb: impl FnOnce(&mut Transaction<'_>) -> Attempt<T, O>,
    ) -> Attempt<T, O> {
        let before = (self.db.total_changes(), self.appended.len());
        let attempt = verb(self);
        let after = (self.db.total_changes(), self.appended.len());
        self.replaced.clear();
        self.undone = match &attempt {
            Ok(_) => None,
            Err(Undo::Fault(fault)) => Some(fault.clone()),
            Err(Undo::Verdict(_)) if after == before => None,
            Err(Undo::Verdict(_)) => {
                Some(StoreFault::Unavailable("a refused verb had changed something".to_owned()))
            }
        };
        attempt
    }

    fn attempt_in_savepoint<T, O>(
        &mut self,
        verb: impl FnOnce(&mut Transaction<'_>) -> Attempt<T, O>,
    ) -> Attempt<T, O> {
        self.db.run("SAVEPOINT verb", [])?;
        let appended = self.appended.len();
        let attempt = verb(self);
        let replaced = std::mem::take(&mut self.replaced);
        if self.db.is_autocommit() {
            self.undone = attempt.as_ref().err().and_then(Undo::fault).cloned();
            return attempt;
        }
        if attempt.is_err() {
            self.heads.extend(replaced.into_iter().rev());
            self.appended.truncate(appended);
            self.db.run("ROLLBACK TO verb", [])?;
        }
        self.db.run("RELEASE verb", [])?;
        attempt
    }

    /// Spends what must be used once, or refuses.
    pub(super) fn spend<O>(&self, record: &Record, refusal: Undo<O>) -> Attempt<(), O> {
        let Some(once) = &record.once else { return Ok(()) };
        let spent = self.db.run(
            "INSERT INTO one_time (key, expires_at)
             SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM epoch WHERE raised_at >= ?4)
             ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at
             WHERE one_time.expires_at <= ?3",
            (
                once.key,
                once.expires_at.as_millis(),
                record.now.as_millis(),
                once.usable_from.as_millis(),
            ),
        )?;
        if spent == 1 { Ok(()) } else { Err(refusal) }
    }

    /// Spends and appends, for verbs that have no outcome for what was used before.
    pub(super) fn admit<O>(&mut self, record: &Record) -> Attempt<(), O> {
        self.spend(record, Undo::used_before())?;
        self.append(&record.events)?;
        Ok(())
    }

    /// Appends events to the audit logs of their tenants.
    pub(super) fn append(&mut self, events: &[AuditEvent]) -> Result<(), StoreFault> {
        for event in events {
            let head = self.head(&event.tenant)?;
            let stored = StoredEvent::chain(&event.tenant, head.0 + 1, head.1, event)?;
            self.place(event.tenant.clone(), event.request_id.clone(), stored, head);
            if let Some(token) = &event.listed {
                self.list(&event.tenant, token)?;
            }
        }
        Ok(())
    }

    /// Appends what says that an epoch begins.
    pub(super) fn append_epoch(
        &mut self,
        tenant: &TenantId,
        raise: &RaiseEpoch,
    ) -> Result<(), StoreFault> {
        let head = self.head(tenant)?;
        self.place(tenant.clone(), None, raise.chain(tenant, head)?, head);
        Ok(())
    }

    fn place(
        &mut self,
        tenant: TenantId,
        request: Option<RequestId>,
        stored: StoredEvent,
        before: Head,
    ) {
        self.heads.insert(tenant.clone(), (stored.seq, stored.hash));
        self.replaced.push((tenant.clone(), before));
        self.appended.push(Appended { tenant, request, stored });
    }

    /// Enters a token in its status list; a place is never taken twice.
    fn list(&self, tenant: &TenantId, token: &ListedToken) -> rusqlite::Result<()> {
        let ListedToken { list, idx, expires_at, names } = token;
        self.db.run(
            "INSERT INTO listed_token (tenant, list, idx, expires_at, names)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (tenant.as_str(), list.as_str(), idx, expires_at.as_millis(), Json(names)),
        )?;
        Ok(())
    }

    fn head(&self, tenant: &TenantId) -> rusqlite::Result<Head> {
        if let Some(head) = self.heads.get(tenant) {
            return Ok(*head);
        }
        let last = self.db.one(
            "SELECT seq, hash FROM audit WHERE tenant = ?1 ORDER BY seq DESC LIMIT 1",
            [tenant.as_str()],
            |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)),
        )?;
        Ok(last.unwrap_or((0, [0; 32])))
    }

    /// Appends to the change log.
    pub(super) fn changed(
        &self,
        tenant: &TenantId,
        changed: &Changed,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let (kind, client) = match changed {
            Changed::Client(id) => ("client", Some(id.as_str())),
            Changed::Everything => ("everything", None),
            Changed::Keys => ("keys", None),
            Changed::Resources => ("resources", None),
            Changed::Tenant => ("tenant", None),
        };
        self.db.run(
            "INSERT INTO change (tenant, kind, client, at) VALUES (?1, ?2, ?3, ?4)",
            (tenant.as_str(), kind, client, now.as_millis()),
        )?;
        Ok(())
    }

    /// Appends to the revocation log.
    pub(super) fn revoked(
        &self,
        tenant: &TenantId,
        target: RevocationTarget,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> rusqlite::Result<RevocationEntry> {
        self.db.run(
            "INSERT INTO revocation (tenant, target, at, expires_at) VALUES (?1, ?2, ?3, ?4)",
            (tenant.as_str(), Json(&target), at.as_millis(), expires_at.as_millis()),
        )?;
        let seq = self.db.last_insert_rowid().cast_unsigned();
        Ok(RevocationEntry { seq, tenant: tenant.clone(), target, at, expires_at })
    }

    /// Whether the revocation log names exactly this.
    pub(super) fn is_revoked(
        &self,
        tenant: &TenantId,
        target: &RevocationTarget,
    ) -> rusqlite::Result<bool> {
        let entry = self.db.one(
            "SELECT 1 FROM revocation WHERE tenant = ?1 AND target = ?2 LIMIT 1",
            (tenant.as_str(), Json(target)),
            |_| Ok(()),
        )?;
        Ok(entry.is_some())
    }
}

/// Inserts events, as many as [`Transaction::commit`] has statements for.
///
/// Whatever stops it fails the whole transaction, so SQLite need not be able to undo it alone
/// (`OR FAIL`), which would copy every page.
fn insert(db: &Connection, events: &[Appended]) -> rusqlite::Result<()> {
    let rows = vec!["(?, ?, ?, ?, ?, ?)"; events.len()].join(", ");
    let mut statement = db.prepare_cached(&format!(
        "INSERT OR FAIL INTO audit (tenant, seq, request, prev_hash, hash, body) VALUES {rows}"
    ))?;
    for (first, event) in (1..).step_by(6).zip(events) {
        let Appended { tenant, request, stored } = event;
        statement.raw_bind_parameter(first, tenant.as_str())?;
        statement.raw_bind_parameter(first + 1, stored.seq.cast_signed())?;
        statement.raw_bind_parameter(first + 2, request.as_ref().map(Packed))?;
        statement.raw_bind_parameter(first + 3, stored.prev_hash)?;
        statement.raw_bind_parameter(first + 4, stored.hash)?;
        statement.raw_bind_parameter(first + 5, &stored.body)?;
    }
    statement.raw_execute()?;
    Ok(())
}
