//! Next -> Active -> Retiring -> Gone, by themselves: what must happen to a tenant's keys now.

use std::collections::BTreeSet;
use std::time::Duration;

use keywright_jose::Algorithm;
use keywright_protocol::audit::{Actor, EventType, Origin, Record};
use keywright_protocol::id::TenantId;
use keywright_protocol::time::Timestamp;
use keywright_store::SharedStore;
use keywright_store::client::Update;
use keywright_store::key::{KeyChange, KeyTimes, StoredKey};

use crate::environment::Environment;
use crate::error::ServerFault;
use crate::keys::MasterKey;
use crate::keys::ring::{KeyState, state_of};

/// How keys age, from `[keys]`.
#[derive(Clone, Copy, Debug)]
pub struct KeySchedule {
    /// How long a key signs.
    pub rotate_every: Duration,
    /// How long it is published before.
    pub announce: Duration,
    /// How long it is published after: the longest life of what it signed. ID tokens come back as
    /// hints for as long as a session lasts.
    pub linger: Duration,
}

impl KeySchedule {
    /// A schedule; `longest` is the longest life of a session or an access token.
    pub const fn new(rotate_every: Duration, announce: Duration, longest: Duration) -> Self {
        Self { rotate_every, announce, linger: longest }
    }
}

/// What must happen to the keys of one algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// There is no signing key: make one that signs at once.
    CreateActive,
    /// The signing key has no successor: publish one that signs from this moment on.
    Announce(Timestamp),
    /// Nothing.
    Nothing,
}

/// Decides what is due for one algorithm.
pub fn due<'a>(
    keys: impl Iterator<Item = &'a KeyTimes>,
    schedule: KeySchedule,
    now: Timestamp,
) -> Due {
    let (mut newest, mut next) = (None, false);
    for times in keys {
        match state_of(times, now) {
            KeyState::Active => newest = newest.max(Some(times.active_at)),
            KeyState::Next => next = true,
            KeyState::Gone | KeyState::Retiring => {}
        }
    }
    let Some(active_since) = newest else { return Due::CreateActive };
    if next {
        return Due::Nothing;
    }
    // There is always a successor, published before it signs: also for an emergency tomorrow.
    let ends = active_since.plus(schedule.rotate_every);
    Due::Announce(ends.max(now.plus(schedule.announce)))
}

/// How much there is time for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Thoroughness {
    /// Whatever is due.
    Everything,
    /// What the next request may need: a key that signs.
    Signing,
}

/// Whether [`maintain`] would change anything.
pub async fn is_due(
    store: &SharedStore,
    tenant: &TenantId,
    algorithms: &BTreeSet<Algorithm>,
    (schedule, thoroughness): (KeySchedule, Thoroughness),
    now: Timestamp,
) -> Result<bool, ServerFault> {
    let keys = store.list_keys(tenant).await?;
    Ok(algorithms.iter().any(|alg| {
        let of_alg = keys.iter().filter(|key| key.alg == *alg).map(|key| &key.times);
        match due(of_alg, schedule, now) {
            Due::Announce(_) => thoroughness == Thoroughness::Everything,
            Due::CreateActive => true,
            Due::Nothing => false,
        }
    }))
}

/// Whose keys are made or changed, and with what.
#[derive(Clone, Copy)]
pub struct KeyMaker<'a> {
    /// Where keys are kept.
    pub store: &'a SharedStore,
    /// What seals them.
    pub master: &'a MasterKey,
    /// What makes them.
    pub environment: &'a dyn Environment,
    /// Whose they are.
    pub tenant: &'a TenantId,
    /// The moment.
    pub now: Timestamp,
}

/// Brings a tenant's keys up to date for the algorithms that somebody asks for.
pub async fn maintain(
    maker: KeyMaker<'_>,
    algorithms: &BTreeSet<Algorithm>,
    (schedule, thoroughness): (KeySchedule, Thoroughness),
) -> Result<(), ServerFault> {
    let now = maker.now;
    let keys = maker.store.list_keys(maker.tenant).await?;
    for alg in algorithms {
        let of_alg: Vec<&StoredKey> = keys.iter().filter(|key| key.alg == *alg).collect();
        match due(of_alg.iter().map(|key| &key.times), schedule, now) {
            Due::Announce(from) if thoroughness == Thoroughness::Everything => {
                maker.create(*alg, times(now, from)).await?;
                maker.retire(&of_alg, from, schedule).await?;
            }
            Due::CreateActive => {
                maker.create(*alg, times(now, now)).await?;
            }
            Due::Announce(_) | Due::Nothing => {}
        }
    }
    Ok(())
}

