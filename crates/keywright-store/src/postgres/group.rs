//! A batch as statements: one for each kind of verb, in two round trips at most. The first decides
//! who is refused; the second writes the events of the others, and commits.

use std::collections::{HashMap, HashSet};

use keywright_protocol::revocation::RevocationEntry;
use keywright_protocol::wire::response::Receipt;
use tokio_postgres::Row;

use super::Ending;
use super::batch::{Outcome, Work};
use super::column::{Columns as _, json};
use super::connection::{Connection, Values};
use super::refresh::{ADOPT, ADVANCE, BACKED, RETRY, Rotations, refusal};
use super::transaction::{
    ADD_EVENTS, COMMIT_AND_NOTIFY, Events, LIST_TOKENS, LOG_REVOCATIONS, Mode, SPEND,
};
use crate::StoreFault;
use crate::audit::Recorded;
use crate::refresh::{Rotate, RotationStep};
use crate::revocation::Revoked;

/// What the batch asks.
#[derive(Default)]
struct Questions<'a> {
    adoptions: Rotations<'a>,
    advances: Rotations<'a>,
    retries: Rotations<'a>,
    once_keys: Vec<&'a [u8]>,
    once_nows: Vec<i64>,
    once_ends: Vec<i64>,
    once_beginnings: Vec<i64>,
}

/// What the server says.
#[derive(Default)]
struct Answers {
    /// The places in the batch of rotations that count.
    used: HashSet<i64>,
    /// One-time values that were not used before.
    spent: HashSet<Vec<u8>>,
    /// For rotations that do not count: whether all on whom they depend are alive.
    backed: HashMap<i64, bool>,
    /// The places of revocations in their log, in order.
    logged: Vec<u64>,
}

/// Revocations as columns.
#[derive(Default)]
struct Revocations<'a> {
    tenants: Vec<&'a str>,
    targets: Vec<String>,
    moments: Vec<i64>,
    ends: Vec<i64>,
}

/// Writes a batch. All that touch the same are in other batches, so each call is judged by what is
/// stored and by none of the others.
pub(super) async fn write(
    db: &Connection,
    works: &[Work],
) -> (Ending, Result<Vec<Outcome>, StoreFault>) {
    let prepared = async {
        let questions = Questions::of(works);
        let answers = decide(db, &questions).await?;
        let last = Last::of(works, &answers)?;
        Ok::<_, StoreFault>((questions, answers, last))
    };
    let (questions, mut answers, last) = match prepared.await {
        Ok(prepared) => prepared,
        Err(fault) => return (Ending::Certain, Err(fault)),
    };
    let refused = Refused::of(&questions, &answers);
    if let Err(fault) = finish(db, &last, &refused, &mut answers).await {
        return (Ending::Uncertain, Err(fault));
    }
    (Ending::Certain, Ok(outcomes(works, &answers)))
}

/// Statements are prepared before they are sent in a row: preparing waits for an answer, and what
/// comes after would overtake it.
async fn prepare(db: &Connection) -> Result<(), StoreFault> {
    for sql in [ADOPT, ADVANCE, RETRY, SPEND, BACKED, LOG_REVOCATIONS, ADD_EVENTS, LIST_TOKENS] {
        db.statement(sql).await?;
    }
    Ok(())
}

impl<'a> Questions<'a> {
    fn of(works: &'a [Work]) -> Self {
        let mut questions = Self::default();
        for (number, work) in (0..).zip(works) {
            match work {
                Work::Record(record) => {
                    if let Some(once) = &record.once {
                        questions.once_keys.push(&once.key);
                        questions.once_nows.push(record.now.as_millis());
                        questions.once_ends.push(once.expires_at.as_millis());
                        questions.once_beginnings.push(once.usable_from.as_millis());
                    }
                }
                Work::Revoke(_) => {}
                Work::Rotate(rotation) => match rotation.step {
                    RotationStep::Adopt { .. } => questions.adoptions.push(number, rotation),
                    RotationStep::Advance(_) => questions.advances.push(number, rotation),
                    RotationStep::Retry { .. } => questions.retries.push(number, rotation),
                },
            }
        }
        questions
    }
}

/// Begins, and asks what counts.
async fn decide(db: &Connection, questions: &Questions<'_>) -> Result<Answers, StoreFault> {
    prepare(db).await?;
    let (keys, beginnings) = (&questions.once_keys, &questions.once_beginnings);
    let once: Values<'_> = &[keys, &questions.once_nows, &questions.once_ends, beginnings];
    let (advances, retries) = (questions.advances.advance(), questions.retries.retry());
    let adoptions = questions.adoptions.adopt();
    let (begun, spent, caught_up, moved, again) = tokio::join!(
        biased;
        db.batch(Mode::Together.begin()),
        ask(db, SPEND, once, questions.once_keys.len()),
        ask(db, ADOPT, &adoptions, questions.adoptions.numbers.len()),
        ask(db, ADVANCE, &advances, questions.advances.numbers.len()),
        ask(db, RETRY, &retries, questions.retries.numbers.len()),
    );
    begun?;
    let mut answers = Answers::default();
    for row in spent? {
        answers.spent.insert(row.value(0)?);
    }
    for row in caught_up?.iter().chain(&moved?).chain(&again?) {
        answers.used.insert(row.value(0)?);
    }
    Ok(answers)
}

