//! The keys of an issuer, fetched again when a token names one that is not among them, when one was
//! revoked, and from time to time: a key that the issuer has taken back must not be believed for
//! ever.

use std::sync::Arc;
use std::time::Duration;

use keywright_jose::{Algorithm, JwkSet, JwsError, UnverifiedJws, VerifiedJws, VerifyingKeys};
use keywright_protocol::time::Timestamp;
use tokio::sync::Mutex;

use super::http::{Http, HttpError};

/// However many tokens with invented key names arrive, the issuer is not asked more often.
const REFRESH_EVERY: Duration = Duration::from_secs(5);

/// How long a key may be believed that the issuer has taken back without a word.
const KEPT_MAX: Duration = Duration::from_mins(5);

/// A cache of one key set.
#[derive(Debug)]
pub(crate) struct KeyCache {
    http: Http,
    jwks_uri: String,
    fetched: Mutex<Option<Fetched>>,
}

#[derive(Clone, Debug)]
struct Fetched {
    keys: Arc<VerifyingKeys>,
    at: Timestamp,
}

impl KeyCache {
    /// An empty cache of the keys at an address.
    pub(crate) fn new(http: Http, jwks_uri: String) -> Self {
        Self { http, jwks_uri, fetched: Mutex::new(None) }
    }

    /// A cache that holds keys already.
    #[cfg(test)]
    pub(super) fn knowing(http: Http, set: &JwkSet, at: Timestamp) -> Self {
        let fetched = Fetched { keys: Arc::new(VerifyingKeys::new(set)), at };
        Self { fetched: Mutex::new(Some(fetched)), ..Self::new(http, String::new()) }
    }

    /// Forgets the keys: one of them was revoked.
    pub(super) async fn forget(&self) {
        // Whoever fetches holds the lock: what was asked for before is forgotten too.
        *self.fetched.lock().await = None;
    }

    /// Verifies a token; asks for the keys again if none of those known fits it.
    pub(crate) async fn verify(
        &self,
        token: &str,
        allowed: &[Algorithm],
        now: Timestamp,
    ) -> Result<Result<VerifiedJws, JwsError>, HttpError> {
        self.verify_parsed(|| UnverifiedJws::parse(token), allowed, now).await
    }

    /// As [`Self::verify`], for what may be larger than a token.
    pub(crate) async fn verify_document(
        &self,
        document: &str,
        len_max: usize,
        allowed: &[Algorithm],
        now: Timestamp,
    ) -> Result<Result<VerifiedJws, JwsError>, HttpError> {
        self.verify_parsed(|| UnverifiedJws::parse_document(document, len_max), allowed, now).await
    }

    async fn verify_parsed<'a>(
        &self,
        parse: impl Fn() -> Result<UnverifiedJws<'a>, JwsError>,
        allowed: &[Algorithm],
        now: Timestamp,
    ) -> Result<Result<VerifiedJws, JwsError>, HttpError> {
        let verify = |keys: &VerifyingKeys| parse()?.verify(keys, allowed);
        // What cannot be a token is not worth a question.
        if let Err(malformed) = parse() {
            return Ok(Err(malformed));
        }
        match verify(&*self.keys(now, KEPT_MAX).await?) {
            Err(JwsError::UnknownKey) => Ok(verify(&*self.keys(now, REFRESH_EVERY).await?)),
            verdict => Ok(verdict),
        }
    }

    /// The keys, not older than this. One caller fetches, the others wait for it.
    async fn keys(
        &self,
        now: Timestamp,
        age_max: Duration,
    ) -> Result<Arc<VerifyingKeys>, HttpError> {
        let mut fetched = self.fetched.lock().await;
        let young = fetched.as_ref().filter(|kept| now.since(kept.at) < age_max);
        if let Some(kept) = young {
            return Ok(Arc::clone(&kept.keys));
        }
        let answer = self.http.get(&self.jwks_uri).await?;
        let set = JwkSet::parse(&answer.body)
            .map_err(|why| HttpError::Unusable(format!("{}: {why}", self.jwks_uri)))?;
        let keys = Arc::new(VerifyingKeys::new(&set));
        *fetched = Some(Fetched { keys: Arc::clone(&keys), at: now });
        Ok(keys)
    }
}

#[cfg(test)]
mod tests;
