//! The revocation log.

use keywright_jose::{Algorithm, Jwk};
use keywright_protocol::audit::Record;
use keywright_protocol::id::{ClientId, FamilyId, GrantId, Jti, SessionId, StatusListId, Subject};
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::status_list::{ListedToken, TokenNames};
use keywright_protocol::time::Timestamp;

use super::fixture::{TOKENS, World, at_s, done, entries, id_bytes, targets};
use crate::SharedStore;
use crate::audit::Recorded;
use crate::client::{Create, DeleteClient};
use crate::key::{KeyTimes, StoredKey};
use crate::refresh::Rotate;
use crate::revocation::{Revoke, Revoked};

/// The public key of RFC 7517, appendix A.1.
const PUBLIC: &str = r#"{"kty":"EC","crv":"P-256",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

/// A key that signs from `START`.
pub(super) fn a_key(world: &World, kid: &str) -> StoredKey {
    StoredKey {
        tenant: world.tenant.clone(),
        kid: kid.to_owned(),
        alg: Algorithm::Es256,
        sealed_private: vec![1, 2, 3],
        public: serde_json::from_str::<Jwk>(PUBLIC).unwrap(),
        times: KeyTimes {
            published_at: at_s(0),
            active_at: at_s(0),
            retire_at: Some(at_s(1000)),
            gone_at: None,
        },
    }
}

pub(super) async fn each_target_has_its_effect_and_its_entry(store: SharedStore) {
    let names = ["client", "family", "grant", "key", "session", "tenant", "token", "user"];
    for name in names {
        let world = World::elsewhere(store.clone(), name).await;
        world.family(1, at_s(1)).await;
        let key = a_key(&world, "k");
        assert_eq!(store.create_key(key, world.event(at_s(1))).await.unwrap(), Create::Created);
        let before = store.log_heads().await.unwrap();
        let grant = RevocationTarget::Grant(world.grant().id);
        let target = match name {
            "client" => RevocationTarget::Client(world.client.clone()),
            "family" => RevocationTarget::Family(world.family_id(1)),
            "grant" => grant.clone(),
            "key" => RevocationTarget::SigningKey("k".to_owned()),
            "session" => RevocationTarget::Session(world.session.clone()),
            "tenant" => RevocationTarget::Tenant,
            "token" => RevocationTarget::Token(Jti::from_random(id_bytes(1))),
            _ => RevocationTarget::User(world.sub.clone()),
        };
        let gained = entries(world.revoke(target.clone(), at_s(2)).await);
        let session = RevocationTarget::Session(world.session.clone());
        let expected = match name {
            "session" => vec![target, grant],
            "user" => vec![target, session, grant],
            _ => vec![target],
        };
        assert_eq!(gained, expected, "{name}");
        let after = store.log_heads().await.unwrap();
        assert_eq!(after.revocation - before.revocation, expected.len() as u64, "{name}");
        let reloaded = u64::from(matches!(name, "client" | "key" | "tenant"));
        assert_eq!(after.change - before.change, reloaded, "{name}");
        let family = world.load(&world.family_id(1)).await.unwrap();
        assert_eq!(
            family.revoked,
            matches!(name, "family" | "grant" | "session" | "user"),
            "{name}"
        );
        let session = store.load_session(&world.tenant, world.cookie, at_s(3)).await.unwrap();
        assert_eq!(session.is_none(), matches!(name, "session" | "tenant" | "user"), "{name}");
        let rotated = world.rotate(world.rotation(1, 0, at_s(3))).await;
        let lives = matches!(name, "key" | "token");
        assert_eq!(matches!(rotated, Rotate::Committed(_)), lives, "{name}: {rotated:?}");
        let times = store.list_keys(&world.tenant).await.unwrap()[0].times;
        let ends = (times.retire_at, times.gone_at);
        let withdrawn = (Some(at_s(2)), Some(at_s(2)));
        let expected = if name == "key" { withdrawn } else { (Some(at_s(1000)), None) };
        assert_eq!(ends, expected, "{name}");
    }
}

/// A record whose token has a place in a list until a moment.
pub(super) fn listing(world: &World, idx: u32, expires_at: Timestamp) -> Record {
    let mut record = world.event(at_s(1));
    let names = TokenNames {
        jti: format!("jti-{idx}"),
        client_id: world.client.to_string(),
        sub: world.sub.to_string(),
        gid: None,
        fid: Some(world.family_id(1).to_string()),
        sid: None,
        kid: "k".to_owned(),
        iat: 1,
    };
    let token = ListedToken { list: list(), idx, expires_at, names };
    record.events[0].listed = Some(Box::new(token));
    record
}

