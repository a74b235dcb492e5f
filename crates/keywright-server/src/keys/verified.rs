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
    pub kid: Option<String>,
}

/// Tokens whose signatures were verified under one ring of keys.
#[derive(Debug, Default)]
pub struct VerifiedTokens(Mutex<HashMap<[u8; 32], Arc<VerifiedToken>>>);

impl VerifiedTokens {
    /// What is remembered of a token; the key is the hash of the whole text, signature included.
    pub fn find(&self, token: &str) -> Option<Arc<VerifiedToken>> {
        self.0.lock().ok()?.get(&sha256(token.as_bytes())).cloned()
    }

    /// Remembers a token. When there is no room, everything is forgotten: it costs one verification
    /// each, and needs no order to be kept.
    pub fn keep(&self, token: &str, verified: VerifiedToken) -> Arc<VerifiedToken> {
        let verified = Arc::new(verified);
        if let Ok(mut tokens) = self.0.lock() {
            if tokens.len() >= TOKENS_MAX {
                tokens.clear();
            }
            tokens.insert(sha256(token.as_bytes()), Arc::clone(&verified));
        }
        verified
    }
}
