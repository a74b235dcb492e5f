//! Authorization codes.

use std::time::Duration;

use keywright_protocol::grant::authorization_code::CodeState;
use keywright_protocol::id::{ClientId, GrantId};
use keywright_protocol::limits::CODE_FAILURES_MAX;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::token::CodeHash;

use super::fixture::{TOKENS, World, at_s, bytes, id_bytes, scope, targets};
use crate::SharedStore;
use crate::client::{DeleteClient, UpdateClient};
use crate::code::{Issue, Redeem, RedeemCode, ReplayedCode};
use crate::session::{EndSession, SessionEnd};
use crate::tenant::UpdateTenant;
use crate::user::UpdateUser;

pub(super) async fn a_code_is_spent_once(store: SharedStore) {
    let world = World::new(store).await;
    let redeem = world.issued(1, at_s(1)).await;
    let loaded = world.store.load_code(&world.tenant, redeem.hash).await.unwrap();
    assert_eq!(loaded.as_ref(), Some(&redeem.code));
    assert!(matches!(world.redeem(&redeem).await, Redeem::Committed(_)));
    assert!(matches!(world.redeem(&redeem).await, Redeem::LostRace));
    let spent = world.store.load_code(&world.tenant, redeem.hash).await.unwrap().unwrap();
    let family = redeem.family.unwrap();
    let (jti, id) = (redeem.jti, Some(family.id.clone()));
    assert_eq!(spent.state, CodeState::Redeemed { jti, family: id });
    let begun = world.load(&family.id).await.unwrap();
    assert_eq!((begun.origin, begun.current), (family.origin, family.current));
    assert_eq!((begun.generation, begun.parent, begun.revoked), (0, None, false));
}

pub(super) async fn a_code_belongs_to_tenant_and_client(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let elsewhere = World::elsewhere(store, "elsewhere").await;
    world.add_client("other").await;
    let redeem = world.issued(1, at_s(1)).await;
    let unknown = CodeHash::from_bytes(bytes(99));
    assert!(world.store.load_code(&world.tenant, unknown).await.unwrap().is_none());
    assert!(world.store.load_code(&elsewhere.tenant, redeem.hash).await.unwrap().is_none());
    let foreign = RedeemCode { tenant: elsewhere.tenant, ..redeem.clone() };
    assert!(matches!(world.redeem(&foreign).await, Redeem::LostRace));
    let mut stolen = redeem.clone();
    stolen.code.client = ClientId::parse("other").unwrap();
    assert!(matches!(world.redeem(&stolen).await, Redeem::LostRace));
    assert!(matches!(world.redeem(&redeem).await, Redeem::Committed(_)));
}

pub(super) async fn a_code_expires_without_a_sweeper(store: SharedStore) {
    let world = World::new(store).await;
    let mut redeem = world.issued(1, at_s(1)).await;
    redeem.record = world.event(redeem.code.expires_at);
    assert!(matches!(world.redeem(&redeem).await, Redeem::LostRace), "at its end it is over");
    redeem.record = world.event(redeem.code.expires_at.minus(Duration::from_millis(1)));
    assert!(matches!(world.redeem(&redeem).await, Redeem::Committed(_)));
}

/// What can happen between load and commit, and kills.
async fn kill(world: &World, what: &str) {
    let (tenant, store) = (world.tenant.clone(), &world.store);
    let (record, tokens_expire_at) = (world.event(at_s(2)), at_s(2).plus(TOKENS));
    let (client, sub) = (world.client.clone(), world.sub.clone());
    let until = Some(tokens_expire_at);
    match what {
        "client deleted" => {
            let delete = DeleteClient { tenant, id: client, tokens_expire_at, record };
            drop(store.delete_client(delete).await.unwrap());
        }
        "client disabled" => {
            let change = Box::new(|client: &mut keywright_protocol::client::Client| {
                client.disabled = true;
            });
            let update = UpdateClient { tenant, id: client, change, revoke_until: None, record };
            drop(store.update_client(update).await.unwrap());
        }
        "client revoked" => drop(world.revoke(RevocationTarget::Client(client), at_s(2)).await),
        "grant revoked" => {
            drop(world.revoke(RevocationTarget::Grant(world.grant().id), at_s(2)).await);
        }
        "session ended" => {
            let (session, how) = (world.session.clone(), SessionEnd::Logout);
            let end = EndSession { tenant, session, how, tokens_expire_at, record };
            store.end_session(end).await.unwrap();
        }
        "tenant disabled" => {
            let change = Box::new(|tenant: &mut keywright_protocol::tenant::Tenant| {
                tenant.disabled = true;
            });
            let update = UpdateTenant { id: tenant, change, revoke_until: None, record };
            drop(store.update_tenant(update).await.unwrap());
        }
        "tenant revoked" => drop(world.revoke(RevocationTarget::Tenant, at_s(2)).await),
        "user disabled" => {
            let change = Box::new(|user: &mut keywright_protocol::user::User| {
                user.disabled = true;
            });
            let update = UpdateUser { tenant, sub, change, revoke_until: until, record };
            drop(store.update_user(update).await.unwrap());
        }
        "user revoked" => drop(world.revoke(RevocationTarget::User(sub), at_s(2)).await),
        other => panic!("{other}"),
    }
}

