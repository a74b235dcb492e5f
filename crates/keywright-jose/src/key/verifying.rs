//! Public keys that verify, parsed once and looked up by `kid`.

use std::fmt;

use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};

use crate::jwk::{KeyUse, PublicKey};
use crate::{Algorithm, Jwk, JwkSet, JwsError};

/// How many keys a token is tried on when its `kid` does not single one out.
///
/// A set where every key is nameless would otherwise make one bad token cost 64 verifications.
pub const MAX_CANDIDATES: usize = 8;

/// The verifying half of a JWK Set.
///
/// One key, one algorithm: a key that says `alg` serves that algorithm only; one that does not
/// serves those of its type and curve (RFC 8725 §3.1). Keys with `use` other than `sig` are left
/// out.
#[derive(Default)]
pub struct VerifyingKeys {
    entries: Vec<Entry>,
}

/// Made by [`VerifyingKeys::verify`] only, so that nothing calls itself verified without it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SignatureVerified(());

struct Entry {
    kid: Option<String>,
    alg: Algorithm,
    key: ParsedPublicKey,
}

impl VerifyingKeys {
    /// Parses the keys of a set.
    pub fn new(set: &JwkSet) -> Self {
        Self { entries: set.keys().iter().flat_map(entries_of).collect() }
    }

    /// Whether nothing could ever verify.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Verifies with the keys named `kid`, else with the nameless ones; without `kid`, with all.
    pub(crate) fn verify(
        &self,
        kid: Option<&str>,
        alg: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<SignatureVerified, JwsError> {
        let named = kid.is_some_and(|kid| self.knows(kid));
        let candidates = || {
            self.entries.iter().filter(move |entry| match kid {
                Some(kid) if named => entry.kid.as_deref() == Some(kid),
                Some(_) => entry.kid.is_none(),
                None => true,
            })
        };
        if candidates().next().is_none() {
            return Err(JwsError::UnknownKey);
        }
        let mut fitting = candidates().filter(|entry| entry.alg == alg).take(MAX_CANDIDATES);
        match fitting.next() {
            // A key that is there, for another algorithm: fetching the set again would not help.
            None if named => Err(JwsError::AlgorithmNotAllowed),
            None => Err(JwsError::UnknownKey),
            Some(first) => std::iter::once(first)
                .chain(fitting)
                .any(|entry| entry.key.verify_sig(message, signature).is_ok())
                .then_some(SignatureVerified(()))
                .ok_or(JwsError::BadSignature),
        }
    }

    fn knows(&self, kid: &str) -> bool {
        self.entries.iter().any(|entry| entry.kid.as_deref() == Some(kid))
    }
}

impl fmt::Debug for VerifyingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.iter().map(|entry| (entry.kid.as_deref(), entry.alg));
        f.debug_list().entries(entries).finish()
    }
}

fn entries_of(jwk: &Jwk) -> Vec<Entry> {
    if jwk.key_use() == Some(KeyUse::Encryption) || jwk.encryption_alg().is_some() {
        return Vec::new();
    }
    let algorithms = jwk.key.signature_algorithms().iter().copied();
    algorithms
        .filter(|alg| jwk.alg().is_none_or(|only| only == *alg))
        .filter_map(|alg| {
            let key = parse(&jwk.key, alg)?;
            Some(Entry { kid: jwk.kid().map(str::to_owned), alg, key })
        })
        .collect()
}

fn parse(key: &PublicKey, alg: Algorithm) -> Option<ParsedPublicKey> {
    match key {
        PublicKey::Ec { point, .. } => ParsedPublicKey::new(curve_scheme(alg)?, point).ok(),
        PublicKey::Okp { x, .. } => ParsedPublicKey::new(curve_scheme(alg)?, x).ok(),
        PublicKey::Rsa { n, e } => {
            RsaPublicKeyComponents { n, e }.to_parsed_public_key(rsa_scheme(alg)?).ok()
        }
    }
}

fn curve_scheme(alg: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match alg {
        Algorithm::EdDsa => Some(&signature::ED25519),
        Algorithm::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::Es512 => Some(&signature::ECDSA_P521_SHA512_FIXED),
        _ => None,
    }
}

fn rsa_scheme(alg: Algorithm) -> Option<&'static RsaParameters> {
    match alg {
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        _ => None,
    }
}
