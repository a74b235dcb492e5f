//! Tokens that were read before: a cache of one fact that never changes, that this very text was
//! signed by a key of this ring, or sealed by the tenant. Lifetime, issuer and revocation are
//! judged anew each time, and the cache goes with the ring: a key that leaves takes its signatures
//! along.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use keywright_jose::sha256;
use keywright_protocol::claims::AccessClaims;
use keywright_protocol::claims::introspection::Introspection;
use keywright_protocol::wire::json;

/// How many tokens are remembered: some thirty megabytes.
const TOKENS_MAX: usize = 16 * 1024;

/// The claims of a token that is the tenant's own, and the key that made it.
#[derive(Debug)]
pub struct VerifiedToken {
    /// What it says.
    pub claims: AccessClaims,
    /// Who signed it; nobody where it was sealed.
    pub kid: Option<Arc<str>>,
    /// What introspection said of it last, and by which user name.
    said: ArcSwapOption<(Option<String>, Bytes)>,
}

impl VerifiedToken {
    /// A token that was read.
    pub fn new(claims: AccessClaims, kid: Option<Arc<str>>) -> Self {
        Self { claims, kid, said: ArcSwapOption::empty() }
    }

    /// What introspection says of it while it is active, RFC 7662 §2.2.
    pub fn introspection(&self, username: Option<&str>) -> Result<Bytes, serde_json::Error> {
        let said = self.said.load();
        if let Some(said) = said.as_deref().filter(|said| said.0.as_deref() == username) {
            return Ok(said.1.clone());
        }
        let document = json::to_vec(&Introspection::active(&self.claims, username))?;
        let document = Bytes::from(document);
        self.said.store(Some(Arc::new((username.map(str::to_owned), document.clone()))));
        Ok(document)
    }
}

/// Tokens that were read under one ring of keys.
#[derive(Debug, Default)]
pub struct VerifiedTokens(Mutex<HashMap<[u8; 32], Arc<VerifiedToken>>>);

impl VerifiedTokens {
    /// What is remembered of a token, or what its verification says; the key is the hash of the
    /// whole text, signature included. When there is no room, everything is forgotten: it costs one
    /// verification each, and needs no order to be kept.
    pub fn find_or<E>(
        &self,
        token: &str,
        verify: impl FnOnce() -> Result<VerifiedToken, E>,
    ) -> Result<Arc<VerifiedToken>, E> {
        let key = sha256(token.as_bytes());
        let known = self.0.lock().ok().and_then(|tokens| tokens.get(&key).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let verified = Arc::new(verify()?);
        if let Ok(mut tokens) = self.0.lock() {
            if tokens.len() >= TOKENS_MAX {
                tokens.clear();
            }
            tokens.insert(key, Arc::clone(&verified));
        }
        Ok(verified)
    }
}
