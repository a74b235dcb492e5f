//! From the members of a JSON object to a checked key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).

use serde_json::{Map, Value};

use super::{EcCurve, Jwk, JwkError, KeyAlgorithm, KeyUse, MAX_KID_LEN, OkpCurve, PublicKey};
use crate::jwe::KeyManagement;
use crate::{Algorithm, base64url_decode};

/// Members that only a private or secret key has (RFC 7518 §6.2.2, §6.3.2, §6.4).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// RSA moduli: RFC 7518 §3.3 demands 2048 bits; above 8192 one verification costs milliseconds.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The longest RSA exponent, in bytes: a long one makes verification slow (RFC 8725bis §3.13).
const MAX_EXPONENT_LEN: usize = 4;

/// FIPS 186-5 §5.1: exponents are above 2^16.
const MIN_EXPONENT: u32 = 65_537;

type Members = Map<String, Value>;

pub(super) fn parse(members: &Members) -> Result<Jwk, JwkError> {
    if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
        return Err(JwkError::PrivateMember);
    }
    let key = match text(members, "kty")?.ok_or(JwkError::Malformed("no kty"))? {
        "EC" => ec(members)?,
        "OKP" => okp(members)?,
        "RSA" => rsa(members)?,
        _ => return Err(JwkError::Unsupported("kty")),
    };
    let kid = text(members, "kid")?;
    if kid.is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KID_LEN) {
        return Err(JwkError::Malformed("kid"));
    }
    let key_use = key_use(members)?;
    let alg = alg(members, &key, key_use)?;
    Ok(Jwk { key, kid: kid.map(str::to_owned), alg, key_use })
}

fn ec(members: &Members) -> Result<PublicKey, JwkError> {
    let name = required(members, "crv")?;
    let curve = EcCurve::ALL
        .into_iter()
        .find(|curve| curve.name() == name)
        .ok_or(JwkError::Unsupported("crv"))?;
    let mut point = vec![4];
    for coordinate in ["x", "y"] {
        let bytes = octets(members, coordinate)?;
        // RFC 7518 §6.2.1.2: the full length, leading zeros included.
        if bytes.len() != curve.coordinate_len() {
            return Err(JwkError::Malformed("coordinate of the wrong length"));
        }
        point.extend(bytes);
    }
    if !curve.contains(&point) {
        return Err(JwkError::Malformed("point not on the curve"));
    }
    Ok(PublicKey::Ec { curve, point })
}

fn okp(members: &Members) -> Result<PublicKey, JwkError> {
    let curve = match required(members, "crv")? {
        "Ed25519" => OkpCurve::Ed25519,
        "X25519" => OkpCurve::X25519,
        _ => return Err(JwkError::Unsupported("crv")),
    };
    let x = octets(members, "x")?.try_into();
    let x = x.map_err(|_| JwkError::Malformed("coordinate of the wrong length"))?;
    Ok(PublicKey::Okp { curve, x })
}

fn rsa(members: &Members) -> Result<PublicKey, JwkError> {
    rsa_key(octets(members, "n")?, octets(members, "e")?)
}

/// Checks a modulus and an exponent, wherever they come from.
pub(crate) fn rsa_key(n: Vec<u8>, e: Vec<u8>) -> Result<PublicKey, JwkError> {
    // RFC 7518 §6.3.1.1: no leading zero octets; else one key would have many thumbprints.
    let (Some(first @ 1..), Some(1..)) = (n.first(), e.first()) else {
        return Err(JwkError::Malformed("leading zero in an RSA integer"));
    };
    let bits = n.len() * 8 - first.leading_zeros() as usize;
    if !RSA_BITS.contains(&bits) {
        return Err(JwkError::Unsupported("RSA modulus not of 2048 to 8192 bits"));
    }
    if e.len() > MAX_EXPONENT_LEN {
        return Err(JwkError::Unsupported("RSA exponent above 32 bits"));
    }
    let exponent = e.iter().fold(0_u32, |value, byte| (value << 8) | u32::from(*byte));
    if exponent < MIN_EXPONENT {
        return Err(JwkError::Unsupported("RSA exponent below 65537"));
    }
    if exponent % 2 == 0 || n.last().is_some_and(|last| last % 2 == 0) {
        return Err(JwkError::Malformed("even RSA integer"));
    }
    Ok(PublicKey::Rsa { n, e })
}

fn key_use(members: &Members) -> Result<Option<KeyUse>, JwkError> {
    // RFC 7517 §4.3: `key_ops` of a public key; other operations are nothing that we do with it.
    if let Some(operations) = members.get("key_ops") {
        let operations = operations.as_array().ok_or(JwkError::Malformed("key_ops"))?;
        let known = ["verify", "encrypt", "wrapKey"];
        if !operations.iter().any(|one| known.iter().any(|name| one == *name)) {
            return Err(JwkError::Unsupported("key_ops"));
        }
        if text(members, "use")?.is_none() {
            let verifies = operations.iter().any(|one| one == "verify");
            return Ok(Some(if verifies { KeyUse::Signature } else { KeyUse::Encryption }));
        }
    }
    match text(members, "use")? {
        None => Ok(None),
        Some("sig") => Ok(Some(KeyUse::Signature)),
        Some("enc") => Ok(Some(KeyUse::Encryption)),
        Some(_) => Err(JwkError::Unsupported("use")),
    }
}

fn alg(
    members: &Members,
    key: &PublicKey,
    key_use: Option<KeyUse>,
) -> Result<Option<KeyAlgorithm>, JwkError> {
    let Some(name) = text(members, "alg")? else { return Ok(None) };
    let (alg, fits, its_use) = match (Algorithm::parse(name), KeyManagement::parse(name)) {
        (Some(alg), _) => {
            let fits = key.signature_algorithms().contains(&alg);
            (KeyAlgorithm::Signature(alg), fits, KeyUse::Signature)
        }
        (None, Some(alg)) => {
            let fits = key.encryption_algorithms().contains(&alg);
            (KeyAlgorithm::Encryption(alg), fits, KeyUse::Encryption)
        }
        (None, None) => return Err(JwkError::Unsupported("alg")),
    };
    if !fits {
        return Err(JwkError::Malformed("alg does not fit the key"));
    }
    // RFC 8725 §3.1: one key, one purpose.
    if key_use.is_some_and(|key_use| key_use != its_use) {
        return Err(JwkError::Malformed("alg does not fit the use"));
    }
    Ok(Some(alg))
}

fn text<'a>(members: &'a Members, name: &'static str) -> Result<Option<&'a str>, JwkError> {
    match members.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(JwkError::Malformed(name)),
    }
}

/// RFC 7517 §5: a key without a required member is one to skip, not an error of the set.
fn required<'a>(members: &'a Members, name: &'static str) -> Result<&'a str, JwkError> {
    text(members, name)?.ok_or(JwkError::Unsupported(name))
}

fn octets(members: &Members, name: &'static str) -> Result<Vec<u8>, JwkError> {
    base64url_decode(required(members, name)?).map_err(|_| JwkError::Malformed(name))
}
