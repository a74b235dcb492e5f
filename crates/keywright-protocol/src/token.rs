//! The credentials that this server hands out: a type, a prefix and a hash for each kind.
//!
//! Every one is `prefix + base64url(body + checksum)`, so that a secret scanner recognises a leaked
//! one without asking the server, and a truncated or extended one is refused before any look-up.

use keywright_jose::{base64url_decode, base64url_encode, hkdf_sha256, sha256};

use crate::id::FamilyId;
use crate::secret::Secret;

const CHECKSUM_BYTES: usize = 4;

macro_rules! hash {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The hash as it was stored.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }
    };
}

hash!(
    /// SHA-256 of an authorization code: all that the store ever sees of it.
    CodeHash
);
hash!(
    /// SHA-256 of a refresh token.
    RefreshHash
);
hash!(
    /// SHA-256 of a session cookie.
    SessionHash
);

// A credential that is nothing but 256 random bits.
macro_rules! random_credential {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $hash:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Secret<[u8; 32]>);

        impl $name {
            const PREFIX: &str = $prefix;

            /// A new one from random bytes.
            pub const fn from_random(bytes: [u8; 32]) -> Self {
                Self(Secret::new(bytes))
            }

            /// Reads one; nothing for what this server cannot have issued.
            pub fn parse(text: &str) -> Option<Self> {
                decode::<32>(Self::PREFIX, text).map(Self::from_random)
            }

            /// As it is carried.
            pub fn to_wire(&self) -> Secret<String> {
                encode(Self::PREFIX, self.0.expose())
            }

            /// What the store knows it by.
            pub fn hash(&self) -> $hash {
                $hash(sha256(self.0.expose()))
            }
        }
    };
}

random_credential!(
    /// An authorization code, RFC 6749 §1.3.1.
    AuthorizationCode,
    "kwc_",
    CodeHash
);
random_credential!(
    /// A session cookie's value.
    SessionToken,
    "kws_",
    SessionHash
);

/// A refresh token, RFC 6749 §1.5: the family's handle and a secret of its own.
#[derive(Debug)]
pub struct RefreshToken(Secret<[u8; 48]>);

impl RefreshToken {
    const PREFIX: &str = "kwr_";

    /// The first token of a family.
    pub fn start(handle: [u8; 16], secret: [u8; 32]) -> Self {
        let mut body = [0; 48];
        let (head, tail) = body.split_at_mut(16);
        head.copy_from_slice(&handle);
        tail.copy_from_slice(&secret);
        Self(Secret::new(body))
    }

    /// The next token of the same family.
    #[must_use]
    pub fn child(&self, secret: [u8; 32]) -> Self {
        Self::start(self.handle(), secret)
    }

    /// The part that is its own: with the handle, which the whole family shares, it is the token.
    pub fn own_secret(&self) -> Secret<[u8; 32]> {
        let mut own = [0; 32];
        let (_, tail) = self.0.expose().split_at(16);
        own.copy_from_slice(tail);
        Secret::new(own)
    }

    /// Reads a refresh token; nothing for what this server cannot have issued.
    pub fn parse(text: &str) -> Option<Self> {
        decode::<48>(Self::PREFIX, text).map(|body| Self(Secret::new(body)))
    }

    /// The token as the client carries it.
    pub fn to_wire(&self) -> Secret<String> {
        encode(Self::PREFIX, self.0.expose())
    }

    /// The family that it belongs to.
    pub fn family(&self) -> FamilyId {
        FamilyId::of_handle(&self.handle())
    }

    /// What the store knows it by.
    pub fn hash(&self) -> RefreshHash {
        RefreshHash(sha256(self.0.expose()))
    }

    /// The key under which this token's child is kept for a retry: only who holds the parent can
    /// open it, so the store alone reveals nothing.
    pub fn child_key(&self) -> Secret<[u8; 32]> {
        Secret::new(hkdf_sha256(self.0.expose(), "keywright refresh child"))
    }

    fn handle(&self) -> [u8; 16] {
        let mut handle = [0; 16];
        let (head, _) = self.0.expose().split_at(16);
        handle.copy_from_slice(head);
        handle
    }
}

/// The prefix of an opaque access token.
pub const OPAQUE_PREFIX: &str = "kwa_";
/// The prefix of a generated client secret.
pub const CLIENT_SECRET_PREFIX: &str = "kwx_";

/// A generated client secret: 256 random bits.
pub fn client_secret(bytes: &[u8; 32]) -> Secret<String> {
    encode(CLIENT_SECRET_PREFIX, bytes)
}

fn encode(prefix: &str, body: &[u8]) -> Secret<String> {
    let mut bytes = Vec::with_capacity(body.len() + CHECKSUM_BYTES);
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(&checksum(prefix, body));
    Secret::new(format!("{prefix}{}", base64url_encode(&bytes)))
}

fn decode<const N: usize>(prefix: &str, text: &str) -> Option<[u8; N]> {
    let bytes = base64url_decode(text.strip_prefix(prefix)?).ok()?;
    let (body, sum) = bytes.split_at_checked(N)?;
    (sum == checksum(prefix, body)).then(|| body.try_into().ok()).flatten()
}

fn checksum(prefix: &str, body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = sha256(&[prefix.as_bytes(), body].concat());
    let (sum, _) = digest.split_at(CHECKSUM_BYTES);
    let mut out = [0; CHECKSUM_BYTES];
    out.copy_from_slice(sum);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_what_it_writes_and_nothing_else() {
        let code = AuthorizationCode::from_random([1; 32]).to_wire();
        let text = code.expose();
        assert!(AuthorizationCode::parse(text).is_some());
        assert!(SessionToken::parse(text).is_none(), "a kind of its own");
        assert!(AuthorizationCode::parse(&text[..text.len() - 1]).is_none(), "truncated");
        assert!(AuthorizationCode::parse(&format!("{text}A")).is_none(), "extended");
        assert!(AuthorizationCode::parse(&format!("{text}=")).is_none(), "padded");
        let changed = text.replacen("kwc_AQ", "kwc_AA", 1);
        assert!(AuthorizationCode::parse(&changed).is_none(), "changed");
    }

    #[test]
    fn a_child_stays_in_the_family() {
        let parent = RefreshToken::start([3; 16], [4; 32]);
        let child = parent.child([5; 32]);
        assert_eq!(parent.family(), child.family());
        assert_ne!(parent.hash(), child.hash());
        assert_ne!(parent.child_key().expose(), child.child_key().expose());
        let read = RefreshToken::parse(child.to_wire().expose()).unwrap();
        assert_eq!(read.hash(), child.hash());
    }
}
