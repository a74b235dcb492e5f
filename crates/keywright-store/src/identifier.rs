//! Identifiers that databases keep packed: one list for all of them.

use keywright_protocol::id::{FamilyId, GrantId, RequestId, SessionId, Subject};

/// An identifier that is mostly a known prefix and 128 random bits.
pub(crate) trait Identifier {
    const PREFIX: &'static str;

    fn text(&self) -> &str;

    fn read(text: String) -> Self;
}

macro_rules! identifiers {
    ($($name:ident: $prefix:literal,)*) => {
        $(impl Identifier for $name {
            const PREFIX: &'static str = $prefix;

            fn text(&self) -> &str {
                self.as_str()
            }

            fn read(text: String) -> Self {
                Self::from_trusted(text)
            }
        })*
    };
}

identifiers! {
    FamilyId: "family_",
    GrantId: "grant_",
    RequestId: "req_",
    SessionId: "session_",
    Subject: "user_",
}