/// Asks unless there is nothing to ask.
async fn ask(
    db: &Connection,
    sql: &str,
    values: Values<'_>,
    count: usize,
) -> Result<Vec<Row>, StoreFault> {
    if count == 0 { Ok(Vec::new()) } else { db.all(sql, values).await }
}

/// What is written last.
struct Last<'a> {
    events: Events,
    revocations: Revocations<'a>,
}

impl<'a> Last<'a> {
    fn of(works: &'a [Work], answers: &Answers) -> Result<Self, StoreFault> {
        let (mut events, mut revocations) = (Events::default(), Revocations::default());
        for (number, work) in (0..).zip(works) {
            if !answers.count(number, work) {
                continue;
            }
            work.record().events.iter().try_for_each(|event| events.push(event))?;
            if let Work::Revoke(revoke) = work {
                revocations.tenants.push(revoke.tenant.as_str());
                revocations.targets.push(json(&revoke.target)?);
                revocations.moments.push(revoke.record.now.as_millis());
                revocations.ends.push(revoke.tokens_expire_at.as_millis());
            }
        }
        Ok(Self { events, revocations })
    }
}

impl Answers {
    /// Whether a call changes anything.
    fn count(&self, number: i64, work: &Work) -> bool {
        match work {
            Work::Record(record) => {
                record.once.as_ref().is_none_or(|once| self.spent.contains(once.key.as_slice()))
            }
            Work::Revoke(_) => true,
            Work::Rotate(_) => self.used.contains(&number),
        }
    }
}

/// Rotations that do not count, of whatever step.
struct Refused<'a>(Rotations<'a>);

impl<'a> Refused<'a> {
    fn of(questions: &Questions<'a>, answers: &Answers) -> Self {
        let mut refused = Rotations::default();
        for rotations in [&questions.adoptions, &questions.advances, &questions.retries] {
            refused.extend_with(rotations, |number| !answers.used.contains(&number));
        }
        Self(refused)
    }
}

/// Writes the rest and commits, in one round trip.
async fn finish(
    db: &Connection,
    last: &Last<'_>,
    Refused(refused): &Refused<'_>,
    answers: &mut Answers,
) -> Result<(), StoreFault> {
    let Last { events, revocations } = last;
    let count = revocations.targets.len();
    let commit = if count == 0 { "COMMIT" } else { COMMIT_AND_NOTIFY };
    let places = i64::try_from(count).unwrap_or(i64::MAX);
    let logged: Values<'_> = &[
        &places,
        &revocations.tenants,
        &revocations.targets,
        &revocations.moments,
        &revocations.ends,
    ];
    let added: Values<'_> = &[&events.tenants, &events.requests, &events.bodies];
    let backed = refused.backed();
    let (backed, added, listed, logged, committed) = tokio::join!(
        biased;
        ask(db, BACKED, &backed, refused.numbers.len()),
        ask(db, ADD_EVENTS, added, events.bodies.len()),
        events.listed.write(db),
        ask(db, LOG_REVOCATIONS, logged, count),
        db.batch(commit),
    );
    for row in backed? {
        answers.backed.insert(row.value(0)?, row.value(1)?);
    }
    added?;
    listed?;
    for row in logged? {
        answers.logged.push(row.number(0)?);
    }
    answers.logged.sort_unstable();
    committed
}

/// What each caller is told, now that all is durable.
fn outcomes(works: &[Work], answers: &Answers) -> Vec<Outcome> {
    let mut places = answers.logged.iter();
    let mut outcomes = Vec::with_capacity(works.len());
    for (number, work) in (0..).zip(works) {
        let counts = answers.count(number, work);
        outcomes.push(match work {
            Work::Record(_) if counts => Outcome::Record(Recorded::Committed(Receipt::of_commit())),
            Work::Record(_) => Outcome::Record(Recorded::AssertionReplayed),
            Work::Revoke(revoke) => {
                let entry = |seq: &u64| RevocationEntry {
                    seq: *seq,
                    tenant: revoke.tenant.clone(),
                    target: revoke.target.clone(),
                    at: revoke.record.now,
                    expires_at: revoke.tokens_expire_at,
                };
                Outcome::Revoke(Revoked::Done(places.next().map(entry).into_iter().collect()))
            }
            Work::Rotate(_) if counts => Outcome::Rotate(Rotate::Committed(Receipt::of_commit())),
            Work::Rotate(_) => Outcome::Rotate(refusal(answers.backed.get(&number).copied())),
        });
    }
    outcomes
}
