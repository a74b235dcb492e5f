//! What a million revocations take in memory, on a node and on a validator; and how long a node
//! then looks for a token that is not among them.
//!
//! `cargo run --release -p keywright-server --example revocation_memory -- [REVOCATIONS]`
//!
//! Each size is the growth of this process's resident memory while one thing is filled.

use std::io::{Write as _, stdout};
use std::time::Instant;

use keywright_protocol::id::{Jti, TenantId};
use keywright_protocol::revocation::view::RevocationView;
use keywright_protocol::revocation::{
    RevocationEntry, RevocationSet, RevocationTarget, TokenFacts,
};
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::revocations::{ENTRIES_MAX, FeedEntry, FeedMessage};
use keywright_server::feed::{Feeds, Identifiers, SlotLimits};

type Failure = Box<dyn std::error::Error>;

const ISSUER: &str = "https://id.example.com";
const NOW: Timestamp = Timestamp::from_unix_s(1_900_000_000);

fn main() -> Result<(), Failure> {
    let count = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse::<u64>())?;
    let mut before = resident_kib()?;
    let mut told = |what: &str| -> Result<(), Failure> {
        let now = resident_kib()?;
        let each = now.saturating_sub(before) * 1024 / count;
        before = now;
        writeln!(stdout(), "{what}: {each} bytes for each of {count} revocations")?;
        Ok(())
    };
    let mut set = RevocationSet::default();
    (1..=count).for_each(|seq| set.insert(&entry(seq)));
    told("what a node asks for its own answers")?;
    writeln!(stdout(), "asked for a token that lives: {:.0} ns", check_ns(&set)?)?;
    let limits = SlotLimits { all: 1, network: 1 };
    let feeds = Feeds::new(Identifiers::Dropped, limits);
    (1..=count).for_each(|seq| feeds.append(&entry(seq), None));
    told("the feed of a node")?;
    let named = Feeds::new(Identifiers::Kept, limits);
    (1..=count).for_each(|seq| named.append(&entry(seq), None));
    told("the feed of a node that has a sink")?;
    let mut view = RevocationView::new(ISSUER);
    let mut since = 0;
    while since < count {
        let seq = count.min(since + u64::try_from(ENTRIES_MAX)?);
        view.apply(&message(since, seq), None, NOW)?;
        since = seq;
    }
    told("a validator")?;
    let held = (set.len(), feeds.tenants().len(), named.tenants().len(), view.len());
    writeln!(stdout(), "held to the end: {held:?}")?;
    Ok(())
}

/// How long one question takes, of tokens that a user holds, each of another family.
fn check_ns(set: &RevocationSet) -> Result<f64, Failure> {
    const ASKED: u32 = 1_000_000;
    let tokens: Vec<[String; 2]> = (0..ASKED)
        .map(|i| {
            // Spread over all of the table, as random identifiers are.
            let spread = u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            [format!("t{spread:021}"), format!("f{spread:021}")]
        })
        .collect();
    let tenant = TenantId::default_tenant();
    let begun = Instant::now();
    let dead = tokens.iter().filter(|[jti, family]| {
        let facts = TokenFacts {
            jti,
            client: "shop",
            sub: "user_1",
            grant: Some("grant"),
            family: Some(family),
            session: None,
            kid: Some("key"),
            iat_s: NOW.as_unix_s(),
        };
        set.revokes(&tenant, &facts)
    });
    if dead.count() > 0 {
        return Err("a token that nobody revoked is dead".into());
    }
    Ok(begun.elapsed().as_secs_f64() * 1e9 / f64::from(ASKED))
}

fn entry(seq: u64) -> RevocationEntry {
    // As long as a real one: 128 bits in base64url.
    let target = RevocationTarget::Token(Jti::from_trusted(format!("{seq:022}")));
    let (tenant, expires_at) = (TenantId::default_tenant(), Timestamp::from_unix_s(1_900_000_660));
    RevocationEntry { seq, tenant, target, at: NOW, expires_at }
}

fn message(since: u64, seq: u64) -> FeedMessage {
    let feed_entry = |seq| {
        let entry = entry(seq);
        FeedEntry::new(&entry.target, entry.expires_at, None)
    };
    let entries = (since + 1..=seq).map(feed_entry).collect();
    let (iss, iat_s) = (ISSUER.to_owned(), NOW.as_unix_s());
    FeedMessage { iss, iat_s, since, seq, snapshot: since == 0, more: false, entries }
}

fn resident_kib() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().split(' ').next());
    Ok(number.ok_or("no VmRSS on this system")?.parse()?)
}
