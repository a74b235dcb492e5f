//! Copying out of and into SQLite.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Row as SqliteRow, ToSql, params_from_iter};

use super::column::{Statements as _, pack, unpack};
use super::{SqliteStore, connection, held};
use crate::StoreFault;
use crate::attempt::kept;
use crate::copy::{
    BATCH_ROWS, Cell, CopyStore, Kind, Place, Progress, Row, Rows, SEQUENCES, Snapshot, Table,
    column_list,
};

/// The name under which `copying` remembers what is copied.
const SOURCE: &str = "source";

/// How a table is read.
struct Source {
    /// After FROM.
    from: &'static str,
    /// Which rows belong to somebody.
    filter: &'static str,
    /// What orders the rows, and makes them unique.
    order: &'static [&'static str],
}

const fn source(table: Table) -> Source {
    let own_client = "client IN (SELECT key FROM client)";
    let (from, filter, order): (_, _, &[_]) = match table {
        Table::Audit => ("audit", "true", &["tenant", "seq"]),
        Table::Change => ("change", "true", &["seq"]),
        Table::Client => ("client", "true", &["key"]),
        Table::Code => ("code", own_client, &["hash"]),
        Table::Epoch => ("epoch", "true", &["key"]),
        Table::Family => {
            let own = "shape IN (SELECT key FROM family_shape
                WHERE client IN (SELECT key FROM client))";
            ("family", own, &["key"])
        }
        Table::Grant => ("user_grant", own_client, &["id"]),
        Table::ListedToken => ("listed_token", "true", &["tenant", "list", "idx"]),
        Table::OneTime => ("one_time", "true", &["key"]),
        Table::Refusal => ("refusal", "true", &["key"]),
        Table::Resource => ("resource", "true", &["tenant", "identifier"]),
        Table::Revocation => ("revocation", "true", &["seq"]),
        Table::Secret => ("secret", "true", &["name"]),
        Table::Sequence => {
            let all = "(SELECT s.value AS name,
                    coalesce((SELECT seq FROM sqlite_sequence q WHERE q.name = s.value), 0) AS last
                FROM json_each('[\"change\",\"client\",\"family_shape\",\"refusal\",\"revocation\"]') s)";
            (all, "true", &["name"])
        }
        Table::Session => ("session", "true", &["id"]),
        Table::Shape => ("family_shape", own_client, &["key"]),
        Table::SigningKey => ("signing_key", "true", &["tenant", "kid"]),
        Table::Tenant => ("tenant", "true", &["id"]),
        Table::User => ("user", "true", &["tenant", "sub"]),
    };
    Source { from, filter, order }
}

