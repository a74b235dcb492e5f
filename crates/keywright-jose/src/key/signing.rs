//! Private keys that sign.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
    RsaSignatureEncoding,
};
use zeroize::Zeroizing;

use super::{KeyError, PrivateJwk};
use crate::jwk::{self, EcCurve, OkpCurve, PublicKey};
use crate::{Algorithm, Jwk, JwkError};

/// A private key that signs with one algorithm.
///
/// Parsed once: a signature costs what the primitive costs. Unless renamed, its `kid` is the RFC
/// 7638 thumbprint of its public half, so it needs no registry of names. It is not `Clone`; share
/// it behind an `Arc`.
///
/// ```
/// use keywright_jose::{Algorithm, SigningKey};
/// let key = SigningKey::generate(Algorithm::EdDsa)?;
/// let same = SigningKey::from_pkcs8(Algorithm::EdDsa, &key.to_pkcs8())?;
/// assert_eq!(key.kid(), same.kid());
/// assert_eq!(key.kid(), key.public_jwk().thumbprint());
/// # Ok::<(), keywright_jose::KeyError>(())
/// ```
pub struct SigningKey {
    alg: Algorithm,
    pair: Pair,
    public: Jwk,
    kid: String,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static RsaSignatureEncoding),
}

impl SigningKey {
    /// Makes a new key; RSA keys have 2048 bits.
    pub fn generate(alg: Algorithm) -> Result<Self, KeyError> {
        let pair = match scheme(alg) {
            Scheme::Ec(scheme) => EcdsaKeyPair::generate(scheme).map(Pair::Ec),
            Scheme::Ed => Ed25519KeyPair::generate().map(Pair::Ed),
            Scheme::Rsa(scheme) => {
                RsaKeyPair::generate(KeySize::Rsa2048).map(|pair| Pair::Rsa(pair, scheme))
            }
        };
        Self::new(alg, pair.map_err(|_| KeyError::Unavailable)?)
    }

    /// Reads an unencrypted PKCS #8 document (RFC 5208, RFC 5958).
    pub fn from_pkcs8(alg: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair = match scheme(alg) {
            Scheme::Ec(scheme) => EcdsaKeyPair::from_pkcs8(scheme, pkcs8).map(Pair::Ec),
            Scheme::Ed => Ed25519KeyPair::from_pkcs8(pkcs8).map(Pair::Ed),
            Scheme::Rsa(scheme) => {
                RsaKeyPair::from_pkcs8(pkcs8).map(|pair| Pair::Rsa(pair, scheme))
            }
        };
        Self::new(alg, pair.map_err(|_| KeyError::Rejected("PKCS #8"))?)
    }

    /// Reads a private JWK, and keeps its `kid` if it has one.
    pub fn from_jwk(alg: Algorithm, json: &[u8]) -> Result<Self, JwkError> {
        let jwk = PrivateJwk::parse(json)?;
        let public = jwk.public();
        if public.alg().is_some_and(|only| only != alg) || public.encryption_alg().is_some() {
            return Err(JwkError::Unsupported("alg"));
        }
        if !public.key.signature_algorithms().contains(&alg) {
            return Err(JwkError::Unsupported("kty or crv"));
        }
        let pair = match (&public.key, scheme(alg)) {
            (PublicKey::Ec { point, .. }, Scheme::Ec(scheme)) => {
                EcdsaKeyPair::from_private_key_and_public_key(scheme, jwk.d(), point)
                    .ok()
                    .map(Pair::Ec)
            }
            (PublicKey::Okp { x, .. }, Scheme::Ed) => {
                Ed25519KeyPair::from_seed_and_public_key(jwk.d(), x).ok().map(Pair::Ed)
            }
            (PublicKey::Rsa { .. }, Scheme::Rsa(scheme)) => Some(Pair::Rsa(jwk.rsa()?, scheme)),
            _ => None,
        };
        let key = pair.and_then(|pair| Self::new(alg, pair).ok());
        let key = key.ok_or(JwkError::Malformed("d"))?;
        match public.kid() {
            Some(kid) => key.with_kid(kid).map_err(|_| JwkError::Malformed("kid")),
            None => Ok(key),
        }
    }