pub(super) fn list() -> StatusListId {
    StatusListId::from_random(id_bytes(7))
}

async fn places(world: &World, now: Timestamp) -> Vec<u32> {
    let tokens = world.store.listed_tokens(&world.tenant, &list(), now).await.unwrap();
    let mut places: Vec<u32> = tokens.iter().map(|(idx, _)| *idx).collect();
    places.sort_unstable();
    places
}

pub(super) async fn a_token_is_listed_with_its_event_or_not_at_all(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let elsewhere = World::elsewhere(store.clone(), "elsewhere").await;
    drop(store.record(listing(&world, 3, at_s(10))).await.unwrap());
    drop(store.record(listing(&world, 16_383, at_s(20))).await.unwrap());
    drop(store.record(listing(&elsewhere, 5, at_s(20))).await.unwrap());
    assert_eq!(places(&world, at_s(9)).await, [3, 16_383]);
    assert_eq!(places(&world, at_s(10)).await, [16_383], "expiry without a sweeper");
    assert_eq!(places(&elsewhere, at_s(9)).await, [5], "a tenant's lists are its own");
    let tokens = store.listed_tokens(&world.tenant, &list(), at_s(10)).await.unwrap();
    let expected = listing(&world, 16_383, at_s(20)).events[0].listed.clone().unwrap();
    assert_eq!(tokens, [(16_383, expected.names)], "as it was written");
    let other = StatusListId::from_random(id_bytes(8));
    assert_eq!(store.listed_tokens(&world.tenant, &other, at_s(1)).await.unwrap(), []);
    // What is refused lists nothing.
    let once = world.with_assertion(at_s(1), "a");
    drop(store.record(once.clone()).await.unwrap());
    let replayed = listing(&world, 4, at_s(20)).once(once.once.as_ref());
    assert!(matches!(store.record(replayed).await, Ok(Recorded::AssertionReplayed)));
    assert_eq!(places(&world, at_s(9)).await, [3, 16_383]);
}

pub(super) async fn a_rotation_lists_its_token_once(store: SharedStore) {
    let world = World::new(store.clone()).await;
    world.family(1, at_s(1)).await;
    let mut rotation = world.rotation(1, 0, at_s(2));
    rotation.record = listing(&world, 1, at_s(20));
    assert!(matches!(world.rotate(rotation).await, Rotate::Committed(_)));
    let mut retry = world.retry(1, 0, at_s(2));
    retry.record = listing(&world, 2, at_s(20));
    assert!(matches!(world.rotate(retry).await, Rotate::Committed(_)));
    let mut stale = world.rotation(1, 0, at_s(2));
    stale.record = listing(&world, 9, at_s(20));
    assert!(!matches!(world.rotate(stale).await, Rotate::Committed(_)));
    assert_eq!(places(&world, at_s(9)).await, [1, 2]);
    let mut redeem = world.issued(2, at_s(2)).await;
    redeem.record = listing(&world, 3, at_s(20));
    drop(world.redeem(&redeem).await);
    redeem.record = listing(&world, 8, at_s(20));
    drop(world.redeem(&redeem).await);
    assert_eq!(places(&world, at_s(9)).await, [1, 2, 3]);
}

pub(super) async fn nothing_is_revoked_that_is_not_there(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let elsewhere = World::elsewhere(store, "elsewhere").await;
    world.family(1, at_s(1)).await;
    let before = (world.revocations().await, elsewhere.audit_head().await);
    let foreign = [
        RevocationTarget::Family(world.family_id(1)),
        RevocationTarget::Grant(world.grant().id),
        RevocationTarget::Session(world.session.clone()),
        RevocationTarget::User(world.sub.clone()),
    ];
    let unknown = [
        RevocationTarget::Client(ClientId::from_trusted("unknown")),
        RevocationTarget::Family(FamilyId::from_trusted("unknown")),
        RevocationTarget::Grant(GrantId::from_trusted("unknown")),
        RevocationTarget::Session(SessionId::from_trusted("unknown")),
        RevocationTarget::SigningKey("unknown".to_owned()),
        RevocationTarget::User(Subject::from_trusted("unknown")),
    ];
    for target in foreign.into_iter().chain(unknown) {
        let revoked = elsewhere.revoke(target.clone(), at_s(2)).await;
        assert!(matches!(revoked, Revoked::Missing), "{target:?}");
    }
    assert_eq!((world.revocations().await, elsewhere.audit_head().await), before);
    assert!(matches!(world.rotate(world.rotation(1, 0, at_s(3))).await, Rotate::Committed(_)));
}

