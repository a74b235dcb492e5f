//! Browser sessions.

use std::collections::BTreeSet;
use std::time::Duration;

use keywright_protocol::audit::AuditEvent;
use keywright_protocol::id::{SessionId, Subject};
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::session::Session;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::SessionHash;

use super::code::{KILLS, killed};
use super::fixture::{TOKENS, World, at_s, bytes, id_bytes, targets};
use crate::client::Create;
use crate::session::{EndSession, SessionEnd, SignIn, SignedIn};
use crate::{Page, SharedStore};

async fn loaded(world: &World, cookie: SessionHash, now: Timestamp) -> Option<Session> {
    world.store.load_session(&world.tenant, cookie, now).await.unwrap()
}

fn again(world: &World, sub: &Subject, seed: u32, now: Timestamp) -> SignIn {
    let seed = world.salt + seed;
    SignIn {
        tenant: world.tenant.clone(),
        cookie: SessionHash::from_bytes(bytes(seed)),
        session: World::a_session(sub, &SessionId::from_random(id_bytes(seed)), now),
        previous: Some(world.cookie),
        tokens_expire_at: now.plus(TOKENS),
        record: world.event(now),
    }
}

async fn committed(world: &World, sign_in: SignIn) -> (Session, Vec<RevocationTarget>) {
    match world.store.sign_in(sign_in).await.unwrap() {
        SignedIn::Committed { session, revoked } => (session, targets(revoked)),
        SignedIn::SubjectGone => panic!("subject gone"),
    }
}

async fn end(world: &World, how: SessionEnd) -> Vec<RevocationTarget> {
    let (tenant, session) = (world.tenant.clone(), world.session.clone());
    let (tokens_expire_at, record) = (at_s(5).plus(TOKENS), world.event(at_s(5)));
    let end = EndSession { tenant, session, how, tokens_expire_at, record };
    targets(world.store.end_session(end).await.unwrap())
}

pub(super) async fn a_sign_in_starts_a_session(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let session = loaded(&world, world.cookie, at_s(1)).await.unwrap();
    assert_eq!((&session.id, &session.sub), (&world.session, &world.sub));
    assert!(loaded(&world, SessionHash::from_bytes(bytes(9)), at_s(1)).await.is_none());
    let elsewhere = World::elsewhere(store, "elsewhere").await;
    assert!(loaded(&elsewhere, world.cookie, at_s(1)).await.is_none());
    assert!(loaded(&world, world.cookie, session.expires_at).await.is_none());
    let almost = session.expires_at.minus(Duration::from_millis(1));
    assert!(loaded(&world, world.cookie, almost).await.is_some());
    let nobody = again(&world, &Subject::from_trusted("nobody"), 2, at_s(2));
    assert!(matches!(world.store.sign_in(nobody).await.unwrap(), SignedIn::SubjectGone));
}

pub(super) async fn the_own_session_goes_on_with_another_cookie(store: SharedStore) {
    let world = World::new(store).await;
    let sign_in = again(&world, &world.sub, 2, at_s(10));
    let cookie = sign_in.cookie;
    let (session, revoked) = committed(&world, sign_in).await;
    assert_eq!((&session.id, revoked), (&world.session, vec![]));
    assert_eq!(session.authentication.time, at_s(10));
    assert_eq!(loaded(&world, cookie, at_s(11)).await, Some(session));
    assert!(loaded(&world, world.cookie, at_s(11)).await.is_none(), "the old cookie is dead");
    let last = world.store.audit_since(&world.tenant, 0, 100).await.unwrap().pop().unwrap();
    let event: AuditEvent = serde_json::from_str(&last.body).unwrap();
    assert_eq!(event.session_id.as_ref(), Some(&world.session));
    // What is over does not go on.
    let late = at_s(20 * 3600);
    let sign_in = SignIn { previous: Some(cookie), ..again(&world, &world.sub, 3, late) };
    let new = sign_in.session.id.clone();
    assert_eq!(committed(&world, sign_in).await.0.id, new);
}

pub(super) async fn another_users_session_ends(store: SharedStore) {
    let world = World::new(store).await;
    let bob = Subject::from_random(id_bytes(50));
    assert_eq!(world.add_user(World::a_user("bob", bob.clone())).await, Create::Created);
    let bound = |redeem: &mut crate::code::RedeemCode| {
        redeem.family.as_mut().unwrap().origin.offline = false;
    };
    let family = world.family_with(1, at_s(1), bound).await;
    let sign_in = again(&world, &bob, 2, at_s(10));
    let (session, revoked) = committed(&world, sign_in).await;
    assert_eq!(session.sub, bob);
    assert_ne!(session.id, world.session);
    assert_eq!(revoked, [RevocationTarget::Session(world.session.clone())]);
    assert!(world.load(&family).await.unwrap().revoked);
    assert!(loaded(&world, world.cookie, at_s(11)).await.is_none());
}

