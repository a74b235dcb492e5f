//! A person who signs in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::Subject;
use crate::limits::USERNAME_BYTES_MAX;
use crate::time::Timestamp;
use crate::wire::RequestError;

/// What a person types to say who they are; compared without regard to case.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

impl Username {
    /// Reads a user name: visible ASCII, as in an email address, folded to lower case. Two accounts
    /// can then never look alike, by case or by letters of another script; how a person is called
    /// is a claim.
    pub fn parse(raw: &str) -> Result<Self, RequestError> {
        let name = raw.trim();
        let visible = name.bytes().all(|b| b.is_ascii_graphic());
        if name.is_empty() || name.len() > USERNAME_BYTES_MAX || !visible {
            return Err(RequestError::Malformed("username"));
        }
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}

impl TryFrom<String> for Username {
    type Error = RequestError;

    fn try_from(raw: String) -> Result<Self, RequestError> {
        Self::parse(&raw)
    }
}

/// A user as it is stored, without the password.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct User {
    /// The subject identifier: assigned here, never reused.
    pub sub: Subject,
    /// What they sign in with.
    pub username: Username,
    /// An address, proven or not.
    pub email: Option<String>,
    /// Whether the address is proven to be theirs.
    pub email_verified: bool,
    /// Further standard claims, OpenID Connect Core §5.1.
    pub claims: Map<String, Value>,
    /// Whether they may sign in.
    pub disabled: bool,
    /// Nothing issued at or before this moment is accepted.
    pub not_before: Timestamp,
    /// When the account was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_look_alike() {
        let alice = Username::parse("alice").unwrap();
        for same in ["Alice", " alice ", "ALICE"] {
            assert_eq!(Username::parse(same).as_ref(), Ok(&alice), "{same:?}");
        }
        for other in ["alice@example.com", "a.lice+1"] {
            assert!(Username::parse(other).is_ok(), "{other}");
        }
        for bad in ["", " ", "al ice", "\u{ff41}lice", "\u{430}lice", "a\u{301}", "a\u{7}"] {
            assert!(Username::parse(bad).is_err(), "{bad:?}");
        }
    }
}
