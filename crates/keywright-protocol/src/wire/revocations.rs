//! The feed of revocations: what a validator must know to refuse a revoked token without asking.
//!
//! A message is a compact JWS of `typ` [`TYP`], signed by a key of the issuer, with this payload:
//!
//! | member | meaning |
//! |---|---|
//! | `iss` | whose tokens |
//! | `iat` | as of this second, nothing is missing between `since` and `seq` |
//! | `since` | the place in the log after which the entries begin |
//! | `seq` | the place that a follower has reached afterwards |
//! | `snapshot` | `true`: all that matters is told from the beginning; `false`: what is new |
//! | `more` | `true`: ask again with `since` = `seq` at once |
//! | `entries` | `[kind, digest, life]` or `[kind, digest, life, floor, ahead, place]` |
//!
//! `kind` is a letter ([`RevocationKind`]). `digest` is [`RevocationDigest`]: nobody learns an
//! identifier from it who does not have it already. `life` is for how many seconds after `iat` the
//! entry matters: then the last token that it concerns is dead anyway. `floor` is there for
//! clients, users and tenants: of those, tokens whose `iat` is not after it are dead. `ahead` is by
//! how many seconds it lies after the revocation that raised it last, and `place` is where in the
//! log that stands: what a token that hangs on several floors needs to know ([`Floor`]).

use std::time::Duration;

use keywright_jose::{base64url_decode, base64url_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::revocation::{Floor, RevocationKind, RevocationTarget};
use crate::time::Timestamp;
use crate::wire::{Params, RequestError};

/// The `typ` of a message, RFC 8725 §3.11.
pub const TYP: &str = "revocations+jwt";
/// The media type of a message.
pub const MEDIA_TYPE: &str = "application/revocations+jwt";
/// Entries in one message: half a megabyte.
pub const ENTRIES_MAX: usize = 10_000;
/// A message, bytes: what that many entries take at most, signed.
pub const MESSAGE_BYTES_MAX: usize = ENTRIES_MAX * 80;
/// How long a poll may wait for something new.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// The first 16 bytes of the SHA-256 of `kind:identifier`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RevocationDigest([u8; 16]);

impl RevocationDigest {
    /// The digest of an identifier; that of a tenant is empty.
    pub fn of(kind: RevocationKind, identifier: &str) -> Self {
        let hashed = keywright_jose::sha256(format!("{}:{identifier}", kind.name()).as_bytes());
        Self(*hashed.first_chunk().expect("half of its 32 bytes"))
    }
}

impl Serialize for RevocationDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url_encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for RevocationDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = base64url_decode(&text).map_err(de::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| de::Error::custom("a digest has 16 bytes"))
    }
}

/// One revocation, as the feed tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeedEntry {
    /// Of what.
    pub kind: RevocationKind,
    /// Of which.
    pub digest: RevocationDigest,
    /// From this second on it concerns no living token.
    pub ends_s: i64,
    /// For the kinds that are floors: which tokens are dead. Most entries have none, and there are
    /// many: in a box it takes little room.
    pub floor: Option<Box<Floor>>,
}

impl FeedEntry {
    /// An entry of the log; `floor` is where its floor stands now.
    pub fn new(target: &RevocationTarget, expires_at: Timestamp, floor: Option<Floor>) -> Self {
        let kind = target.kind();
        let digest = RevocationDigest::of(kind, target.identifier());
        // Rounded up: an entry that ends within a second still matters in it.
        let ends_s = expires_at.as_unix_s().saturating_add(1);
        Self { kind, digest, ends_s, floor: floor.map(Box::new) }
    }
}

/// A message of the feed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeedMessage {
    /// Whose tokens.
    pub iss: String,
    /// As of when nothing is missing.
    pub iat_s: i64,
    /// The place in the log after which the entries begin.
    pub since: u64,
    /// The place that is reached afterwards.
    pub seq: u64,
    /// Told from the beginning.
    pub snapshot: bool,
    /// There is more already.
    pub more: bool,
    /// What is revoked.
    pub entries: Vec<FeedEntry>,
}

/// Why a payload is no message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Not the JSON that it should be.
    #[error("not a message of the feed: {0}")]
    Json(#[from] serde_json::Error),
    /// It contradicts itself.
    #[error("not a message of the feed: {0}")]
    Malformed(&'static str),
}

#[derive(Deserialize, Serialize)]
struct WireMessage {
    iss: String,
    iat: i64,
    since: u64,
    seq: u64,
    snapshot: bool,
    more: bool,
    entries: Vec<WireEntry>,
}

/// Kind, digest, life and, where the kind has one, the floor, how far it lies ahead of the moment
/// of the latest revocation, and the place of that.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum WireEntry {
    Named(RevocationKind, RevocationDigest, u32),
    Floor(RevocationKind, RevocationDigest, u32, i64, u32, u64),
}

