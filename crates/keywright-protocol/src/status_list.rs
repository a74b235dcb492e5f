//! Token Status List, draft-ietf-oauth-status-list: the status of many tokens as bits, one each.
//!
//! A token that is listed says where: the `status` claim (§6.1). Who validates it fetches the list,
//! a JWT of its own (§5.1), and keeps it for a while.

use serde::{Deserialize, Serialize};

use crate::id::StatusListId;
use crate::limits::{STATUS_LIST_TOKENS_MAX, STATUS_LIST_TTL};
use crate::revocation::TokenFacts;
use crate::time::Timestamp;

/// The `typ` of a list, §5.1.
pub const TYP: &str = "statuslist+jwt";
/// The media type of a list, §8.1.
pub const MEDIA_TYPE: &str = "application/statuslist+jwt";

/// The claim `status` of a listed token, §6.1.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StatusClaim {
    /// Where its bit is.
    pub status_list: StatusListReference,
}

/// Where a token's bit is, §6.2.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StatusListReference {
    /// Its place in the list.
    pub idx: u32,
    /// The list's address.
    pub uri: String,
}

/// An access token's entry in a list. It is stored in the transaction that the token is issued in,
/// and forgotten when the token is dead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedToken {
    /// The list.
    pub list: StatusListId,
    /// The place in it.
    pub idx: u32,
    /// The token's end.
    pub expires_at: Timestamp,
    /// What revocations can name of it.
    pub names: TokenNames,
}

/// What revocations can name of a token, as it is kept: see [`TokenFacts`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TokenNames {
    /// The token's own identifier.
    pub jti: String,
    /// Who holds it.
    pub client_id: String,
    /// Whom it speaks for.
    pub sub: String,
    /// The grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<String>,
    /// The refresh family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fid: Option<String>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The key that signed it.
    pub kid: String,
    /// `iat`, seconds.
    pub iat: i64,
}

impl TokenNames {
    /// Of a token's facts, and the key that signs it.
    pub fn of(facts: &TokenFacts<'_>, kid: &str) -> Self {
        Self {
            jti: facts.jti.to_owned(),
            client_id: facts.client.to_owned(),
            sub: facts.sub.to_owned(),
            gid: facts.grant.map(str::to_owned),
            fid: facts.family.map(str::to_owned),
            sid: facts.session.map(str::to_owned),
            kid: kid.to_owned(),
            iat: facts.iat_s,
        }
    }

    /// As revocations ask.
    pub fn facts(&self) -> TokenFacts<'_> {
        TokenFacts {
            jti: &self.jti,
            client: &self.client_id,
            sub: &self.sub,
            grant: self.gid.as_deref(),
            family: self.fid.as_deref(),
            session: self.sid.as_deref(),
            kid: Some(&self.kid),
            iat_s: self.iat,
        }
    }
}

/// The bits of a list before compression, §4.1: a one says that the token is invalid (§7.1). A
/// place that nobody has, or whose token is over, is zero.
pub fn bits(invalid: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let mut bits = vec![0_u8; STATUS_LIST_TOKENS_MAX as usize / 8];
    for idx in invalid {
        if let Some(byte) = bits.get_mut(idx as usize / 8) {
            *byte |= 1 << (idx % 8);
        }
    }
    bits
}

/// The claims of a list, §5.1.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StatusListClaims {
    /// The list's address.
    pub sub: String,
    /// When it was made, seconds.
    pub iat: i64,
    /// When it must no longer be used, seconds.
    pub exp: i64,
    /// How long it may be kept, seconds.
    pub ttl: u64,
    /// The statuses.
    pub status_list: StatusBits,
}

/// The statuses of a list, §4.2.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StatusBits {
    /// Bits for each token.
    pub bits: u8,
    /// The bits, compressed with zlib, as base64url.
    pub lst: String,
}

impl StatusListClaims {
    /// The claims of a list that is made now, from its compressed bits.
    pub fn new(uri: String, now: Timestamp, lst: String) -> Self {
        Self {
            sub: uri,
            iat: now.as_unix_s(),
            // Kept once more than it may be, so that a slow clock does not refuse it.
            exp: now.plus(STATUS_LIST_TTL * 2).as_unix_s(),
            ttl: STATUS_LIST_TTL.as_secs(),
            status_list: StatusBits { bits: 1, lst },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tsl_4_1_the_first_token_is_the_lowest_bit_of_the_first_byte() {
        // The example of §4.1, one bit each: 0 and 3 to 5 and 7, then 8, 9, 13 and 15.
        let bits = bits([0, 3, 4, 5, 7, 8, 9, 13, 15]);
        assert_eq!(bits.get(..3), Some([0xb9, 0xa3, 0].as_slice()));
        assert_eq!(bits.len(), 2048);
    }

    #[test]
    fn a_place_beyond_the_end_is_nobody_s() {
        assert!(bits([STATUS_LIST_TOKENS_MAX]).iter().all(|byte| *byte == 0));
        assert_eq!(bits([STATUS_LIST_TOKENS_MAX - 1]).last(), Some(&0x80));
    }
}
