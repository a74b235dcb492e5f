//! Status lists: where new tokens are entered, and what was made of the lists that are asked for.
//!
//! A list is a node's own: it hands out the places in it, so nodes need not agree on any. What is
//! in a list is in the store, and whether a token in it is revoked is asked of the revocations, as
//! everywhere else; so every node can tell the status of every token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use keywright_jose::{Algorithm, base64url_encode, sign_compact};
use keywright_protocol::id::{StatusListId, TenantId};
use keywright_protocol::limits::STATUS_LIST_TOKENS_MAX;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::status_list::{StatusListClaims, TYP, TokenNames, bits};
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::json;
use miniz_oxide::deflate::compress_to_vec_zlib;

use crate::app::App;
use crate::environment::{Environment, random};
use crate::error::ServerFault;
use crate::tenants::TenantState;

/// How long a list is served as it was made: it is made once in that time, whoever asks.
const FRESH: Duration = Duration::from_secs(1);
/// Lists that are kept as they were made: some hundred bytes each.
const MADE_MAX: usize = 1024;
/// How hard is tried to make a list small: of 10.
const COMPRESSION: u8 = 6;

/// The list that a node enters a tenant's new tokens in, until it is full.
#[derive(Debug, Default)]
pub struct OpenList(Mutex<Option<Open>>);

#[derive(Debug)]
struct Open {
    id: StatusListId,
    /// See [`OpenList::take`].
    floor: u64,
    /// How many places were taken.
    taken: u32,
    /// What makes of a number of tokens a place, so that a place tells little of how many there
    /// are: an odd factor, and where the first one is.
    factor: u32,
    first: u32,
}

impl OpenList {
    /// A place that no other token has. `floor` is where the last revocation of all the tenant's
    /// tokens stands in its log: no list holds tokens from before and after one.
    pub fn take(&self, environment: &dyn Environment, floor: u64) -> (StatusListId, u32) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |list: &Open| list.taken < STATUS_LIST_TOKENS_MAX && list.floor == floor;
        let mut list = open.take().filter(fits).unwrap_or_else(|| Open::new(environment, floor));
        let place = list.taken.wrapping_mul(list.factor).wrapping_add(list.first);
        list.taken += 1;
        let id = list.id.clone();
        *open = Some(list);
        (id, place % STATUS_LIST_TOKENS_MAX)
    }
}

impl Open {
    fn new(environment: &dyn Environment, floor: u64) -> Self {
        let (factor, first) = (random(environment), random(environment));
        Self {
            id: StatusListId::from_random(random(environment)),
            floor,
            taken: 0,
            factor: u32::from_le_bytes(factor) | 1,
            first: u32::from_le_bytes(first),
        }
    }
}

type Place = Arc<tokio::sync::Mutex<Option<Made>>>;

/// The lists as they were made last.
#[derive(Debug, Default)]
pub struct StatusLists {
    places: Mutex<HashMap<(TenantId, StatusListId), Place>>,
    /// Held while a list is read. Strangers may ask for as many as they can name, and the store
    /// reads the audit log over the same few connections: the lists have one of them.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Made {
    at: Timestamp,
    kid: String,
    jws: Bytes,
}

impl StatusLists {
    /// A list, signed; none if there is no living token in it.
    pub async fn list(
        &self,
        app: &App,
        tenant: &TenantState,
        id: &StatusListId,
    ) -> Result<Option<Bytes>, ServerFault> {
        let name = (tenant.id(), id.clone());
        let place = self.place(&name);
        // Who comes while it is made waits for it, and makes it no second time.
        let mut made = place.lock().await;
        let now = app.now();
        let key = tenant.keys.load().active(Algorithm::Es256, now).cloned();
        let key = key.ok_or_else(|| ServerFault::Key("no key signs status lists".to_owned()))?;
        let fits =
            |made: &&Made| made.at <= now && now < made.at.plus(FRESH) && made.kid == key.kid();
        if let Some(made) = made.as_ref().filter(fits) {
            return Ok(Some(made.jws.clone()));
        }
        let turn = self.reading.lock().await;
        let tokens = app.store.listed_tokens(&name.0, id, now).await?;
        drop(turn);
        if tokens.is_empty() {
            self.places(|places| places.remove(&name));
            return Ok(None);
        }
        let claims = claims(app, tenant, id, &tokens, now)?;
        let jws = Bytes::from(sign_compact(&key, Some(TYP), &claims)?);
        *made = Some(Made { at: now, kid: key.kid().to_owned(), jws: jws.clone() });
        Ok(Some(jws))
    }

    fn place(&self, name: &(TenantId, StatusListId)) -> Place {
        self.places(|places| {
            if places.len() >= MADE_MAX && !places.contains_key(name) {
                // Whoever is being made stays with those who wait for it.
                places.clear();
            }
            Arc::clone(places.entry(name.clone()).or_default())
        })
    }

    fn places<T>(&self, ask: impl FnOnce(&mut HashMap<(TenantId, StatusListId), Place>) -> T) -> T {
        ask(&mut self.places.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The claims of a list; whether a token is invalid is judged as when its token is presented.
///
/// Where all tokens of the tenant were revoked, a list from before is invalid as a whole: after a
/// store went back in time, tokens of the gap have places in it that no row knows.
fn claims(
    app: &App,
    tenant: &TenantState,
    id: &StatusListId,
    tokens: &[(u32, TokenNames)],
    now: Timestamp,
) -> Result<Vec<u8>, ServerFault> {
    let invalid = app.with_revocations(|set| {
        let is_dead = |names: &TokenNames| {
            let issued_at = Timestamp::from_unix_s(names.iat);
            app.accepted_until(tenant, issued_at) <= now
                || set.revokes(&tenant.id(), &names.facts())
        };
        let floor = set.floor_of(&tenant.id(), &RevocationTarget::Tenant);
        let is_from_before =
            |names: &TokenNames| floor.is_some_and(|floor| names.iat <= floor.issued_until_s);
        if tokens.iter().any(|(_, names)| is_from_before(names)) {
            return (0..STATUS_LIST_TOKENS_MAX).collect();
        }
        let dead = tokens.iter().filter(|(_, names)| is_dead(names));
        dead.map(|(idx, _)| *idx).collect::<Vec<_>>()
    });
    let lst = base64url_encode(&compress_to_vec_zlib(&bits(invalid), COMPRESSION));
    let uri = format!("{}/statuslists/{id}", tenant.issuer);
    Ok(json::to_vec(&StatusListClaims::new(uri, now, lst))?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::environment::SystemEnvironment;

    #[test]
    fn no_two_tokens_have_one_place() {
        let (list, mut places) = (OpenList::default(), HashSet::new());
        let mut ids = HashSet::new();
        for _ in 0..2 * STATUS_LIST_TOKENS_MAX {
            let (id, idx) = list.take(&SystemEnvironment, 0);
            assert!(idx < STATUS_LIST_TOKENS_MAX);
            ids.insert(id.clone());
            assert!(places.insert((id, idx)));
        }
        assert_eq!(ids.len(), 2, "a list is filled before the next begins");
        let (before, _) = list.take(&SystemEnvironment, 0);
        let (after, _) = list.take(&SystemEnvironment, 7);
        assert_ne!(before, after, "what was before all was revoked stays apart");
        assert_eq!(list.take(&SystemEnvironment, 7).0, after);
    }
}
