use proptest::prelude::*;

use super::*;
use crate::id::{ClientId, FamilyId, GrantId, Jti, SessionId, Subject, TenantId};
use crate::revocation::{RevocationEntry, RevocationSet, RevocationTarget};
use crate::wire::revocations::FeedEntry;

const ISSUER: &str = "https://id.example";
const NOW_S: i64 = 1_700_000_000;

fn at(offset_s: i64) -> Timestamp {
    Timestamp::from_unix_s(NOW_S + offset_s)
}

fn delta(since: u64, seq: u64, entries: Vec<FeedEntry>) -> FeedMessage {
    let iss = ISSUER.to_owned();
    FeedMessage { iss, iat_s: NOW_S, since, seq, snapshot: false, more: false, entries }
}

fn snapshot(seq: u64, entries: Vec<FeedEntry>) -> FeedMessage {
    FeedMessage { snapshot: true, ..delta(0, seq, entries) }
}

fn token(jti: &str) -> FeedEntry {
    let target = RevocationTarget::Token(Jti::from_trusted(jti));
    FeedEntry::new(&target, at(600), None)
}

fn facts(jti: &str) -> TokenFacts<'_> {
    TokenFacts {
        jti,
        client: "c",
        sub: "u",
        grant: None,
        family: None,
        session: None,
        kid: Some("k"),
        iat_s: NOW_S - 10,
    }
}

#[test]
fn it_begins_with_a_snapshot_and_goes_on_with_deltas() {
    let mut view = RevocationView::new(ISSUER);
    assert_eq!(view.apply(&delta(0, 3, vec![token("a")]), None, at(0)), Err(ViewError::Gap));
    assert_eq!((view.lag(at(0)), view.revokes(&facts("a"))), (None, false), "nothing is taken");
    view.apply(&snapshot(3, vec![token("a")]), None, at(0)).unwrap();
    assert!(view.revokes(&facts("a")) && !view.revokes(&facts("b")));
    view.apply(&delta(3, 5, vec![token("b")]), None, at(0)).unwrap();
    assert!(view.revokes(&facts("a")) && view.revokes(&facts("b")));
    assert_eq!(view.apply(&delta(6, 7, vec![]), None, at(0)), Err(ViewError::Gap));
    view.apply(&delta(2, 4, vec![token("c")]), None, at(0)).unwrap();
    assert_eq!(view.position(), Some(5), "an older message leads not back");
    view.apply(&snapshot(2, vec![]), None, at(0)).unwrap();
    assert_eq!(view.position(), Some(2), "a restored log counts anew");
    assert!(view.revokes(&facts("a")), "and undoes nothing");
}

#[test]
fn what_others_sign_is_refused() {
    let mut view = RevocationView::new(ISSUER);
    let other = FeedMessage { iss: "https://other.example".into(), ..snapshot(1, vec![]) };
    assert_eq!(view.apply(&other, None, at(0)), Err(ViewError::Issuer));
    assert_eq!(view.apply(&snapshot(1, vec![]), None, at(-11)), Err(ViewError::Future));
    view.apply(&snapshot(1, vec![]), Some("k"), at(-10)).unwrap();
    let key = FeedEntry::new(&RevocationTarget::SigningKey("k".into()), at(600), None);
    view.apply(&delta(1, 2, vec![key]), Some("k"), at(0)).unwrap();
    let next = delta(2, 3, vec![]);
    assert_eq!(view.apply(&next, Some("k"), at(0)), Err(ViewError::KeyRevoked));
    view.apply(&next, Some("other"), at(0)).unwrap();
}

#[test]
fn silence_counts_from_the_date_of_the_last_message() {
    let mut view = RevocationView::new(ISSUER);
    let first = FeedMessage { more: true, ..snapshot(1, vec![]) };
    view.apply(&first, None, at(0)).unwrap();
    assert_eq!(view.lag(at(0)), None, "half a snapshot is none");
    view.apply(&delta(1, 2, vec![]), None, at(2)).unwrap();
    assert_eq!(view.lag(at(2)), Some(Duration::ZERO), "clocks may differ a little");
    assert_eq!(view.lag(at(9)), Some(Duration::from_secs(7)));
    view.apply(&delta(1, 2, vec![]), None, at(9)).unwrap();
    assert_eq!(view.lag(at(9)), Some(Duration::from_secs(4)), "the same message once more");
    let later = FeedMessage { iat_s: NOW_S + 9, ..delta(2, 2, vec![]) };
    view.apply(&later, None, at(9)).unwrap();
    assert_eq!(view.lag(at(9)), Some(Duration::ZERO));
}

