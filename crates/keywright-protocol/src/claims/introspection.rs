//! What introspection says, RFC 7662 §2.2.

use serde::Serialize;

use crate::claims::AccessClaims;
use crate::client::Client;

/// An introspection response.
#[derive(Debug, Serialize)]
pub struct Introspection<'a> {
    active: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    token: Option<ActiveToken<'a>>,
}

#[derive(Debug, Serialize)]
struct ActiveToken<'a> {
    #[serde(flatten)]
    claims: &'a AccessClaims,
    nbf: i64,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
}

impl<'a> Introspection<'a> {
    /// Nothing but `active: false`: RFC 7662 §2.2 asks to say no more.
    pub const fn inactive() -> Self {
        Self { active: false, token: None }
    }

    /// A live access token.
    pub const fn active(claims: &'a AccessClaims, username: Option<&'a str>) -> Self {
        let token = ActiveToken { claims, nbf: claims.iat, token_type: "Bearer", username };
        Self { active: true, token: Some(token) }
    }
}

/// CONTRACT: a client's own tokens, and those for a resource that it introspects.
pub fn may_introspect(client: &Client, claims: &AccessClaims) -> bool {
    let own = claims.client_id == client.id;
    own || client.metadata.keywright_introspects.iter().any(|r| claims.is_for(r.as_str()))
}
