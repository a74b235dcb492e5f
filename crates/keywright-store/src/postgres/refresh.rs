//! Refresh families in PostgreSQL: a row each, a conditional update per use.

use async_trait::async_trait;
use keywright_jose::sha256;
use keywright_protocol::grant::refresh_token::{FamilyOrigin, StoredFamily};
use keywright_protocol::id::{ClientId, FamilyId, TenantId};
use keywright_protocol::resource::ResourceIndicator;
use keywright_protocol::scope::ScopeSet;
use keywright_protocol::session::Authentication;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::RefreshHash;
use keywright_protocol::wire::response::Receipt;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use super::PostgresStore;
use super::batch::{Outcome, Work};
use super::column::{Columns as _, json, pack};
use super::connection::Values;
use super::transaction::{Mode, Transaction};
use crate::StoreFault;
use crate::attempt::{Attempt, Undo};
use crate::refresh::{Child, NewFamily, RefreshStore, Rotate, Rotation, RotationStep};

/// What a shape's `used_until` is ahead of its families' ends: so long nobody writes it again.
pub(super) const SHAPE_AHEAD_MS: i64 = 24 * 60 * 60 * 1000;

/// Everybody on whom a family depends. The tenant and client are those of `i`.
macro_rules! backed {
    () => {
        r#"EXISTS (
            SELECT 1 FROM family_shape h
            JOIN client c ON c.key = h.client
            JOIN tenant t ON t.id = c.tenant
            JOIN "user" u ON u.tenant = c.tenant AND u.sub = f.sub
            JOIN user_grant g ON g.id = f.user_grant AND g.client = c.key AND g.sub = f.sub
            WHERE h.key = f.shape AND c.tenant = i.tenant AND c.id = i.client
            AND NOT c.disabled AND c.not_before < f.created_at
            AND NOT t.disabled AND t.not_before < f.created_at
            AND NOT u.disabled AND u.not_before < f.created_at
        )"#
    };
}

/// A family that is alive, and all on whom it depends.
macro_rules! usable {
    () => {
        concat!(
            "f.id = i.family AND NOT f.revoked
             AND f.idle_expires_at > i.now AND f.absolute_expires_at > i.now AND ",
            backed!()
        )
    };
}

/// The statement that decides which of these refresh tokens still count, and puts their children in
/// their places; answers which. Of two transactions that use one token the second waits for the
/// first, and then judges the row as it is.
pub(super) const ADVANCE: &str = concat!(
    "UPDATE family f SET parent = f.current, current = i.child, sealed_child = i.sealed_child,
        generation = f.generation + 1, rotated_at = i.now,
        idle_expires_at = least(i.idle_expires_at, f.absolute_expires_at),
        epoch = (SELECT number FROM epoch)
     FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::bytea[],
            $7::bytea[], $8::bytea[], $9::bigint[])
        AS i (n, tenant, client, family, now, presented, child, sealed_child, idle_expires_at)
     WHERE f.current = i.presented AND ",
    usable!(),
    " RETURNING i.n"
);

/// The same for tokens that are of a later generation than rows of an earlier epoch.
pub(super) const ADOPT: &str = concat!(
    "UPDATE family f SET parent = i.presented, current = i.child, sealed_child = i.sealed_child,
        generation = i.generation + 1, rotated_at = i.now,
        idle_expires_at = least(i.idle_expires_at, f.absolute_expires_at),
        epoch = (SELECT number FROM epoch)
     FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::bytea[],
            $7::bytea[], $8::bytea[], $9::bigint[], $10::bigint[])
        AS i (n, tenant, client, family, now, presented, child, sealed_child, idle_expires_at,
            generation)
     WHERE f.generation < i.generation AND f.epoch < (SELECT number FROM epoch) AND ",
    usable!(),
    " RETURNING i.n"
);

/// Which of these parents may be retried.
pub(super) const RETRY: &str = concat!(
    "SELECT i.n FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[],
            $6::bytea[], $7::bigint[])
        AS i (n, tenant, client, family, now, presented, rotated_after)
     JOIN family f ON f.parent = i.presented AND f.rotated_at > i.rotated_after AND ",
    usable!()
);

/// Whether all on whom these families depend are alive; nothing for what is not there.
pub(super) const BACKED: &str = concat!(
    "SELECT i.n, ",
    backed!(),
    " FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[])
        AS i (n, tenant, client, family)
     JOIN family f ON f.id = i.family
     JOIN family_shape p ON p.key = f.shape
     JOIN client o ON o.key = p.client AND o.tenant = i.tenant AND o.id = i.client"
);

/// What the families of a client have in common: few shapes, many families.
#[derive(Deserialize, Serialize)]
struct Shape {
    scope: ScopeSet,
    resources: Vec<ResourceIndicator>,
    acr: String,
    amr: Vec<String>,
}

