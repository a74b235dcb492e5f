//! Administration: the acts of an operator, and the HTTP API in front of them.
//!
//! [`operations`] is what an operator can do, one function for each act; the command line program
//! and the API call the same ones. [`document`] is how both show what there is. `api` reads HTTP,
//! asks for a token, calls, and answers.
//!
//! **Architecture invariant:** no act is in two places, and none changes anything without an event
//! in the audit log that names the operator.

mod api;
pub mod document;
pub mod operations;
#[cfg(test)]
pub(crate) mod testing;

pub use api::{description, routes};
