//! How far signing and verifying are from the bare primitives, and from another implementation.
//!
//! `cargo run --release -p keywright-jose --example floors` prints microseconds of CPU per
//! operation. The contestants take turns in one run and the median turn counts, so that neighbours
//! do not.
//!
//! - *raw*: aws-lc-rs called directly with a parsed key; for signing, plus the serialisation of the
//!   claims
//! - *ours*: from claims to a token, and from a token to verified bytes
//! - *theirs*: `jsonwebtoken`, from claims to a token and from a token to claims

#![expect(clippy::print_stdout, reason = "a program that prints a table")]
#![expect(clippy::unwrap_used, reason = "nothing here depends on what somebody sends")]

use std::hint::black_box;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, Ed25519KeyPair,
    KeyPair as _, ParsedPublicKey, RsaKeyPair, RsaParameters, RsaSignatureEncoding,
};
use jsonwebtoken::{DecodingKey, EncodingKey, Validation};
use keywright_jose::{
    Algorithm, JwkSet, SigningKey, UnverifiedJws, VerifyingKeys, base64url_encode, sign_compact,
};
use serde::{Deserialize, Serialize};

/// Turns per contestant; the median counts.
const TURNS: usize = 9;

/// CPU time of one turn, in microseconds.
const TURN_US: f64 = 50_000.0;

#[derive(Clone, Deserialize, Serialize)]
struct AccessToken {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    scope: String,
    jti: String,
    iat: u64,
    exp: u64,
}

fn main() {
    let claims = AccessToken {
        iss: "https://as.example/t/customers".to_owned(),
        sub: "01J9ZK7Q4M3T8V5W6X7Y8Z9A0B".to_owned(),
        aud: "https://api.example/orders".to_owned(),
        client_id: "checkout-frontend".to_owned(),
        scope: "orders:read orders:write openid".to_owned(),
        jti: "kP3sV9xQ2mL7nR4tY8wZ1a".to_owned(),
        iat: 1_760_000_000,
        exp: 4_000_000_000,
    };
    println!("us of CPU       sign                             verify");
    println!("alg       raw  ours ratio  theirs  gain     raw  ours ratio  theirs  gain");
    for alg in Algorithm::ALL {
        let contest = Contest::new(*alg, claims.clone());
        let [raw, ours, theirs] = contest.sign();
        print!("{:5} {raw:7.1} {ours:5.1} {:5.3} ", alg.name(), ours / raw);
        print_theirs(theirs, ours);
        let [raw, ours, theirs] = contest.verify();
        print!(" {raw:7.1} {ours:5.1} {:5.3} ", ours / raw);
        print_theirs(theirs, ours);
        println!();
    }
}

fn print_theirs(theirs: f64, ours: f64) {
    if theirs > 0.0 {
        print!("{theirs:7.1} {:4.2}x", theirs / ours);
    } else {
        print!("{:>7} {:>5}", "-", "-");
    }
}

/// One algorithm with the same key in three hands.
struct Contest {
    claims: AccessToken,
    raw: Raw,
    ours: SigningKey,
    our_keys: VerifyingKeys,
    theirs: Option<(jsonwebtoken::Header, EncodingKey, DecodingKey)>,
}

enum Raw {
    Ec(EcdsaKeyPair, ParsedPublicKey),
    Ed(Ed25519KeyPair, ParsedPublicKey),
    Rsa(RsaKeyPair, &'static RsaSignatureEncoding, ParsedPublicKey),
}

impl Contest {
    fn new(alg: Algorithm, claims: AccessToken) -> Self {
        let ours = SigningKey::generate(alg).unwrap();
        let our_keys = VerifyingKeys::new(&JwkSet::new(vec![ours.public_jwk().clone()]));
        let raw = Raw::new(alg, &ours.to_pkcs8());
        let theirs = alg.name().parse().ok().map(|name| {
            let header = jsonwebtoken::Header {
                kid: Some(ours.kid().to_owned()),
                ..jsonwebtoken::Header::new(name)
            };
            let jwk = serde_json::to_value(ours.public_jwk()).unwrap();
            let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk).unwrap();
            (header, raw.encoding_key(&ours), DecodingKey::from_jwk(&jwk).unwrap())
        });
        Self { claims, raw, ours, our_keys, theirs }
    }

    fn token(&self) -> String {
        let payload = serde_json::to_vec(&self.claims).unwrap();
        sign_compact(&self.ours, Some("at+jwt"), &payload).unwrap()
    }

    fn sign(&self) -> [f64; 3] {
        let header = self.token().split('.').next().unwrap().len() * 3 / 4;
        let header = vec![b'x'; header];
        let mut raw = || {
            let payload = serde_json::to_vec(&self.claims).unwrap();
            let input = [base64url_encode(&header), base64url_encode(&payload)].join(".");
            black_box(self.raw.sign(input.as_bytes()));
        };
        let mut ours = || {
            black_box(self.token());
        };
        let mut theirs = || {
            if let Some((header, key, _)) = &self.theirs {
                black_box(jsonwebtoken::encode(header, &self.claims, key).unwrap());
            }
        };
        race([&mut raw, &mut ours, &mut theirs], self.theirs.is_some())
    }

