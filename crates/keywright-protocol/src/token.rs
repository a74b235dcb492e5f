//! The credentials that this server hands out: a type, a prefix and a hash for each kind.
//!
//! Every one is `prefix + base64url(body + checksum)`, so that a secret scanner recognises a leaked
//! one without asking the server, and a truncated or extended one is refused before any look-up.

use keywright_jose::{base64url_decode, base64url_encode, hkdf_sha256, hmac_sha256, sha256};
use subtle::ConstantTimeEq as _;

use crate::id::FamilyId;
use crate::secret::Secret;

const CHECKSUM_BYTES: usize = 4;
/// Half of an HMAC-SHA256: 128 bits that nobody guesses.
const TAG_BYTES: usize = 16;
/// A refresh token that carries its generation: handle, secret, generation, tag.
const CARRYING_BYTES: usize = 48 + 8 + TAG_BYTES;

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

/// The key under which a tenant's refresh tokens carry their generation.
#[derive(Debug)]
pub struct GenerationKey(Secret<[u8; 32]>);

impl GenerationKey {
    /// A key from bytes that nobody else has.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    fn tag(&self, secret: &[u8; 48], generation: u64) -> [u8; TAG_BYTES] {
        let message = [secret.as_slice(), &generation.to_be_bytes()].concat();
        first(&hmac_sha256(self.0.expose(), &message))
    }
}

/// A refresh token, RFC 6749 §1.5: the family's handle, a secret of its own, and which generation
/// of the family it is, authenticated. The generation counts only for a family that went back in
/// time with its store; there it tells a newer token from a used one.
#[derive(Debug)]
pub struct RefreshToken {
    secret: Secret<[u8; 48]>,
    /// Tokens from before generations were carried have none.
    generation: Option<CarriedGeneration>,
}

#[derive(Clone, Copy, Debug)]
struct CarriedGeneration {
    number: u64,
    tag: [u8; TAG_BYTES],
}

impl RefreshToken {
    const PREFIX: &str = "kwr_";

    /// The first token of a family.
    pub fn start(handle: [u8; 16], own_secret: [u8; 32], key: &GenerationKey) -> Self {
        Self::bare(handle, own_secret).of_generation(0, key)
    }

    /// The next token of the same family.
    #[must_use]
    pub fn child(&self, own_secret: [u8; 32], generation: u64, key: &GenerationKey) -> Self {
        self.bare_child(own_secret).of_generation(generation, key)
    }

    /// The next token of the same family as it was minted before generations were carried.
    #[must_use]
    pub fn bare_child(&self, own_secret: [u8; 32]) -> Self {
        Self::bare(first(self.secret.expose()), own_secret)
    }

    fn bare(handle: [u8; 16], own_secret: [u8; 32]) -> Self {
        let mut secret = [0; 48];
        let (head, tail) = secret.split_at_mut(16);
        head.copy_from_slice(&handle);
        tail.copy_from_slice(&own_secret);
        Self { secret: Secret::new(secret), generation: None }
    }

    fn of_generation(mut self, number: u64, key: &GenerationKey) -> Self {
        let tag = key.tag(self.secret.expose(), number);
        self.generation = Some(CarriedGeneration { number, tag });
        self
    }

    /// The generation that it carries, if this server put it there.
    pub fn proven_generation(&self, key: &GenerationKey) -> Option<u64> {
        let carried = self.generation?;
        let tag = key.tag(self.secret.expose(), carried.number);
        bool::from(tag.ct_eq(&carried.tag)).then_some(carried.number)
    }

    /// The part that is its own: with what the family shares, it is the token.
    pub fn own_secret(&self) -> Secret<[u8; 32]> {
        let mut own = [0; 32];
        let (_, tail) = self.secret.expose().split_at(16);
        own.copy_from_slice(tail);
        Secret::new(own)
    }

    /// Reads a refresh token; nothing for what this server cannot have issued.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(secret) = decode::<48>(Self::PREFIX, text) {
            return Some(Self { secret: Secret::new(secret), generation: None });
        }
        let body = Secret::new(decode::<CARRYING_BYTES>(Self::PREFIX, text)?);
        let (secret, carried) = body.expose().split_at(48);
        let (number, tag) = carried.split_at(8);
        let number = u64::from_be_bytes(first(number));
        let generation = Some(CarriedGeneration { number, tag: first(tag) });
        Some(Self { secret: Secret::new(first(secret)), generation })
    }

    /// The token as the client carries it.
    pub fn to_wire(&self) -> Secret<String> {
        encode(Self::PREFIX, self.body().expose())
    }

    /// The family that it belongs to.
    pub fn family(&self) -> FamilyId {
        FamilyId::of_handle(&first(self.secret.expose()))
    }

    /// What the store knows it by.
    pub fn hash(&self) -> RefreshHash {
        RefreshHash(sha256(self.body().expose()))
    }

    /// The key under which this token's child is kept for a retry: only who holds the parent can
    /// open it, so the store alone reveals nothing.
    pub fn child_key(&self) -> Secret<[u8; 32]> {
        Secret::new(hkdf_sha256(self.body().expose(), "keywright refresh child"))
    }

    fn body(&self) -> Secret<Vec<u8>> {
        let mut body = Vec::with_capacity(CARRYING_BYTES);
        body.extend_from_slice(self.secret.expose());
        if let Some(carried) = self.generation {
            body.extend_from_slice(&carried.number.to_be_bytes());
            body.extend_from_slice(&carried.tag);
        }
        Secret::new(body)
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
    first(&sha256(&[prefix.as_bytes(), body].concat()))
}

/// The first bytes of something that has as many.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(out, byte)| *out = *byte);
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

    fn key(byte: u8) -> GenerationKey {
        GenerationKey::from_bytes([byte; 32])
    }

    #[test]
    fn a_child_stays_in_the_family() {
        let parent = RefreshToken::start([3; 16], [4; 32], &key(1));
        let child = parent.child([5; 32], 1, &key(1));
        assert_eq!(parent.family(), child.family());
        assert_ne!(parent.hash(), child.hash());
        assert_ne!(parent.child_key().expose(), child.child_key().expose());
        let read = RefreshToken::parse(child.to_wire().expose()).unwrap();
        assert_eq!(read.hash(), child.hash());
        assert_eq!(read.own_secret().expose(), &[5; 32]);
        assert_eq!(read.proven_generation(&key(1)), Some(1));
    }

    #[test]
    fn a_generation_is_proven_or_none() {
        let token = RefreshToken::start([3; 16], [4; 32], &key(1)).child([5; 32], 7, &key(1));
        assert_eq!(token.proven_generation(&key(1)), Some(7));
        assert_eq!(token.proven_generation(&key(2)), None, "another tenant's key");
        let later = RefreshToken {
            generation: token.generation.map(|g| CarriedGeneration { number: 8, ..g }),
            secret: Secret::new(*token.secret.expose()),
        };
        assert_eq!(later.proven_generation(&key(1)), None, "a number of one's own");
        assert_ne!(later.hash(), token.hash());
        let bare = token.bare_child([5; 32]);
        assert_eq!(bare.proven_generation(&key(1)), None, "none is carried");
        let read = RefreshToken::parse(bare.to_wire().expose()).unwrap();
        assert_eq!((read.hash(), read.family()), (bare.hash(), token.family()));
    }
}
