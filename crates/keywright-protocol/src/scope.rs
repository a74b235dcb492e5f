//! Scopes, RFC 6749 §3.3.

use serde::{Deserialize, Serialize};

use crate::limits::{SCOPE_BYTES_MAX, SCOPES_MAX};
use crate::wire::RequestError;

/// The scopes of OpenID Connect Core §5.4 and §11; they name claims, not an API.
pub const IDENTITY_SCOPES: [&str; 6] =
    ["openid", "profile", "email", "address", "phone", "offline_access"];

/// The scopes that open the administration API.
pub const ADMIN_SCOPES: [&str; 2] = ["keywright:admin:read", "keywright:admin:write"];

/// A set of scopes in the order in which they were asked for.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopeSet(Vec<String>);

impl ScopeSet {
    /// Reads a `scope` parameter: tokens of visible ASCII without `"` and `\`, single spaces.
    pub fn parse(raw: &str) -> Result<Self, RequestError> {
        let mut names = Vec::new();
        for name in raw.split(' ') {
            let fits = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            if name.is_empty() || name.len() > SCOPE_BYTES_MAX || !name.bytes().all(fits) {
                return Err(RequestError::Malformed("scope"));
            }
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        if names.len() > SCOPES_MAX {
            return Err(RequestError::TooLarge("scope"));
        }
        Ok(Self(names))
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a scope is in the set.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }

    /// Whether every scope of this set is in another.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.0.iter().all(|name| other.contains(name))
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The part of this set that satisfies a condition.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|name| keep(name)).cloned().collect())
    }

    /// Both sets together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.0.clone();
        all.extend(other.0.iter().filter(|name| !self.contains(name)).cloned());
        Self(all)
    }

    /// The scopes that belong to an API rather than to OpenID Connect.
    #[must_use]
    pub fn of_resources(&self) -> Self {
        self.filtered(|name| !IDENTITY_SCOPES.contains(&name))
    }
}

impl std::fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl From<ScopeSet> for String {
    fn from(scopes: ScopeSet) -> Self {
        scopes.to_string()
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
    }
}
