//! Copying out of and into PostgreSQL.

use async_trait::async_trait;
use tokio_postgres::Row as PostgresRow;
use tokio_postgres::types::ToSql;

use super::chain::{self, Held};
use super::column::{Columns as _, pack_text, unpack_text};
use super::connection::{Connection, Plans};
use super::pool::{Lane, Taken};
use super::refresh::SHAPE_AHEAD_MS;
use super::transaction::Mode;
use super::{PostgresStore, roll_back};
use crate::StoreFault;
use crate::copy::{
    BATCH_ROWS, Cell, CopyStore, Kind, Place, Progress, Row, Rows, SEQUENCES, Snapshot, Table,
    column_list,
};

/// The name under which `copying` remembers what is copied.
const SOURCE: &str = "source";
/// A copy reads and writes for as long as it takes.
const UNBOUNDED: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";
const UNBOUNDED_HERE: &str = "BEGIN; SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0";

/// How a table is read: after FROM, which rows belong to somebody, and what orders them.
const fn source(table: Table) -> (&'static str, &'static str, &'static [&'static str]) {
    let own_client = "client IN (SELECT key FROM client)";
    match table {
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
            let all = r#"(SELECT name COLLATE "C" AS name, seq AS last FROM log_head
                UNION ALL SELECT s.name, coalesce(pg_sequence_last_value(
                    pg_get_serial_sequence(s.name, 'key')::regclass), 0)
                FROM (VALUES ('client'), ('family_shape'), ('refusal')) AS s (name)) AS s"#;
            (all, "true", &["name"])
        }
        Table::Session => ("session", "true", &["id"]),
        Table::Shape => ("family_shape", own_client, &["key"]),
        Table::SigningKey => ("signing_key", "true", &["tenant", "kid"]),
        Table::Tenant => ("tenant", "true", &["id"]),
        Table::User => ("\"user\"", "true", &["tenant", "sub"]),
    }
}

#[async_trait]
impl CopyStore for PostgresStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreFault> {
        let place = &self.shared.pool.place;
        let gate = Connection::open(place, Plans::Estimated).await?;
        let view = Connection::open(place, Plans::Estimated).await?;
        view.batch(UNBOUNDED).await?;
        // Nobody writes while what waits for the chain gets there and the view begins.
        gate.batch(Mode::Alone.begin()).await?;
        chain::lengthen(&self.shared, Held::WaitedFor).await?;
        view.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1 FROM epoch").await?;
        roll_back(&gate).await;
        Ok(Box::new(View(view)))
    }

    async fn is_empty(&self) -> Result<bool, StoreFault> {
        let sql = r#"SELECT NOT EXISTS (SELECT 1 FROM client)
            AND NOT EXISTS (SELECT 1 FROM "user") AND NOT EXISTS (SELECT 1 FROM resource)
            AND NOT EXISTS (SELECT 1 FROM signing_key) AND NOT EXISTS (SELECT 1 FROM secret)
            AND NOT EXISTS (SELECT 1 FROM audit) AND NOT EXISTS (SELECT 1 FROM audit_outbox)
            AND (SELECT count(*) FROM tenant) <= 1"#;
        self.one(sql, &[]).await?.map_or(Ok(true), |row| row.value(0))
    }

    async fn unfinished_copy(&self) -> Result<Option<String>, StoreFault> {
        let row = self.one("SELECT place FROM copying WHERE name = $1", &[&SOURCE]).await?;
        row.map(|row| row.text(0)).transpose()
    }

    async fn begin_copy(&self, source: &str) -> Result<(), StoreFault> {
        let db = self.begin_bulk().await?;
        let begun = begin_copy(&db, source).await;
        end_bulk(db, begun).await
    }

    async fn copied_until(&self, table: Table) -> Result<Progress, StoreFault> {
        let sql = "SELECT place, finished FROM copying WHERE name = $1";
        let Some(row) = self.one(sql, &[&progress_name(table)]).await? else {
            return Ok(Progress::At(None));
        };
        let finished: bool = row.value(1)?;
        Ok(if finished { Progress::Finished } else { Progress::At(row.value(0)?) })
    }

    async fn clear_table(&self, table: Table) -> Result<(), StoreFault> {
        let db = self.begin_bulk().await?;
        let cleared = clear(&db, table).await;
        end_bulk(db, cleared).await
    }

    async fn put_rows(&self, table: Table, page: Rows) -> Result<(), StoreFault> {
        let db = self.begin_bulk().await?;
        let put = put_page(&db, table, &page).await;
        end_bulk(db, put).await
    }

    async fn end_copy(&self) -> Result<(), StoreFault> {
        let db = self.begin_bulk().await?;
        let ended = end_copy(&db).await;
        end_bulk(db, ended).await
    }
}

