//! What is revoked, and whether a token is among it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, FamilyId, GrantId, Jti, SessionId, Subject, TenantId};
use crate::time::Timestamp;

pub mod view;

/// What a revocation takes back.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum RevocationTarget {
    /// All tokens that a client holds.
    Client(ClientId),
    /// A refresh family and the access tokens of it.
    Family(FamilyId),
    /// A grant, its families and tokens.
    Grant(GrantId),
    /// A session, its families and tokens.
    Session(SessionId),
    /// All tokens under a signing key.
    SigningKey(String),
    /// All tokens of a tenant.
    Tenant,
    /// One access token.
    Token(Jti),
    /// All tokens of a user.
    User(Subject),
}

/// What kind of thing is revoked; the letter is its name in the feed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum RevocationKind {
    /// All tokens that a client holds.
    #[serde(rename = "c")]
    Client,
    /// A refresh family.
    #[serde(rename = "f")]
    Family,
    /// A grant.
    #[serde(rename = "g")]
    Grant,
    /// A session.
    #[serde(rename = "s")]
    Session,
    /// All tokens under a signing key.
    #[serde(rename = "k")]
    SigningKey,
    /// All tokens of a tenant.
    #[serde(rename = "a")]
    Tenant,
    /// One access token.
    #[serde(rename = "t")]
    Token,
    /// All tokens of a user.
    #[serde(rename = "u")]
    User,
}

impl RevocationKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Client,
        Self::Family,
        Self::Grant,
        Self::Session,
        Self::SigningKey,
        Self::Tenant,
        Self::Token,
        Self::User,
    ];

    /// Its name, for metrics and the audit log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Family => "family",
            Self::Grant => "grant",
            Self::Session => "session",
            Self::SigningKey => "signing_key",
            Self::Tenant => "tenant",
            Self::Token => "token",
            Self::User => "user",
        }
    }

    /// Whether tokens that are issued afterwards live.
    pub const fn is_floor(self) -> bool {
        matches!(self, Self::Client | Self::Tenant | Self::User)
    }
}

impl RevocationTarget {
    /// Its kind.
    pub const fn kind(&self) -> RevocationKind {
        match self {
            Self::Client(_) => RevocationKind::Client,
            Self::Family(_) => RevocationKind::Family,
            Self::Grant(_) => RevocationKind::Grant,
            Self::Session(_) => RevocationKind::Session,
            Self::SigningKey(_) => RevocationKind::SigningKey,
            Self::Tenant => RevocationKind::Tenant,
            Self::Token(_) => RevocationKind::Token,
            Self::User(_) => RevocationKind::User,
        }
    }

    /// What it names; nothing for the whole tenant.
    pub fn identifier(&self) -> &str {
        match self {
            Self::Client(id) => id.as_str(),
            Self::Family(id) => id.as_str(),
            Self::Grant(id) => id.as_str(),
            Self::Session(id) => id.as_str(),
            Self::SigningKey(kid) => kid,
            Self::Tenant => "",
            Self::Token(jti) => jti.as_str(),
            Self::User(sub) => sub.as_str(),
        }
    }
}

/// One entry of the revocation log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RevocationEntry {
    /// Its place in the log.
    pub seq: u64,
    /// Whose tokens.
    pub tenant: TenantId,
    /// Which tokens.
    pub target: RevocationTarget,
    /// When; for clients, users and tenants only tokens issued until then die.
    pub at: Timestamp,
    /// When the last token that it could concern is dead anyway.
    pub expires_at: Timestamp,
}

/// What a token says of itself that a revocation can name.
#[derive(Clone, Copy, Debug)]
pub struct TokenFacts<'a> {
    /// The token's own identifier.
    pub jti: &'a str,
    /// Who holds it.
    pub client: &'a str,
    /// Whom it speaks for.
    pub sub: &'a str,
    /// `gid`.
    pub grant: Option<&'a str>,
    /// `fid`.
    pub family: Option<&'a str>,
    /// `sid`.
    pub session: Option<&'a str>,
    /// The key that signed it.
    pub kid: Option<&'a str>,
    /// `iat`, seconds.
    pub iat_s: i64,
}

