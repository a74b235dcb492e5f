//! What must hold of every parser, whatever it is given.
//!
//! Each function takes bytes that a stranger could send, gives them to one parser, and asserts
//! what is true of anything accepted: it reads the same when written again, it keeps the bounds,
//! it is not more than was allowed. The same functions are the bodies of the fuzz targets in
//! `fuzz/` and of the property tests here, which start from the same examples in `fuzz/corpus/`.
//!
//! **Architecture invariant:** only what the crates publish for the server is used; no parser is
//! made public for its test.

mod client;
mod configuration;
#[cfg(test)]
mod corpus;
mod credential;
mod jose;
mod request;

pub use client::{client_metadata, redirect_uri};
pub use configuration::configuration;
pub use credential::{basic, credential};
pub use jose::{jwe, jwk_set, jws};
pub use request::{authorization_request, params, token_request};

/// What the parser said; a target that refuses everything would prove nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It was read, and what must hold of it holds.
    Accepted,
    /// It was refused, as nearly everything must be.
    Refused,
}

/// A parser's test.
pub type Target = fn(&[u8]) -> Verdict;

/// Every target by the name of its file in `fuzz/fuzz_targets` and of its folder in `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 11] = [
    ("authorization_request", authorization_request),
    ("basic", basic),
    ("client_metadata", client_metadata),
    ("configuration", configuration),
    ("credential", credential),
    ("jwe", jwe),
    ("jwk_set", jwk_set),
    ("jws", jws),
    ("params", params),
    ("redirect_uri", redirect_uri),
    ("token_request", token_request),
];