impl FeedMessage {
    /// The payload that is signed.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let wire = |entry: &FeedEntry| {
            let life = entry.ends_s.saturating_sub(self.iat_s).max(0);
            let life = u32::try_from(life).unwrap_or(u32::MAX);
            let (kind, digest) = (entry.kind, entry.digest);
            let Some(Floor { issued_until_s, at_s, seq }) = entry.floor.as_deref().copied() else {
                return WireEntry::Named(kind, digest, life);
            };
            let ahead = issued_until_s.saturating_sub(at_s).max(0);
            let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
            WireEntry::Floor(kind, digest, life, issued_until_s, ahead, seq)
        };
        serde_json::to_vec(&WireMessage {
            iss: self.iss.clone(),
            iat: self.iat_s,
            since: self.since,
            seq: self.seq,
            snapshot: self.snapshot,
            more: self.more,
            entries: self.entries.iter().map(wire).collect(),
        })
    }

    /// Reads a payload whose signature fits.
    ///
    /// # Errors
    /// What is malformed in it; members that are not known are passed over.
    pub fn decode(payload: &[u8]) -> Result<Self, MessageError> {
        let wire: WireMessage = serde_json::from_slice(payload)?;
        if wire.entries.len() > ENTRIES_MAX {
            return Err(MessageError::Malformed("too many entries"));
        }
        if wire.seq < wire.since {
            return Err(MessageError::Malformed("seq lies before since"));
        }
        if wire.snapshot && wire.since != 0 {
            return Err(MessageError::Malformed("a snapshot begins at 0"));
        }
        let iat_s = wire.iat;
        let read = |entry: &WireEntry| {
            let (kind, digest, life, floor) = match *entry {
                WireEntry::Named(kind, digest, life) => (kind, digest, life, None),
                WireEntry::Floor(kind, digest, life, issued_until_s, ahead, seq) => {
                    let at_s = issued_until_s.saturating_sub(ahead.into());
                    (kind, digest, life, Some(Box::new(Floor { issued_until_s, at_s, seq })))
                }
            };
            if kind.is_floor() != floor.is_some() {
                return Err(MessageError::Malformed("an entry has another form than its kind"));
            }
            Ok(FeedEntry { kind, digest, ends_s: iat_s.saturating_add(life.into()), floor })
        };
        let entries = wire.entries.iter().map(read).collect::<Result<_, _>>()?;
        let WireMessage { iss, since, seq, snapshot, more, .. } = wire;
        Ok(Self { iss, iat_s, since, seq, snapshot, more, entries })
    }
}

/// What a follower asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FeedRequest {
    /// The place that it has reached; without one it wants everything.
    pub since: Option<u64>,
    /// How long it will wait for something new.
    pub wait: Duration,
}

impl FeedRequest {
    /// Reads the query and, of a stream that is resumed, the last event's name, which is later.
    ///
    /// # Errors
    /// `Malformed` or `Repeated` by the parameter's name.
    pub fn parse(params: &Params, last_event_id: Option<&str>) -> Result<Self, RequestError> {
        let since = params.one("since")?.map(|raw| place(raw, "since")).transpose()?;
        let resumed = last_event_id.filter(|raw| !raw.is_empty());
        let resumed = resumed.map(|raw| place(raw, "Last-Event-ID")).transpose()?;
        let wait = match params.one("wait")? {
            None => Duration::ZERO,
            Some(raw) => Duration::from_secs(digits(raw, "wait")?),
        };
        if wait > WAIT_MAX {
            return Err(RequestError::Malformed("wait"));
        }
        Ok(Self { since: resumed.or(since), wait })
    }
}

fn place(raw: &str, name: &'static str) -> Result<u64, RequestError> {
    // What a store counts with ends there.
    let place = digits(raw, name)?;
    if place > i64::MAX.unsigned_abs() { Err(RequestError::Malformed(name)) } else { Ok(place) }
}