/// Makes another key of an algorithm sign at once, but not the one that is to go; the old ones
/// retire.
pub async fn rotate_now(
    maker: KeyMaker<'_>,
    alg: Algorithm,
    schedule: KeySchedule,
    to_go: Option<&str>,
) -> Result<String, ServerFault> {
    let now = maker.now;
    let keys = maker.store.list_keys(maker.tenant).await?;
    let of_alg: Vec<&StoredKey> = keys.iter().filter(|key| key.alg == alg).collect();
    let stays = |key: &&&StoredKey| Some(key.kid.as_str()) != to_go;
    let is_next = |key: &&&StoredKey| state_of(&key.times, now) == KeyState::Next;
    let next = of_alg.iter().filter(stays).find(is_next);
    let kid = match next {
        // The announced one: everybody who keeps the key set knows it already.
        Some(next) => {
            let change = KeyChange {
                kid: next.kid.clone(),
                change: Box::new(move |times| times.active_at = now),
            };
            maker.apply(vec![change]).await?;
            next.kid.clone()
        }
        None => maker.create(alg, times(now, now)).await?,
    };
    let others: Vec<&StoredKey> = of_alg.into_iter().filter(|key| key.kid != kid).collect();
    maker.retire(&others, now, schedule).await?;
    Ok(kid)
}

const fn times(published_at: Timestamp, active_at: Timestamp) -> KeyTimes {
    KeyTimes { published_at, active_at, retire_at: None, gone_at: None }
}

impl KeyMaker<'_> {
    async fn create(&self, alg: Algorithm, times: KeyTimes) -> Result<String, ServerFault> {
        let Self { store, master, environment, tenant, .. } = *self;
        let key = environment.make_key(alg).await?;
        let kid = key.kid().to_owned();
        let stored = StoredKey {
            tenant: tenant.clone(),
            kid: kid.clone(),
            alg,
            sealed_private: master.seal_key(tenant, &key)?,
            public: key.public_jwk().clone(),
            times,
        };
        // A name is the hash of a fresh key: it is never taken.
        let _created = store.create_key(stored, self.record(EventType::KeyCreated, &kid)).await?;
        Ok(kid)
    }

    /// Ends the keys that sign now at a moment, where they have no earlier end.
    async fn retire(
        &self,
        keys: &[&StoredKey],
        at: Timestamp,
        schedule: KeySchedule,
    ) -> Result<(), ServerFault> {
        let signing = |key: &&&StoredKey| state_of(&key.times, self.now) == KeyState::Active;
        let changes: Vec<KeyChange> = keys
            .iter()
            .filter(signing)
            .map(|key| KeyChange {
                kid: key.kid.clone(),
                change: Box::new(move |times| {
                    let retire_at = times.retire_at.map_or(at, |earlier| earlier.min(at));
                    times.retire_at = Some(retire_at);
                    times.gone_at = Some(retire_at.plus(schedule.linger));
                }),
            })
            .collect();
        if changes.is_empty() { Ok(()) } else { self.apply(changes).await }
    }

    async fn apply(&self, changes: Vec<KeyChange>) -> Result<(), ServerFault> {
        let kids: Vec<&str> = changes.iter().map(|change| change.kid.as_str()).collect();
        let record = self.record(EventType::KeyRotated, &kids.join(" "));
        match self.store.update_keys(self.tenant, changes, record).await? {
            Update::Done { .. } => Ok(()),
            Update::Missing => {
                Err(ServerFault::Key("a key vanished during its rotation".to_owned()))
            }
        }
    }

    fn record(&self, event: EventType, kid: &str) -> Record {
        let origin = Origin::local(self.tenant.clone());
        let event = origin.event(event, Actor::Server, self.now);
        Record::of(event.because(format!("kid {kid}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn at(day: u32) -> Timestamp {
        Timestamp::from_millis(0).plus(DAY * day)
    }

    fn schedule() -> KeySchedule {
        KeySchedule::new(DAY * 90, DAY * 14, Duration::from_mins(10))
    }

    #[test]
    fn a_key_is_announced_used_and_retired_in_time() {
        let due_at = |keys: &[KeyTimes], day| due(keys.iter(), schedule(), at(day));
        assert_eq!(due_at(&[], 0), Due::CreateActive);
        let first = times(at(0), at(0));
        assert_eq!(due_at(&[first], 0), Due::Announce(at(90)));
        assert_eq!(due_at(&[first], 80), Due::Announce(at(94)), "published before it signs");
        let next = times(at(0), at(90));
        assert_eq!(due_at(&[first, next], 80), Due::Nothing);
        assert_eq!(due_at(&[next], 90), Due::Announce(at(180)), "the successor has one too");
        // A server that slept announces late, and still before use.
        assert_eq!(due_at(&[first], 200), Due::Announce(at(214)));
    }
}
