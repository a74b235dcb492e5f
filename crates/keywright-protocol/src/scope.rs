//! Scopes, RFC 6749 §3.3.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::{SCOPE_BYTES_MAX, SCOPES_MAX};
use crate::wire::RequestError;

/// The scopes of OpenID Connect Core §5.4 and §11; they name claims, not an API.
pub const IDENTITY_SCOPES: [&str; 6] =
    ["openid", "profile", "email", "address", "phone", "offline_access"];

/// The scopes that open the administration API.
pub const ADMIN_SCOPES: [&str; 2] = ["keywright:admin:read", "keywright:admin:write"];

/// A set of scopes in the order in which they were asked for, as they are written: the names
/// apart by single spaces, none twice.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopeSet(Arc<str>);

impl ScopeSet {
    /// Reads a `scope` parameter: tokens of visible ASCII without `"` and `\`, single spaces.
    pub fn parse(raw: &str) -> Result<Self, RequestError> {
        let mut names: Vec<&str> = Vec::new();
        for name in raw.split(' ') {
            let fits = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            if name.is_empty() || name.len() > SCOPE_BYTES_MAX || !name.bytes().all(fits) {
                return Err(RequestError::Malformed("scope"));
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.len() > SCOPES_MAX {
            return Err(RequestError::TooLarge("scope"));
        }
        Ok(names.into_iter().collect())
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a scope is in the set.
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|known| known == name)
    }

    /// Whether every scope of this set is in another.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.iter().all(|name| other.contains(name))
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        // The text of the empty set has one name, which is empty.
        self.0.split(' ').filter(|name| !name.is_empty())
    }

    /// The set as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part of this set that satisfies a condition.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        if self.iter().all(&keep) {
            return self.clone();
        }
        self.iter().filter(|name| keep(name)).collect()
    }

    /// Both sets together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter().filter(|name| !self.contains(name))).collect()
    }

    /// The scopes that belong to an API rather than to OpenID Connect.
    #[must_use]
    pub fn of_resources(&self) -> Self {
        self.filtered(|name| !IDENTITY_SCOPES.contains(&name))
    }
}

/// For names that are scopes already, none twice.
impl<'a> FromIterator<&'a str> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut text = String::new();
        for name in names {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(name);
        }
        Self(text.into())
    }
}

impl Default for ScopeSet {
    fn default() -> Self {
        Self("".into())
    }
}

impl std::fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ScopeSet> for String {
    fn from(scopes: ScopeSet) -> Self {
        scopes.as_str().to_owned()
    }
}

impl TryFrom<String> for ScopeSet {
    type Error = RequestError;

    fn try_from(raw: String) -> Result<Self, RequestError> {
        if raw.is_empty() { Ok(Self::default()) } else { Self::parse(&raw) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_3_3_grammar() {
        assert_eq!(ScopeSet::parse("b a b").unwrap().to_string(), "b a");
        for bad in ["", " a", "a ", "a  b", "a\tb", "a\"b", "a\\b", "\u{e9}"] {
            assert!(ScopeSet::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sets() {
        let (ab, b) = (ScopeSet::parse("a b").unwrap(), ScopeSet::parse("b").unwrap());
        assert!(b.is_subset_of(&ab));
        assert!(!ab.is_subset_of(&b));
        assert_eq!(b.union(&ab).to_string(), "b a");
        assert_eq!(ab.filtered(|name| name == "b"), b);
        assert_eq!(ab.filtered(|_| false), ScopeSet::default());
        assert_eq!(ScopeSet::default().iter().count(), 0);
    }
}