#[async_trait]
impl CopyStore for SqliteStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreFault> {
        let path = self.path.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let db = connection::reader(&path)?;
            // The first read decides what the transaction sees.
            db.execute_batch("BEGIN; SELECT 1 FROM epoch")?;
            Ok::<_, StoreFault>(db)
        });
        let db = opened.await.map_err(|e| StoreFault::Unavailable(e.to_string()))??;
        Ok(Box::new(View(Arc::new(Mutex::new(db)))))
    }

    async fn is_empty(&self) -> Result<bool, StoreFault> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM client) AND NOT EXISTS (SELECT 1 FROM user)
            AND NOT EXISTS (SELECT 1 FROM resource) AND NOT EXISTS (SELECT 1 FROM signing_key)
            AND NOT EXISTS (SELECT 1 FROM secret) AND NOT EXISTS (SELECT 1 FROM audit)
            AND (SELECT count(*) FROM tenant) <= 1";
        self.read(|db| Ok(db.query_row(sql, [], |row| row.get(0))?))
    }

    async fn unfinished_copy(&self) -> Result<Option<String>, StoreFault> {
        let sql = "SELECT place FROM copying WHERE name = ?1";
        self.read(|db| Ok(db.one(sql, [SOURCE], |row| row.get(0))?))
    }

    async fn begin_copy(&self, source: &str) -> Result<(), StoreFault> {
        let source = source.to_owned();
        let begun = self.write(move |tx| {
            for table in Table::ALL {
                clear(tx.db, *table)?;
            }
            tx.db.run("DELETE FROM deleted_client", [])?;
            tx.db.run(
                "INSERT OR REPLACE INTO copying (name, place, finished) VALUES (?1, ?2, 0)",
                [SOURCE, &source],
            )?;
            Ok(())
        });
        begun.await.map(kept)
    }

    async fn copied_until(&self, table: Table) -> Result<Progress, StoreFault> {
        let sql = "SELECT place, finished FROM copying WHERE name = ?1";
        let found = self.read(|db| {
            let found = db.one(sql, [progress_name(table)], |row| Ok((row.get(0)?, row.get(1)?)));
            Ok(found?)
        })?;
        Ok(match found {
            None => Progress::At(None),
            Some((_, true)) => Progress::Finished,
            Some((place, false)) => Progress::At(place),
        })
    }

    async fn clear_table(&self, table: Table) -> Result<(), StoreFault> {
        self.write(move |tx| Ok(clear(tx.db, table)?)).await.map(kept)
    }

    async fn put_rows(&self, table: Table, page: Rows) -> Result<(), StoreFault> {
        let put = self.write(move |tx| {
            for row in &page.rows {
                put(tx.db, table, row)?;
            }
            tx.db.run(
                "INSERT OR REPLACE INTO copying (name, place, finished) VALUES (?1, ?2, ?3)",
                (progress_name(table), &page.next, page.next.is_none()),
            )?;
            Ok(())
        });
        put.await.map(kept)
    }

    async fn end_copy(&self) -> Result<(), StoreFault> {
        let ended = self.write(move |tx| {
            tx.db.run(
                "UPDATE family_shape SET uses = f.uses FROM
                    (SELECT shape, count(*) AS uses FROM family GROUP BY shape) f
                 WHERE f.shape = family_shape.key",
                [],
            )?;
            tx.db.run("DELETE FROM copying", [])?;
            Ok(())
        });
        ended.await.map(kept)
    }
}

fn progress_name(table: Table) -> String {
    format!("table {}", table.name())
}

fn clear(db: &Connection, table: Table) -> rusqlite::Result<()> {
    match table {
        // They are numbers, not rows: another takes their place.
        Table::Epoch | Table::Sequence => {}
        _ => {
            db.run(&format!("DELETE FROM {}", source(table).from), [])?;
        }
    }
    db.run("DELETE FROM copying WHERE name = ?1", [progress_name(table)])?;
    Ok(())
}

fn put(db: &Connection, table: Table, row: &Row) -> Result<(), StoreFault> {
    let cells = row.0.iter().zip(table.columns());
    let cells: Vec<_> = cells.map(|(cell, column)| Stored(cell, column.kind)).collect();
    let sql = match table {
        Table::Epoch => "UPDATE epoch SET number = ?1, raised_at = ?2".to_owned(),
        Table::Sequence => {
            let known = row.0.first().is_some_and(is_sequence);
            if !known {
                return Err(StoreFault::Corrupt("an unknown sequence".to_owned()));
            }
            db.run(
                "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0
                 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
                params_from_iter(cells.iter().take(1)),
            )?;
            "UPDATE sqlite_sequence SET seq = ?2 WHERE name = ?1".to_owned()
        }
        _ => {
            // How often a shape is used is counted at the end.
            let (extra, value) = if table == Table::Shape { (", uses", ", 0") } else { ("", "") };
            let places: Vec<_> = (1..=cells.len()).map(|n| format!("?{n}")).collect();
            format!(
                "INSERT INTO {} ({}{extra}) VALUES ({}{value})",
                table.name(),
                column_list(table),
                places.join(", ")
            )
        }
    };
    db.run(&sql, params_from_iter(cells))?;
    Ok(())
}

fn is_sequence(name: &Cell) -> bool {
    matches!(name, Cell::Text(name) if SEQUENCES.contains(&name.as_str()))
}

