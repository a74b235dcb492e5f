//! A tenant's keys in memory.

use std::sync::Arc;

use bytes::Bytes;
use keywright_jose::{Algorithm, Jwk, JwkSet, SigningKey, VerifyingKeys};
use keywright_protocol::time::Timestamp;
use keywright_store::key::{KeyTimes, StoredKey};
use serde::Serialize;

use crate::error::ServerFault;
use crate::keys::MasterKey;
use crate::keys::verified::VerifiedTokens;

/// A key and its times.
#[derive(Clone, Debug)]
pub struct RingKey {
    /// Signs and names itself.
    pub key: Arc<SigningKey>,
    /// When it changes its state.
    pub times: KeyTimes,
}

/// What a key does now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Signs.
    Active,
    /// No longer published.
    Gone,
    /// Published, not yet used.
    Next,
    /// Published, no longer used.
    Retiring,
}

/// The state of a key at a moment.
pub fn state_of(times: &KeyTimes, now: Timestamp) -> KeyState {
    if times.gone_at.is_some_and(|at| at <= now) {
        KeyState::Gone
    } else if times.retire_at.is_some_and(|at| at <= now) {
        KeyState::Retiring
    } else if times.active_at <= now {
        KeyState::Active
    } else {
        KeyState::Next
    }
}

/// The keys of a tenant.
#[derive(Debug)]
pub struct KeyRing {
    keys: Vec<RingKey>,
    verifying: VerifyingKeys,
    documents: Documents,
    /// Tokens that these keys have verified.
    pub verified: VerifiedTokens,
}

/// The key set document, and from when on another one is due.
#[derive(Debug)]
struct Documents {
    current: Bytes,
    valid_from: Timestamp,
    valid_until: Timestamp,
}

impl KeyRing {
    /// Opens the keys of a tenant; those that are gone stay closed.
    pub fn open(
        stored: &[StoredKey],
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<Self, ServerFault> {
        let mut keys = Vec::new();
        for key in stored.iter().filter(|key| state_of(&key.times, now) != KeyState::Gone) {
            let opened = master.open_key(&key.tenant, &key.kid, key.alg, &key.sealed_private)?;
            keys.push(RingKey { key: Arc::new(opened), times: key.times });
        }
        Ok(Self::new(keys, now))
    }

    fn new(keys: Vec<RingKey>, now: Timestamp) -> Self {
        let verifying = VerifyingKeys::new(&published(&keys, now));
        let documents = Documents {
            current: render(&keys, now),
            valid_from: now,
            valid_until: next_change(&keys, now),
        };
        Self { keys, verifying, documents, verified: VerifiedTokens::default() }
    }

    /// The key that signs with an algorithm now: the one that became active last. Where another
    /// process's clock was ahead when it rotated, there may be none: then the next one signs
    /// already, which is published as well.
    pub fn active(&self, alg: Algorithm, now: Timestamp) -> Option<&Arc<SigningKey>> {
        let in_state = |state| {
            let fits =
                move |key: &&RingKey| key.key.alg() == alg && state_of(&key.times, now) == state;
            self.keys.iter().filter(fits)
        };
        let active = in_state(KeyState::Active).max_by_key(|k| k.times.active_at);
        let next = || in_state(KeyState::Next).min_by_key(|k| k.times.active_at);
        active.or_else(next).map(|k| &k.key)
    }

    /// All keys that are not gone.
    pub fn iter(&self) -> impl Iterator<Item = &RingKey> {
        self.keys.iter()
    }

    /// The public halves of what is published.
    pub const fn verifying(&self) -> &VerifyingKeys {
        &self.verifying
    }

    /// The key set document, RFC 7517 §5.
    pub fn document(&self, now: Timestamp) -> Bytes {
        if self.documents.valid_from <= now && now < self.documents.valid_until {
            return self.documents.current.clone();
        }
        render(&self.keys, now)
    }

    /// Whether a published key has gone since this ring was opened.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        now >= self.documents.valid_until
    }
}

fn published(keys: &[RingKey], now: Timestamp) -> JwkSet {
    let live = |key: &&RingKey| state_of(&key.times, now) != KeyState::Gone;
    let public: Vec<Jwk> = keys.iter().filter(live).map(|k| k.key.public_jwk().clone()).collect();
    JwkSet::new(public)
}

fn render(keys: &[RingKey], now: Timestamp) -> Bytes {
    serde_json::to_vec(&published(keys, now)).map(Bytes::from).unwrap_or_default()
}

fn next_change(keys: &[RingKey], now: Timestamp) -> Timestamp {
    let ends = keys.iter().filter_map(|k| k.times.gone_at).filter(|at| *at > now);
    ends.min().unwrap_or(Timestamp::from_millis(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_s(seconds)
    }

    fn key(active_at_s: i64, retire_at_s: Option<i64>) -> RingKey {
        let times = KeyTimes {
            published_at: at(0),
            active_at: at(active_at_s),
            retire_at: retire_at_s.map(at),
            gone_at: None,
        };
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        RingKey { key: Arc::new(key), times }
    }

    #[test]
    fn the_last_active_key_signs_and_the_next_one_where_there_is_none() {
        let keys = [key(10, Some(100)), key(20, Some(100)), key(200, None), key(300, None)];
        let kids: Vec<String> = keys.iter().map(|key| key.key.kid().to_owned()).collect();
        let ring = KeyRing::new(keys.into(), at(0));
        let signs = |now_s| ring.active(Algorithm::EdDsa, at(now_s)).map(|key| key.kid());
        assert_eq!(signs(50), Some(kids[1].as_str()));
        assert_eq!(signs(250), Some(kids[2].as_str()));
        assert_eq!(signs(150), Some(kids[2].as_str()), "between two: the sooner of the next");
        assert_eq!(ring.active(Algorithm::Es256, at(50)).map(|key| key.kid()), None);
    }
}