pub(super) async fn a_session_lives_as_long_as_its_user(store: SharedStore) {
    for what in KILLS {
        let (world, _) = killed(&store, what).await;
        let lives = loaded(&world, world.cookie, at_s(3)).await.is_some();
        let outlives = what.starts_with("client") || what == "grant revoked";
        assert_eq!(lives, outlives, "{what}");
        let signed_in = world.store.sign_in(again(&world, &world.sub, 5, at_s(3))).await.unwrap();
        let refused = matches!(signed_in, SignedIn::SubjectGone);
        assert_eq!(refused, what.ends_with("disabled") && !outlives, "{what}");
    }
}

pub(super) async fn logout_spares_offline_families(store: SharedStore) {
    let world = World::new(store).await;
    let offline = world.family(1, at_s(1)).await;
    let bound = |redeem: &mut crate::code::RedeemCode| {
        redeem.family.as_mut().unwrap().origin.offline = false;
    };
    let bound = world.family_with(2, at_s(1), bound).await;
    let session = world.second_session(at_s(1)).await;
    let elsewhere = |redeem: &mut crate::code::RedeemCode| {
        let origin = &mut redeem.family.as_mut().unwrap().origin;
        (origin.offline, origin.session) = (false, session.clone());
    };
    let elsewhere = world.family_with(3, at_s(1), elsewhere).await;
    let ended = end(&world, SessionEnd::Logout).await;
    assert_eq!(ended, [RevocationTarget::Session(world.session.clone())]);
    assert!(world.load(&bound).await.unwrap().revoked);
    assert!(!world.load(&offline).await.unwrap().revoked);
    assert!(!world.load(&elsewhere).await.unwrap().revoked);
    assert!(loaded(&world, world.cookie, at_s(6)).await.is_none());
    let head = world.audit_head().await;
    assert_eq!(end(&world, SessionEnd::Logout).await, [], "it ended before");
    assert_eq!(world.audit_head().await, head);
}

pub(super) async fn revoking_takes_offline_families_and_grants(store: SharedStore) {
    let world = World::new(store).await;
    let second = world.second_session(at_s(1)).await;
    // The consent was given in the first session; both families hang on it.
    let first = world.family(1, at_s(1)).await;
    let later = |redeem: &mut crate::code::RedeemCode| {
        redeem.family.as_mut().unwrap().origin.session = second.clone();
    };
    let later = world.family_with(2, at_s(1), later).await;
    let ended = end(&world, SessionEnd::Revoked).await;
    let session = RevocationTarget::Session(world.session.clone());
    assert_eq!(ended, [session, RevocationTarget::Grant(world.grant().id)]);
    assert!(world.load(&first).await.unwrap().revoked);
    assert!(world.load(&later).await.unwrap().revoked);
    let grant = world.store.load_grant(&world.tenant, &world.sub, &world.client).await.unwrap();
    assert!(grant.is_none());
}

pub(super) async fn sessions_are_listed_in_pages(store: SharedStore) {
    let world = World::new(store).await;
    let bob = Subject::from_random(id_bytes(50));
    assert_eq!(world.add_user(World::a_user("bob", bob.clone())).await, Create::Created);
    let mut all = BTreeSet::from([world.session.clone()]);
    for seed in 100..106 {
        let (id, sub) =
            (SessionId::from_random(id_bytes(seed)), if seed < 103 { &world.sub } else { &bob });
        world.sign_in_as(sub, &id, SessionHash::from_bytes(bytes(seed)), at_s(1)).await;
        all.insert(id);
    }
    let list = |sub: Option<Subject>, after: Option<String>, limit| {
        let world = &world;
        async move {
            let page = Page { after, limit };
            world.store.list_sessions(&world.tenant, sub.as_ref(), at_s(2), page).await.unwrap()
        }
    };
    let (mut seen, mut after, mut pages) = (BTreeSet::new(), None, 0);
    loop {
        let part = list(None, after, 3).await;
        seen.extend(part.items.into_iter().map(|session| session.id));
        pages += 1;
        after = part.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (all, 3));
    let his = list(Some(bob.clone()), None, 0).await;
    assert_eq!((his.items.len(), his.next), (3, None));
    assert!(his.items.iter().all(|session| session.sub == bob));
    drop(world.revoke(RevocationTarget::User(bob.clone()), at_s(2)).await);
    assert_eq!(list(Some(bob), None, 0).await.items, []);
}
