//! A tenant's keys in memory.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use keywright_jose::{Algorithm, Jwk, JwkSet, KeyUse, SigningKey, VerifyingKeys};
use keywright_protocol::time::Timestamp;
use keywright_store::key::{KeyTimes, StoredKey};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::ServerFault;
use crate::keys::MasterKey;
use crate::keys::verified::VerifiedTokens;

/// A key and its times.
#[derive(Debug)]
pub struct RingKey {
    /// What it signs with.
    pub alg: Algorithm,
    /// When it changes its state.
    pub times: KeyTimes,
    public: Jwk,
    private: Private,
}

/// A private half, parsed when it signs first: of RSA that takes longer than all else of a start,
/// and most keys of a ring never sign in this process.
struct Private {
    parsed: OnceLock<Option<Arc<SigningKey>>>,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Private").finish_non_exhaustive()
    }
}

impl RingKey {
    fn open(stored: &StoredKey, master: &MasterKey) -> Result<Self, ServerFault> {
        let StoredKey { tenant, kid, alg, sealed_private, .. } = stored;
        let pkcs8 = master.open_private(tenant, kid, *alg, sealed_private)?;
        let (public, parsed) = if is_public_half(stored) {
            (stored.public.clone(), OnceLock::new())
        } else {
            let key = SigningKey::from_pkcs8(*alg, &pkcs8)?;
            (key.public_jwk().clone(), OnceLock::from(Some(Arc::new(key))))
        };
        let private = Private { parsed, pkcs8 };
        Ok(Self { alg: *alg, times: stored.times, public, private })
    }

    /// Whether a token's `kid` names it.
    pub fn is_named(&self, kid: &str) -> bool {
        self.public.kid() == Some(kid)
    }

    fn signing(&self) -> Option<&Arc<SigningKey>> {
        let parse = || SigningKey::from_pkcs8(self.alg, &self.private.pkcs8).ok().map(Arc::new);
        self.private.parsed.get_or_init(parse).as_ref()
    }
}

/// Whether the public half that lies in the open is the one of the sealed private half.
///
/// The private half is sealed for its name, and its name is the hash of the public half: whoever
/// can write to the store can exchange neither for a key of their own.
fn is_public_half(stored: &StoredKey) -> bool {
    let public = &stored.public;
    public.thumbprint() == stored.kid
        && public.kid() == Some(&stored.kid)
        && public.alg() == Some(stored.alg)
        && public.key_use() == Some(KeyUse::Signature)
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
    if times.is_withdrawn() || times.gone_at.is_some_and(|at| at <= now) {
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
        let live = stored.iter().filter(|key| state_of(&key.times, now) != KeyState::Gone);
        let keys: Result<_, _> = live.map(|key| RingKey::open(key, master)).collect();
        Ok(Self::new(keys?, now))
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
    /// already, which is published as well; or the last one signs on, which is published still.
    pub fn active(&self, alg: Algorithm, now: Timestamp) -> Option<&Arc<SigningKey>> {
        let in_state = |state| {
            let fits = move |key: &&RingKey| key.alg == alg && state_of(&key.times, now) == state;
            self.keys.iter().filter(fits)
        };
        let active = in_state(KeyState::Active).max_by_key(|k| k.times.active_at);
        let next = || in_state(KeyState::Next).min_by_key(|k| k.times.active_at);
        let last = || in_state(KeyState::Retiring).max_by_key(|k| k.times.retire_at);
        active.or_else(next).or_else(last)?.signing()
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
    let public: Vec<Jwk> = keys.iter().filter(live).map(|k| k.public.clone()).collect();
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
    use keywright_protocol::id::TenantId;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_s(seconds)
    }

    fn master() -> MasterKey {
        MasterKey::new(b"the master key of this test")
    }

    fn key(active_at_s: i64, retire_at_s: Option<i64>) -> StoredKey {
        let times = KeyTimes {
            published_at: at(0),
            active_at: at(active_at_s),
            retire_at: retire_at_s.map(at),
            gone_at: None,
        };
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let tenant = TenantId::default_tenant();
        StoredKey {
            kid: key.kid().to_owned(),
            alg: key.alg(),
            sealed_private: master().seal_key(&tenant, &key).unwrap(),
            public: key.public_jwk().clone(),
            tenant,
            times,
        }
    }

    fn published_kids(ring: &KeyRing) -> Vec<String> {
        let set = JwkSet::parse(&ring.document(at(50))).unwrap();
        set.keys().iter().map(Jwk::thumbprint).collect()
    }

    #[test]
    fn the_last_active_key_signs_and_the_next_one_where_there_is_none() {
        let keys = [key(10, Some(100)), key(20, Some(100)), key(200, None), key(300, None)];
        let ring = KeyRing::open(&keys, &master(), at(0)).unwrap();
        let signs = |now_s| ring.active(Algorithm::EdDsa, at(now_s)).map(|key| key.kid());
        assert_eq!(signs(50), Some(keys[1].kid.as_str()));
        assert_eq!(signs(250), Some(keys[2].kid.as_str()));
        assert_eq!(signs(150), Some(keys[2].kid.as_str()), "between two: the sooner of the next");
        assert_eq!(ring.active(Algorithm::Es256, at(50)).map(|key| key.kid()), None);
        let ring = KeyRing::open(&keys[..2], &master(), at(0)).unwrap();
        let last = ring.active(Algorithm::EdDsa, at(150)).map(|key| key.kid().to_owned());
        assert!(keys[..2].iter().any(|key| Some(&key.kid) == last.as_ref()), "none else is left");
    }

    #[test]
    fn what_signs_is_what_is_published_whatever_lies_in_the_open() {
        let (honest, stranger) = (key(10, None), key(10, None));
        let ring = KeyRing::open(std::slice::from_ref(&honest), &master(), at(50)).unwrap();
        assert_eq!(published_kids(&ring), [honest.kid.as_str()]);
        assert_eq!(ring.active(Algorithm::EdDsa, at(50)).unwrap().kid(), honest.kid);

        // Another public half in its row changes nothing.
        let forged = StoredKey { public: stranger.public.clone(), ..honest.clone() };
        let ring = KeyRing::open(&[forged], &master(), at(50)).unwrap();
        assert_eq!(published_kids(&ring), [honest.kid.as_str()]);
        assert_eq!(ring.active(Algorithm::EdDsa, at(50)).unwrap().kid(), honest.kid);

        // Neither does another name help it: the private half is sealed for its own.
        let renamed = StoredKey { public: stranger.public.clone(), kid: stranger.kid, ..honest };
        assert!(KeyRing::open(&[renamed], &master(), at(50)).is_err());
    }
}