#[async_trait]
impl RefreshStore for PostgresStore {
    async fn load_family(
        &self,
        tenant: &TenantId,
        family: &FamilyId,
    ) -> Result<Option<StoredFamily>, StoreFault> {
        let sql = "SELECT f.id, current, parent, sealed_child, generation, rotated_at,
                idle_expires_at, absolute_expires_at, revoked,
                c.id, f.sub, user_grant, session, offline, authenticated_at, created_at, h.body,
                f.epoch < (SELECT number FROM epoch)
             FROM family f JOIN family_shape h ON h.key = f.shape
             JOIN client c ON c.key = h.client
             WHERE f.id = $1 AND c.tenant = $2";
        let row = self.one(sql, &[&pack(family), &tenant.as_str()]).await?;
        row.as_ref().map(read_family).transpose()
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotate, StoreFault> {
        // With an assertion to spend, one half may have to be undone for the other: not in a batch.
        if rotation.record.once.is_none() {
            return match self.shared.batches.carry_out(Work::Rotate(rotation)).await? {
                Outcome::Rotate(rotated) => Ok(rotated),
                other => Err(other.unexpected()),
            };
        }
        let rotated =
            self.write(Mode::Together, rotation, |tx, rotation| Box::pin(rotate(tx, rotation)));
        let rotated = rotated.await?;
        Ok(rotated.map_or_else(|refused| refused, |()| Rotate::Committed(Receipt::of_commit())))
    }
}

async fn rotate(tx: &Transaction<'_>, rotation: &Rotation) -> Attempt<(), Rotate> {
    tx.spend(&rotation.record, Undo::Verdict(Rotate::AssertionReplayed)).await?;
    let mut batch = Rotations::default();
    batch.push(0, rotation);
    let (sql, values) = match rotation.step {
        RotationStep::Adopt { .. } => (ADOPT, batch.adopt()),
        RotationStep::Advance(_) => (ADVANCE, batch.advance()),
        RotationStep::Retry { .. } => (RETRY, batch.retry()),
    };
    if tx.one(sql, &values).await?.is_none() {
        let backed = tx.one(BACKED, &batch.backed()).await?;
        let backed = backed.map(|row| row.value::<bool>(1)).transpose()?;
        return Err(Undo::Verdict(refusal(backed)));
    }
    tx.append(&rotation.record.events)?;
    Ok(())
}

/// What a refused rotation is told; `backed` is what `BACKED` says of its family.
pub(super) fn refusal(backed: Option<bool>) -> Rotate {
    if backed == Some(false) { Rotate::SubjectGone } else { Rotate::LostRace }
}

/// Rotations as columns; all of one step.
#[derive(Default)]
pub(super) struct Rotations<'a> {
    pub(super) numbers: Vec<i64>,
    tenants: Vec<&'a str>,
    clients: Vec<&'a str>,
    families: Vec<Vec<u8>>,
    nows: Vec<i64>,
    presented: Vec<&'a [u8]>,
    children: Vec<&'a [u8]>,
    sealed_children: Vec<&'a [u8]>,
    /// The new idle end, or the moment after which the family must have been rotated.
    moments: Vec<i64>,
    /// The presented tokens' own.
    generations: Vec<i64>,
}

type Column<'a> = &'a (dyn tokio_postgres::types::ToSql + Sync);

impl<'a> Rotations<'a> {
    pub(super) fn push(&mut self, number: i64, rotation: &'a Rotation) {
        self.numbers.push(number);
        self.tenants.push(rotation.tenant.as_str());
        self.clients.push(rotation.client.as_str());
        self.families.push(pack(&rotation.family));
        self.nows.push(rotation.record.now.as_millis());
        self.presented.push(rotation.presented.as_bytes());
        match &rotation.step {
            RotationStep::Adopt { generation, child } => {
                self.generations.push(generation.cast_signed());
                self.push_child(child);
            }
            RotationStep::Advance(child) => self.push_child(child),
            RotationStep::Retry { since } => self.moments.push(since.as_millis()),
        }
    }

    fn push_child(&mut self, child: &'a Child) {
        self.children.push(child.hash.as_bytes());
        self.sealed_children.push(&child.sealed);
        self.moments.push(child.idle_expires_at.as_millis());
    }

    /// What `ADOPT` takes.
    pub(super) fn adopt(&self) -> Vec<Column<'_>> {
        let mut columns = self.advance();
        columns.push(&self.generations);
        columns
    }

    /// Adds those of `others` that are chosen, with what `BACKED` takes.
    pub(super) fn extend_with(&mut self, others: &Rotations<'a>, chosen: impl Fn(i64) -> bool) {
        let names = others.tenants.iter().zip(&others.clients).zip(&others.families);
        for (number, ((tenant, client), family)) in others.numbers.iter().zip(names) {
            if chosen(*number) {
                self.numbers.push(*number);
                self.tenants.push(tenant);
                self.clients.push(client);
                self.families.push(family.clone());
            }
        }
    }

    /// What `BACKED` takes.
    pub(super) fn backed(&self) -> [Column<'_>; 4] {
        [&self.numbers, &self.tenants, &self.clients, &self.families]
    }

    /// What `ADVANCE` takes.
    pub(super) fn advance(&self) -> Vec<Column<'_>> {
        let mut columns: Vec<Column<'_>> = self.backed().to_vec();
        columns.extend::<[Column<'_>; 2]>([&self.nows, &self.presented]);
        columns.extend::<[Column<'_>; 2]>([&self.children, &self.sealed_children]);
        columns.push(&self.moments);
        columns
    }

    /// What `RETRY` takes.
    pub(super) fn retry(&self) -> Vec<Column<'_>> {
        let mut columns: Vec<Column<'_>> = self.backed().to_vec();
        columns.extend::<[Column<'_>; 3]>([&self.nows, &self.presented, &self.moments]);
        columns
    }
}

