//! The change log and the nodes that follow it, in PostgreSQL.

use async_trait::async_trait;
use keywright_protocol::id::{ClientId, TenantId};
use keywright_protocol::time::Timestamp;
use tokio_postgres::Row;

use super::PostgresStore;
use super::column::Columns as _;
use super::transaction::Mode;
use crate::StoreFault;
use crate::attempt::kept;
use crate::change::{ChangeEntry, ChangeStore, Changed, LogHeads, NodeReport};

#[async_trait]
impl ChangeStore for PostgresStore {
    async fn changes_since(&self, seq: u64, limit: u32) -> Result<Vec<ChangeEntry>, StoreFault> {
        let sql = "SELECT seq, tenant, kind, client FROM change WHERE seq > $1
             ORDER BY seq LIMIT $2";
        let (seq, limit) = (seq.cast_signed(), i64::from(limit));
        let rows = self.scan(sql, &[&seq, &limit]).await?;
        rows.iter().map(read_change).collect()
    }

    async fn log_heads(&self) -> Result<LogHeads, StoreFault> {
        let rows = self.all("SELECT name, seq FROM log_head", &[]);
        let mut heads = LogHeads::default();
        for row in rows.await? {
            let change = row.value::<&str>(0)? == "change";
            *(if change { &mut heads.change } else { &mut heads.revocation }) = row.number(1)?;
        }
        Ok(heads)
    }

    async fn wait_for_change(&self) {
        self.shared.changes.notified().await;
    }

    fn tells_of_changes(&self) -> bool {
        true
    }

    async fn report_node(&self, node: NodeReport) -> Result<(), StoreFault> {
        let reported = self.write(Mode::Together, node, |tx, node| {
            Box::pin(async move {
                tx.run(
                    "INSERT INTO node (id, machine, seen_at, change, revocation)
                     VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (id) DO UPDATE SET machine = excluded.machine,
                        seen_at = excluded.seen_at, change = excluded.change,
                        revocation = excluded.revocation",
                    &[
                        &node.id,
                        &node.machine,
                        &node.seen_at.as_millis(),
                        &node.followed.change.cast_signed(),
                        &node.followed.revocation.cast_signed(),
                    ],
                )
                .await?;
                Ok(())
            })
        });
        reported.await.map(kept)
    }

    async fn remove_node(&self, node: &str) -> Result<(), StoreFault> {
        let removed = self.write(Mode::Together, node.to_owned(), |tx, node| {
            Box::pin(async move {
                tx.run("DELETE FROM node WHERE id = $1", &[node]).await?;
                Ok(())
            })
        });
        removed.await.map(kept)
    }

    async fn list_nodes(&self, since: Timestamp) -> Result<Vec<NodeReport>, StoreFault> {
        let sql = "SELECT id, machine, seen_at, change, revocation FROM node
             WHERE seen_at >= $1 ORDER BY id";
        let rows = self.all(sql, &[&since.as_millis()]).await?;
        rows.iter().map(read_node).collect()
    }
}

fn read_change(row: &Row) -> Result<ChangeEntry, StoreFault> {
    let changed = match row.value(2)? {
        "client" => Changed::Client(ClientId::from_trusted(row.text(3)?)),
        "everything" => Changed::Everything,
        "keys" => Changed::Keys,
        "resources" => Changed::Resources,
        "tenant" => Changed::Tenant,
        other => return Err(StoreFault::Corrupt(format!("a change of the unknown kind {other}"))),
    };
    let tenant = TenantId::from_trusted(row.text(1)?);
    Ok(ChangeEntry { seq: row.number(0)?, tenant, changed })
}

fn read_node(row: &Row) -> Result<NodeReport, StoreFault> {
    Ok(NodeReport {
        id: row.text(0)?,
        machine: row.text(1)?,
        seen_at: row.time(2)?,
        followed: LogHeads { change: row.number(3)?, revocation: row.number(4)? },
    })
}
