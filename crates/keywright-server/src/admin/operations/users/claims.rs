//! The claims that an operator may set, with the types of OpenID Connect Core §5.1.

use keywright_protocol::claims::userinfo::is_settable_claim;
use serde_json::{Map, Value};

use crate::admin::operations::OperationError;

/// All claims of a user as JSON, bytes: they travel in every userinfo response.
const CLAIMS_BYTES_MAX: usize = 8 * 1024;

/// Checks claims that are about to be stored.
pub(super) fn check(claims: &Map<String, Value>) -> Result<(), OperationError> {
    for (name, value) in claims {
        let field = || format!("claims.{name}");
        if !is_settable_claim(name) {
            return Err(OperationError::invalid(field(), "is not a claim that can be set"));
        }
        if !has_type(name, value) {
            return Err(OperationError::invalid(field(), "is of the wrong type"));
        }
    }
    if Value::Object(claims.clone()).to_string().len() > CLAIMS_BYTES_MAX {
        return Err(OperationError::invalid("claims", "are too large"));
    }
    Ok(())
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "address" => value.as_object().is_some_and(|parts| parts.values().all(Value::is_string)),
        "phone_number_verified" => value.is_boolean(),
        _ => value.is_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn oidcc_5_1_claims_have_their_types() {
        let check = |claims: Value| check(claims.as_object().unwrap());
        assert!(check(json!({ "name": "Ada", "phone_number_verified": true })).is_ok());
        assert!(check(json!({ "address": { "country": "UK" } })).is_ok());
        for bad in [
            json!({ "name": 7 }),
            json!({ "address": "UK" }),
            json!({ "address": { "country": 7 } }),
            json!({ "phone_number_verified": "true" }),
            json!({ "email": "a@b" }),
            json!({ "sub": "user_x" }),
            json!({ "colour": "red" }),
            json!({ "name": "x".repeat(CLAIMS_BYTES_MAX) }),
        ] {
            assert!(check(bad.clone()).is_err(), "{bad}");
        }
    }
}