    fn verify(&self) -> [f64; 3] {
        let token = self.token();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = keywright_jose::base64url_decode(signature).unwrap();
        let mut raw = || self.raw.verify(input.as_bytes(), &signature);
        let allowed = [self.ours.alg()];
        let mut ours = || {
            let unverified = UnverifiedJws::parse(&token).unwrap();
            black_box(unverified.verify(&self.our_keys, &allowed).unwrap());
        };
        let validation = self.theirs.as_ref().map(|(header, ..)| {
            let mut validation = Validation::new(header.alg);
            validation.set_audience(&[&self.claims.aud]);
            validation
        });
        let mut theirs = || {
            if let (Some((_, _, key)), Some(validation)) = (&self.theirs, &validation) {
                let read = jsonwebtoken::decode::<AccessToken>(&token, key, validation);
                black_box(read.unwrap());
            }
        };
        race([&mut raw, &mut ours, &mut theirs], self.theirs.is_some())
    }
}

impl Raw {
    fn new(alg: Algorithm, pkcs8: &[u8]) -> Self {
        match alg {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).unwrap();
                let public = ParsedPublicKey::new(&signature::ED25519, pair.public_key());
                Self::Ed(pair, public.unwrap())
            }
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => {
                let (signing, verifying) = ecdsa(alg);
                let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8).unwrap();
                let public = ParsedPublicKey::new(verifying, pair.public_key());
                Self::Ec(pair, public.unwrap())
            }
            _ => {
                let (signing, verifying) = rsa(alg);
                let pair = RsaKeyPair::from_pkcs8(pkcs8).unwrap();
                let public = ParsedPublicKey::new(verifying, pair.public_key());
                Self::Rsa(pair, signing, public.unwrap())
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        match self {
            Self::Ec(pair, _) => pair.sign(&rng, message).unwrap().as_ref().to_vec(),
            Self::Ed(pair, _) => pair.sign(message).as_ref().to_vec(),
            Self::Rsa(pair, scheme, _) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*scheme, &rng, message, &mut signature).unwrap();
                signature
            }
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) {
        let (Self::Ec(_, key) | Self::Ed(_, key) | Self::Rsa(_, _, key)) = self;
        key.verify_sig(message, signature).unwrap();
    }

    fn encoding_key(&self, key: &SigningKey) -> EncodingKey {
        match self {
            Self::Ec(..) => EncodingKey::from_ec_der(&key.to_pkcs8()),
            Self::Ed(..) => EncodingKey::from_ed_der(&key.to_pkcs8()),
            Self::Rsa(pair, ..) => {
                // The PKCS #8 of an RSA key ends in the PKCS #1 document, after 26 bytes.
                let pkcs8 = pair.as_der().unwrap();
                EncodingKey::from_rsa_der(pkcs8.as_ref().get(26..).unwrap())
            }
        }
    }
}

fn ecdsa(alg: Algorithm) -> (&'static EcdsaSigningAlgorithm, &'static EcdsaVerificationAlgorithm) {
    match alg {
        Algorithm::Es384 => {
            (&signature::ECDSA_P384_SHA384_FIXED_SIGNING, &signature::ECDSA_P384_SHA384_FIXED)
        }
        Algorithm::Es512 => {
            (&signature::ECDSA_P521_SHA512_FIXED_SIGNING, &signature::ECDSA_P521_SHA512_FIXED)
        }
        _ => (&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &signature::ECDSA_P256_SHA256_FIXED),
    }
}

fn rsa(alg: Algorithm) -> (&'static RsaSignatureEncoding, &'static RsaParameters) {
    match alg {
        Algorithm::Ps256 => (&signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => (&signature::RSA_PSS_SHA384, &signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => (&signature::RSA_PSS_SHA512, &signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Rs384 => (&signature::RSA_PKCS1_SHA384, &signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => (&signature::RSA_PKCS1_SHA512, &signature::RSA_PKCS1_2048_8192_SHA512),
        _ => (&signature::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_2048_8192_SHA256),
    }
}

/// Lets the contestants take turns; the median of each one's turns, 0 for who does not take part.
fn race(contestants: [&mut dyn FnMut(); 3], all: bool) -> [f64; 3] {
    let mut runners: Vec<_> = contestants
        .into_iter()
        .take(if all { 3 } else { 2 })
        .map(|once| {
            let once_us = turn(once, 50).max(1.0);
            #[expect(clippy::cast_possible_truncation, reason = "a few hundred to a few thousand")]
            #[expect(clippy::cast_sign_loss, reason = "times are positive")]
            let rounds = (TURN_US / once_us) as u32 + 1;
            (once, rounds, Vec::new())
        })
        .collect();
    for _ in 0..TURNS {
        for (once, rounds, turns) in &mut runners {
            turns.push(turn(once, *rounds));
        }
    }
    let mut medians = runners.into_iter().map(|(_, _, turns)| median(turns));
    std::array::from_fn(|_| medians.next().unwrap_or(0.0))
}

/// Microseconds of CPU that one of `rounds` rounds takes.
fn turn(once: &mut dyn FnMut(), rounds: u32) -> f64 {
    let before = cpu_ns();
    for _ in 0..rounds {
        once();
    }
    (cpu_ns() - before) / 1000.0 / f64::from(rounds)
}

/// CPU time of this thread: the first number of its `schedstat`.
fn cpu_ns() -> f64 {
    // The kernel brings the number up to date when the thread gives way.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

fn median(mut turns: Vec<f64>) -> f64 {
    turns.sort_by(f64::total_cmp);
    turns.get(turns.len() / 2).copied().unwrap_or(0.0)
}
