//! JSON objects in which no member is named twice, to a bounded depth.
//!
//! RFC 7515 §4 and RFC 7519 §4 let a parser take the last of two members with one name; two
//! parsers that disagree about which one counts are a hole, so here it is an error at every level.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How many arrays and objects may be inside each other; rich authorization requests need eight.
pub(crate) const MAX_DEPTH: u8 = 32;

/// Bytes that are not one such object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct JsonError;

/// Whether this is exactly one JSON object, in which no member is named twice, at no level.
pub fn is_strict_object(bytes: &[u8]) -> bool {
    parse_object(bytes).is_ok()
}

/// Reads exactly one object and nothing after it.
pub(crate) fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match parse_value(bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError),
    }
}

/// Reads exactly one value and nothing after it.
pub(crate) fn parse_value(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict::TOP.deserialize(&mut deserializer).map_err(|_| JsonError)?;
    deserializer.end().map_err(|_| JsonError)?;
    Ok(value)
}

/// Builds a [`Value`] and refuses what the plain one would paper over.
pub(crate) struct Strict {
    depth_left: u8,
}

impl Strict {
    pub(crate) const TOP: Self = Self { depth_left: MAX_DEPTH };

    fn inner<E: serde::de::Error>(&self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth_left })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self.inner()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.inner()?)?;
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7515_4_duplicate_members_are_refused_at_every_level() {
        for good in [r"{}", r#"{"a":1,"b":{"a":2}}"#, r#" {"a":[{"b":null},1.5,-2,true,"x"]} "#] {
            let plain: Value = serde_json::from_str(good).unwrap();
            assert_eq!(Value::Object(parse_object(good.as_bytes()).unwrap()), plain, "{good}");
        }
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":1}}"#,
            r#"{"x":[{"a":1,"a":1}]}"#,
            r"[]",
            r"{} {}",
            r#"{"a":1e400}"#,
            r#"{"a":"\ud800"}"#,
            "\u{feff}{}",
            "",
        ] {
            assert_eq!(parse_object(bad.as_bytes()), Err(JsonError), "RFC7515-4: {bad}");
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(JsonError), "RFC8725-3.7: not UTF-8");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse_object(nested(usize::from(MAX_DEPTH) - 1).as_bytes()).is_ok());
        assert!(parse_object(nested(usize::from(MAX_DEPTH) + 1).as_bytes()).is_err());
    }
}