/// A cell as its column stores it.
struct Stored<'a>(&'a Cell, Kind);

impl ToSql for Stored<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match (self.0, self.1) {
            (Cell::Null, _) => ToSqlOutput::Owned(Value::Null),
            (Cell::Number(number), _) => (*number).into(),
            (Cell::Text(text), Kind::Id(prefix)) => pack(prefix, text),
            (Cell::Text(text), _) => text.as_str().into(),
            (Cell::Bytes(bytes), _) => bytes.as_slice().into(),
        })
    }
}

/// A read transaction on a connection of its own.
struct View(Arc<Mutex<Connection>>);

impl View {
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        let db = self.0.clone();
        let read = tokio::task::spawn_blocking(move || read(&held(&db)));
        read.await.map_err(|e| StoreFault::Unavailable(e.to_string()))?
    }
}

#[async_trait]
impl Snapshot for View {
    async fn page(&mut self, table: Table, after: Option<&str>) -> Result<Rows, StoreFault> {
        let after = after.map(Place::parse).transpose()?;
        self.read(move |db| page(db, table, after)).await
    }

    async fn count(&mut self, table: Table) -> Result<u64, StoreFault> {
        let Source { from, filter, .. } = source(table);
        let sql = format!("SELECT count(*) FROM {from} WHERE {filter}");
        self.read(move |db| {
            let count: i64 = db.query_row(&sql, [], |row| row.get(0))?;
            Ok(count.cast_unsigned())
        })
        .await
    }
}

fn page(db: &Connection, table: Table, after: Option<Place>) -> Result<Rows, StoreFault> {
    let Source { from, filter, order } = source(table);
    let (columns, order_list) = (column_list(table), order.join(", "));
    let places: Vec<_> = (1..=order.len()).map(|n| format!("?{n}")).collect();
    let beyond = match &after {
        Some(_) => format!("({order_list}) > ({})", places.join(", ")),
        None => "true".to_owned(),
    };
    let sql = format!(
        "SELECT {columns}, {order_list} FROM {from} WHERE {filter} AND {beyond}
         ORDER BY {order_list} LIMIT {BATCH_ROWS}"
    );
    let after = after.map_or_else(Vec::new, |place| place.0);
    // As they are stored: what orders rows is bytes, not what the bytes mean.
    let after = after.iter().map(|cell| Stored(cell, Kind::Bytes));
    let first = table.columns().len();
    let found = db.all(&sql, params_from_iter(after), |row| {
        let place = (first..first + order.len()).map(|at| raw(row, at));
        Ok((read_row(row, table)?, Place(place.collect::<rusqlite::Result<_>>()?)))
    })?;
    let full = found.len() == BATCH_ROWS as usize;
    let next = found.last().filter(|_| full).map(|(_, place)| place.to_text());
    Ok(Rows { rows: found.into_iter().map(|(row, _)| row).collect(), next })
}

fn read_row(row: &SqliteRow<'_>, table: Table) -> rusqlite::Result<Row> {
    let columns = table.columns().iter().enumerate();
    let cells = columns.map(|(at, column)| {
        Ok(match (row.get_ref(at)?, column.kind) {
            (ValueRef::Null, _) => Cell::Null,
            (ValueRef::Integer(number), _) => Cell::Number(number),
            (ValueRef::Blob(bytes), Kind::Id(prefix)) => Cell::Text(unpack(prefix, bytes)),
            (ValueRef::Blob(bytes), _) => Cell::Bytes(bytes.to_vec()),
            (other, _) => Cell::Text(other.as_str()?.to_owned()),
        })
    });
    cells.collect::<rusqlite::Result<_>>().map(Row)
}

/// A value as it is stored.
fn raw(row: &SqliteRow<'_>, at: usize) -> rusqlite::Result<Cell> {
    Ok(match row.get_ref(at)? {
        ValueRef::Integer(number) => Cell::Number(number),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Null => Cell::Null,
        other => Cell::Text(other.as_str()?.to_owned()),
    })
}
