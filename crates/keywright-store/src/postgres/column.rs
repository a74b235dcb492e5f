//! How values are written in columns and read from rows.

use keywright_jose::{base64url_decode, base64url_encode};
use keywright_protocol::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::StoreFault;
use crate::identifier::Identifier;

/// A value as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreFault> {
    serde_json::to_string(value).map_err(|e| StoreFault::Corrupt(e.to_string()))
}

/// The length of an identifier that is all random; no other has it.
const PACKED_BYTES: usize = 16;

/// An identifier as it is stored: 16 bytes where that says it all, marked text otherwise.
pub(super) fn pack<I: Identifier>(id: &I) -> Vec<u8> {
    pack_text(I::PREFIX, id.text())
}

/// The `after` of a page whose key is an identifier.
pub(super) fn packed_after<I: Identifier>(after: Option<&str>) -> Option<Vec<u8>> {
    after.map(|text| pack_text(I::PREFIX, text))
}

pub(super) fn pack_text(prefix: &str, text: &str) -> Vec<u8> {
    let random = text.strip_prefix(prefix).and_then(|rest| {
        let bytes = base64url_decode(rest).ok()?;
        // Two texts must never become the same bytes.
        (bytes.len() == PACKED_BYTES && base64url_encode(&bytes) == rest).then_some(bytes)
    });
    random.unwrap_or_else(|| {
        // One zero byte marks a text; a second keeps it from being as long as a random one.
        let marks: &[u8] = if text.len() + 1 == PACKED_BYTES { &[0, 0] } else { &[0] };
        [marks, text.as_bytes()].concat()
    })
}

fn unpack<I: Identifier>(bytes: &[u8]) -> Result<I, StoreFault> {
    unpack_text(I::PREFIX, bytes).map(I::read)
}

pub(super) fn unpack_text(prefix: &str, bytes: &[u8]) -> Result<String, StoreFault> {
    if bytes.len() == PACKED_BYTES {
        return Ok(format!("{prefix}{}", base64url_encode(bytes)));
    }
    let text = bytes.iter().position(|byte| *byte != 0).and_then(|start| bytes.get(start..));
    let text = std::str::from_utf8(text.unwrap_or_default());
    Ok(text.map_err(|e| StoreFault::Corrupt(e.to_string()))?.to_owned())
}

/// Reads columns as the values that were written.
pub(super) trait Columns {
    /// A plain value.
    fn value<'a, T: FromSql<'a>>(&'a self, at: usize) -> Result<T, StoreFault>;

    /// A value as JSON.
    fn json<T: DeserializeOwned>(&self, at: usize) -> Result<T, StoreFault> {
        let text: &str = self.value(at)?;
        serde_json::from_str(text).map_err(|e| StoreFault::Corrupt(e.to_string()))
    }

    /// An identifier.
    fn id<I: Identifier>(&self, at: usize) -> Result<I, StoreFault> {
        unpack(self.value(at)?)
    }

    /// An identifier, if there is one.
    fn optional_id<I: Identifier>(&self, at: usize) -> Result<Option<I>, StoreFault> {
        self.value::<Option<&[u8]>>(at)?.map(unpack).transpose()
    }

    /// A hash.
    fn hash(&self, at: usize) -> Result<[u8; 32], StoreFault> {
        let bytes: &[u8] = self.value(at)?;
        bytes.try_into().map_err(|_| StoreFault::Corrupt("a hash of another length".to_owned()))
    }

    /// A moment.
    fn time(&self, at: usize) -> Result<Timestamp, StoreFault> {
        Ok(Timestamp::from_millis(self.value(at)?))
    }

    /// A moment, if there is one.
    fn optional_time(&self, at: usize) -> Result<Option<Timestamp>, StoreFault> {
        Ok(self.value::<Option<i64>>(at)?.map(Timestamp::from_millis))
    }

    /// A number that is never negative.
    fn number(&self, at: usize) -> Result<u64, StoreFault> {
        Ok(self.value::<i64>(at)?.cast_unsigned())
    }

    /// A text.
    fn text(&self, at: usize) -> Result<String, StoreFault> {
        self.value(at)
    }
}

impl Columns for Row {
    fn value<'a, T: FromSql<'a>>(&'a self, at: usize) -> Result<T, StoreFault> {
        self.try_get(at).map_err(|e| StoreFault::Corrupt(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use keywright_protocol::id::GrantId;

    use super::*;

    #[test]
    fn identifiers_come_back_as_they_were() {
        let random = GrantId::from_random([0xfe; 16]);
        assert_eq!(pack(&random), [0xfe; 16]);
        assert_eq!(unpack::<GrantId>(&pack(&random)).unwrap(), random);
        let odd = ["", "grant_", "grant_abc", "user_AAAAAAAAAAAAAAAAAAAAAA", "fifteen bytes 15"];
        for odd in odd.into_iter().chain(["fifteen-bytes15", "sixteen-bytes-16"]) {
            let odd = GrantId::from_trusted(odd);
            assert_ne!(pack(&odd).len(), PACKED_BYTES, "{odd}");
            assert_eq!(unpack::<GrantId>(&pack(&odd)).unwrap(), odd);
        }
        // The last character has bits that no byte holds.
        let twin = GrantId::from_trusted("grant_AAAAAAAAAAAAAAAAAAAAAB");
        assert_eq!(unpack::<GrantId>(&pack(&twin)).unwrap(), twin);
    }
}