/// The live part of the revocation log, in memory.
#[derive(Debug, Default)]
pub struct RevocationSet {
    tenants: HashMap<TenantId, TenantRevocations>,
    last_seq: u64,
}

/// Dead by name, until an expiry.
type Named = HashMap<String, Timestamp>;
/// After a revocation, how long tokens may carry an `iat` a second ahead for its sake. Three things
/// that a token hangs on, each revoked as the tokens of the one before come of age, make three
/// seconds; the rest is for clocks that differ.
const CLOSE_S: i64 = 10;
/// Dead if issued at or before a second.
type Floors = HashMap<String, Floored>;

/// What is dead of a client, user or tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Floor {
    /// Dead if `iat` is not after this second.
    pub issued_until_s: i64,
    /// The second of the latest entry.
    pub at_s: i64,
    /// The place of the latest entry.
    pub seq: u64,
}

impl Floor {
    /// The second until which a token is dead that hangs on all of these.
    ///
    /// As with two revocations of one thing: what was issued after the one may carry an `iat` a
    /// second ahead, so another one of that second, of whatever else the token hangs on, reaches
    /// into the next.
    pub(crate) fn dead_until_s(mut floors: [Option<Self>; 3]) -> i64 {
        floors.sort_unstable_by_key(|floor| floor.map(|floor| floor.seq));
        floors.into_iter().flatten().fold(i64::MIN, |dead_until_s, floor| {
            let further = i64::from(dead_until_s >= floor.at_s);
            dead_until_s.max(floor.issued_until_s).max(floor.at_s.saturating_add(further))
        })
    }
}

/// How a client, user or tenant stands. What the log says of it is counted in the log's order, so
/// that every process comes to the same second, whichever entry it heard of first.
#[derive(Debug)]
struct Floored {
    /// By the log, up to where it was followed.
    followed: Option<Floor>,
    /// What this process has written and not yet followed the log to: place and second, in order.
    ahead: Vec<(u64, i64)>,
    /// By both.
    floor: Floor,
    expires_at: Timestamp,
}

#[derive(Debug, Default)]
struct TenantRevocations {
    tokens: Named,
    families: Named,
    grants: Named,
    sessions: Named,
    keys: Named,
    clients: Floors,
    users: Floors,
    everything: Floors,
}

