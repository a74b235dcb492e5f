//! JWT claims sets (RFC 7519 §4), read so that malformed never looks like absent.

use std::fmt;

use serde_json::{Map, Value};

use crate::compact::MAX_TOKEN_LEN;
use crate::json;

/// The largest whole number of seconds that JSON carries exactly: 2^53 (RFC 8259 §6).
const MAX_SECONDS: f64 = 9_007_199_254_740_992.0;

/// What is wrong with a claims set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClaimError {
    /// The claim is there, with a type or value that it may not have.
    #[error("claim `{0}` is malformed")]
    Malformed(&'static str),
    /// The claim is required and not there.
    #[error("claim `{0}` is missing")]
    Missing(&'static str),
    /// The bytes are not a JSON object without duplicates, or too large or deep.
    #[error("not a claims set")]
    NotAClaimsSet,
}

/// A JWT claims set.
///
/// Each accessor answers `None` for a claim that is absent and an error for one of the wrong type:
/// `"exp":"tomorrow"` is never "no expiry" (CVE-2026-25537).
///
/// ```
/// use keywright_jose::{ClaimError, Claims};
/// let claims = Claims::parse(br#"{"sub":"alice","exp":1300819380.9,"iat":"now"}"#)?;
/// assert_eq!(claims.required_str("sub")?, "alice");
/// assert_eq!(claims.time("exp")?, Some(1_300_819_380));
/// assert_eq!(claims.time("nbf")?, None);
/// assert_eq!(claims.time("iat"), Err(ClaimError::Malformed("iat")));
/// # Ok::<(), ClaimError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Reads the payload of a token.
    pub fn parse(payload: &[u8]) -> Result<Self, ClaimError> {
        if payload.len() > MAX_TOKEN_LEN {
            return Err(ClaimError::NotAClaimsSet);
        }
        json::parse_object(payload).map(Self).map_err(|_| ClaimError::NotAClaimsSet)
    }

    /// A claim that is a string.
    pub fn str(&self, name: &'static str) -> Result<Option<&str>, ClaimError> {
        self.read(name, Value::as_str)
    }

    /// A string claim that must be there.
    pub fn required_str(&self, name: &'static str) -> Result<&str, ClaimError> {
        self.str(name)?.ok_or(ClaimError::Missing(name))
    }

    /// A `NumericDate` in whole seconds; fractions are cut off towards the past.
    ///
    /// RFC 7519 §2 allows fractions. Numbers beyond ±2^53 are malformed: no parser agrees on them.
    pub fn time(&self, name: &'static str) -> Result<Option<i64>, ClaimError> {
        self.read(name, numeric_date)
    }

    /// A `NumericDate` that must be there.
    pub fn required_time(&self, name: &'static str) -> Result<i64, ClaimError> {
        self.time(name)?.ok_or(ClaimError::Missing(name))
    }

    /// The audiences: a string or an array of strings (RFC 7519 §4.1.3); none if absent.
    ///
    /// An empty array is malformed: it would read as "for nobody" here and "for all" elsewhere.
    pub fn audience(&self) -> Result<Vec<&str>, ClaimError> {
        match self.0.get("aud") {
            None => Ok(Vec::new()),
            Some(Value::String(one)) => Ok(vec![one]),
            Some(_) => match self.strings("aud")? {
                Some(list) if !list.is_empty() => Ok(list),
                _ => Err(ClaimError::Malformed("aud")),
            },
        }
    }

    /// A claim that is an array of strings, such as `amr`.
    pub fn strings(&self, name: &'static str) -> Result<Option<Vec<&str>>, ClaimError> {
        self.read(name, |value| value.as_array()?.iter().map(Value::as_str).collect())
    }

    /// A claim that is a boolean.
    pub fn bool(&self, name: &'static str) -> Result<Option<bool>, ClaimError> {
        self.read(name, Value::as_bool)
    }

    /// A claim that is an object, such as `cnf`.
    pub fn object(&self, name: &'static str) -> Result<Option<&Map<String, Value>>, ClaimError> {
        self.read(name, Value::as_object)
    }

    /// A claim as it is.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All claims.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    fn read<'a, T>(
        &'a self,
        name: &'static str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ClaimError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => convert(value).map(Some).ok_or(ClaimError::Malformed(name)),
        }
    }
}

/// The names only: claims are about people, and what is `Debug` ends up in logs.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claims").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

