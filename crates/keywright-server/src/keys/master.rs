//! The master key: everything secret in the store is sealed under it.

use keywright_jose::{Algorithm, SealingKey, SigningKey, base64url_encode, sha256};
use keywright_protocol::id::TenantId;
use keywright_protocol::secret::Secret;
use keywright_store::SharedStore;
use zeroize::Zeroizing;

use crate::config::StoreAge;
use crate::environment::{Environment, random};
use crate::error::ServerFault;

/// The name under which the store remembers which master key it was sealed with.
const FINGERPRINT: &str = "master-fingerprint";

/// The master key.
#[derive(Debug)]
pub struct MasterKey {
    sealing: SealingKey,
    dump: Secret<[u8; 32]>,
    fingerprint: String,
}

impl MasterKey {
    /// A master key from the secret that the configuration names.
    pub fn new(secret: &[u8]) -> Self {
        let sealing = SealingKey::derive(secret, "keywright master key");
        let digest = sha256(&keywright_jose::hkdf_sha256(secret, "keywright master fingerprint"));
        let (short, _) = digest.split_at(6);
        let dump = Secret::new(keywright_jose::hkdf_sha256(secret, "keywright dump"));
        Self { sealing, dump, fingerprint: base64url_encode(short) }
    }

    /// What names it without telling it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The key that authenticates dumps.
    pub const fn dump_key(&self) -> &Secret<[u8; 32]> {
        &self.dump
    }

    /// Makes sure that the store was sealed with this key, or is new.
    ///
    /// # Errors
    /// Says which key the store wants and which it was given: nothing is changed.
    pub async fn verify(&self, store: &SharedStore, source: &str) -> Result<(), ServerFault> {
        let kept = store.keep_secret(FINGERPRINT, self.fingerprint.clone().into_bytes()).await?;
        self.compare(&kept, source)
    }

    /// Whether a store has been sealed with some master key.
    pub async fn age_of(store: &SharedStore) -> Result<StoreAge, ServerFault> {
        let sealed = store.load_secret(FINGERPRINT).await?.is_some();
        Ok(if sealed { StoreAge::SetUp } else { StoreAge::New })
    }

    /// The same without making a new store this key's.
    pub async fn check(&self, store: &SharedStore, source: &str) -> Result<(), ServerFault> {
        match store.load_secret(FINGERPRINT).await? {
            Some(kept) => self.compare(&kept, source),
            None => Ok(()),
        }
    }

    fn compare(&self, kept: &[u8], source: &str) -> Result<(), ServerFault> {
        if kept == self.fingerprint.as_bytes() {
            return Ok(());
        }
        Err(ServerFault::Key(format!(
            "the master key in {source} (fingerprint {}) is not the one that this store was \
             encrypted with (fingerprint {}); put the right one back",
            self.fingerprint,
            String::from_utf8_lossy(kept)
        )))
    }

    /// A private key for the store.
    pub fn seal_key(&self, tenant: &TenantId, key: &SigningKey) -> Result<Vec<u8>, ServerFault> {
        let aad = key_aad(tenant, key.kid(), key.alg());
        Ok(self.sealing.seal(aad.as_bytes(), &key.to_pkcs8())?)
    }

    /// A private key from the store, ready to sign.
    pub fn open_key(
        &self,
        tenant: &TenantId,
        kid: &str,
        alg: Algorithm,
        sealed: &[u8],
    ) -> Result<SigningKey, ServerFault> {
        Ok(SigningKey::from_pkcs8(alg, &self.open_private(tenant, kid, alg, sealed)?)?)
    }

    /// The same, as the PKCS #8 document that was sealed.
    pub fn open_private(
        &self,
        tenant: &TenantId,
        kid: &str,
        alg: Algorithm,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ServerFault> {
        Ok(self.sealing.open(key_aad(tenant, kid, alg).as_bytes(), sealed)?)
    }

    /// The tenant's root secret: made once, by whichever node comes first.
    pub async fn tenant_root(
        &self,
        store: &SharedStore,
        tenant: &TenantId,
        environment: &dyn Environment,
    ) -> Result<Zeroizing<Vec<u8>>, ServerFault> {
        let name = format!("tenant-root/{tenant}");
        let kept = match store.load_secret(&name).await? {
            Some(kept) => kept,
            None => {
                let fresh = Zeroizing::new(random::<32>(environment));
                store.keep_secret(&name, self.sealing.seal(name.as_bytes(), &*fresh)?).await?
            }
        };
        Ok(self.sealing.open(name.as_bytes(), &kept)?)
    }
}

/// A sealed key cannot be moved to another tenant, name or algorithm.
fn key_aad(tenant: &TenantId, kid: &str, alg: Algorithm) -> String {
    format!("key/{tenant}/{}/{kid}", alg.name())
}