pub(super) const KILLS: [&str; 9] = [
    "client deleted",
    "client disabled",
    "client revoked",
    "grant revoked",
    "session ended",
    "tenant disabled",
    "tenant revoked",
    "user disabled",
    "user revoked",
];

/// A world of its own in which that has happened.
pub(super) async fn killed(store: &SharedStore, what: &str) -> (World, RedeemCode) {
    let world = World::elsewhere(store.clone(), &what.replace(' ', "-")).await;
    let redeem = world.issued(1, at_s(1)).await;
    world.family(2, at_s(1)).await;
    kill(&world, what).await;
    (world, redeem)
}

pub(super) async fn a_code_dies_with_all_it_depends_on(store: SharedStore) {
    for what in KILLS {
        let (world, mut redeem) = killed(&store, what).await;
        redeem.record = world.event(at_s(3));
        let head = world.audit_head().await;
        let redeemed = world.redeem(&redeem).await;
        // A deleted client's code is no longer there to be asked about.
        let gone = if what == "client deleted" {
            matches!(redeemed, Redeem::LostRace)
        } else {
            matches!(redeemed, Redeem::SubjectGone)
        };
        assert!(gone, "{what}: {redeemed:?}");
        assert!(world.load(&world.family_id(1)).await.is_none(), "{what}");
        assert_eq!(world.audit_head().await, head, "{what}: a refusal leaves no event");
    }
}

pub(super) async fn a_code_survives_revocations_of_others(store: SharedStore) {
    let world = World::new(store.clone()).await;
    for what in KILLS {
        killed(&store, what).await;
    }
    let other = world.second_session(at_s(1)).await;
    let redeem = world.issued(1, at_s(1)).await;
    drop(world.revoke(RevocationTarget::Session(other), at_s(2)).await);
    assert!(matches!(world.redeem(&redeem).await, Redeem::Committed(_)));
}

pub(super) async fn a_replayed_assertion_leaves_the_code_alone(store: SharedStore) {
    let world = World::new(store).await;
    let mut first = world.issued(1, at_s(1)).await;
    first.record = world.with_assertion(at_s(2), "a");
    let mut second = world.issued(2, at_s(1)).await;
    second.record = world.with_assertion(at_s(2), "a");
    assert!(matches!(world.redeem(&first).await, Redeem::Committed(_)));
    let head = world.audit_head().await;
    assert!(matches!(world.redeem(&second).await, Redeem::AssertionReplayed));
    assert_eq!(world.audit_head().await, head);
    // What lost a race was not spent: the client may use its assertion for the next try.
    first.record = world.with_assertion(at_s(2), "b");
    assert!(matches!(world.redeem(&first).await, Redeem::LostRace));
    second.record = world.with_assertion(at_s(2), "b");
    assert!(matches!(world.redeem(&second).await, Redeem::Committed(_)));
}

pub(super) async fn five_failures_burn_a_code_and_four_do_not(store: SharedStore) {
    let world = World::new(store).await;
    for (seed, failures) in [(1, CODE_FAILURES_MAX - 1), (2, CODE_FAILURES_MAX)] {
        let redeem = world.issued(seed, at_s(1)).await;
        for _ in 0..failures {
            let failed = world.store.fail_code(&world.tenant, redeem.hash, world.event(at_s(2)));
            failed.await.unwrap();
        }
        let code = world.store.load_code(&world.tenant, redeem.hash).await.unwrap().unwrap();
        let burned = failures == CODE_FAILURES_MAX;
        assert_eq!(code.state == CodeState::Burned, burned, "{failures} failures");
        let redeemed = world.redeem(&redeem).await;
        assert_eq!(matches!(redeemed, Redeem::Committed(_)), !burned, "{failures} failures");
    }
    // A failure after the code was spent does not hide that it was.
    let spent = world.issued(3, at_s(1)).await;
    assert!(matches!(world.redeem(&spent).await, Redeem::Committed(_)));
    for _ in 0..=CODE_FAILURES_MAX {
        world.store.fail_code(&world.tenant, spent.hash, world.event(at_s(2))).await.unwrap();
    }
    let code = world.store.load_code(&world.tenant, spent.hash).await.unwrap().unwrap();
    assert!(matches!(code.state, CodeState::Redeemed { .. }));
}

