//! Keys to encrypt to and to decrypt with. Each serves one algorithm (RFC 8725 §3.1).

use std::fmt;

use aws_lc_rs::agreement::{self, PrivateKey};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, Curve25519SeedBin, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::{RsaKeyPair, RsaPublicKeyComponents};
use zeroize::Zeroizing;

use super::{KeyManagement, agreement as ecdh};
use crate::jwk::{KeyUse, PublicKey, rsa_key};
use crate::key::{KeyError, PrivateJwk};
use crate::{Jwk, JwkError};

/// PKCS #8 of an X25519 key is this and the 32 bytes (RFC 8410 §7); aws-lc-rs has no reader for it.
const X25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20];

/// The key of somebody to whom we encrypt, for one algorithm.
#[derive(Debug)]
pub struct EncryptionKey {
    pub(super) alg: KeyManagement,
    pub(super) kid: Option<String>,
    pub(super) recipient: Recipient,
}

pub(super) enum Recipient {
    Agreement(PublicKey),
    Rsa(OaepPublicEncryptingKey),
    Symmetric(Zeroizing<Vec<u8>>),
}

impl EncryptionKey {
    /// A published key. Its `use` and `alg`, where it has them, must agree.
    pub fn from_jwk(alg: KeyManagement, jwk: &Jwk) -> Result<Self, KeyError> {
        if jwk.key_use() == Some(KeyUse::Signature) || jwk.alg().is_some() {
            return Err(KeyError::Rejected("a signature key"));
        }
        if jwk.encryption_alg().is_some_and(|only| only != alg) {
            return Err(KeyError::Rejected("another algorithm"));
        }
        if !jwk.key.encryption_algorithms().contains(&alg) {
            return Err(KeyError::Rejected("type or curve"));
        }
        let recipient = match &jwk.key {
            PublicKey::Rsa { n, e } => {
                let components = RsaPublicKeyComponents { n, e };
                let key: Result<PublicEncryptingKey, _> = components.try_into();
                let key = key.and_then(OaepPublicEncryptingKey::new);
                Recipient::Rsa(key.map_err(|_| KeyError::Rejected("RSA"))?)
            }
            other => Recipient::Agreement(other.clone()),
        };
        Ok(Self { alg, kid: jwk.kid().map(str::to_owned), recipient })
    }

    /// A shared key.
    pub fn symmetric(alg: KeyManagement, key: &[u8]) -> Result<Self, KeyError> {
        check_symmetric(alg, key)?;
        let recipient = Recipient::Symmetric(Zeroizing::new(key.to_vec()));
        Ok(Self { alg, kid: None, recipient })
    }

    /// The algorithm that the key is for.
    pub fn alg(&self) -> KeyManagement {
        self.alg
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agreement(_) => "Agreement",
            Self::Rsa(_) => "Rsa",
            Self::Symmetric(_) => "Symmetric(..)",
        })
    }
}

/// A private or shared key that decrypts, for one algorithm. Not `Clone`; share it behind an `Arc`.
pub struct DecryptionKey {
    pub(super) alg: KeyManagement,
    pub(super) secret: Secret,
    public: Option<Jwk>,
}

pub(super) enum Secret {
    Agreement(PrivateKey),
    Rsa(PrivateDecryptingKey),
    Symmetric(Zeroizing<Vec<u8>>),
}

impl DecryptionKey {
    /// Makes a new key pair: RSA with 2048 bits, or P-256. Shared keys are not made here.
    pub fn generate(alg: KeyManagement) -> Result<Self, KeyError> {
        let secret = match kind(alg) {
            Kind::Agreement => PrivateKey::generate(&agreement::ECDH_P256).map(Secret::Agreement),
            Kind::Rsa => PrivateDecryptingKey::generate(KeySize::Rsa2048).map(Secret::Rsa),
            Kind::Symmetric => return Err(KeyError::Rejected("not an algorithm of key pairs")),
        };
        Self::new(alg, secret.map_err(|_| KeyError::Unavailable)?)
    }

    /// Reads an unencrypted PKCS #8 document: RSA, P-256, P-384, P-521 or X25519.
    pub fn from_pkcs8(alg: KeyManagement, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let secret = match kind(alg) {
            Kind::Agreement => agreement_from_pkcs8(pkcs8).map(Secret::Agreement),
            Kind::Rsa => PrivateDecryptingKey::from_pkcs8(pkcs8).ok().map(Secret::Rsa),
            Kind::Symmetric => None,
        };
        Self::new(alg, secret.ok_or(KeyError::Rejected("PKCS #8"))?)
    }

    /// Reads a private JWK, and keeps its `kid` if it has one.
    pub fn from_jwk(alg: KeyManagement, json: &[u8]) -> Result<Self, JwkError> {
        let jwk = PrivateJwk::parse(json)?;
        let secret = match (kind(alg), &jwk.public().key) {
            (Kind::Agreement, key) => {
                let scheme = ecdh::scheme(key).ok_or(JwkError::Unsupported("crv"))?;
                PrivateKey::from_private_key(scheme, jwk.d()).ok().map(Secret::Agreement)
            }
            (Kind::Rsa, PublicKey::Rsa { .. }) => {
                let pkcs8: Option<Pkcs8V1Der<'_>> = jwk.rsa()?.as_der().ok();
                pkcs8
                    .and_then(|der| PrivateDecryptingKey::from_pkcs8(der.as_ref()).ok())
                    .map(Secret::Rsa)
            }
            _ => return Err(JwkError::Unsupported("kty")),
        };
        let key = secret.and_then(|secret| Self::new(alg, secret).ok());
        let key = key.ok_or(JwkError::Malformed("d"))?;
        // RFC 7517: a private key that is not the one of its public members helps nobody.
        let same = key.public.as_ref().is_some_and(|public| public.key == jwk.public().key);
        match jwk.public().kid() {
            _ if !same => Err(JwkError::Malformed("d")),
            Some(kid) => key.with_kid(kid).map_err(|_| JwkError::Malformed("kid")),
            None => Ok(key),
        }
    }

