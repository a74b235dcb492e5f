//! The token response, RFC 6749 §5.1: there is none without a receipt.

use serde::Serialize;

use crate::scope::ScopeSet;
use crate::secret::Secret;
use crate::wire::json;

/// Proof that a commit is durable. Only the store makes one (`cargo xtask tidy` checks it), so
/// nothing leaves the process before its transaction has.
#[derive(Debug)]
#[must_use = "a receipt is what lets a response leave the process"]
pub struct Receipt(());

impl Receipt {
    /// For the store alone, after its transaction has committed.
    pub const fn of_commit() -> Self {
        Self(())
    }

    /// For a token of which nothing is stored but its event, where the operator has said with
    /// `audit.issuance = "buffered"` that nobody waits for it.
    pub const fn of_buffered_event() -> Self {
        Self(())
    }
}

/// The secrets of a response, minted before the commit.
#[derive(Debug)]
pub struct TokenSet {
    /// The access token.
    pub access_token: Secret<String>,
    /// Its lifetime, seconds.
    pub expires_in_s: i64,
    /// The next refresh token.
    pub refresh_token: Option<Secret<String>>,
    /// The ID token.
    pub id_token: Option<Secret<String>>,
    /// What was granted.
    pub scope: ScopeSet,
}

#[derive(Serialize)]
struct Body<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
}

/// The body of a token response.
#[expect(clippy::needless_pass_by_value, reason = "a receipt is good for one response")]
pub fn token_response(tokens: &TokenSet, receipt: Receipt) -> Result<Vec<u8>, serde_json::Error> {
    let Receipt(()) = receipt;
    json::to_vec(&Body {
        access_token: tokens.access_token.expose(),
        token_type: "Bearer",
        expires_in: tokens.expires_in_s,
        refresh_token: tokens.refresh_token.as_ref().map(|t| t.expose().as_str()),
        id_token: tokens.id_token.as_ref().map(|t| t.expose().as_str()),
        scope: tokens.scope.as_str(),
    })
}