pub(super) async fn a_replayed_code_kills_what_came_of_it_once(store: SharedStore) {
    let world = World::new(store).await;
    let redeem = world.issued(1, at_s(1)).await;
    let bystander = world.family(2, at_s(1)).await;
    let replayed = ReplayedCode {
        tenant: world.tenant.clone(),
        hash: redeem.hash,
        tokens_expire_at: at_s(2).plus(TOKENS),
        record: world.event(at_s(2)),
    };
    let revoke = |replayed: ReplayedCode| async {
        targets(world.store.revoke_replayed_code(replayed).await.unwrap())
    };
    let head = world.audit_head().await;
    assert_eq!(revoke(replayed.clone()).await, [], "nothing came of it yet");
    assert_eq!(world.audit_head().await, head);
    assert!(matches!(world.redeem(&redeem).await, Redeem::Committed(_)));
    let family = redeem.family.unwrap().id;
    let both = [RevocationTarget::Token(redeem.jti), RevocationTarget::Family(family.clone())];
    assert_eq!(revoke(replayed.clone()).await, both);
    assert!(world.load(&family).await.unwrap().revoked);
    assert!(!world.load(&bystander).await.unwrap().revoked);
    assert_eq!(revoke(replayed).await, [], "the log does not grow by a second replay");
    assert_eq!(targets(world.revocations().await), both);
}

pub(super) async fn a_consent_is_stored_as_it_was_judged(store: SharedStore) {
    let world = World::new(store).await;
    let stored = || world.store.load_grant(&world.tenant, &world.sub, &world.client);
    assert!(stored().await.unwrap().is_none());
    let first = world.a_code(1, at_s(1));
    assert!(matches!(world.issue(first.clone()).await, Issue::Committed(_)));
    assert_eq!(stored().await.unwrap().as_ref(), Some(&first.grant));
    let mut wide = world.judged(world.a_code(2, at_s(2))).await;
    wide.grant.scope = scope("openid offline_access profile");
    assert!(matches!(world.issue(wide.clone()).await, Issue::Committed(_)));
    assert_eq!(stored().await.unwrap().as_ref(), Some(&wide.grant));
    // Judged before the wider consent came: storing it would take `profile` away again.
    let mut stale = world.a_code(3, at_s(3));
    stale.granted_before = Some(first.grant.scope);
    assert!(matches!(world.issue(stale).await, Issue::LostRace));
    // Judged before there was any: a second grant beside the first.
    let mut twin = wide.clone();
    twin.hash = CodeHash::from_bytes(bytes(4));
    twin.granted_before = None;
    assert!(matches!(world.issue(twin.clone()).await, Issue::LostRace));
    twin.grant.id = GrantId::from_random(id_bytes(4));
    twin.code.grant = twin.grant.id.clone();
    assert!(matches!(world.issue(world.judged(twin).await).await, Issue::LostRace));
    assert_eq!(stored().await.unwrap(), Some(wide.grant));
    // What a person unticks who knows of it all is taken away.
    let narrow = world.judged(world.a_code(5, at_s(4))).await;
    assert!(matches!(world.issue(narrow.clone()).await, Issue::Committed(_)));
    assert_eq!(stored().await.unwrap(), Some(narrow.grant));
}

pub(super) async fn a_revoked_grant_is_not_brought_back(store: SharedStore) {
    let world = World::new(store).await;
    world.issued(1, at_s(1)).await;
    drop(world.revoke(RevocationTarget::Grant(world.grant().id), at_s(2)).await);
    // Judged before the revocation: tokens of this grant would be dead from their birth.
    let mut stale = world.a_code(2, at_s(3));
    assert!(matches!(world.issue(stale.clone()).await, Issue::LostRace));
    stale.granted_before = Some(stale.grant.scope.clone());
    assert!(matches!(world.issue(stale).await, Issue::LostRace));
    let mut fresh = world.a_code(3, at_s(3));
    fresh.grant.id = GrantId::from_random(id_bytes(3));
    fresh.code.grant = fresh.grant.id.clone();
    assert!(matches!(world.issue(fresh).await, Issue::Committed(_)));
}

pub(super) async fn a_code_needs_a_live_session(store: SharedStore) {
    // What is revoked of a client or grant concerns what was issued before, not a new code.
    let kills =
        KILLS.into_iter().filter(|what| !["client revoked", "grant revoked"].contains(what));
    for what in kills {
        let (world, _) = killed(&store, what).await;
        let head = world.audit_head().await;
        let issued = world.issue(world.judged(world.a_code(3, at_s(3))).await).await;
        assert!(matches!(issued, Issue::SubjectGone), "{what}: {issued:?}");
        assert_eq!(world.audit_head().await, head, "{what}");
    }
    let world = World::new(store).await;
    let twelve_hours = at_s(12 * 3600);
    assert!(matches!(world.issue(world.a_code(1, twelve_hours)).await, Issue::SubjectGone));
    let before = twelve_hours.minus(Duration::from_millis(1));
    assert!(matches!(world.issue(world.a_code(2, before)).await, Issue::Committed(_)));
}