fn digits(raw: &str, name: &'static str) -> Result<u64, RequestError> {
    // `u64` alone would take a plus sign.
    let all_digits = raw.bytes().all(|byte| byte.is_ascii_digit());
    let number = if all_digits { raw.parse().ok() } else { None };
    number.ok_or(RequestError::Malformed(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(entries: Vec<FeedEntry>) -> FeedMessage {
        let (iss, iat_s) = ("https://id.example".to_owned(), 1_700_000_000);
        FeedMessage { iss, iat_s, since: 7, seq: 9, snapshot: false, more: false, entries }
    }

    fn entry(kind: RevocationKind, identifier: &str, until_s: Option<i64>) -> FeedEntry {
        let digest = RevocationDigest::of(kind, identifier);
        let floor = |s| Floor { issued_until_s: s, at_s: s, seq: 1_000_000 };
        FeedEntry { kind, digest, ends_s: 1_700_000_660, floor: until_s.map(floor).map(Box::new) }
    }

    #[test]
    fn the_format_is_what_the_page_says() {
        let entries = vec![
            entry(RevocationKind::Token, "abc", None),
            entry(RevocationKind::User, "user_1", Some(1_699_999_999)),
        ];
        let text = String::from_utf8(message(entries).encode().unwrap()).unwrap();
        // echo -n token:abc | openssl dgst -sha256 -binary | head -c 16 | basenc --base64url
        let want = concat!(
            r#"{"iss":"https://id.example","iat":1700000000,"since":7,"seq":9,"snapshot":false,"#,
            r#""more":false,"entries":[["t","_fConEuGw-YqYkQYjYVAgw",660],"#,
            r#"["u","eQHnUzIVifmwf4iNmtfxjg",660,1699999999,0,1000000]]}"#,
        );
        assert_eq!(text, want);
    }

    #[test]
    fn an_entry_takes_this_many_bytes() {
        let base = message(Vec::new()).encode().unwrap().len();
        let named = vec![entry(RevocationKind::Token, "abc", None); 1000];
        let floors = vec![entry(RevocationKind::User, "abc", Some(1_700_000_000)); 1000];
        // A comma less than each entry has.
        let all = |entries| message(entries).encode().unwrap().len() - base + 1;
        assert_eq!((all(named), all(floors)), (35_000, 56_000), "before the base64url of a JWS");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let good = message(vec![entry(RevocationKind::Token, "abc", None)]);
        let text = String::from_utf8(good.encode().unwrap()).unwrap();
        assert_eq!(FeedMessage::decode(text.as_bytes()).unwrap(), good);
        for (from, to) in [
            (r#""since":7"#, r#""since":10"#),
            (r#""since":7"#, r#""since":-1"#),
            (r#""snapshot":false"#, r#""snapshot":true"#),
            (r#""snapshot":false,"#, ""),
            (r#"["t","#, r#"["u","#),
            (r#"["t","#, r#"["x","#),
            (",660]", ",660,1700000000]"),
            (",660]", ",660,1,1]"),
            (",660]", ",-1]"),
            (",660]", "]"),
            (r#"["t",""#, r#"["t","A"#),
        ] {
            assert!(text.contains(from), "{from}");
            let bent = text.replace(from, to);
            assert!(FeedMessage::decode(bent.as_bytes()).is_err(), "{bent}");
        }
        let more = text.replace(r#""more""#, r#""new":[1],"more""#);
        assert_eq!(FeedMessage::decode(more.as_bytes()).unwrap(), good, "members to come");
    }

    #[test]
    fn requests() {
        let parse = |query: &str, last: Option<&str>| {
            FeedRequest::parse(&Params::parse(query.as_bytes()).unwrap(), last)
        };
        let request = |since, wait_s| Ok(FeedRequest { since, wait: Duration::from_secs(wait_s) });
        assert_eq!(parse("", None), request(None, 0));
        assert_eq!(parse("since=0&wait=30", None), request(Some(0), 30));
        assert_eq!(parse("since=3", Some("5")), request(Some(5), 0), "the event is later");
        assert_eq!(parse("since=9223372036854775807", None), request(Some((1 << 63) - 1), 0));
        for (query, last, name) in [
            ("since=x", None, "since"),
            ("since=-1", None, "since"),
            ("since=+1", None, "since"),
            ("since=1.5", None, "since"),
            ("since=9223372036854775808", None, "since"),
            ("since=99999999999999999999999", None, "since"),
            ("wait=31", None, "wait"),
            ("wait=soon", None, "wait"),
            ("since=1", Some("x"), "Last-Event-ID"),
        ] {
            assert_eq!(parse(query, last), Err(RequestError::Malformed(name)), "{query}");
        }
        assert_eq!(parse("since=1&since=2", None), Err(RequestError::Repeated("since")));
    }

    fn entries() -> impl Strategy<Value = Vec<FeedEntry>> {
        let one = (any::<[u8; 16]>(), 0..8usize, 0..100_000i64, any::<i32>());
        let one = one.prop_map(|(digest, kind, life, floor)| {
            let kind = RevocationKind::ALL[kind];
            let until_s = i64::from(floor);
            let floor = Floor {
                issued_until_s: until_s,
                at_s: until_s - 3,
                seq: floor.unsigned_abs().into(),
            };
            let floor = kind.is_floor().then_some(Box::new(floor));
            let (digest, ends_s) = (RevocationDigest(digest), 1_700_000_000 + life);
            FeedEntry { kind, digest, ends_s, floor }
        });
        proptest::collection::vec(one, 0..50)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in entries(), since in 0..1000u64, add in 0..1000u64) {
            let whole = FeedMessage { since, seq: since + add, ..message(entries) };
            prop_assert_eq!(FeedMessage::decode(&whole.encode().unwrap()).unwrap(), whole);
        }

        #[test]
        fn nothing_makes_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = FeedMessage::decode(&payload);
        }
    }
}