pub(super) async fn revoking_twice_does_no_harm(store: SharedStore) {
    let world = World::new(store).await;
    let family = RevocationTarget::Family(world.family(1, at_s(1)).await);
    let user = RevocationTarget::User(world.sub.clone());
    for target in [family, user, RevocationTarget::Tenant] {
        for now in [at_s(20), at_s(10)] {
            assert_eq!(entries(world.revoke(target.clone(), now).await)[0], target);
        }
    }
    let user = world.store.load_user(&world.tenant, &world.sub).await.unwrap().unwrap();
    assert_eq!(user.not_before, at_s(20), "an earlier moment takes nothing back");
    let tenant = world.store.list_tenants().await.unwrap().remove(0);
    assert_eq!(tenant.not_before, at_s(20));
}

/// One of the clocks is an hour ahead of the other: of whoever gave out, or of whoever revokes.
pub(super) async fn what_a_user_has_ends_whatever_clock_dated_it(store: SharedStore) {
    let world = World::new(store).await;
    world.family(1, at_s(3600)).await;
    let session = world.second_session(at_s(3600)).await;
    let user = RevocationTarget::User(world.sub.clone());
    let named = entries(world.revoke(user, at_s(5)).await);
    assert!(named.contains(&RevocationTarget::Session(session.clone())), "{named:?}");
    assert!(named.contains(&RevocationTarget::Grant(world.grant().id)), "{named:?}");
    assert!(world.load(&world.family_id(1)).await.unwrap().revoked);
    let rotated = world.rotate(world.rotation(1, 0, at_s(3601))).await;
    assert!(!matches!(rotated, Rotate::Committed(_)), "{rotated:?}");
    let again = world.revoke(RevocationTarget::Session(session), at_s(6)).await;
    assert!(matches!(again, Revoked::Missing), "{again:?}");
}

/// A node that has not heard of a deletion may have issued something since.
pub(super) async fn a_deleted_client_is_revoked_again(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let client = RevocationTarget::Client(world.client.clone());
    let delete = DeleteClient {
        tenant: world.tenant.clone(),
        id: world.client.clone(),
        tokens_expire_at: at_s(2).plus(TOKENS),
        record: world.event(at_s(2)),
    };
    let ((), deleted) = done(store.delete_client(delete).await.unwrap());
    assert_eq!(targets(deleted), std::slice::from_ref(&client));
    let changes = store.log_heads().await.unwrap().change;
    assert_eq!(entries(world.revoke(client, at_s(3)).await).len(), 1);
    assert_eq!(store.log_heads().await.unwrap().change, changes, "there is nothing to load");
}

pub(super) async fn the_log_is_ordered(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let tasks = (0..10u32).map(|task| {
        let world = world.clone();
        tokio::spawn(async move {
            for n in 0..10 {
                let token = Jti::from_random(id_bytes(task * 100 + n));
                drop(world.revoke(RevocationTarget::Token(token), at_s(1)).await);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let log = world.revocations().await;
    assert_eq!(log.len(), 100);
    assert!(log.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let head = store.log_heads().await.unwrap().revocation;
    assert_eq!(log.last().unwrap().seq, head);
    let later = store.revocations_since(log[40].seq, 5).await.unwrap();
    assert_eq!(later, log[41..46]);
    assert_eq!(later[0].expires_at, at_s(1).plus(TOKENS));
    assert_eq!(store.revocations_since(head, 5).await.unwrap(), []);
}

pub(super) async fn a_replayed_assertion_revokes_nothing(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let id = world.family(1, at_s(1)).await;
    let revoke = |target, jti| Revoke {
        tenant: world.tenant.clone(),
        target,
        tokens_expire_at: at_s(2).plus(TOKENS),
        record: world.with_assertion(at_s(2), jti),
    };
    let unknown = RevocationTarget::Family(FamilyId::from_trusted("unknown"));
    assert!(matches!(store.revoke(revoke(unknown, "a")).await.unwrap(), Revoked::Missing));
    let token = RevocationTarget::Token(Jti::from_random(id_bytes(1)));
    let first = store.revoke(revoke(token, "a")).await.unwrap();
    assert!(matches!(first, Revoked::Done(_)), "what was missing did not spend the assertion");
    let target = RevocationTarget::Family(id.clone());
    let replayed = store.revoke(revoke(target.clone(), "a")).await.unwrap();
    assert!(matches!(replayed, Revoked::AssertionReplayed));
    assert!(!world.load(&id).await.unwrap().revoked);
    assert!(matches!(store.revoke(revoke(target, "b")).await.unwrap(), Revoked::Done(_)));
    assert!(world.load(&id).await.unwrap().revoked);
}
