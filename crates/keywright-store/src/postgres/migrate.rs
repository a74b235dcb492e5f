//! The versions of the schema in a PostgreSQL database.

use keywright_jose::sha256;

use super::column::Columns as _;
use super::connection::{Connection, Plans};
use super::pool::Place;
use super::{Address, roll_back};
use crate::StoreFault;
use crate::schema::{self, Applied, Migration, Undo};

/// What the schema is made of, in order.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "first",
        sql: include_str!("migrations/0001_first.sql"),
        needs: 1,
        undo: Undo { sql: "", loses: Some(("SELECT true", "everything")) },
    },
    Migration {
        name: "epoch",
        sql: include_str!("migrations/0002_epoch.sql"),
        needs: 2,
        undo: Undo {
            sql: "DROP TABLE epoch; DROP TABLE copying; ALTER TABLE family DROP COLUMN epoch",
            loses: Some((
                "SELECT number > 0 OR EXISTS (SELECT 1 FROM copying) FROM epoch",
                "what is known of a restore",
            )),
        },
    },
    Migration {
        name: "failure",
        sql: include_str!("migrations/0003_failure.sql"),
        needs: 3,
        undo: Undo { sql: "DROP TABLE failure", loses: None },
    },
    Migration {
        name: "status",
        sql: include_str!("migrations/0004_status.sql"),
        needs: 3,
        undo: Undo {
            sql: "DROP TABLE listed_token",
            loses: Some((
                "SELECT EXISTS (SELECT 1 FROM listed_token)",
                "the status lists of living tokens: let no resource have them, and wait until the \
                 last of its tokens is dead",
            )),
        },
    },
];

/// A transaction that no other migration runs beside, however long it takes.
const ALONE: &str = "BEGIN; SET LOCAL statement_timeout = 0;
    LOCK TABLE migration IN ACCESS EXCLUSIVE MODE";

/// How often beginning is tried: several nodes may start on an empty database at once, and all but
/// one of them find that a table was made under their hands.
const TRIES_MAX: u32 = 20;

/// Brings the schema up to date in one transaction; several nodes may do so at once.
pub(super) async fn migrate(place: &Place) -> Result<(), StoreFault> {
    migrate_to(place, MIGRATIONS).await
}

/// The same to the schema of `known`.
pub(super) async fn migrate_to(
    place: &Place,
    known: &'static [Migration],
) -> Result<(), StoreFault> {
    let db = Connection::open(place, Plans::Estimated).await?;
    let name = place.address.to_string();
    refuse_foreign(&db, &name).await?;
    if pending(&db, &name, known).await?.is_empty() {
        return Ok(());
    }
    begin(&db).await?;
    let migrated = apply(&db, &name, known).await;
    if migrated.is_err() {
        roll_back(&db).await;
    }
    migrated
}

async fn apply(db: &Connection, name: &str, known: &'static [Migration]) -> Result<(), StoreFault> {
    db.batch(ALONE).await?;
    for (version, migration) in pending(db, name, known).await? {
        let Migration { name, sql, needs, .. } = migration;
        tracing::info!(schema.version = version, schema.name = name, "migrating");
        db.batch(sql).await?;
        db.run(
            "INSERT INTO migration (version, name, sha256, needs) VALUES ($1, $2, $3, $4)",
            &[&i64::from(version), name, &sha256(sql.as_bytes()).as_slice(), &i64::from(*needs)],
        )
        .await?;
    }
    db.batch("COMMIT").await
}

/// Takes steps back, the newest first and all or none; answers which.
pub async fn migrate_back(
    address: Address,
    version: u32,
    dry_run: bool,
) -> Result<Vec<(u32, &'static str)>, StoreFault> {
    let name = address.to_string();
    let place = Place { connector: address.connector()?, address };
    let db = Connection::open(&place, Plans::Estimated).await?;
    refuse_foreign(&db, &name).await?;
    match go_back(&db, &name, version).await {
        Ok(steps) if !dry_run => db.batch("COMMIT").await.map(|()| steps),
        undone => {
            roll_back(&db).await;
            undone
        }
    }
}