/// Begins a family.
pub(super) async fn start_family(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    new: &NewFamily,
) -> Result<(), StoreFault> {
    let shape = shape_of(tx, tenant, new).await?;
    let origin = &new.origin;
    tx.run(
        "INSERT INTO family (id, shape, sub, user_grant, session, offline, created_at,
            authenticated_at, current, rotated_at, idle_expires_at, absolute_expires_at,
            generation, revoked, epoch)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $7, least($10::bigint, $11), $11, 0, false,
            (SELECT number FROM epoch))",
        &[
            &pack(&new.id),
            &shape,
            &pack(&origin.sub),
            &pack(&origin.grant),
            &pack(&origin.session),
            &origin.offline,
            &origin.created_at.as_millis(),
            &origin.authentication.time.as_millis(),
            &new.current.as_bytes().as_slice(),
            &new.idle_expires_at.as_millis(),
            &new.absolute_expires_at.as_millis(),
        ],
    )
    .await?;
    Ok(())
}

/// The key of a family's shape, which is kept at least as long as the family.
async fn shape_of(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    new: &NewFamily,
) -> Result<i64, StoreFault> {
    let origin = &new.origin;
    let shape = json(&Shape {
        scope: origin.scope.clone(),
        resources: origin.resources.clone(),
        acr: origin.authentication.acr.clone(),
        amr: origin.authentication.amr.clone(),
    })?;
    let digest = sha256(shape.as_bytes());
    let (digest, client) = (digest.as_slice(), origin.client.as_str());
    let until = new.absolute_expires_at.as_millis();
    let sql = "SELECT h.key FROM family_shape h JOIN client c ON c.key = h.client
         WHERE c.tenant = $1 AND c.id = $2 AND h.digest = $3 AND h.used_until >= $4";
    let values: Values<'_> = &[&tenant.as_str(), &client, &digest, &until];
    if let Some(row) = tx.one(sql, values).await? {
        return row.value(0);
    }
    let made = tx
        .one(
            "INSERT INTO family_shape (client, used_until, digest, body)
         SELECT key, $4, $3, $5 FROM client WHERE tenant = $1 AND id = $2
         ON CONFLICT (client, digest) DO UPDATE
            SET used_until = greatest(family_shape.used_until, excluded.used_until)
         RETURNING key",
            &[&tenant.as_str(), &client, &digest, &(until + SHAPE_AHEAD_MS), &shape],
        )
        .await?;
    let made = made.ok_or_else(|| StoreFault::Corrupt("a client vanished".to_owned()))?;
    made.value(0)
}

/// Marks a family as revoked; answers whether there is one.
pub(super) async fn mark_family(
    tx: &Transaction<'_>,
    tenant: &TenantId,
    family: &FamilyId,
) -> Result<bool, StoreFault> {
    let marked = tx
        .run(
            "UPDATE family f SET revoked = true WHERE f.id = $1 AND EXISTS (
            SELECT 1 FROM family_shape h JOIN client c ON c.key = h.client
            WHERE h.key = f.shape AND c.tenant = $2
         )",
            &[&pack(family), &tenant.as_str()],
        )
        .await?;
    Ok(marked == 1)
}

fn read_family(row: &Row) -> Result<StoredFamily, StoreFault> {
    let parent = row.value::<Option<&[u8]>>(2)?.map(|_| row.hash(2)).transpose()?;
    Ok(StoredFamily {
        id: row.id(0)?,
        current: RefreshHash::from_bytes(row.hash(1)?),
        parent: parent.map(RefreshHash::from_bytes),
        sealed_child: row.value(3)?,
        generation: row.number(4)?,
        rotated_at: row.time(5)?,
        idle_expires_at: row.time(6)?,
        absolute_expires_at: row.time(7)?,
        revoked: row.value(8)?,
        restored: row.value(17)?,
        origin: read_origin(row)?,
    })
}

fn read_origin(row: &Row) -> Result<FamilyOrigin, StoreFault> {
    let time: Timestamp = row.time(14)?;
    let Shape { scope, resources, acr, amr } = row.json(16)?;
    Ok(FamilyOrigin {
        client: ClientId::from_trusted(row.text(9)?),
        sub: row.id(10)?,
        grant: row.id(11)?,
        session: row.id(12)?,
        offline: row.value(13)?,
        scope,
        resources,
        authentication: Authentication { time, acr, amr },
        created_at: row.time(15)?,
    })
}
