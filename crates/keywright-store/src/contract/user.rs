//! Users.

use std::time::Duration;

use keywright_protocol::id::{GrantId, SessionId, Subject};
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::user::{User, Username};

use super::fixture::{TOKENS, World, at_s, done, id_bytes, targets};
use crate::client::{Create, Update};
use crate::code::{Issue, Redeem};
use crate::refresh::Rotate;
use crate::user::{Login, SetPassword, UpdateUser};
use crate::{Page, SharedStore};

fn update(world: &World, sub: &Subject, change: fn(&mut User)) -> UpdateUser {
    let (tenant, record) = (world.tenant.clone(), world.event(at_s(5)));
    UpdateUser { tenant, sub: sub.clone(), change: Box::new(change), revoke_until: None, record }
}

async fn login(world: &World, name: &str) -> Login {
    let name = Username::parse(name).unwrap();
    world.store.load_login(&world.tenant, &name).await.unwrap().unwrap()
}

fn set_password(world: &World, keep: Option<SessionId>) -> SetPassword {
    SetPassword {
        tenant: world.tenant.clone(),
        sub: world.sub.clone(),
        password_hash: "$argon2id$second".to_owned(),
        keep,
        tokens_expire_at: at_s(5).plus(TOKENS),
        record: world.event(at_s(5)),
    }
}

pub(super) async fn users_are_created_changed_and_listed(store: SharedStore) {
    let world = World::new(store).await;
    let bob = Subject::from_random(id_bytes(50));
    let same_name = World::a_user("ann", bob.clone());
    let same_sub = World::a_user("bob", world.sub.clone());
    let head = world.audit_head().await;
    assert_eq!(world.add_user(same_name).await, Create::Exists);
    assert_eq!(world.add_user(same_sub).await, Create::Exists);
    assert_eq!(world.audit_head().await, head);
    assert_eq!(world.add_user(World::a_user("bob", bob.clone())).await, Create::Created);
    let login = login(&world, "BOB").await;
    assert_eq!(login.user.sub, bob);
    assert_eq!(login.password_hash.as_deref(), Some("$argon2id$first"));
    let renamed = update(&world, &bob, |user| {
        user.email = None;
        user.username = Username::parse("eve").unwrap();
        user.sub = Subject::from_trusted("eve");
    });
    let (user, revoked) = done(world.store.update_user(renamed).await.unwrap());
    assert_eq!((user.email.as_deref(), revoked), (None, vec![]));
    assert_eq!((user.username.as_str(), &user.sub), ("bob", &bob), "names stay");
    assert_eq!(world.store.load_user(&world.tenant, &bob).await.unwrap(), Some(user));
    let nobody = update(&world, &Subject::from_trusted("nobody"), |_| {});
    assert_eq!(world.store.update_user(nobody).await.unwrap(), Update::Missing);
    let page = Page { after: None, limit: 1 };
    let first = world.store.list_users(&world.tenant, page).await.unwrap();
    let page = Page { after: first.next.clone(), limit: 1 };
    let second = world.store.list_users(&world.tenant, page).await.unwrap();
    assert!(first.next.is_some() && second.next.is_none());
    assert_ne!(first.items, second.items);
}

pub(super) async fn disabling_kills_what_was_granted(store: SharedStore) {
    let world = World::new(store).await;
    world.family(1, at_s(1)).await;
    let mut disable = update(&world, &world.sub, |user| user.disabled = true);
    disable.revoke_until = Some(at_s(5).plus(TOKENS));
    let (user, revoked) = done(world.store.update_user(disable).await.unwrap());
    assert_eq!((user.disabled, user.not_before), (true, at_s(5)));
    assert_eq!(targets(revoked)[0], RevocationTarget::User(world.sub.clone()));
    let rotated = async |at| world.rotate(world.rotation(1, 0, at)).await;
    assert!(!matches!(rotated(at_s(6)).await, Rotate::Committed(_)));
    let enable = update(&world, &world.sub, |user| user.disabled = false);
    done(world.store.update_user(enable).await.unwrap());
    // Enabling brings nothing back that was taken away; what is granted anew lives.
    assert!(!matches!(rotated(at_s(7)).await, Rotate::Committed(_)));
    let session = world.second_session(at_s(8)).await;
    let grant = GrantId::from_random(id_bytes(51));
    let mut issue = world.a_code(2, at_s(9));
    (issue.code.session, issue.code.grant) = (session.clone(), grant.clone());
    (issue.grant.session, issue.grant.id) = (session.clone(), grant.clone());
    let mut redeem = world.redemption(&issue, 2, at_s(9));
    let family = redeem.family.as_mut().unwrap();
    (family.origin.session, family.origin.grant) = (session, grant);
    assert!(matches!(world.issue(issue).await, Issue::Committed(_)));
    assert!(matches!(world.redeem(&redeem).await, Redeem::Committed(_)));
    assert!(matches!(world.rotate(world.rotation(2, 0, at_s(10))).await, Rotate::Committed(_)));
}

pub(super) async fn a_password_ends_the_other_sessions(store: SharedStore) {
    let world = World::new(store).await;
    let mine = world.second_session(at_s(1)).await;
    let born_here = |redeem: &mut crate::code::RedeemCode| {
        redeem.family.as_mut().unwrap().origin.session = mine.clone();
    };
    let mut issue = world.a_code(1, at_s(1));
    issue.grant.session = mine.clone();
    let mut redeem = world.redemption(&issue, 1, at_s(1));
    born_here(&mut redeem);
    drop(world.issue(issue).await);
    drop(world.redeem(&redeem).await);
    let mut other = world.judged(world.a_code(2, at_s(1))).await;
    other.grant.session = mine.clone();
    let other_redeem = world.redemption(&other, 2, at_s(1));
    drop(world.issue(other).await);
    drop(world.redeem(&other_redeem).await);
    let set = set_password(&world, Some(mine.clone()));
    let (_, revoked) = done(world.store.set_password(set).await.unwrap());
    let gone = [
        RevocationTarget::Session(world.session.clone()),
        RevocationTarget::Family(world.family_id(2)),
    ];
    assert_eq!(targets(revoked), gone);
    assert!(!world.load(&world.family_id(1)).await.unwrap().revoked, "born in the kept session");
    assert!(world.load(&world.family_id(2)).await.unwrap().revoked);
    let hash = login(&world, "ann").await.password_hash;
    assert_eq!(hash.as_deref(), Some("$argon2id$second"));
    let (_, revoked) = done(world.store.set_password(set_password(&world, None)).await.unwrap());
    assert_eq!(
        targets(revoked),
        [RevocationTarget::Session(mine), RevocationTarget::Grant(world.grant().id)]
    );
    let mut nobody = set_password(&world, None);
    nobody.sub = Subject::from_trusted("nobody");
    assert_eq!(world.store.set_password(nobody).await.unwrap(), Update::Missing);
}

pub(super) async fn a_password_ends_what_was_born_in_forgotten_sessions(store: SharedStore) {
    let world = World::new(store).await;
    let family = world.family(1, at_s(1)).await;
    let tomorrow = at_s(0).plus(Duration::from_hours(14));
    world.store.sweep(tomorrow).await.unwrap();
    let mine = world.second_session(tomorrow).await;
    let (_, revoked) =
        done(world.store.set_password(set_password(&world, Some(mine))).await.unwrap());
    assert_eq!(targets(revoked), [RevocationTarget::Grant(world.grant().id)]);
    assert!(world.load(&family).await.unwrap().revoked);
}
