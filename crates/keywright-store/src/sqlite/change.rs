//! The change log and the nodes that follow it, in SQLite.

use async_trait::async_trait;
use keywright_protocol::id::{ClientId, TenantId};
use keywright_protocol::time::Timestamp;
use rusqlite::Row;

use super::SqliteStore;
use super::column::Statements as _;
use crate::StoreFault;
use crate::attempt::kept;
use crate::change::{ChangeEntry, ChangeStore, Changed, LogHeads, NodeReport};

#[async_trait]
impl ChangeStore for SqliteStore {
    async fn changes_since(&self, seq: u64, limit: u32) -> Result<Vec<ChangeEntry>, StoreFault> {
        let sql = "SELECT seq, tenant, kind, client FROM change WHERE seq > ?1
             ORDER BY seq LIMIT ?2";
        self.scan(move |db| Ok(db.all(sql, (seq.cast_signed(), limit), read_change)?)).await
    }

    async fn log_heads(&self) -> Result<LogHeads, StoreFault> {
        // The last places ever given: the logs themselves may have been swept.
        let sql = "SELECT name, seq FROM sqlite_sequence WHERE name IN ('change', 'revocation')";
        self.read(|db| {
            let mut heads = LogHeads::default();
            for (name, seq) in db.all(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))? {
                let (name, seq): (String, i64) = (name, seq);
                let head = if name == "change" { &mut heads.change } else { &mut heads.revocation };
                *head = seq.cast_unsigned();
            }
            Ok(heads)
        })
    }

    async fn report_node(&self, node: NodeReport) -> Result<(), StoreFault> {
        let reported = self.write(move |tx| {
            tx.db.run(
                "INSERT OR REPLACE INTO node (id, machine, seen_at, change, revocation)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                (
                    &node.id,
                    &node.machine,
                    node.seen_at.as_millis(),
                    node.followed.change.cast_signed(),
                    node.followed.revocation.cast_signed(),
                ),
            )?;
            Ok(())
        });
        reported.await.map(kept)
    }

    async fn remove_node(&self, node: &str) -> Result<(), StoreFault> {
        let node = node.to_owned();
        let removed = self.write(move |tx| {
            tx.db.run("DELETE FROM node WHERE id = ?1", [node])?;
            Ok(())
        });
        removed.await.map(kept)
    }

    async fn list_nodes(&self, since: Timestamp) -> Result<Vec<NodeReport>, StoreFault> {
        let sql = "SELECT id, machine, seen_at, change, revocation FROM node
             WHERE seen_at >= ?1 ORDER BY id";
        self.read(|db| Ok(db.all(sql, [since.as_millis()], read_node)?))
    }
}

fn read_change(row: &Row<'_>) -> rusqlite::Result<ChangeEntry> {
    let kind: String = row.get(2)?;
    let changed = match kind.as_str() {
        "client" => Changed::Client(ClientId::from_trusted(row.get::<_, String>(3)?)),
        "everything" => Changed::Everything,
        "keys" => Changed::Keys,
        "resources" => Changed::Resources,
        "tenant" => Changed::Tenant,
        _ => {
            let text = rusqlite::types::Type::Text;
            return Err(rusqlite::Error::InvalidColumnType(2, kind, text));
        }
    };
    let tenant = TenantId::from_trusted(row.get::<_, String>(1)?);
    Ok(ChangeEntry { seq: row.get::<_, i64>(0)?.cast_unsigned(), tenant, changed })
}

fn read_node(row: &Row<'_>) -> rusqlite::Result<NodeReport> {
    Ok(NodeReport {
        id: row.get(0)?,
        machine: row.get(1)?,
        seen_at: Timestamp::from_millis(row.get(2)?),
        followed: LogHeads {
            change: row.get::<_, i64>(3)?.cast_unsigned(),
            revocation: row.get::<_, i64>(4)?.cast_unsigned(),
        },
    })
}
