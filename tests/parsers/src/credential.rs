//! What carries a prefix and a checksum, and what clients prove themselves with.

use keywright_protocol::client::Credentials;
use keywright_protocol::id::ClientId;
use keywright_protocol::token::{AuthorizationCode, RefreshToken, SessionToken};
use keywright_protocol::wire::Params;

use crate::Verdict;

/// A code, a refresh token or a session cookie as somebody sent it.
pub fn credential(input: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(input) else { return Verdict::Refused };
    let read = [
        AuthorizationCode::parse(text).map(|code| code.to_wire()),
        RefreshToken::parse(text).map(|token| token.to_wire()),
        SessionToken::parse(text).map(|token| token.to_wire()),
    ];
    let kinds = read.iter().flatten();
    for wire in kinds.clone() {
        // A second spelling would not be found by a search for leaked secrets.
        assert!(wire.expose() == text, "one spelling");
    }
    match kinds.count() {
        0 => Verdict::Refused,
        count => {
            assert_eq!(count, 1, "a kind of its own");
            Verdict::Accepted
        }
    }
}

/// An `Authorization` header at an endpoint for clients (RFC 6749 §2.3.1, RFC 7617).
pub fn basic(input: &[u8]) -> Verdict {
    let Ok(header) = std::str::from_utf8(input) else { return Verdict::Refused };
    let Ok(credentials) = Credentials::parse(Some(header), &Params::default()) else {
        return Verdict::Refused;
    };
    let Credentials::SecretBasic(client, secret) = credentials else {
        panic!("a header is HTTP Basic or nothing");
    };
    assert!(ClientId::parse(client.as_str()).is_ok(), "RFC6749-2.2");
    assert!(!secret.expose().chars().any(char::is_control), "no control characters");
    // Beside a method of the body it is one too many, RFC 6749 §2.3.
    let body = Params::parse(b"client_secret=x").expect("good parameters");
    assert!(Credentials::parse(Some(header), &body).is_err(), "RFC6749-2.3");
    Verdict::Accepted
}
