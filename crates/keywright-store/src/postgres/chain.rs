//! Moves events from where their transactions left them into the chains.
//!
//! A chain is a queue of one: who makes it longer holds the lock of its end. Were it part of every
//! verb, all of a tenant's verbs would wait for each other's sync of the disk. So a verb leaves its
//! events beside what they tell of, in its own transaction, and they are chained soon after, many
//! at a time. No event is lost on the way or chained twice: it leaves there and arrives here in
//! one transaction.

use std::sync::Arc;
use std::time::Duration;

use keywright_protocol::id::TenantId;

use super::column::Columns as _;
use super::connection::Connection;
use super::pool::Lane;
use super::{Shared, roll_back};
use crate::StoreFault;
use crate::audit::{StoredEvent, place_after};

/// How often waiting events are chained if nobody wants to read them.
const PERIOD: Duration = Duration::from_millis(250);
/// Events that are chained in one transaction.
const EVENTS_MAX: i64 = 4000;

/// What is done about a chain that another node makes longer at this moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Held {
    /// It is left to that node.
    LeftAlone,
    /// It is waited for, so that afterwards all that was committed before is chained.
    WaitedFor,
}

/// Chains what waits, now and then, until the store is dropped.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut failing = false;
    loop {
        tokio::time::sleep(PERIOD).await;
        match lengthen(&shared, Held::LeftAlone).await {
            Ok(()) => failing = false,
            Err(fault) if !failing => {
                failing = true;
                tracing::warn!(error = %fault, "events wait to be chained");
            }
            Err(_) => {}
        }
    }
}

/// Makes all chains longer by what waits.
pub(super) async fn lengthen(shared: &Shared, held: Held) -> Result<(), StoreFault> {
    let mut tries = 1;
    loop {
        let connection = shared.pool.take(Lane::Scan).await?;
        let lengthened = shared.answer_to(lengthen_all(&connection, held)).await?;
        if lengthened.is_err() {
            roll_back(&connection).await;
        }
        let again = connection.take_conflict() || !connection.is_usable();
        connection.give_back();
        if lengthened.is_ok() || !again || tries >= super::TRIES_MAX {
            return lengthened;
        }
        tries += 1;
    }
}

async fn lengthen_all(db: &Connection, held: Held) -> Result<(), StoreFault> {
    // From one tenant to the next by the index, however many events wait.
    let next = "SELECT min(tenant) FROM audit_outbox WHERE tenant > $1";
    let mut tenant = String::new();
    while let Some(row) = db.one(next, &[&tenant]).await? {
        let Some(next) = row.value(0)? else { break };
        tenant = next;
        while lengthen_one(db, &TenantId::from_trusted(tenant.clone()), held).await? {}
    }
    Ok(())
}

/// Makes a chain longer; answers whether there may be more to add.
async fn lengthen_one(db: &Connection, tenant: &TenantId, held: Held) -> Result<bool, StoreFault> {
    db.batch("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await?;
    let Some((seq, hash)) = take_end(db, tenant, held).await? else {
        db.batch("ROLLBACK").await?;
        return Ok(false);
    };
    // A statement of its own: it no longer sees what the holder before this one has moved.
    let waiting = db
        .all(
            "SELECT id, request, body FROM audit_outbox WHERE tenant = $1 ORDER BY id LIMIT $2",
            &[&tenant.as_str(), &EVENTS_MAX],
        )
        .await?;
    if waiting.is_empty() {
        db.batch("ROLLBACK").await?;
        return Ok(false);
    }
    let mut last = (seq, hash);
    let (mut ids, mut requests) = (Vec::new(), Vec::new());
    let (mut seqs, mut prev_hashes) = (Vec::new(), Vec::new());
    let (mut hashes, mut bodies) = (Vec::new(), Vec::new());
    for row in &waiting {
        let body = row.text(2)?;
        let stored = StoredEvent::of_body(tenant, place_after(last.0, &body), last.1, body);
        last = (stored.seq, stored.hash);
        ids.push(row.value::<i64>(0)?);
        requests.push(row.value::<Option<&[u8]>>(1)?);
        seqs.push(stored.seq.cast_signed());
        prev_hashes.push(stored.prev_hash.to_vec());
        hashes.push(stored.hash.to_vec());
        bodies.push(stored.body);
    }
    db.run(
        "INSERT INTO audit (tenant, seq, request, prev_hash, hash, body)
         SELECT $1, * FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[])",
        &[&tenant.as_str(), &seqs, &requests, &prev_hashes, &hashes, &bodies],
    )
    .await?;
    db.run(
        "DELETE FROM audit_outbox WHERE tenant = $1 AND id = ANY ($2)",
        &[&tenant.as_str(), &ids],
    )
    .await?;
    db.run(
        "UPDATE audit_head SET seq = $2, hash = $3 WHERE tenant = $1",
        &[&tenant.as_str(), &last.0.cast_signed(), &last.1.as_slice()],
    )
    .await?;
    db.batch("COMMIT").await?;
    Ok(waiting.len() == usize::try_from(EVENTS_MAX).unwrap_or(usize::MAX))
}

/// The end of a chain, locked; nothing if another node holds it and it is left alone.
async fn take_end(
    db: &Connection,
    tenant: &TenantId,
    held: Held,
) -> Result<Option<(u64, [u8; 32])>, StoreFault> {
    let sql = match held {
        Held::LeftAlone => {
            "SELECT seq, hash FROM audit_head WHERE tenant = $1 FOR UPDATE SKIP LOCKED"
        }
        Held::WaitedFor => "SELECT seq, hash FROM audit_head WHERE tenant = $1 FOR UPDATE",
    };
    let end = db.one(sql, &[&tenant.as_str()]).await?;
    if let Some(end) = end {
        return Ok(Some((end.number(0)?, end.hash(1)?)));
    }
    // A chain begins once; whoever is second finds it held.
    let begun = db
        .run(
            "INSERT INTO audit_head (tenant, seq, hash) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING",
            &[&tenant.as_str(), &[0_u8; 32].as_slice()],
        )
        .await?;
    if begun == 1 {
        return Ok(Some((0, [0; 32])));
    }
    if held == Held::LeftAlone {
        return Ok(None);
    }
    let end = db.one(sql, &[&tenant.as_str()]).await?;
    end.map(|end| Ok((end.number(0)?, end.hash(1)?))).transpose()
}
