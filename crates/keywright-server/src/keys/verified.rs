//! Signatures that were verified before: a cache of one fact that never changes, that this very
//! text was signed by a key of this ring. Lifetime, issuer and revocation are judged anew each
//! time, and the cache goes with the ring: a key that leaves takes its signatures along.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use keywright_jose::sha256;
use keywright_protocol::claims::AccessClaims;

/// How many tokens are remembered: some ten megabytes.
const TOKENS_MAX: usize = 16 * 1024;

/// The claims of a token whose signature has been verified, and the key that made it.
#[derive(Debug)]
pub struct VerifiedToken {
    /// What it says.
    pub claims: AccessClaims,
    /// Who signed it.
    pub kid: Option<Arc<str>>,
}

/// Tokens whose signatures were verified under one ring of keys.
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
