//! RP-initiated logout, OpenID Connect RP-Initiated Logout 1.0.

use crate::limits::STATE_BYTES_MAX;
use crate::wire::{Params, RequestError};

/// A logout request, §2.
#[derive(Clone, Debug, Default)]
pub struct LogoutRequest {
    /// The client, where the hint does not say.
    pub client_id: Option<String>,
    /// An ID token of the session to end; unverified here.
    pub unverified_id_token_hint: Option<String>,
    /// Where to go afterwards; only with a verified client.
    pub post_logout_redirect_uri: Option<String>,
    /// Returned with the redirect.
    pub state: Option<String>,
    /// RFC 5646 tags, in order of preference.
    pub ui_locales: Option<String>,
}

impl LogoutRequest {
    /// Reads the query or form.
    pub fn parse(params: &Params) -> Result<Self, RequestError> {
        params.refuse_repeats(&[])?;
        let owned = |name| params.one(name).map(|value| value.map(str::to_owned));
        let state = owned("state")?;
        if state.as_ref().is_some_and(|s| s.len() > STATE_BYTES_MAX) {
            return Err(RequestError::Malformed("state"));
        }
        Ok(Self {
            client_id: owned("client_id")?,
            unverified_id_token_hint: owned("id_token_hint")?,
            post_logout_redirect_uri: owned("post_logout_redirect_uri")?,
            state,
            ui_locales: owned("ui_locales")?,
        })
    }
}