fn numeric_date(value: &Value) -> Option<i64> {
    let seconds = match value.as_i64() {
        Some(whole) => return (whole.unsigned_abs() <= 1 << 53).then_some(whole),
        None => value.as_f64()?.floor(),
    };
    #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2^53 by the guard")]
    (seconds.abs() <= MAX_SECONDS).then_some(seconds as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Claims {
        Claims::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn rfc7519_2_numeric_dates() {
        for (json, want) in [
            ("{}", Ok(None)),
            (r#"{"exp":0}"#, Ok(Some(0))),
            (r#"{"exp":1.9}"#, Ok(Some(1))),
            (r#"{"exp":-1.5}"#, Ok(Some(-2))),
            (r#"{"exp":1e3}"#, Ok(Some(1000))),
            (r#"{"exp":9007199254740992}"#, Ok(Some(9_007_199_254_740_992))),
            (r#"{"exp":9007199254740993}"#, Err(ClaimError::Malformed("exp"))),
            (r#"{"exp":18446744073709551615}"#, Err(ClaimError::Malformed("exp"))),
            (r#"{"exp":-9223372036854775808}"#, Err(ClaimError::Malformed("exp"))),
            (r#"{"exp":1e300}"#, Err(ClaimError::Malformed("exp"))),
            (r#"{"exp":"1300819380"}"#, Err(ClaimError::Malformed("exp"))),
            (r#"{"exp":null}"#, Err(ClaimError::Malformed("exp"))),
            (r#"{"exp":[1]}"#, Err(ClaimError::Malformed("exp"))),
            (r#"{"exp":true}"#, Err(ClaimError::Malformed("exp"))),
        ] {
            assert_eq!(claims(json).time("exp"), want, "RFC7519-2: {json}");
        }
        assert_eq!(claims("{}").required_time("exp"), Err(ClaimError::Missing("exp")));
        assert_eq!(claims(r#"{"exp":5}"#).required_time("exp"), Ok(5));
    }

    #[test]
    fn rfc7519_4_1_3_audience() {
        let malformed = Err(ClaimError::Malformed("aud"));
        for (json, want) in [
            ("{}", Ok(vec![])),
            (r#"{"aud":"a"}"#, Ok(vec!["a"])),
            (r#"{"aud":["a","b"]}"#, Ok(vec!["a", "b"])),
            (r#"{"aud":[]}"#, malformed.clone()),
            (r#"{"aud":["a",1]}"#, malformed.clone()),
            (r#"{"aud":{"a":1}}"#, malformed.clone()),
            (r#"{"aud":null}"#, malformed),
        ] {
            assert_eq!(claims(json).audience(), want, "RFC7519-4.1.3: {json}");
        }
    }

    #[test]
    fn present_but_wrong_is_never_absent() {
        let set = claims(r#"{"s":1,"b":"true","l":["a",2],"o":[]}"#);
        assert_eq!(set.str("s"), Err(ClaimError::Malformed("s")));
        assert_eq!(set.required_str("s"), Err(ClaimError::Malformed("s")));
        assert_eq!(set.bool("b"), Err(ClaimError::Malformed("b")));
        assert_eq!(set.strings("l"), Err(ClaimError::Malformed("l")));
        assert_eq!(set.object("o"), Err(ClaimError::Malformed("o")));
        let set = claims(r#"{"s":"x","b":true,"l":["a"],"o":{"k":1}}"#);
        assert_eq!(set.str("s"), Ok(Some("x")));
        assert_eq!(set.bool("b"), Ok(Some(true)));
        assert_eq!(set.strings("l"), Ok(Some(vec!["a"])));
        assert!(set.object("o").unwrap().unwrap().contains_key("k"));
        assert_eq!(set.str("absent"), Ok(None));
        assert_eq!(set.required_str("absent"), Err(ClaimError::Missing("absent")));
        assert_eq!(set.value("s"), Some(&Value::from("x")));
        assert_eq!(set.into_map().len(), 4);
    }

    #[test]
    fn rfc7519_4_not_a_claims_set() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_TOKEN_LEN));
        for bad in ["", "null", "[]", r#"{"iss":"a","iss":"b"}"#, r#""{}""#, "{}x", &long] {
            assert_eq!(Claims::parse(bad.as_bytes()), Err(ClaimError::NotAClaimsSet));
        }
    }
}
