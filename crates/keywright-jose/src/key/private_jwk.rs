//! Private keys that arrive as JWKs (RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2): imports and vectors.

use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::RsaKeyPair;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::jwk::{MAX_KEY_LEN, PublicKey};
use crate::{Jwk, JwkError, base64url_decode, json};

/// The private members besides `d` that an RSA key needs here.
const RSA_MEMBERS: [&str; 5] = ["p", "q", "dp", "dq", "qi"];

/// A private JWK, taken apart but not yet matched with its public half.
pub(crate) struct PrivateJwk {
    public: Jwk,
    d: Zeroizing<Vec<u8>>,
    rsa: Option<[Zeroizing<Vec<u8>>; 5]>,
}

impl PrivateJwk {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, JwkError> {
        if json.len() > MAX_KEY_LEN {
            return Err(JwkError::Malformed("longer than 32 KiB"));
        }
        let mut value = json::parse_value(json).map_err(|_| JwkError::Malformed("not JSON"))?;
        let members = value.as_object_mut().ok_or(JwkError::Malformed("not an object"))?;
        let mut take = |name| match members.remove(name) {
            Some(Value::String(text)) => base64url_decode(&Zeroizing::new(text))
                .map(|bytes| Some(Zeroizing::new(bytes)))
                .map_err(|_| JwkError::Malformed(name)),
            Some(_) => Err(JwkError::Malformed(name)),
            None => Ok(None),
        };
        let d = take("d")?.ok_or(JwkError::Unsupported("no d"))?;
        let mut rest = Vec::new();
        for name in RSA_MEMBERS {
            rest.extend(take(name)?);
        }
        // What private members are left (`oth`, `k`) makes the public half refuse.
        let public = Jwk::from_value(&value)?;
        Ok(Self { public, d, rsa: rest.try_into().ok() })
    }

    pub(crate) fn public(&self) -> &Jwk {
        &self.public
    }

    pub(crate) fn d(&self) -> &[u8] {
        &self.d
    }

    /// The RSA key pair, checked for consistency by the library.
    pub(crate) fn rsa(&self) -> Result<RsaKeyPair, JwkError> {
        let PublicKey::Rsa { n, e } = &self.public.key else {
            return Err(JwkError::Unsupported("kty"));
        };
        // RFC 7518 §6.3.2: a key with `d` alone is allowed there; nobody exports that.
        let [p, q, d_p, d_q, q_inv] =
            self.rsa.as_ref().ok_or(JwkError::Unsupported("no p, q, dp, dq, qi"))?;
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: n.as_slice(), e: e.as_slice() },
            d: self.d.as_slice(),
            p: p.as_slice(),
            q: q.as_slice(),
            dP: d_p.as_slice(),
            dQ: d_q.as_slice(),
            qInv: q_inv.as_slice(),
        };
        RsaKeyPair::from_components(&components).map_err(|_| JwkError::Malformed("d"))
    }
}
