//! JSON bodies.

use serde::Serialize;

/// What most documents fit in, bytes: growing a buffer from nothing costs more than writing it.
const COMMON_BYTES: usize = 1024;

/// Writes a document as bytes.
///
/// # Errors
/// A value that JSON cannot express: none of this crate's.
pub fn to_vec(document: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(COMMON_BYTES);
    serde_json::to_writer(&mut bytes, document)?;
    Ok(bytes)
}

/// Writes a document as text.
///
/// # Errors
/// As [`to_vec`].
pub fn to_string(document: &impl Serialize) -> Result<String, serde_json::Error> {
    String::from_utf8(to_vec(document)?).map_err(serde::ser::Error::custom)
}