    /// Renames the key: imported keys keep the names that others know them by.
    pub fn with_kid(mut self, kid: &str) -> Result<Self, KeyError> {
        self.public = self.public.renamed(kid).ok_or(KeyError::Rejected("kid"))?;
        kid.clone_into(&mut self.kid);
        Ok(self)
    }

    fn new(alg: Algorithm, pair: Pair) -> Result<Self, KeyError> {
        let public = Jwk::for_signing(pair.public_key(alg)?, alg);
        let kid = public.thumbprint();
        Ok(Self { alg, pair, public, kid })
    }

    /// The private key as a PKCS #8 version 1 document, to be sealed and stored.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let document = match &self.pair {
            Pair::Ec(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Pair::Ed(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Pair::Rsa(pair, _) => pair.as_der().map(|der| der.as_ref().to_vec()),
        };
        Zeroizing::new(document.expect("a key that was parsed or generated can be written"))
    }

    /// The algorithm, the only one that this key signs with.
    pub fn alg(&self) -> Algorithm {
        self.alg
    }

    /// The key's name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, with `kid`, `alg` and `use`, as it goes into a JWK Set.
    pub fn public_jwk(&self) -> &Jwk {
        &self.public
    }

    /// Signs a message; ECDSA signatures come as `r || s` (RFC 7518 §3.4).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let rng = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ec(pair) => pair.sign(&rng, message).map(|signed| signed.as_ref().to_vec()),
            Pair::Ed(pair) => pair.try_sign(message).map(|signed| signed.as_ref().to_vec()),
            Pair::Rsa(pair, scheme) => {
                let mut signed = vec![0; pair.public_modulus_len()];
                pair.sign(*scheme, &rng, message, &mut signed).map(|()| signed)
            }
        };
        signature.map_err(|_| KeyError::Unavailable)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("alg", &self.alg)
            .finish_non_exhaustive()
    }
}

impl Pair {
    fn public_key(&self, alg: Algorithm) -> Result<PublicKey, KeyError> {
        match self {
            Self::Ec(pair) => {
                let curve = match alg {
                    Algorithm::Es384 => EcCurve::P384,
                    Algorithm::Es512 => EcCurve::P521,
                    _ => EcCurve::P256,
                };
                Ok(PublicKey::Ec { curve, point: pair.public_key().as_ref().to_vec() })
            }
            Self::Ed(pair) => {
                let x = pair.public_key().as_ref().try_into();
                let x = x.map_err(|_| KeyError::Rejected("Ed25519"))?;
                Ok(PublicKey::Okp { curve: OkpCurve::Ed25519, x })
            }
            Self::Rsa(pair, _) => {
                let n = pair.public_key().modulus().big_endian_without_leading_zero();
                let e = pair.public_key().exponent().big_endian_without_leading_zero();
                jwk::rsa_key(n.to_vec(), e.to_vec()).map_err(|_| KeyError::Rejected("RSA"))
            }
        }
    }
}

enum Scheme {
    Ec(&'static EcdsaSigningAlgorithm),
    Ed,
    Rsa(&'static RsaSignatureEncoding),
}

fn scheme(alg: Algorithm) -> Scheme {
    match alg {
        Algorithm::EdDsa => Scheme::Ed,
        Algorithm::Es256 => Scheme::Ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => Scheme::Ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::Es512 => Scheme::Ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        Algorithm::Ps256 => Scheme::Rsa(&signature::RSA_PSS_SHA256),
        Algorithm::Ps384 => Scheme::Rsa(&signature::RSA_PSS_SHA384),
        Algorithm::Ps512 => Scheme::Rsa(&signature::RSA_PSS_SHA512),
        Algorithm::Rs256 => Scheme::Rsa(&signature::RSA_PKCS1_SHA256),
        Algorithm::Rs384 => Scheme::Rsa(&signature::RSA_PKCS1_SHA384),
        Algorithm::Rs512 => Scheme::Rsa(&signature::RSA_PKCS1_SHA512),
    }
}
