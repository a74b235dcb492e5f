//! The algorithms of RFC 7518 §4 and §5 that are kept.
//!
//! Left out: `RSA1_5` (RFC 8725 §3.2), everything with AES-192 key wrapping (not in aws-lc-rs, and
//! nobody asks for it), compression (`zip`: CVE-2025-62706).

/// How the content key reaches the recipient (RFC 7518 §4).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum KeyManagement {
    /// AES-128-GCM key wrapping.
    A128GcmKw,
    /// AES-128 key wrapping (RFC 3394).
    A128Kw,
    /// AES-256-GCM key wrapping.
    A256GcmKw,
    /// AES-256 key wrapping (RFC 3394).
    A256Kw,
    /// The shared key is the content key.
    Dir,
    /// Agreement with an ephemeral key yields the content key.
    EcdhEs,
    /// Agreement with an ephemeral key, then AES-128 key wrapping.
    EcdhEsA128Kw,
    /// Agreement with an ephemeral key, then AES-256 key wrapping.
    EcdhEsA256Kw,
    /// A password, PBKDF2 with HMAC-SHA-256, then AES-128 key wrapping. Only decrypted, never made.
    Pbes2Hs256A128Kw,
    /// A password, PBKDF2 with HMAC-SHA-512, then AES-256 key wrapping. Only decrypted, never made.
    Pbes2Hs512A256Kw,
    /// RSAES-OAEP with SHA-1, which is not broken in this use; for older peers.
    RsaOaep,
    /// RSAES-OAEP with SHA-256.
    RsaOaep256,
}

impl KeyManagement {
    /// Every algorithm.
    pub const ALL: &'static [Self] = &[
        Self::A128GcmKw,
        Self::A128Kw,
        Self::A256GcmKw,
        Self::A256Kw,
        Self::Dir,
        Self::EcdhEs,
        Self::EcdhEsA128Kw,
        Self::EcdhEsA256Kw,
        Self::Pbes2Hs256A128Kw,
        Self::Pbes2Hs512A256Kw,
        Self::RsaOaep,
        Self::RsaOaep256,
    ];

    /// Reads a JOSE name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|alg| alg.name() == name)
    }

    /// The JOSE name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128GcmKw => "A128GCMKW",
            Self::A128Kw => "A128KW",
            Self::A256GcmKw => "A256GCMKW",
            Self::A256Kw => "A256KW",
            Self::Dir => "dir",
            Self::EcdhEs => "ECDH-ES",
            Self::EcdhEsA128Kw => "ECDH-ES+A128KW",
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
            Self::Pbes2Hs256A128Kw => "PBES2-HS256+A128KW",
            Self::Pbes2Hs512A256Kw => "PBES2-HS512+A256KW",
            Self::RsaOaep => "RSA-OAEP",
            Self::RsaOaep256 => "RSA-OAEP-256",
        }
    }
}

/// How the content is encrypted (RFC 7518 §5).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ContentEncryption {
    /// AES-128-CBC with HMAC-SHA-256.
    A128CbcHs256,
    /// AES-128-GCM.
    A128Gcm,
    /// AES-192-CBC with HMAC-SHA-384.
    A192CbcHs384,
    /// AES-192-GCM.
    A192Gcm,
    /// AES-256-CBC with HMAC-SHA-512.
    A256CbcHs512,
    /// AES-256-GCM.
    A256Gcm,
}

impl ContentEncryption {
    /// Every algorithm.
    pub const ALL: &'static [Self] = &[
        Self::A128CbcHs256,
        Self::A128Gcm,
        Self::A192CbcHs384,
        Self::A192Gcm,
        Self::A256CbcHs512,
        Self::A256Gcm,
    ];

    /// Reads a JOSE name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|enc| enc.name() == name)
    }

    /// The JOSE name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A128Gcm => "A128GCM",
            Self::A192CbcHs384 => "A192CBC-HS384",
            Self::A192Gcm => "A192GCM",
            Self::A256CbcHs512 => "A256CBC-HS512",
            Self::A256Gcm => "A256GCM",
        }
    }

    /// Bytes in the content key; the CBC algorithms need two keys in one.
    pub const fn key_len(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A192Gcm => 24,
            Self::A128CbcHs256 | Self::A256Gcm => 32,
            Self::A192CbcHs384 => 48,
            Self::A256CbcHs512 => 64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7518_names_round_trip_and_nothing_else_parses() {
        for alg in KeyManagement::ALL {
            assert_eq!(KeyManagement::parse(alg.name()), Some(*alg), "RFC7518-4.1");
        }
        for enc in ContentEncryption::ALL {
            assert_eq!(ContentEncryption::parse(enc.name()), Some(*enc), "RFC7518-5.1");
        }
        for name in ["RSA1_5", "A192KW", "ECDH-ES+A192KW", "DIR", "", "none", "RS256"] {
            assert_eq!(KeyManagement::parse(name), None, "RFC8725-3.2: {name}");
        }
    }
}
