//! The keys that a node publishes, and what they say of a token.

use std::cell::RefCell;
use std::collections::HashMap;

use keywright_jose::{Algorithm, JwkSet, UnverifiedJws, VerifyingKeys};

/// See the module.
pub(crate) struct Published {
    keys: Option<VerifyingKeys>,
    /// What was asked before: the same keys say the same of the same text.
    known: RefCell<HashMap<String, bool>>,
}

impl Published {
    /// Reads a key set document.
    pub(crate) fn read(document: &[u8]) -> Self {
        let keys = JwkSet::parse(document).ok().map(|set| VerifyingKeys::new(&set));
        Self { keys, known: RefCell::default() }
    }

    /// Whether one of the keys verifies a token.
    pub(crate) fn verifies(&self, token: &str) -> bool {
        if let Some(known) = self.known.borrow().get(token) {
            return *known;
        }
        let verifies = self.keys.as_ref().is_some_and(|keys| {
            let jws = UnverifiedJws::parse(token);
            jws.is_ok_and(|jws| jws.verify(keys, &[Algorithm::EdDsa, Algorithm::Es256]).is_ok())
        });
        self.known.borrow_mut().insert(token.to_owned(), verifies);
        verifies
    }
}

/// The key that a signed token names.
pub(crate) fn kid_of(token: &str) -> Option<String> {
    UnverifiedJws::parse(token).ok().and_then(|jws| jws.header().kid.clone())
}