impl PostgresStore {
    async fn begin_bulk(&self) -> Result<Taken, StoreFault> {
        let db = self.shared.pool.take(Lane::Scan).await?;
        db.batch(UNBOUNDED_HERE).await?;
        Ok(db)
    }
}

async fn end_bulk(db: Taken, done: Result<(), StoreFault>) -> Result<(), StoreFault> {
    let ended = match done {
        Ok(()) => db.batch("COMMIT").await,
        Err(fault) => {
            roll_back(&db).await;
            Err(fault)
        }
    };
    db.give_back();
    ended
}

async fn begin_copy(db: &Connection, source: &str) -> Result<(), StoreFault> {
    for table in Table::ALL {
        clear(db, *table).await?;
    }
    db.batch("DELETE FROM deleted_client; DELETE FROM copying").await?;
    let sql = "INSERT INTO copying (name, place, finished) VALUES ($1, $2, false)";
    db.run(sql, &[&SOURCE, &source]).await.map(drop)
}

fn progress_name(table: Table) -> String {
    format!("table {}", table.name())
}

async fn clear(db: &Connection, table: Table) -> Result<(), StoreFault> {
    match table {
        // They are numbers, not rows: another takes their place.
        Table::Epoch | Table::Sequence => {}
        Table::Audit => {
            db.batch("DELETE FROM audit_outbox; DELETE FROM audit_head; DELETE FROM audit").await?;
        }
        _ => db.batch(&format!("DELETE FROM {}", source(table).0)).await?,
    }
    db.run("DELETE FROM copying WHERE name = $1", &[&progress_name(table)]).await.map(drop)
}

async fn put_page(db: &Connection, table: Table, page: &Rows) -> Result<(), StoreFault> {
    match table {
        Table::Epoch => {
            for row in &page.rows {
                let columns = columns_of(table, std::slice::from_ref(row))?;
                let sql = "UPDATE epoch SET number = i.number, raised_at = i.raised_at
                    FROM unnest($1::bigint[], $2::bigint[]) AS i (number, raised_at)";
                run(db, sql, &columns).await?;
            }
        }
        Table::Sequence => {
            for row in &page.rows {
                put_sequence(db, row).await?;
            }
        }
        _ if page.rows.is_empty() => {}
        _ => run(db, &insertion(table), &columns_of(table, &page.rows)?).await?,
    }
    let sql = "INSERT INTO copying (name, place, finished) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET place = excluded.place, finished = excluded.finished";
    let values = (progress_name(table), &page.next, page.next.is_none());
    db.run(sql, &[&values.0, values.1, &values.2]).await.map(drop)
}

