//! Refresh families in SQLite: a row each, a conditional update per use.

use async_trait::async_trait;
use keywright_protocol::grant::refresh_token::{FamilyOrigin, StoredFamily};
use keywright_protocol::id::{ClientId, FamilyId, GrantId, SessionId, Subject, TenantId};
use keywright_protocol::resource::ResourceIndicator;
use keywright_protocol::scope::ScopeSet;
use keywright_protocol::session::Authentication;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::RefreshHash;
use keywright_protocol::wire::response::Receipt;
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};

use super::SqliteStore;
use super::column::{Json, Packed, Statements as _};
use super::transaction::Refusal;
use crate::StoreFault;
use crate::attempt::Undo;
use crate::refresh::{NewFamily, RefreshStore, Rotate, Rotation, RotationStep};

/// Everybody on whom a family depends. ?1 tenant, ?2 client.
macro_rules! backed {
    () => {
        "EXISTS (
            SELECT 1 FROM family_shape f
            JOIN client c ON c.key = f.client
            JOIN tenant t ON t.id = c.tenant
            JOIN user u ON u.tenant = c.tenant AND u.sub = family.sub
            JOIN user_grant g
                ON g.id = family.user_grant AND g.client = c.key AND g.sub = family.sub
            WHERE f.key = family.shape AND c.tenant = ?1 AND c.id = ?2
            AND c.disabled = 0 AND c.not_before < family.created_at
            AND t.disabled = 0 AND t.not_before < family.created_at
            AND u.disabled = 0 AND u.not_before < family.created_at
        )"
    };
}

/// A family that is alive, and all on whom it depends. ?1 tenant, ?2 client, ?3 family, ?4 now.
macro_rules! usable {
    () => {
        concat!(
            "id = ?3 AND revoked = 0 AND idle_expires_at > ?4 AND absolute_expires_at > ?4 AND ",
            backed!()
        )
    };
}

/// What the families of a client have in common: few shapes, many families.
#[derive(Deserialize, Serialize)]
struct Shape {
    scope: ScopeSet,
    resources: Vec<ResourceIndicator>,
    acr: String,
    amr: Vec<String>,
}

#[async_trait]
impl RefreshStore for SqliteStore {
    async fn load_family(
        &self,
        tenant: &TenantId,
        family: &FamilyId,
    ) -> Result<Option<StoredFamily>, StoreFault> {
        self.read(|db| Ok(load(db, tenant, family)?))
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotate, StoreFault> {
        let refusal = Refusal::after_spending(&rotation.record);
        let rotated = self.write_as(refusal, move |tx| {
            tx.spend(&rotation.record, Undo::Verdict(Rotate::AssertionReplayed))?;
            if !use_token(tx.db, &rotation)? {
                return Err(Undo::Verdict(why_not(tx.db, &rotation)?));
            }
            tx.append(&rotation.record.events)?;
            Ok(())
        });
        let rotated = rotated.await?;
        Ok(rotated.map_or_else(|refused| refused, |()| Rotate::Committed(Receipt::of_commit())))
    }
}

/// What using a token writes. ?4 now, ?5 presented, ?6 child, ?7 sealed child, ?8 idle end; the
/// generation of the presented token.
macro_rules! advance {
    ($generation:literal, $condition:literal) => {
        concat!(
            "UPDATE family SET parent = ?5, current = ?6, sealed_child = ?7,
                generation = ",
            $generation,
            " + 1, rotated_at = ?4, idle_expires_at = min(?8, absolute_expires_at),
                epoch = (SELECT number FROM epoch)
             WHERE ",
            $condition,
            " AND ",
            usable!()
        )
    };
}

const ADVANCE: &str = advance!("generation", "current = ?5");
const ADOPT: &str = advance!("?9", "generation < ?9 AND epoch < (SELECT number FROM epoch)");

/// The one statement that decides whether a refresh token still counts.
fn use_token(db: &Connection, rotation: &Rotation) -> rusqlite::Result<bool> {
    let (tenant, client) = (rotation.tenant.as_str(), rotation.client.as_str());
    let (family, now) = (Packed(&rotation.family), rotation.record.now);
    let presented = rotation.presented.as_bytes();
    let (sql, child, generation) = match &rotation.step {
        RotationStep::Adopt { generation, child } => (ADOPT, child, Some(generation.cast_signed())),
        RotationStep::Advance(child) => (ADVANCE, child, None),
        RotationStep::Retry { since } => {
            let found = db.one(
                concat!(
                    "SELECT 1 FROM family WHERE parent = ?5 AND rotated_at > ?6 AND ",
                    usable!()
                ),
                (tenant, client, family, now.as_millis(), presented, since.as_millis()),
                |_| Ok(()),
            )?;
            return Ok(found.is_some());
        }
    };
    let (now, idle_end) = (now.as_millis(), child.idle_expires_at.as_millis());
    let (hash, sealed) = (child.hash.as_bytes(), &child.sealed);
    let rotated = match generation {
        None => db.run(sql, (tenant, client, family, now, presented, hash, sealed, idle_end))?,
        Some(generation) => db.run(
            sql,
            (tenant, client, family, now, presented, hash, sealed, idle_end, generation),
        )?,
    };
    Ok(rotated == 1)
}

fn why_not(db: &Connection, rotation: &Rotation) -> rusqlite::Result<Rotate> {
    let backed = db.one(
        concat!(
            "SELECT ",
            backed!(),
            " FROM family JOIN family_shape h ON h.key = family.shape
             JOIN client o ON o.key = h.client
             WHERE family.id = ?3 AND o.tenant = ?1 AND o.id = ?2"
        ),
        (rotation.tenant.as_str(), rotation.client.as_str(), Packed(&rotation.family)),
        |row| row.get::<_, bool>(0),
    )?;
    Ok(if backed == Some(false) { Rotate::SubjectGone } else { Rotate::LostRace })
}

/// Begins a family.
pub(super) fn start_family(
    db: &Connection,
    tenant: &TenantId,
    new: &NewFamily,
) -> rusqlite::Result<()> {
    let origin = &new.origin;
    let shape = Shape {
        scope: origin.scope.clone(),
        resources: origin.resources.clone(),
        acr: origin.authentication.acr.clone(),
        amr: origin.authentication.amr.clone(),
    };
    let shape: i64 = db
        .prepare_cached(
            "INSERT INTO family_shape (client, body, uses)
         SELECT key, ?3, 1 FROM client WHERE tenant = ?1 AND id = ?2
         ON CONFLICT (client, body) DO UPDATE SET uses = uses + 1 RETURNING key",
        )?
        .query_row((tenant.as_str(), origin.client.as_str(), Json(&shape)), |row| row.get(0))?;
    db.run(
        "INSERT INTO family (id, shape, sub, user_grant, session, offline, created_at,
            authenticated_at, current, rotated_at, idle_expires_at, absolute_expires_at,
            generation, revoked, epoch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?7, min(?10, ?11), ?11, 0, 0,
            (SELECT number FROM epoch))",
        (
            Packed(&new.id),
            shape,
            Packed(&origin.sub),
            Packed(&origin.grant),
            Packed(&origin.session),
            origin.offline,
            origin.created_at.as_millis(),
            origin.authentication.time.as_millis(),
            new.current.as_bytes(),
            new.idle_expires_at.as_millis(),
            new.absolute_expires_at.as_millis(),
        ),
    )?;
    Ok(())
}

