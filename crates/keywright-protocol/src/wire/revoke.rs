//! Token revocation, RFC 7009.

use crate::wire::{Params, RequestError};

/// A revocation request, RFC 7009 §2.1.
#[derive(Debug)]
pub struct RevokeRequest<'a> {
    /// The token to revoke.
    pub token: &'a str,
}

impl<'a> RevokeRequest<'a> {
    /// Reads the form; a wrong `token_type_hint` must not matter (RFC 7009 §2.1), so none does.
    pub fn parse(params: &'a Params) -> Result<Self, RequestError> {
        params.refuse_repeats(&[])?;
        Ok(Self { token: params.required("token")? })
    }
}
