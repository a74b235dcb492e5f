//! Identifiers: one type each, so that none can stand where another is meant.
//!
//! Each names the same text however often it is handed on: a clone costs no allocation.

use std::fmt;
use std::sync::{Arc, LazyLock};

use keywright_jose::base64url_encode_onto;
use serde::{Deserialize, Serialize};

use crate::limits::CLIENT_ID_BYTES_MAX;
use crate::time::Timestamp;
use crate::wire::RequestError;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as it was stored or signed by this server.
            pub fn from_trusted(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Its text, shared.
            pub fn shared(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! random_identifier {
    ($name:ident, $prefix:literal) => {
        impl $name {
            /// A new one from 128 random bits.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(prefixed($prefix, &bytes))
            }
        }
    };
}

identifier!(
    /// A client identifier, RFC 6749 §2.2.
    ClientId
);
identifier!(
    /// A refresh family: one sign-in's chain of refresh tokens (`fid`).
    FamilyId
);
identifier!(
    /// What a user granted to a client (`gid`).
    GrantId
);
identifier!(
    /// A token's own identifier, RFC 7519 §4.1.7.
    Jti
);
identifier!(
    /// One request, as told to the peer in `X-Request-Id`.
    RequestId
);
identifier!(
    /// A browser session (`sid`), OpenID Connect Front-Channel Logout §3.
    SessionId
);
identifier!(
    /// A list of token statuses, the end of its address.
    StatusListId
);
identifier!(
    /// A user's subject identifier, OpenID Connect Core §2: never a client identifier.
    Subject
);
identifier!(
    /// A tenant's name.
    TenantId
);

random_identifier!(ClientId, "client_");
random_identifier!(GrantId, "grant_");
random_identifier!(Jti, "");
random_identifier!(SessionId, "session_");
random_identifier!(StatusListId, "");
random_identifier!(Subject, "user_");

const SUBJECT_PREFIX: &str = "user_";

impl ClientId {
    /// Reads a client identifier: visible ASCII, RFC 6749 appendix A.1.
    ///
    /// # Errors
    /// `Malformed` for anything else, and for what could be taken for a user: RFC 9700 §4.15.
    pub fn parse(raw: &str) -> Result<Self, RequestError> {
        let visible = raw.bytes().all(|b| (0x21..=0x7e).contains(&b));
        if raw.is_empty() || raw.len() > CLIENT_ID_BYTES_MAX || !visible {
            return Err(RequestError::Malformed("client_id"));
        }
        if raw.starts_with(SUBJECT_PREFIX) {
            return Err(RequestError::Malformed("client_id"));
        }
        Ok(Self(raw.into()))
    }
}

impl RequestId {
    /// A new one: the moment, and 80 random bits. Requests of one time stand together in the audit
    /// log's index.
    pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        let (moment, rest) = bytes.split_at_mut(6);
        moment.copy_from_slice(at.as_millis().to_be_bytes().split_at(2).1);
        rest.copy_from_slice(&random);
        Self(prefixed("req_", &bytes))
    }
}

impl StatusListId {
    /// Reads the identifier of a list; nothing for what is none.
    pub fn parse(raw: &str) -> Option<Self> {
        let own =
            raw.len() == 22 && raw.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        own.then(|| Self(raw.into()))
    }
}

impl FamilyId {
    /// The family of a refresh token's handle. The handle itself stays secret: resource servers
    /// see `fid` and must not be able to forge a token that would revoke the family.
    pub fn of_handle(handle: &[u8; 16]) -> Self {
        let digest = keywright_jose::sha256(handle);
        let (short, _) = digest.split_at(16);
        Self(prefixed("family_", short))
    }
}

impl TenantId {
    /// The tenant whose issuer is the configured one.
    pub const DEFAULT: &'static str = "default";

    /// The default tenant.
    pub fn default_tenant() -> Self {
        static DEFAULT: LazyLock<TenantId> = LazyLock::new(|| TenantId(TenantId::DEFAULT.into()));
        DEFAULT.clone()
    }

    /// Whether this is the tenant whose issuer is the configured one.
    pub fn is_default(&self) -> bool {
        *self.0 == *Self::DEFAULT
    }

    /// Reads a tenant's name: it becomes a path segment, so lower-case letters, digits and `-`.
    pub fn parse(raw: &str) -> Result<Self, RequestError> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let edge = raw.starts_with('-') || raw.ends_with('-');
        if raw.is_empty() || raw.len() > 63 || edge || !raw.bytes().all(fits) {
            return Err(RequestError::Malformed("tenant"));
        }
        Ok(Self(raw.into()))
    }
}

fn prefixed(prefix: &str, bytes: &[u8]) -> Arc<str> {
    let mut text = String::with_capacity(prefix.len() + bytes.len() * 2);
    text.push_str(prefix);
    base64url_encode_onto(&mut text, bytes);
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_identifiers() {
        for good in ["pos-web", "https://client.example/", &"x".repeat(255)] {
            assert!(ClientId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "caf\u{e9}", "user_abc", &"x".repeat(256), "a\n"] {
            assert!(ClientId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tenant_names() {
        assert!(TenantId::parse("shop-1").is_ok());
        for bad in ["", "-a", "a-", "A", "a/b", "a.b", &"x".repeat(64)] {
            assert!(TenantId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_family_id_does_not_reveal_its_handle() {
        let id = FamilyId::of_handle(&[7; 16]);
        assert!(!id.as_str().contains(&keywright_jose::base64url_encode(&[7; 16])));
    }
}
