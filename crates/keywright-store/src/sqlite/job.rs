//! Housekeeping in SQLite.

use std::collections::BTreeMap;

use async_trait::async_trait;
use keywright_protocol::limits::CODE_REMEMBERED;
use keywright_protocol::time::Timestamp;
use rusqlite::Connection;

use super::SqliteStore;
use super::column::Statements as _;
use crate::StoreFault;
use crate::attempt::kept;
use crate::job::{
    CHANGE_REMEMBERED, EXPIRED_REMEMBERED, FAMILY_REMEMBERED, JobStore, KEY_REMEMBERED, Lease,
    NODE_REMEMBERED, Swept,
};

/// Rows that a sweep deletes in one transaction: a few milliseconds of the writer's time.
const ROWS_MAX: u64 = 1000;

/// A step of the sweep: deletes at most `ROWS_MAX` rows and says how many.
type Step = fn(&Connection, Timestamp) -> rusqlite::Result<u64>;

const STEPS: &[Step] = &[
    |db, now| {
        let sql = "DELETE FROM code WHERE rowid IN
            (SELECT rowid FROM code WHERE created_at <= ?1 LIMIT ?2)";
        delete(db, sql, now.minus(CODE_REMEMBERED))
    },
    |db, now| sweep_families(db, now.minus(FAMILY_REMEMBERED)),
    |db, now| {
        let sql = "DELETE FROM session WHERE id IN
            (SELECT id FROM session WHERE expires_at <= ?1 LIMIT ?2)";
        delete(db, sql, now.minus(EXPIRED_REMEMBERED))
    },
    |db, now| {
        let sql = "DELETE FROM one_time WHERE key IN
            (SELECT key FROM one_time WHERE expires_at <= ?1 LIMIT ?2)";
        delete(db, sql, now.minus(EXPIRED_REMEMBERED))
    },
    |db, now| {
        let sql = "DELETE FROM revocation WHERE seq IN
            (SELECT seq FROM revocation WHERE expires_at <= ?1 LIMIT ?2)";
        delete(db, sql, now.minus(EXPIRED_REMEMBERED))
    },
    |db, now| {
        let sql = "DELETE FROM change WHERE seq IN
            (SELECT seq FROM change WHERE at <= ?1 LIMIT ?2)";
        delete(db, sql, now.minus(CHANGE_REMEMBERED))
    },
    |db, now| {
        let sql = "DELETE FROM signing_key WHERE (tenant, kid) IN
            (SELECT tenant, kid FROM signing_key WHERE gone_at <= ?1 LIMIT ?2)";
        delete(db, sql, now.minus(KEY_REMEMBERED))
    },
    |db, now| {
        let sql = "DELETE FROM node WHERE id IN
            (SELECT id FROM node WHERE seen_at <= ?1 LIMIT ?2)";
        delete(db, sql, now.minus(NODE_REMEMBERED))
    },
    |db, now| {
        let sql = "DELETE FROM listed_token WHERE (tenant, list, idx) IN
            (SELECT tenant, list, idx FROM listed_token WHERE expires_at <= ?1 LIMIT ?2)";
        delete(db, sql, now.minus(EXPIRED_REMEMBERED))
    },
    |db, _| sweep_deleted_clients(db),
];

#[async_trait]
impl JobStore for SqliteStore {
    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreFault> {
        let mut swept = Swept::default();
        for step in STEPS {
            loop {
                let rows = kept(self.write(move |tx| Ok(step(tx.db, now)?)).await?);
                swept.rows += rows;
                if rows < ROWS_MAX {
                    break;
                }
            }
        }
        Ok(swept)
    }

    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreFault> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        let taken = self.write(move |tx| {
            let taken = tx.db.run(
                "INSERT INTO lease (name, holder, until) VALUES (?1, ?2, ?4)
                 ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
                 WHERE lease.holder = excluded.holder OR lease.until <= ?3",
                (&name, holder, now.as_millis(), until.as_millis()),
            )?;
            if taken == 1 {
                return Ok(Lease::Held);
            }
            let sql = "SELECT until FROM lease WHERE name = ?1";
            let until = tx.db.one(sql, [name], |row| row.get(0))?;
            Ok(Lease::HeldByAnother { until: until.map_or(now, Timestamp::from_millis) })
        });
        taken.await.map(kept)
    }

    async fn ping(&self) -> Result<(), StoreFault> {
        let beat = self.write(|tx| {
            tx.db.run("UPDATE heartbeat SET beats = beats + 1", [])?;
            Ok(())
        });
        beat.await.map(kept)
    }

    async fn close(&self) {
        let closing = self.closing();
        // A panic in there was reported when it happened.
        drop(tokio::task::spawn_blocking(closing).await);
    }
}

fn delete(db: &Connection, sql: &str, until: Timestamp) -> rusqlite::Result<u64> {
    Ok(db.run(sql, (until.as_millis(), ROWS_MAX.cast_signed()))? as u64)
}

/// A shape goes with its last family.
fn sweep_families(db: &Connection, until: Timestamp) -> rusqlite::Result<u64> {
    let swept = db.all(
        "DELETE FROM family WHERE key IN
            (SELECT key FROM family WHERE absolute_expires_at <= ?1 LIMIT ?2)
         RETURNING shape",
        (until.as_millis(), ROWS_MAX.cast_signed()),
        |row| row.get::<_, i64>(0),
    )?;
    let mut shapes = BTreeMap::<i64, i64>::new();
    for shape in &swept {
        *shapes.entry(*shape).or_default() += 1;
    }
    for shape in shapes {
        db.run("UPDATE family_shape SET uses = uses - ?2 WHERE key = ?1", shape)?;
        db.run("DELETE FROM family_shape WHERE key = ?1 AND uses <= 0", [shape.0])?;
    }
    Ok(swept.len() as u64)
}

/// The grants of clients that are gone; their codes and families end by themselves.
fn sweep_deleted_clients(db: &Connection) -> rusqlite::Result<u64> {
    let swept = db.run(
        "DELETE FROM user_grant WHERE id IN
            (SELECT id FROM user_grant WHERE client IN (SELECT key FROM deleted_client) LIMIT ?1)",
        [ROWS_MAX.cast_signed()],
    )? as u64;
    if swept < ROWS_MAX {
        db.run("DELETE FROM deleted_client", [])?;
    }
    Ok(swept)
}
