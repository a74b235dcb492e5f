//! What the tokens and documents say.

pub mod access_token;
pub mod id_token;
pub mod introspection;
pub mod userinfo;

pub use access_token::AccessClaims;
