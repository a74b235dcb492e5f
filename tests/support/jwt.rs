//! Reading, checking and making JWTs, with code that is not the product's.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use super::flow::random;
use super::{Server, wait};

/// Decodes one part of a compact JWT without any check.
#[track_caller]
fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap_or_else(|| panic!("not a JWT: {token}"));
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[track_caller]
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

#[track_caller]
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// Verifies the signature by the published keys and returns the claims.
#[track_caller]
pub(crate) fn verify(issuer: &str, token: &str) -> Value {
    let keys = super::Request::get(&format!("{issuer}/jwks")).send().expect(200);
    verify_by(&keys, token).unwrap_or_else(|e| panic!("{e}: {}", header(token)))
}

/// Verifies by a key set; the time is checked, the audience is left to the test.
pub(crate) fn verify_by(keys: &Value, token: &str) -> jsonwebtoken::errors::Result<Value> {
    verify_with(keys, token, |_| ())
}

/// Verifies what is no token and does not expire.
pub(crate) fn verify_timeless(keys: &Value, jws: &str) -> jsonwebtoken::errors::Result<Value> {
    verify_with(keys, jws, |validation| {
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
    })
}

fn verify_with(
    keys: &Value,
    token: &str,
    change: impl FnOnce(&mut Validation),
) -> jsonwebtoken::errors::Result<Value> {
    let header = jsonwebtoken::decode_header(token)?;
    let kid = header.kid.expect("CONTRACT 6: a kid");
    let set: JwkSet = serde_json::from_value(keys.clone()).expect("RFC7517-5: a key set");
    let key = set.find(&kid).unwrap_or_else(|| panic!("{kid} is published"));
    let mut validation = Validation::new(header.alg);
    validation.validate_aud = false;
    change(&mut validation);
    let decoded = jsonwebtoken::decode(token, &DecodingKey::from_jwk(key)?, &validation)?;
    Ok(decoded.claims)
}

/// Puts changed claims under the old header and signature.
pub(crate) fn with_claims(token: &str, claims: &Value) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    format!("{}.{}.{}", parts[0], segment(claims), parts[2])
}

/// An unsigned JWT, RFC 7519 §6.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}.", segment(header), segment(claims))
}

pub(crate) fn segment(document: &Value) -> String {
    URL_SAFE_NO_PAD.encode(document.to_string())
}

/// A client's own ES256 key.
pub(crate) struct Key {
    private: EncodingKey,
    pub(crate) public: Value,
    pub(crate) kid: String,
    der: Vec<u8>,
}

impl Key {
    pub(crate) fn generate() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref()).expect("just made");
        // RFC 7518 §6.2.1: the uncompressed point is 04 || x || y.
        let point = pair.public_key().as_ref();
        let kid = random();
        let public = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
        });
        let private = EncodingKey::from_ec_der(der.as_ref());
        Self { private, public, kid, der: der.as_ref().to_vec() }
    }

    /// The private key as other people's programs read it, PKCS #8 in PEM.
    pub(crate) fn pem(&self) -> String {
        let text = STANDARD.encode(&self.der);
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    }

    /// The set that a client registers.
    pub(crate) fn set(&self) -> Value {
        json!({ "keys": [self.public] })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as("JWT", claims)
    }

    pub(crate) fn sign_as(&self, typ: &str, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(typ.to_owned());
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.private).expect("signed")
    }
}

/// The claims of a client assertion that RFC 7523 §3 and the strict audience rule accept.
pub(crate) fn assertion_claims(server: &Server, client_id: &str) -> Value {
    json!({
        "iss": client_id, "sub": client_id, "aud": server.issuer,
        "exp": wait::now_s() + 60, "iat": wait::now_s(), "jti": random(),
    })
}

pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