#[test]
fn what_has_ended_is_forgotten() {
    let mut view = RevocationView::new(ISSUER);
    view.apply(&snapshot(1, vec![token("a")]), None, at(0)).unwrap();
    view.forget_expired(at(600));
    assert!(view.revokes(&facts("a")), "its last second");
    view.forget_expired(at(601));
    assert!(view.is_empty() && !view.revokes(&facts("a")));
}

#[test]
fn a_revoked_key_is_never_trusted_again() {
    let mut view = RevocationView::new(ISSUER);
    let key = FeedEntry::new(&RevocationTarget::SigningKey("k".into()), at(600), None);
    view.apply(&snapshot(1, vec![key, token("a")]), None, at(0)).unwrap();
    view.forget_expired(at(1_000_000));
    assert_eq!(view.len(), 1, "the token is forgotten");
    let young = TokenFacts { iat_s: NOW_S + 999_999, ..facts("b") };
    assert!(view.revokes(&young), "whoever has the key can date a token as he likes");
    assert!(!view.revokes(&TokenFacts { kid: Some("other"), ..young }));
    let message = FeedMessage { iat_s: NOW_S + 1_000_000, ..delta(1, 2, vec![]) };
    assert_eq!(view.apply(&message, Some("k"), at(1_000_000)), Err(ViewError::KeyRevoked));
    view.apply(&message, Some("other"), at(1_000_000)).unwrap();
}

#[derive(Clone, Debug)]
struct Step {
    target: RevocationTarget,
    at_s: i64,
    cut: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = (0..8u8, 0..3u8, 0..4i64, any::<bool>()).prop_map(|(kind, id, second, cut)| {
        let id = format!("id{id}");
        let target = match kind {
            0 => RevocationTarget::Token(Jti::from_trusted(id)),
            1 => RevocationTarget::Family(FamilyId::from_trusted(id)),
            2 => RevocationTarget::Grant(GrantId::from_trusted(id)),
            3 => RevocationTarget::Session(SessionId::from_trusted(id)),
            4 => RevocationTarget::SigningKey(id),
            5 => RevocationTarget::Client(ClientId::from_trusted(id)),
            6 => RevocationTarget::User(Subject::from_trusted(id)),
            _ => RevocationTarget::Tenant,
        };
        Step { target, at_s: NOW_S - 10 + second, cut }
    });
    proptest::collection::vec(one, 1..20)
}

/// Every token that the steps could concern.
fn tokens() -> Vec<[String; 6]> {
    (0..3u32.pow(6))
        .step_by(5)
        .map(|n| {
            std::array::from_fn(|i| format!("id{}", n / 3u32.pow(u32::try_from(i).unwrap()) % 3))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A follower from the beginning, one that begins at the end, and one that hears everything
    /// twice: all say of every token what the node says.
    #[test]
    fn deltas_snapshot_and_the_node_agree(steps in steps()) {
        let tenant = TenantId::default_tenant();
        let mut set = RevocationSet::default();
        let mut views = [(); 3].map(|()| RevocationView::new(ISSUER));
        let [following, repeating, late] = &mut views;
        following.apply(&snapshot(0, vec![]), None, at(0)).unwrap();
        repeating.apply(&snapshot(0, vec![]), None, at(0)).unwrap();
        let (mut all, mut batch, mut since) = (Vec::new(), Vec::new(), 0);
        for (step, seq) in steps.iter().zip(1..) {
            let (target, at, expires_at) =
                (step.target.clone(), Timestamp::from_unix_s(step.at_s), at(600));
            set.insert(&RevocationEntry { seq, tenant: tenant.clone(), target, at, expires_at });
            let floor = set.floor_of(&tenant, &step.target);
            batch.push(FeedEntry::new(&step.target, expires_at, floor));
            if step.cut || seq == steps.len() as u64 {
                let message = delta(since, seq, batch.clone());
                following.apply(&message, None, at).unwrap();
                repeating.apply(&message, None, at).unwrap();
                repeating.apply(&message, None, at).unwrap();
                all.append(&mut batch);
                since = seq;
            }
        }
        all.reverse();
        late.apply(&snapshot(since, all), None, at(0)).unwrap();
        for ids in tokens() {
            let [jti, client, sub, grant, family, session] = ids.each_ref().map(String::as_str);
            for iat_s in NOW_S - 12..NOW_S {
                let (grant, family, session) = (Some(grant), Some(family), Some(session));
                let facts =
                    TokenFacts { jti, client, sub, grant, family, session, kid: None, iat_s };
                let want = set.revokes(&tenant, &facts);
                for view in [&*following, &*repeating, &*late] {
                    prop_assert_eq!(view.revokes(&facts), want, "{:?}", facts);
                }
            }
        }
    }
}