/// Marks a family as revoked; answers whether there is one.
pub(super) fn mark_family(
    db: &Connection,
    tenant: &TenantId,
    family: &FamilyId,
) -> rusqlite::Result<bool> {
    let marked = db.run(
        "UPDATE family SET revoked = 1 WHERE id = ?1 AND EXISTS (
            SELECT 1 FROM family_shape f JOIN client c ON c.key = f.client
            WHERE f.key = family.shape AND c.tenant = ?2
         )",
        (Packed(family), tenant.as_str()),
    )?;
    Ok(marked == 1)
}

fn load(
    db: &Connection,
    tenant: &TenantId,
    family: &FamilyId,
) -> rusqlite::Result<Option<StoredFamily>> {
    db.one(
        "SELECT family.id, current, parent, sealed_child, generation, rotated_at,
            idle_expires_at, absolute_expires_at, revoked,
            c.id, family.sub, user_grant, session, offline, authenticated_at, created_at, f.body,
            family.epoch < (SELECT number FROM epoch)
         FROM family JOIN family_shape f ON f.key = family.shape
         JOIN client c ON c.key = f.client
         WHERE family.id = ?1 AND c.tenant = ?2",
        (Packed(family), tenant.as_str()),
        read_family,
    )
}

fn read_family(row: &Row<'_>) -> rusqlite::Result<StoredFamily> {
    let parent = row.get::<_, Option<[u8; 32]>>(2)?;
    Ok(StoredFamily {
        id: row.get::<_, Packed<FamilyId>>(0)?.0,
        current: RefreshHash::from_bytes(row.get(1)?),
        parent: parent.map(RefreshHash::from_bytes),
        sealed_child: row.get(3)?,
        generation: row.get::<_, i64>(4)?.cast_unsigned(),
        rotated_at: Timestamp::from_millis(row.get(5)?),
        idle_expires_at: Timestamp::from_millis(row.get(6)?),
        absolute_expires_at: Timestamp::from_millis(row.get(7)?),
        revoked: row.get(8)?,
        restored: row.get(17)?,
        origin: read_origin(row)?,
    })
}

fn read_origin(row: &Row<'_>) -> rusqlite::Result<FamilyOrigin> {
    let time = Timestamp::from_millis(row.get(14)?);
    let Json(Shape { scope, resources, acr, amr }) = row.get(16)?;
    Ok(FamilyOrigin {
        client: ClientId::from_trusted(row.get::<_, String>(9)?),
        sub: row.get::<_, Packed<Subject>>(10)?.0,
        grant: row.get::<_, Packed<GrantId>>(11)?.0,
        session: row.get::<_, Packed<SessionId>>(12)?.0,
        offline: row.get(13)?,
        scope,
        resources,
        authentication: Authentication { time, acr, amr },
        created_at: Timestamp::from_millis(row.get(15)?),
    })
}