impl RevocationSet {
    /// The place in the log up to which this set has followed.
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// How many entries are held.
    pub fn len(&self) -> usize {
        let count = |t: &TenantRevocations| {
            t.named().into_iter().map(HashMap::len).sum::<usize>()
                + t.floors().into_iter().map(HashMap::len).sum::<usize>()
        };
        self.tenants.values().map(count).sum()
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the next entry of the log, in order; adding it twice changes nothing.
    pub fn insert(&mut self, entry: &RevocationEntry) {
        self.last_seq = self.last_seq.max(entry.seq);
        self.add(entry, Heard::Followed);
    }

    /// Adds an entry that this process has just written, before the log is followed to it: others
    /// may have written between, so the place in the log stays.
    pub fn learn(&mut self, entry: &RevocationEntry) {
        self.add(entry, Heard::Ahead);
    }

    fn add(&mut self, entry: &RevocationEntry, heard: Heard) {
        let tenant = self.tenants.entry(entry.tenant.clone()).or_default();
        match &entry.target {
            RevocationTarget::Token(id) => name(&mut tenant.tokens, id.as_str(), entry),
            RevocationTarget::Family(id) => name(&mut tenant.families, id.as_str(), entry),
            RevocationTarget::Grant(id) => name(&mut tenant.grants, id.as_str(), entry),
            RevocationTarget::Session(id) => name(&mut tenant.sessions, id.as_str(), entry),
            RevocationTarget::SigningKey(id) => name(&mut tenant.keys, id, entry),
            RevocationTarget::Client(id) => raise(&mut tenant.clients, id.as_str(), entry, heard),
            RevocationTarget::User(id) => raise(&mut tenant.users, id.as_str(), entry, heard),
            RevocationTarget::Tenant => raise(&mut tenant.everything, "", entry, heard),
        }
    }

    /// Says that the log has nothing up to this place that is not here: what was swept from it
    /// concerned no living token.
    pub fn followed_to(&mut self, seq: u64) {
        self.last_seq = self.last_seq.max(seq);
    }

    /// What is dead of a client, user or tenant; nothing for what is dead by name.
    pub fn floor_of(&self, tenant: &TenantId, target: &RevocationTarget) -> Option<Floor> {
        let tenant = self.tenants.get(tenant)?;
        let floors = match target {
            RevocationTarget::Client(_) => &tenant.clients,
            RevocationTarget::Tenant => &tenant.everything,
            RevocationTarget::User(_) => &tenant.users,
            _ => return None,
        };
        floors.get(target.identifier()).map(|floored| floored.floor)
    }

    /// Whether a token is revoked.
    pub fn revokes(&self, tenant: &TenantId, token: &TokenFacts<'_>) -> bool {
        let Some(tenant) = self.tenants.get(tenant) else { return false };
        let named = [
            (&tenant.tokens, Some(token.jti)),
            (&tenant.families, token.family),
            (&tenant.grants, token.grant),
            (&tenant.sessions, token.session),
            (&tenant.keys, token.kid),
        ];
        let dead_by_name =
            named.into_iter().any(|(map, id)| id.is_some_and(|id| map.contains_key(id)));
        dead_by_name || token.iat_s <= tenant.floor_s(token.client, token.sub)
    }

    /// The least `iat` that a new token may carry so that no earlier revocation takes it too.
    pub fn earliest_iat_s(&self, tenant: &TenantId, client: &str, sub: &str) -> i64 {
        let floor = self.tenants.get(tenant).map(|t| t.floor_s(client, sub));
        floor.map_or(i64::MIN, |s| s.saturating_add(1))
    }

    /// Forgets what can concern no living token.
    pub fn forget_expired(&mut self, now: Timestamp) {
        for tenant in self.tenants.values_mut() {
            tenant.named_mut().into_iter().for_each(|map| map.retain(|_, end| *end > now));
            tenant.floors_mut().into_iter().for_each(|map| map.retain(|_, f| f.expires_at > now));
        }
        self.tenants.retain(|_, t| {
            t.named().into_iter().any(|map| !map.is_empty())
                || t.floors().into_iter().any(|map| !map.is_empty())
        });
    }
}

impl TenantRevocations {
    const fn named(&self) -> [&Named; 5] {
        [&self.tokens, &self.families, &self.grants, &self.sessions, &self.keys]
    }

    const fn named_mut(&mut self) -> [&mut Named; 5] {
        let Self { tokens, families, grants, sessions, keys, .. } = self;
        [tokens, families, grants, sessions, keys]
    }

    const fn floors(&self) -> [&Floors; 3] {
        [&self.clients, &self.users, &self.everything]
    }

    const fn floors_mut(&mut self) -> [&mut Floors; 3] {
        [&mut self.clients, &mut self.users, &mut self.everything]
    }

    /// The second until which a client's tokens for a user are dead.
    fn floor_s(&self, client: &str, sub: &str) -> i64 {
        let named = [(&self.clients, client), (&self.users, sub), (&self.everything, "")];
        Floor::dead_until_s(named.map(|(map, id)| map.get(id).map(|floored| floored.floor)))
    }
}

fn name(map: &mut Named, id: &str, entry: &RevocationEntry) {
    let expires = map.entry(id.to_owned()).or_insert(entry.expires_at);
    *expires = (*expires).max(entry.expires_at);
}

/// How a process comes to know of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Heard {
    /// It has written it, and others may have written between.
    Ahead,
    /// It has followed the log to it.
    Followed,
}