/// Many rows by one statement: an array for each column.
fn insertion(table: Table) -> String {
    let columns = table.columns().iter().zip(1..);
    let arrays: Vec<_> = columns
        .map(|(column, n)| {
            let kind = match column.kind {
                Kind::Bytes | Kind::Id(_) => "bytea",
                Kind::Flag => "boolean",
                Kind::Number => "bigint",
                Kind::Text => "text",
            };
            format!("${n}::{kind}[]")
        })
        .collect();
    let (arrays, columns) = (arrays.join(", "), column_list(table));
    let into = source(table).0;
    match table {
        // When a shape may go is known at the end; what it is found by follows from its body.
        Table::Shape => format!(
            "INSERT INTO {into} ({columns}, used_until, digest)
             SELECT i.*, 0, sha256(convert_to(i.body, 'UTF8'))
             FROM unnest({arrays}) AS i ({columns})"
        ),
        Table::OneTime => format!(
            "INSERT INTO {into} ({columns}, spent_at) SELECT i.*, 0 FROM unnest({arrays}) AS i"
        ),
        // What happens before the copy ends, such as the beginning of an epoch, goes on from here.
        Table::Audit => format!(
            "WITH put AS (
                INSERT INTO {into} ({columns}) SELECT * FROM unnest({arrays})
                RETURNING tenant, seq, hash
             )
             INSERT INTO audit_head (tenant, seq, hash)
             SELECT DISTINCT ON (tenant) tenant, seq, hash FROM put ORDER BY tenant, seq DESC
             ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq, hash = excluded.hash"
        ),
        _ => format!("INSERT INTO {into} ({columns}) SELECT * FROM unnest({arrays})"),
    }
}

async fn put_sequence(db: &Connection, row: &Row) -> Result<(), StoreFault> {
    let [Cell::Text(name), Cell::Number(last)] = row.0.as_slice() else {
        return Err(unreadable());
    };
    if !SEQUENCES.contains(&name.as_str()) {
        return Err(unreadable());
    }
    if ["change", "revocation"].contains(&name.as_str()) {
        let sql = "UPDATE log_head SET seq = $2 WHERE name = $1";
        return db.run(sql, &[name, last]).await.map(drop);
    }
    let sql = "SELECT setval(pg_get_serial_sequence($1, 'key')::regclass,
        greatest($2::bigint, 1), $2::bigint > 0)";
    db.run(sql, &[name, last]).await.map(drop)
}

type Column = Box<dyn ToSql + Send + Sync>;

async fn run(db: &Connection, sql: &str, columns: &[Column]) -> Result<(), StoreFault> {
    let values: Vec<&(dyn ToSql + Sync)> =
        columns.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect();
    db.run(sql, &values).await.map(drop)
}

/// Rows as arrays, one for each column.
fn columns_of(table: Table, rows: &[Row]) -> Result<Vec<Column>, StoreFault> {
    let columns = table.columns().iter().enumerate();
    let column = |(at, column): (usize, &crate::copy::Column)| {
        let cells = || rows.iter().map(move |row| row.0.get(at).unwrap_or(&Cell::Null));
        Ok(match column.kind {
            Kind::Bytes => array(cells(), |cell| match cell {
                Cell::Bytes(bytes) => Some(bytes.clone()),
                _ => None,
            })?,
            Kind::Flag => array(cells(), |cell| match cell {
                Cell::Number(number) => Some(*number != 0),
                _ => None,
            })?,
            Kind::Id(prefix) => array(cells(), |cell| match cell {
                Cell::Text(text) => Some(pack_text(prefix, text)),
                _ => None,
            })?,
            Kind::Number => array(cells(), |cell| match cell {
                Cell::Number(number) => Some(*number),
                _ => None,
            })?,
            Kind::Text => array(cells(), |cell| match cell {
                Cell::Text(text) => Some(text.clone()),
                _ => None,
            })?,
        })
    };
    columns.map(column).collect()
}

fn array<'a, T>(
    cells: impl Iterator<Item = &'a Cell>,
    read: impl Fn(&Cell) -> Option<T>,
) -> Result<Column, StoreFault>
where
    T: Send + Sync + 'static,
    Vec<Option<T>>: ToSql,
{
    let values = cells.map(|cell| match cell {
        Cell::Null => Ok(None),
        cell => read(cell).map(Some).ok_or_else(unreadable),
    });
    Ok(Box::new(values.collect::<Result<Vec<Option<T>>, _>>()?))
}

fn unreadable() -> StoreFault {
    StoreFault::Corrupt("a row that does not fit its table".to_owned())
}

