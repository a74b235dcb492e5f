//! Token introspection, RFC 7662.

use crate::wire::{Params, RequestError};

/// An introspection request, RFC 7662 §2.1.
#[derive(Debug)]
pub struct IntrospectRequest<'a> {
    /// The token as it was presented to the protected resource.
    pub token: &'a str,
}

impl<'a> IntrospectRequest<'a> {
    /// Reads the form; `token_type_hint` is only an optimisation and is not needed here.
    pub fn parse(params: &'a Params) -> Result<Self, RequestError> {
        params.refuse_repeats(&[])?;
        Ok(Self { token: params.required("token")? })
    }
}
