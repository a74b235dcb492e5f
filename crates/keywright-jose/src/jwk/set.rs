//! JWK Sets (RFC 7517 §5).

use std::collections::HashSet;

use serde::de::DeserializeSeed as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Jwk, JwkError};
use crate::json::{self, Strict};

/// The longest set that is looked at, in bytes.
pub const MAX_SET_LEN: usize = 256 * 1024;

/// The most keys in a set: each costs a check of its point, and a token may be tried on several.
pub const MAX_KEYS: usize = 64;

/// A set of public keys.
///
/// Keys of kinds that are not understood are skipped (RFC 7517 §5), so that a publisher may be
/// ahead of us. Malformed keys, private members and two keys with one `kid` refuse the whole set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// Makes a set of keys that were parsed already; their names are the caller's business.
    pub fn new(keys: Vec<Jwk>) -> Self {
        Self { keys }
    }

    /// Reads a set.
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> {
        if json.len() > MAX_SET_LEN {
            return Err(JwkError::Malformed("longer than 256 KiB"));
        }
        let value = json::parse_value(json).map_err(|_| JwkError::Malformed("not JSON"))?;
        Self::from_value(&value)
    }

    /// Reads a set that is already JSON, such as a client's `jwks`.
    pub fn from_value(value: &Value) -> Result<Self, JwkError> {
        let members = value.get("keys").and_then(Value::as_array);
        let members = members.ok_or(JwkError::Malformed("no array of keys"))?;
        if members.len() > MAX_KEYS {
            return Err(JwkError::Malformed("more than 64 keys"));
        }
        let mut keys = Vec::new();
        for member in members {
            match Jwk::from_value(member) {
                Ok(key) => keys.push(key),
                Err(JwkError::Unsupported(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let mut kids = HashSet::new();
        if !keys.iter().filter_map(Jwk::kid).all(|kid| kids.insert(kid)) {
            return Err(JwkError::DuplicateKid);
        }
        Ok(Self { keys })
    }

    /// The keys that are understood.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }
}

impl<'de> Deserialize<'de> for JwkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Strict::TOP.deserialize(deserializer)?;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}
