//! Bytes become types here, once, and types become bytes again.

pub mod authorize;
pub mod discovery;
pub mod error;
pub mod event_stream;
pub mod introspect;
pub mod json;
pub mod logout;
pub mod parse;
pub mod response;
pub mod revocations;
pub mod revoke;
pub mod token;
pub mod userinfo;

pub use error::{ErrorCode, WireError};
pub use parse::{Params, RequestError};
