//! Keys that do something: sign, and verify.

mod private_jwk;
mod signing;
mod verifying;

pub(crate) use self::private_jwk::PrivateJwk;
pub use self::signing::SigningKey;
pub(crate) use self::verifying::SignatureVerified;
pub use self::verifying::{MAX_CANDIDATES, VerifyingKeys};

/// Why a private key cannot be made or used. It never says anything about the key's bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no key of this algorithm, or one of a size that is not accepted.
    #[error("the key does not fit its algorithm: {0}")]
    Rejected(&'static str),
    /// The library failed: no randomness, no memory.
    #[error("the cryptographic library failed")]
    Unavailable,
}
