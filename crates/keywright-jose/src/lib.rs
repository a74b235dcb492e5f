//! JWS, JWE, JWK and JWT over aws-lc-rs: bytes in, values out.
//!
//! The crate turns hostile bytes into values that carry their own proof, and values into tokens:
//!
//! | specification | where |
//! |---|---|
//! | RFC 7515 JWS, RFC 7797 (refused) | [`jws`]; with a shared secret: [`mac`] |
//! | RFC 7516 JWE | [`jwe`] |
//! | RFC 7517 JWK, RFC 7638 thumbprints, RFC 8037 OKP keys | [`jwk`], [`key`] |
//! | RFC 7518 algorithms | [`alg`], [`jwe`] |
//! | RFC 7519 JWT claims sets | [`claims`] |
//! | RFC 8725 best practice | all of it; the rules below |
//!
//! Encryption of what the server keeps for itself (no JOSE around it) is [`seal`].
//!
//! **Architecture invariant:** no network, no clock, no async, no store. `exp` comes out as a
//! number of seconds; whoever knows the time compares it. `jku`, `x5u` and `x5c` are never
//! followed.
//!
//! **Architecture invariant:** an unverified token is [`UnverifiedJws`], a verified one is
//! [`VerifiedJws`], and only [`UnverifiedJws::verify`] makes the second out of the first. The
//! caller names the algorithms that it accepts; a key accepts those of its own type only; there is
//! no `none`, and secret keys for HMAC are another type in another module, so a public key can
//! never be taken for a secret (RFC 8725 §2.1).
//!
//! **Architecture invariant:** absent is `None`, present but wrong is an error. JSON with a member
//! named twice, base64url with padding or stray bits, points off the curve, RSA keys out of
//! bounds and private members in public keys do not parse.
//!
//! Randomness is the one thing taken from outside: aws-lc-rs makes its own keys, salts and nonces,
//! and a caller could only make them worse.
//!
//! Start with [`sign_compact`] and [`UnverifiedJws::parse`]:
//!
//! ```
//! use keywright_jose::{
//!     Algorithm, Claims, JwkSet, SigningKey, UnverifiedJws, VerifyingKeys, sign_compact,
//! };
//!
//! let key = SigningKey::generate(Algorithm::Es256)?;
//! let token = sign_compact(&key, Some("at+jwt"), br#"{"iss":"https://as.example"}"#)?;
//!
//! let keys = VerifyingKeys::new(&JwkSet::new(vec![key.public_jwk().clone()]));
//! let verified = UnverifiedJws::parse(&token)?.verify(&keys, &[Algorithm::Es256])?;
//! assert!(verified.header.typ_is("at+jwt"));
//! assert_eq!(Claims::parse(&verified.payload)?.required_str("iss")?, "https://as.example");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod alg;
pub mod base64url;
pub mod claims;
mod compact;
pub mod digest;
mod json;
pub mod jwe;
pub mod jwk;
pub mod jws;
pub mod key;
pub mod mac;
pub mod seal;
#[cfg(test)]
mod wycheproof;

pub use alg::Algorithm;
pub use base64url::{Base64Error, base64url_decode, base64url_encode, base64url_encode_onto};
pub use claims::{ClaimError, Claims};
pub use digest::{hkdf_sha256, sha256, sha256_of, sha384, sha512};
pub use json::is_strict_object;
pub use jwk::{Jwk, JwkError, JwkSet, KeyUse};
pub use jws::{Header, JwsError, UnverifiedJws, VerifiedJws, sign_compact};
pub use key::{KeyError, SigningKey, VerifyingKeys};
pub use mac::hmac_sha256;
pub use seal::{SealError, SealingKey};
