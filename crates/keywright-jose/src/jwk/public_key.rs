//! The key inside a JWK, and the curves it may be on.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ParsedPublicKey,
};

use crate::Algorithm;
use crate::jwe::KeyManagement;

/// The key itself, checked.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum PublicKey {
    /// An uncompressed point: 4, x, y.
    Ec {
        curve: EcCurve,
        point: Vec<u8>,
    },
    Okp {
        curve: OkpCurve,
        x: [u8; 32],
    },
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

/// The curves of RFC 7518 §6.2.1.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EcCurve {
    P256,
    P384,
    P521,
}

/// The curves of RFC 8037 §2 that are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OkpCurve {
    Ed25519,
    X25519,
}

impl PublicKey {
    /// The signature algorithms that a key of this kind could serve.
    pub(crate) fn signature_algorithms(&self) -> &'static [Algorithm] {
        use Algorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Ec { curve: EcCurve::P256, .. } => &[Es256],
            Self::Ec { curve: EcCurve::P384, .. } => &[Es384],
            Self::Ec { curve: EcCurve::P521, .. } => &[Es512],
            Self::Okp { curve: OkpCurve::Ed25519, .. } => &[EdDsa],
            Self::Okp { curve: OkpCurve::X25519, .. } => &[],
            Self::Rsa { .. } => &[Ps256, Ps384, Ps512, Rs256, Rs384, Rs512],
        }
    }

    /// The key management algorithms that a key of this kind could serve.
    pub(crate) fn encryption_algorithms(&self) -> &'static [KeyManagement] {
        use KeyManagement::{EcdhEs, EcdhEsA128Kw, EcdhEsA256Kw, RsaOaep, RsaOaep256};
        match self {
            Self::Ec { .. } | Self::Okp { curve: OkpCurve::X25519, .. } => {
                &[EcdhEs, EcdhEsA128Kw, EcdhEsA256Kw]
            }
            Self::Okp { curve: OkpCurve::Ed25519, .. } => &[],
            Self::Rsa { .. } => &[RsaOaep, RsaOaep256],
        }
    }
}

impl EcCurve {
    pub(crate) const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Bytes in one coordinate (RFC 7518 §6.2.1.2).
    pub(crate) const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Whether the uncompressed point is on the curve and not at infinity.
    pub(super) fn contains(self, point: &[u8]) -> bool {
        match self {
            Self::P256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_ok(),
            Self::P384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).is_ok(),
            Self::P521 => ParsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point).is_ok(),
        }
    }
}

impl OkpCurve {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::X25519 => "X25519",
        }
    }
}
