//! The header of a JWE: what every one has, and what its algorithm needs (RFC 7516 §4, RFC 7518
//! §4).

use serde_json::{Map, Value};

use super::{ContentEncryption, JweError, JweHeader, KeyManagement};
use crate::jws::{members, take_text};
use crate::{Jwk, base64url_decode};

/// PBES2 rounds: enough to mean something (RFC 7518 §4.8.1.2), few enough to be no attack
/// (RFC 8725bis §3.13: at most 1.2 million).
const P2C: std::ops::RangeInclusive<u64> = 1_000..=1_200_000;

/// The shortest PBES2 salt, in bytes (RFC 7518 §4.8.1.1).
const MIN_P2S_LEN: usize = 8;

/// What one algorithm needs; nothing of it is looked at for another.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub(super) epk: Option<Jwk>,
    pub(super) apu: Vec<u8>,
    pub(super) apv: Vec<u8>,
    pub(super) iv: Vec<u8>,
    pub(super) tag: Vec<u8>,
    pub(super) p2s: Vec<u8>,
    pub(super) p2c: u32,
}

pub(super) fn parse(bytes: &[u8]) -> Result<(JweHeader, Parameters), JweError> {
    let mut members = members(bytes).map_err(JweError::Malformed)?;
    // CVE-2025-62706: decompression turns 64 KiB into whatever the sender likes.
    if members.contains_key("zip") {
        return Err(JweError::Malformed("zip"));
    }
    let alg = required_text(&mut members, "alg")?;
    let alg = KeyManagement::parse(&alg).ok_or(JweError::AlgorithmNotAllowed)?;
    let enc = required_text(&mut members, "enc")?;
    let enc = ContentEncryption::parse(&enc).ok_or(JweError::AlgorithmNotAllowed)?;
    let kid = take_text(&mut members, "kid").map_err(JweError::Malformed)?;
    let typ = take_text(&mut members, "typ").map_err(JweError::Malformed)?;
    let cty = take_text(&mut members, "cty").map_err(JweError::Malformed)?;
    let parameters = parameters(alg, &mut members)?;
    Ok((JweHeader { alg, enc, kid, typ, cty }, parameters))
}

fn parameters(
    alg: KeyManagement,
    members: &mut Map<String, Value>,
) -> Result<Parameters, JweError> {
    use KeyManagement as K;
    let mut found = Parameters::default();
    match alg {
        K::EcdhEs | K::EcdhEsA128Kw | K::EcdhEsA256Kw => {
            let epk = members.remove("epk").ok_or(JweError::Malformed("epk"))?;
            found.epk = Some(Jwk::from_value(&epk).map_err(|_| JweError::Malformed("epk"))?);
            found.apu = octets(members, "apu")?.unwrap_or_default();
            found.apv = octets(members, "apv")?.unwrap_or_default();
        }
        K::A128GcmKw | K::A256GcmKw => {
            found.iv = octets(members, "iv")?.ok_or(JweError::Malformed("iv"))?;
            found.tag = octets(members, "tag")?.ok_or(JweError::Malformed("tag"))?;
        }
        K::Pbes2Hs256A128Kw | K::Pbes2Hs512A256Kw => {
            found.p2s = octets(members, "p2s")?
                .filter(|salt| salt.len() >= MIN_P2S_LEN)
                .ok_or(JweError::Malformed("p2s"))?;
            found.p2c = members
                .get("p2c")
                .and_then(Value::as_u64)
                .filter(|rounds| P2C.contains(rounds))
                .and_then(|rounds| u32::try_from(rounds).ok())
                .ok_or(JweError::Malformed("p2c"))?;
        }
        K::A128Kw | K::A256Kw | K::Dir | K::RsaOaep | K::RsaOaep256 => {}
    }
    Ok(found)
}

fn required_text(members: &mut Map<String, Value>, name: &'static str) -> Result<String, JweError> {
    let text = take_text(members, name).map_err(JweError::Malformed)?;
    text.ok_or(JweError::Malformed(name))
}

fn octets(
    members: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<Vec<u8>>, JweError> {
    take_text(members, name)
        .map_err(JweError::Malformed)?
        .map(|text| base64url_decode(&text).map_err(|_| JweError::Malformed(name)))
        .transpose()
}