async fn end_copy(db: &Connection) -> Result<(), StoreFault> {
    db.run(
        "UPDATE family_shape SET used_until = f.until + $1 FROM
            (SELECT shape, max(absolute_expires_at) AS until FROM family GROUP BY shape) f
         WHERE f.shape = family_shape.key",
        &[&SHAPE_AHEAD_MS],
    )
    .await?;
    db.batch("DELETE FROM copying").await
}

/// A transaction that sees one moment, on a connection of its own.
struct View(Connection);

#[async_trait]
impl Snapshot for View {
    async fn page(&mut self, table: Table, after: Option<&str>) -> Result<Rows, StoreFault> {
        let after = after.map(Place::parse).transpose()?;
        page(&self.0, table, after).await
    }

    async fn count(&mut self, table: Table) -> Result<u64, StoreFault> {
        let (from, filter, _) = source(table);
        let row = self.0.one(&format!("SELECT count(*) FROM {from} WHERE {filter}"), &[]).await?;
        row.map_or(Ok(0), |row| row.number(0))
    }
}

async fn page(db: &Connection, table: Table, after: Option<Place>) -> Result<Rows, StoreFault> {
    let (from, filter, order) = source(table);
    let (columns, order_list) = (column_list(table), order.join(", "));
    let places: Vec<_> = (1..=order.len()).map(|n| format!("${n}")).collect();
    let beyond = match &after {
        Some(_) => format!("({order_list}) > ({})", places.join(", ")),
        None => "true".to_owned(),
    };
    let sql = format!(
        "SELECT {columns}, {order_list} FROM {from} WHERE {filter} AND {beyond}
         ORDER BY {order_list} LIMIT {BATCH_ROWS}"
    );
    let after = after.map_or_else(Vec::new, |place| place.0);
    let values = after.iter().map(|cell| match cell {
        Cell::Bytes(bytes) => Ok(bytes as &(dyn ToSql + Sync)),
        Cell::Number(number) => Ok(number as _),
        Cell::Text(text) => Ok(text as _),
        Cell::Null => Err(unreadable()),
    });
    let rows = db.all(&sql, &values.collect::<Result<Vec<_>, _>>()?).await?;
    let full = rows.len() == BATCH_ROWS as usize;
    let next = match rows.last().filter(|_| full) {
        Some(last) => Some(place_of(last, table, order.len())?.to_text()),
        None => None,
    };
    let rows = rows.iter().map(|row| read_row(row, table)).collect::<Result<_, _>>()?;
    Ok(Rows { rows, next })
}

fn read_row(row: &PostgresRow, table: Table) -> Result<Row, StoreFault> {
    let columns = table.columns().iter().enumerate();
    let cells = columns.map(|(at, column)| {
        let cell = match column.kind {
            Kind::Bytes => row.value::<Option<Vec<u8>>>(at)?.map(Cell::Bytes),
            Kind::Flag => row.value::<Option<bool>>(at)?.map(|flag| Cell::Number(flag.into())),
            Kind::Id(prefix) => {
                let bytes = row.value::<Option<&[u8]>>(at)?;
                bytes.map(|bytes| unpack_text(prefix, bytes).map(Cell::Text)).transpose()?
            }
            Kind::Number => row.value::<Option<i64>>(at)?.map(Cell::Number),
            Kind::Text => row.value::<Option<String>>(at)?.map(Cell::Text),
        };
        Ok(cell.unwrap_or(Cell::Null))
    });
    cells.collect::<Result<_, StoreFault>>().map(Row)
}

/// What a row is ordered by, as it is stored.
fn place_of(row: &PostgresRow, table: Table, count: usize) -> Result<Place, StoreFault> {
    let first = table.columns().len();
    let cells = (first..first + count).map(|at| {
        let kind = row.columns().get(at).map(|column| column.type_().name().to_owned());
        Ok(match kind.as_deref() {
            Some("int8") => Cell::Number(row.value(at)?),
            Some("bytea") => Cell::Bytes(row.value(at)?),
            _ => Cell::Text(row.value(at)?),
        })
    });
    cells.collect::<Result<_, StoreFault>>().map(Place)
}
