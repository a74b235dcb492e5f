//! Signing keys, encrypted before they come here, and small sealed secrets.

use async_trait::async_trait;
use keywright_jose::{Algorithm, Jwk};
use keywright_protocol::audit::Record;
use keywright_protocol::id::TenantId;
use keywright_protocol::time::Timestamp;

use crate::StoreFault;
use crate::client::{Change, Create, Update};

/// The verbs of keys.
#[async_trait]
pub trait KeyStore {
    /// Stores a new key.
    async fn create_key(&self, key: StoredKey, record: Record) -> Result<Create, StoreFault>;

    /// Changes several keys of a tenant in one transaction: a rotation ends one and begins another.
    async fn update_keys(
        &self,
        tenant: &TenantId,
        changes: Vec<KeyChange>,
        record: Record,
    ) -> Result<Update<()>, StoreFault>;

    /// Every key of a tenant, by name.
    async fn list_keys(&self, tenant: &TenantId) -> Result<Vec<StoredKey>, StoreFault>;

    /// Keeps a sealed secret under a name unless there is one; answers the one that is kept.
    async fn keep_secret(&self, name: &str, sealed: Vec<u8>) -> Result<Vec<u8>, StoreFault>;

    /// A sealed secret.
    async fn load_secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault>;
}

/// A signing key as it is stored.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Whose.
    pub tenant: TenantId,
    /// Its name, RFC 7517 §4.5.
    pub kid: String,
    /// Its one algorithm.
    pub alg: Algorithm,
    /// The private key under the master key.
    pub sealed_private: Vec<u8>,
    /// The public half.
    pub public: Jwk,
    /// When it changes its state.
    pub times: KeyTimes,
}

/// When a key changes its state: Next until `active_at`, Active until `retire_at`, Retiring until
/// `gone_at`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyTimes {
    /// In the key set from then on.
    pub published_at: Timestamp,
    /// Signs from then on.
    pub active_at: Timestamp,
    /// Signs no more from then on.
    pub retire_at: Option<Timestamp>,
    /// Gone from the key set from then on.
    pub gone_at: Option<Timestamp>,
}

impl KeyTimes {
    /// Ends a key, for good and for whatever clock.
    pub fn withdraw(&mut self, now: Timestamp) {
        let end = self.gone_at.map_or(now, |at| at.min(now));
        (self.retire_at, self.gone_at) = (Some(end), Some(end));
    }

    /// Whether it was withdrawn. A key that ends by itself verifies for a while after it signed.
    pub fn is_withdrawn(&self) -> bool {
        self.gone_at.is_some() && self.gone_at == self.retire_at
    }
}

/// A change to a key's times.
pub struct KeyChange {
    /// Which key.
    pub kid: String,
    /// What.
    pub change: Change<KeyTimes>,
}