fn raise(map: &mut Floors, id: &str, entry: &RevocationEntry, heard: Heard) {
    let (at_s, seq) = (entry.at.as_unix_s(), entry.seq);
    let floored = map.entry(id.to_owned()).or_insert_with(|| Floored {
        followed: None,
        ahead: Vec::new(),
        floor: raised(None, (seq, at_s)),
        expires_at: entry.expires_at,
    });
    let followed = floored.followed.is_some_and(|floor| floor.seq >= seq);
    let ahead = floored.ahead.binary_search_by_key(&seq, |(seq, _)| *seq);
    match (heard, ahead) {
        _ if followed => return,
        (Heard::Ahead, Ok(_)) => return,
        (Heard::Ahead, Err(place)) => floored.ahead.insert(place, (seq, at_s)),
        (Heard::Followed, _) => {
            floored.followed = Some(raised(floored.followed, (seq, at_s)));
            floored.ahead.retain(|(ahead, _)| *ahead > seq);
        }
    }
    let ahead = floored.ahead.iter();
    let floor = ahead.fold(floored.followed, |floor, entry| Some(raised(floor, *entry)));
    floored.floor = floor.unwrap_or(floored.floor);
    floored.expires_at = floored.expires_at.max(entry.expires_at);
}

/// A token that was issued after one revocation and before the next may carry an `iat` a second
/// ahead, and no token one further than that; so the next reaches a second further. Of how many
/// seconds ago the one may be, with others between, [`CLOSE_S`] is a generous estimate.
fn raised(before: Option<Floor>, (seq, at_s): (u64, i64)) -> Floor {
    let close = |floor: Floor| at_s.saturating_sub(floor.at_s) <= CLOSE_S;
    let until_s = at_s.saturating_add(i64::from(before.is_some_and(close)));
    let issued_until_s = before.map_or(until_s, |floor| floor.issued_until_s.max(until_s));
    Floor { issued_until_s, at_s, seq }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> TokenFacts<'static> {
        TokenFacts {
            jti: "j",
            client: "c",
            sub: "u",
            grant: Some("g"),
            family: Some("f"),
            session: Some("s"),
            kid: Some("k"),
            iat_s: 100,
        }
    }

    fn entry(seq: u64, target: RevocationTarget, at_s: i64) -> RevocationEntry {
        RevocationEntry {
            seq,
            tenant: TenantId::default_tenant(),
            target,
            at: Timestamp::from_unix_s(at_s),
            expires_at: Timestamp::from_unix_s(1000),
        }
    }

    #[test]
    fn each_kind_kills_its_own_and_no_other() {
        let tenant = TenantId::default_tenant();
        for (target, other) in [
            (
                RevocationTarget::Token(Jti::from_trusted("j")),
                RevocationTarget::Token(Jti::from_trusted("x")),
            ),
            (
                RevocationTarget::Family(FamilyId::from_trusted("f")),
                RevocationTarget::Family(FamilyId::from_trusted("j")),
            ),
            (
                RevocationTarget::Grant(GrantId::from_trusted("g")),
                RevocationTarget::Grant(GrantId::from_trusted("x")),
            ),
            (
                RevocationTarget::Session(SessionId::from_trusted("s")),
                RevocationTarget::Session(SessionId::from_trusted("x")),
            ),
            (RevocationTarget::SigningKey("k".into()), RevocationTarget::SigningKey("x".into())),
            (
                RevocationTarget::Client(ClientId::from_trusted("c")),
                RevocationTarget::Client(ClientId::from_trusted("u")),
            ),
            (
                RevocationTarget::User(Subject::from_trusted("u")),
                RevocationTarget::User(Subject::from_trusted("c")),
            ),
        ] {
            let mut set = RevocationSet::default();
            set.insert(&entry(1, other, 100));
            assert!(!set.revokes(&tenant, &facts()), "{target:?}");
            set.insert(&entry(2, target.clone(), 100));
            assert!(set.revokes(&tenant, &facts()), "{target:?}");
            assert!(!set.revokes(&TenantId::from_trusted("other"), &facts()));
        }
    }

    #[test]
    fn tokens_issued_after_a_user_was_revoked_live() {
        let tenant = TenantId::default_tenant();
        let mut set = RevocationSet::default();
        set.insert(&entry(1, RevocationTarget::User(Subject::from_trusted("u")), 99));
        assert!(!set.revokes(&tenant, &facts()));
        assert_eq!(set.earliest_iat_s(&tenant, "c", "u"), 100);
        set.insert(&entry(2, RevocationTarget::Tenant, 100));
        assert!(set.revokes(&tenant, &facts()));
        set.forget_expired(Timestamp::from_unix_s(1000));
        assert!(set.is_empty());
        assert_eq!(set.last_seq(), 2);
    }

    #[test]
    fn two_revocations_within_a_second_leave_no_gap() {
        let tenant = TenantId::default_tenant();
        let user = || RevocationTarget::User(Subject::from_trusted("u"));
        let mut set = RevocationSet::default();
        set.learn(&entry(1, user(), 99));
        set.insert(&entry(1, user(), 99));
        assert_eq!(set.earliest_iat_s(&tenant, "c", "u"), 100, "twice the same entry");
        assert!(!set.revokes(&tenant, &facts()));
        set.insert(&entry(2, user(), 99));
        assert!(set.revokes(&tenant, &facts()), "issued between the two");
        assert_eq!(set.earliest_iat_s(&tenant, "c", "u"), 101);
    }

    #[test]
    fn every_process_counts_in_the_order_of_the_log() {
        let tenant = TenantId::default_tenant();
        let user = |seq| entry(seq, RevocationTarget::User(Subject::from_trusted("u")), 99);
        let mut follower = RevocationSet::default();
        (1..=3).for_each(|seq| follower.insert(&user(seq)));
        assert_eq!(follower.earliest_iat_s(&tenant, "c", "u"), 101);
        // One that has written the last two itself, before it hears of the first.
        let mut writer = RevocationSet::default();
        writer.learn(&user(3));
        writer.learn(&user(2));
        assert_eq!(writer.earliest_iat_s(&tenant, "c", "u"), 101);
        for _ in 0..2 {
            (1..=3).for_each(|seq| writer.insert(&user(seq)));
            assert_eq!(writer.earliest_iat_s(&tenant, "c", "u"), 101, "however often it follows");
        }
        writer.learn(&user(2));
        assert_eq!(writer.earliest_iat_s(&tenant, "c", "u"), 101);
    }

    #[test]
    fn a_client_that_is_revoked_again_leaves_no_gap() {
        let tenant = TenantId::default_tenant();
        let client = || RevocationTarget::Client(ClientId::from_trusted("c"));
        let mut set = RevocationSet::default();
        set.insert(&entry(1, RevocationTarget::User(Subject::from_trusted("u")), 98));
        set.insert(&entry(2, client(), 98));
        assert_eq!(set.earliest_iat_s(&tenant, "c", "u"), 100, "issued in 99 or later");
        assert!(!set.revokes(&tenant, &facts()));
        set.insert(&entry(3, client(), 99));
        assert!(set.revokes(&tenant, &facts()), "issued in 99 before that");
        assert_eq!(set.earliest_iat_s(&tenant, "c", "u"), 101);
        let mut later = RevocationSet::default();
        later.insert(&entry(1, client(), 80));
        later.insert(&entry(2, client(), 99));
        assert!(!later.revokes(&tenant, &facts()), "long after the first nothing is ahead");
    }

    #[test]
    fn a_client_and_its_user_within_a_second_leave_no_gap() {
        let tenant = TenantId::default_tenant();
        let mut set = RevocationSet::default();
        set.insert(&entry(1, RevocationTarget::Client(ClientId::from_trusted("c")), 99));
        assert_eq!(set.earliest_iat_s(&tenant, "c", "u"), 100);
        assert!(!set.revokes(&tenant, &facts()), "issued after the first");
        set.insert(&entry(2, RevocationTarget::User(Subject::from_trusted("u")), 99));
        assert!(set.revokes(&tenant, &facts()), "and before the second");
        assert_eq!(set.earliest_iat_s(&tenant, "c", "u"), 101);
        assert_eq!(set.earliest_iat_s(&tenant, "c", "x"), 100, "others are not concerned");
        assert_eq!(set.earliest_iat_s(&tenant, "x", "u"), 100);
    }
}
