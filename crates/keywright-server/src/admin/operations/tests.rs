//! The acts on a server in memory.

mod clients;
mod people;
mod rest;

use super::*;
use crate::admin::testing::{World, metadata};

/// The kind of a refusal, and the member or thing that it names.
#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, OperationError>) -> (&'static str, String) {
    match result.expect_err("must be refused") {
        OperationError::Conflict { what, .. } => ("conflict", what.to_owned()),
        OperationError::Fault(fault) => panic!("{fault}"),
        OperationError::Invalid { field, .. } => ("invalid", field),
        OperationError::NotFound { what, .. } => ("not found", what.to_owned()),
    }
}

fn is(kind: &'static str, name: &str) -> (&'static str, String) {
    (kind, name.to_owned())
}
