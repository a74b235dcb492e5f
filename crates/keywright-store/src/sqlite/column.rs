//! How values are written in columns, and how statements are run.

use keywright_jose::{base64url_decode, base64url_encode};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::identifier::Identifier;

/// Statements that stay prepared.
pub(super) trait Statements {
    /// Runs a statement; answers how many rows it changed.
    fn run(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize>;

    /// The first row, if there is one.
    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>>;

    /// All rows.
    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>>;
}

impl Statements for Connection {
    fn run(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.prepare_cached(sql)?.execute(params)
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.prepare_cached(sql)?.query_row(params, read).optional()
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.prepare_cached(sql)?.query_map(params, read)?.collect()
    }
}

/// A value as JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> ToSql for Json<&T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(self.0)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        Ok(text.into())
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let value = serde_json::from_str(value.as_str()?);
        value.map(Self).map_err(|e| FromSqlError::Other(e.into()))
    }
}

/// An identifier as it is stored: 16 bytes where that says it all, its text otherwise.
pub(super) struct Packed<T>(pub(super) T);

impl<I: Identifier> ToSql for Packed<&I> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(pack(I::PREFIX, self.0.text()))
    }
}

impl<I: Identifier> FromSql for Packed<I> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = match value {
            ValueRef::Blob(bytes) => unpack(I::PREFIX, bytes),
            other => other.as_str()?.to_owned(),
        };
        Ok(Self(I::read(text)))
    }
}

/// The `after` of a page whose key is an identifier.
pub(super) fn packed_after<I: Identifier>(after: Option<&str>) -> Option<ToSqlOutput<'_>> {
    after.map(|text| pack(I::PREFIX, text))
}

pub(super) fn unpack(prefix: &str, bytes: &[u8]) -> String {
    format!("{prefix}{}", base64url_encode(bytes))
}

pub(super) fn pack<'a>(prefix: &str, text: &'a str) -> ToSqlOutput<'a> {
    let bytes = text.strip_prefix(prefix).and_then(|rest| {
        let bytes = base64url_decode(rest).ok()?;
        // Two texts must never become the same bytes.
        (bytes.len() == 16 && base64url_encode(&bytes) == rest).then_some(bytes)
    });
    match bytes {
        Some(bytes) => ToSqlOutput::Owned(Value::Blob(bytes)),
        None => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use keywright_protocol::id::GrantId;

    use super::*;

    fn round_trip(id: &GrantId) -> (String, GrantId) {
        let db = Connection::open_in_memory().unwrap();
        let row = db.one("SELECT typeof(?1), ?1", [Packed(id)], |row| {
            Ok((row.get(0)?, row.get::<_, Packed<GrantId>>(1)?.0))
        });
        row.unwrap().unwrap()
    }

    #[test]
    fn identifiers_come_back_as_they_were() {
        let random = GrantId::from_random([0xfe; 16]);
        assert_eq!(round_trip(&random), ("blob".to_owned(), random));
        for odd in ["", "grant_", "grant_abc", "user_AAAAAAAAAAAAAAAAAAAAAA", "mine"] {
            let odd = GrantId::from_trusted(odd);
            assert_eq!(round_trip(&odd), ("text".to_owned(), odd));
        }
        // The last character has bits that no byte holds.
        let twin = GrantId::from_trusted("grant_AAAAAAAAAAAAAAAAAAAAAB");
        assert_eq!(round_trip(&twin).1, twin);
    }
}