    /// Renames a key pair: imported keys keep the names that others know them by.
    pub fn with_kid(mut self, kid: &str) -> Result<Self, KeyError> {
        let public = self.public.ok_or(KeyError::Rejected("a shared key has no name"))?;
        self.public = Some(public.renamed(kid).ok_or(KeyError::Rejected("kid"))?);
        Ok(self)
    }

    /// A shared key; for PBES2, the password.
    pub fn symmetric(alg: KeyManagement, key: &[u8]) -> Result<Self, KeyError> {
        check_symmetric(alg, key)?;
        Ok(Self { alg, secret: Secret::Symmetric(Zeroizing::new(key.to_vec())), public: None })
    }

    fn new(alg: KeyManagement, secret: Secret) -> Result<Self, KeyError> {
        let public = match &secret {
            Secret::Agreement(key) => ecdh::public_of(key),
            Secret::Rsa(key) => rsa_public(key),
            Secret::Symmetric(_) => None,
        };
        let public = public.ok_or(KeyError::Rejected("public half"))?;
        Ok(Self { alg, secret, public: Some(Jwk::for_encryption(public, alg)) })
    }

    /// The algorithm that the key is for.
    pub fn alg(&self) -> KeyManagement {
        self.alg
    }

    /// The key's name, its thumbprint unless renamed; a shared key has none.
    pub fn kid(&self) -> Option<&str> {
        self.public.as_ref().and_then(Jwk::kid)
    }

    /// The public half, with `kid`, `alg` and `use`, as it goes into a JWK Set.
    pub fn public_jwk(&self) -> Option<&Jwk> {
        self.public.as_ref()
    }

    /// The private key as PKCS #8, to be sealed and stored; a shared key has none.
    pub fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let der = match &self.secret {
            Secret::Agreement(key) if *key.algorithm() == agreement::X25519 => {
                let seed: Curve25519SeedBin<'_> = key.as_be_bytes().ok()?;
                [X25519_PKCS8.as_slice(), seed.as_ref()].concat()
            }
            Secret::Agreement(key) => {
                let der: Pkcs8V1Der<'_> = key.as_der().ok()?;
                der.as_ref().to_vec()
            }
            Secret::Rsa(key) => key.as_der().ok()?.as_ref().to_vec(),
            Secret::Symmetric(_) => return None,
        };
        Some(Zeroizing::new(der))
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptionKey")
            .field("kid", &self.kid())
            .field("alg", &self.alg)
            .finish_non_exhaustive()
    }
}

enum Kind {
    Agreement,
    Rsa,
    Symmetric,
}

fn kind(alg: KeyManagement) -> Kind {
    use KeyManagement as K;
    match alg {
        K::EcdhEs | K::EcdhEsA128Kw | K::EcdhEsA256Kw => Kind::Agreement,
        K::RsaOaep | K::RsaOaep256 => Kind::Rsa,
        K::A128GcmKw
        | K::A128Kw
        | K::A256GcmKw
        | K::A256Kw
        | K::Dir
        | K::Pbes2Hs256A128Kw
        | K::Pbes2Hs512A256Kw => Kind::Symmetric,
    }
}

fn check_symmetric(alg: KeyManagement, key: &[u8]) -> Result<(), KeyError> {
    use KeyManagement as K;
    let fits = match alg {
        K::A128GcmKw | K::A128Kw => key.len() == 16,
        K::A256GcmKw | K::A256Kw => key.len() == 32,
        K::Dir => matches!(key.len(), 16 | 24 | 32 | 48 | 64),
        K::Pbes2Hs256A128Kw | K::Pbes2Hs512A256Kw => !key.is_empty(),
        _ => return Err(KeyError::Rejected("not an algorithm of shared keys")),
    };
    if fits { Ok(()) } else { Err(KeyError::Rejected("length")) }
}

fn agreement_from_pkcs8(pkcs8: &[u8]) -> Option<PrivateKey> {
    if let Some(seed) = pkcs8.strip_prefix(&X25519_PKCS8) {
        return PrivateKey::from_private_key(&agreement::X25519, seed).ok();
    }
    [&agreement::ECDH_P256, &agreement::ECDH_P384, &agreement::ECDH_P521]
        .into_iter()
        .find_map(|curve| PrivateKey::from_private_key_der(curve, pkcs8).ok())
}

fn rsa_public(key: &PrivateDecryptingKey) -> Option<PublicKey> {
    use aws_lc_rs::signature::KeyPair as _;
    let pair = RsaKeyPair::from_pkcs8(key.as_der().ok()?.as_ref()).ok()?;
    let n = pair.public_key().modulus().big_endian_without_leading_zero().to_vec();
    let e = pair.public_key().exponent().big_endian_without_leading_zero().to_vec();
    rsa_key(n, e).ok()
}