async fn go_back(
    db: &Connection,
    name: &str,
    version: u32,
) -> Result<Vec<(u32, &'static str)>, StoreFault> {
    // What is not there cannot be locked.
    schema::way_back(MIGRATIONS, &applied(db).await?, name, version)?;
    db.batch(ALONE).await?;
    let applied = applied(db).await?;
    let mut taken = Vec::new();
    for (version, migration) in schema::way_back(MIGRATIONS, &applied, name, version)? {
        if let Some((question, what)) = migration.undo.loses
            && db.one(question, &[]).await?.map_or(Ok(true), |row| row.value(0))?
        {
            return Err(schema::would_lose(version, migration, what));
        }
        db.batch(migration.undo.sql).await?;
        db.run("DELETE FROM migration WHERE version = $1", &[&i64::from(version)]).await?;
        taken.push((version, migration.name));
    }
    Ok(taken)
}

/// Refuses a schema that another program made, before anything in it is changed.
pub(super) async fn refuse_foreign(db: &Connection, name: &str) -> Result<(), StoreFault> {
    let sql = "SELECT current_schema(), current_setting('server_encoding'),
            (SELECT count(*) FROM information_schema.tables
             WHERE table_schema = current_schema()),
            (SELECT count(*) FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = 'migration'
             AND column_name IN ('version', 'name', 'sha256'))";
    let row = db.one(sql, &[]).await?;
    let row = row.ok_or_else(|| StoreFault::Corrupt("no answer to a question".to_owned()))?;
    let (schema, encoding): (Option<&str>, &str) = (row.value(0)?, row.value(1)?);
    let (tables, ours): (i64, i64) = (row.value(2)?, row.value(3)?);
    let why = if schema.is_none() {
        "has no schema that the user may see"
    } else if encoding != "UTF8" {
        "is not in UTF-8: create it WITH ENCODING 'UTF8'"
    } else if tables > 0 && ours != 3 {
        "holds another program's tables: name another database or search_path in [store] url"
    } else {
        return Ok(());
    };
    Err(StoreFault::Incompatible(format!("{name} {why}")))
}

/// Makes the table of versions; one made before it was written down what a version needs gets that.
async fn begin(db: &Connection) -> Result<(), StoreFault> {
    let sql = "CREATE TABLE IF NOT EXISTS migration (
            version bigint NOT NULL PRIMARY KEY,
            name text NOT NULL,
            sha256 bytea NOT NULL
        );
        ALTER TABLE migration ADD COLUMN IF NOT EXISTS needs bigint";
    let mut tries = 1;
    loop {
        match db.batch(sql).await {
            Err(_) if db.is_usable() && tries < TRIES_MAX => tries += 1,
            made => return made,
        }
    }
}

/// The version of the database's schema, and the names of what it lacks.
pub(super) async fn state(
    db: &Connection,
    name: &str,
) -> Result<(u32, Vec<&'static str>), StoreFault> {
    let pending = pending(db, name, MIGRATIONS).await?;
    let names = pending.iter().map(|(_, migration)| migration.name).collect();
    Ok((schema::version_of(&applied(db).await?), names))
}

/// What the database lacks.
pub(super) async fn pending(
    db: &Connection,
    name: &str,
    known: &'static [Migration],
) -> Result<Vec<(u32, &'static Migration)>, StoreFault> {
    schema::pending(known, &applied(db).await?, name)
}

/// The versions of the database: numbered from 1 without gaps, as they were written.
async fn applied(db: &Connection) -> Result<Vec<Applied>, StoreFault> {
    let sql = "SELECT count(*) FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = 'migration'";
    let needs = match db.one(sql, &[]).await?.map_or(Ok(0), |row| row.number(0))? {
        0 => return Ok(Vec::new()),
        3 => "NULL::bigint",
        _ => "needs",
    };
    let sql = format!("SELECT name, sha256, {needs} FROM migration ORDER BY version");
    let applied = db.all(&sql, &[]).await?;
    let step = |row: &tokio_postgres::Row| {
        let needs: Option<i64> = row.value(2)?;
        let needs = needs.and_then(|needs| u32::try_from(needs).ok());
        Ok(Applied { name: row.text(0)?, sha256: row.value(1)?, needs })
    };
    applied.iter().map(step).collect()
}
