use std::time::Duration;

use keywright_jose::{Algorithm, UnverifiedJws};
use keywright_protocol::audit::Record;
use keywright_protocol::id::{Jti, Subject};
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::revocation::view::RevocationView;
use keywright_protocol::wire::revocations::{ENTRIES_MAX, FeedMessage, MESSAGE_BYTES_MAX, TYP};
use keywright_store::revocation::{Revoke, Revoked};

use super::compose::EXACT_ENTRIES_MAX;
use super::*;
use crate::admin::testing::World;
use crate::tenants::TenantState;

const LIFE: Duration = Duration::from_mins(10);

fn token(n: usize) -> RevocationTarget {
    RevocationTarget::Token(Jti::from_trusted(format!("jti{n}")))
}

fn default_tenant(world: &World) -> Arc<TenantState> {
    world.app.tenant(&TenantId::default_tenant()).unwrap()
}

fn entry(world: &World, tenant: &TenantId, seq: u64, target: RevocationTarget) -> RevocationEntry {
    let (tenant, at) = (tenant.clone(), world.app.now());
    RevocationEntry { seq, tenant, target, at, expires_at: at.plus(LIFE) }
}

fn message(world: &World, cursor: Cursor) -> Message {
    world.app.feeds.message(&default_tenant(world), cursor, world.app.now()).unwrap()
}

fn read(world: &World, message: &Message) -> FeedMessage {
    let text = std::str::from_utf8(&message.jws).unwrap();
    let tenant = default_tenant(world);
    let keys = tenant.keys.load();
    let jws = UnverifiedJws::parse_document(text, MESSAGE_BYTES_MAX).unwrap();
    let jws = jws.verify(keys.verifying(), &[Algorithm::Es256]).unwrap();
    assert!(jws.header.typ_is(TYP));
    FeedMessage::decode(&jws.payload).unwrap()
}

async fn revoke(world: &World, target: RevocationTarget) {
    let now = world.app.now();
    let record = Record { now, events: Vec::new(), once: None };
    let (tenant, tokens_expire_at) = (TenantId::default_tenant(), now.plus(LIFE));
    let revoke = Revoke { tenant, target, tokens_expire_at, record };
    assert!(matches!(world.app.store.revoke(revoke).await.unwrap(), Revoked::Done(_)));
    world.app.follow().await.unwrap();
}

#[tokio::test]
async fn what_is_revoked_comes_once_and_in_order() {
    let world = World::start().await;
    let mut view = RevocationView::new(world.app.root_issuer());
    let now = world.app.now();
    view.apply(&read(&world, &message(&world, Cursor::Start)), None, now).unwrap();
    revoke(&world, token(1)).await;
    revoke(&world, RevocationTarget::Tenant).await;
    let delta = message(&world, world.app.feeds.cursor(view.position()));
    let told = read(&world, &delta);
    assert_eq!((told.since, told.seq, told.entries.len(), told.snapshot), (0, 2, 2, false));
    assert_eq!(
        told.entries[1].floor.as_ref().map(|floor| floor.issued_until_s),
        Some(now.as_unix_s())
    );
    view.apply(&told, None, now).unwrap();
    let after = message(&world, Cursor::After(delta.seq));
    assert!(after.is_empty && read(&world, &after).entries.is_empty());
    // Followed twice, as it happens when two follow at once: told once.
    let again = entry(&world, &TenantId::default_tenant(), 2, RevocationTarget::Tenant);
    world.app.feeds.append(&again, None);
    assert_eq!(read(&world, &message(&world, Cursor::Start)).entries.len(), 2);
}

/// A clock that was ahead for a while lets entries be forgotten that matter still.
#[tokio::test]
async fn what_was_forgotten_too_early_is_told_again() {
    let world = World::start().await;
    revoke(&world, token(1)).await;
    revoke(&world, token(2)).await;
    let told = || read(&world, &message(&world, Cursor::Start)).entries.len();
    assert_eq!(told(), 2);
    world.clock.advance(Duration::from_hours(1));
    world.app.forget_expired(world.app.now());
    assert_eq!(told(), 0);
    world.clock.set_back(Duration::from_hours(1));
    revoke(&world, token(3)).await;
    assert_eq!(told(), 3);
    assert_eq!(read(&world, &message(&world, Cursor::After(2))).entries.len(), 1);
}

/// Counted by the clock of the node that revokes, an entry may end before the token does.
#[tokio::test]
async fn an_entry_of_a_clock_behind_is_told_as_long() {
    let world = World::start().await;
    world.clock.set_back(Duration::from_hours(1));
    let (tenant, now) = (TenantId::default_tenant(), world.app.now());
    let record = Record { now, events: Vec::new(), once: None };
    let revoke = Revoke { tenant, target: token(1), tokens_expire_at: now.plus(LIFE), record };
    assert!(matches!(world.app.store.revoke(revoke).await.unwrap(), Revoked::Done(_)));
    world.clock.advance(Duration::from_hours(1));
    world.app.follow().await.unwrap();
    let told = read(&world, &message(&world, Cursor::Start)).entries;
    assert_eq!(told.len(), 1);
    world.clock.advance(LIFE + Duration::from_secs(1));
    assert_eq!(read(&world, &message(&world, Cursor::Start)).entries.len(), 0, "no longer either");
}

#[tokio::test]
async fn a_message_is_signed_once_for_all_who_stand_at_one_place() {
    let world = World::start().await;
    revoke(&world, token(1)).await;
    let first = message(&world, Cursor::Start);
    assert_eq!(first.jws.as_ptr(), message(&world, Cursor::Start).jws.as_ptr());
    assert_ne!(first.jws, message(&world, Cursor::After(0)).jws, "another place");
    revoke(&world, token(2)).await;
    let second = message(&world, Cursor::Start);
    assert_eq!(read(&world, &second).entries.len(), 2, "not what was true before");
    world.clock.advance(Duration::from_secs(1));
    assert_ne!(second.jws, message(&world, Cursor::Start).jws, "not with an old date");
}

#[tokio::test]
async fn a_tenant_hears_nothing_of_another() {
    let world = World::start().await;
    let (own, other) = (TenantId::default_tenant(), TenantId::from_trusted("other"));
    let feeds = &world.app.feeds;
    let mut own_word = feeds.tenant(&own).watch();
    own_word.borrow_and_update();
    feeds.append(&entry(&world, &other, 1, token(1)), None);
    feeds.followed_to(1);
    assert!(!own_word.has_changed().unwrap(), "it is not even woken");
    feeds.append(&entry(&world, &own, 2, token(2)), None);
    feeds.followed_to(2);
    assert!(own_word.has_changed().unwrap());
    let told = read(&world, &message(&world, Cursor::Start));
    assert_eq!(told.entries.len(), 1);
    assert_eq!(feeds.tenant(&other).entries_after(0, 10, world.app.now()).len(), 1);
}

#[tokio::test]
async fn a_long_log_comes_in_bounded_messages() {
    let world = World::start().await;
    let tenant = TenantId::default_tenant();
    let count = ENTRIES_MAX + 1;
    for n in 1..=count {
        world.app.feeds.append(&entry(&world, &tenant, n as u64, token(n)), None);
    }
    world.app.feeds.followed_to(count as u64);
    let mut view = RevocationView::new(world.app.root_issuer());
    let first = message(&world, Cursor::Start);
    assert!(first.more && first.seq == ENTRIES_MAX as u64);
    view.apply(&read(&world, &first), None, world.app.now()).unwrap();
    let rest = message(&world, Cursor::After(first.seq));
    assert!(!rest.more && rest.seq == count as u64);
    view.apply(&read(&world, &rest), None, world.app.now()).unwrap();
    assert_eq!(view.len(), count);
    let bytes = (first.jws.len() - message(&world, Cursor::After(count as u64)).jws.len()) as u64;
    assert!(bytes / (ENTRIES_MAX as u64) < 48, "{bytes} bytes for {ENTRIES_MAX} entries");
}

/// Wherever those stand who miss much, they get the same few messages: nobody can have many large
/// ones made.
#[tokio::test]
async fn large_messages_are_made_once_for_all() {
    let world = World::start().await;
    let tenant = TenantId::default_tenant();
    let count = 2 * ENTRIES_MAX + 500;
    for n in 1..=count {
        // Places of other tenants lie between.
        world.app.feeds.append(&entry(&world, &tenant, 3 * n as u64, token(n)), None);
    }
    world.app.feeds.followed_to(3 * count as u64);
    let mut made = std::collections::HashSet::new();
    for missed in (EXACT_ENTRIES_MAX + 1..=count).step_by(97) {
        let stands_at = 3 * (count - missed) as u64;
        let message = message(&world, Cursor::After(stands_at));
        let told = read(&world, &message);
        assert!(told.since <= stands_at && told.seq > stands_at, "it leaves no gap");
        assert!(told.entries.len() <= ENTRIES_MAX);
        made.insert(message.jws.as_ptr());
    }
    assert_eq!(made.len(), 2, "the last 500 belong to those who miss little");
    let few = message(&world, Cursor::After(3 * (count - EXACT_ENTRIES_MAX) as u64));
    assert_eq!(read(&world, &few).entries.len(), EXACT_ENTRIES_MAX);
    // Once the first piece is over, the log begins with the second.
    let mut log = TenantLog::default();
    for n in 1..=count {
        let mut entry = entry(&world, &tenant, n as u64, token(n));
        if n <= ENTRIES_MAX {
            entry.expires_at = world.app.now();
        }
        log.push(Logged::new(&entry, None, Identifiers::Dropped));
    }
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(log.piece(0).next, Some(ENTRIES_MAX as u64));
    log.forget_expired(world.app.now());
    assert_eq!(log.piece(0).next, Some(2 * ENTRIES_MAX as u64));
}

#[tokio::test]
async fn wherever_between_two_entries_one_stands_the_message_is_the_same() {
    let world = World::start().await;
    let tenant = TenantId::default_tenant();
    for n in 1..=3 {
        // Places of other tenants lie between.
        world.app.feeds.append(&entry(&world, &tenant, 100 * n, token(1)), None);
    }
    world.app.feeds.followed_to(400);
    let mut made = std::collections::HashSet::new();
    for stands_at in 0..=400 {
        let message = message(&world, world.app.feeds.cursor(Some(stands_at)));
        let told = read(&world, &message);
        let missed = 3 - usize::try_from(stands_at / 100).unwrap().min(3);
        assert_eq!((told.entries.len(), message.is_empty), (missed, missed == 0), "{stands_at}");
        assert!(told.since <= stands_at && !told.snapshot, "a follower accepts it");
        made.insert(message.jws.as_ptr());
    }
    assert_eq!(made.len(), 4, "one for each entry, and one before all");
    // It leads no follower back.
    let mut view = RevocationView::new(world.app.root_issuer());
    let now = world.app.now();
    view.apply(
        &FeedMessage { seq: 400, ..read(&world, &message(&world, Cursor::Start)) },
        None,
        now,
    )
    .unwrap();
    view.apply(&read(&world, &message(&world, Cursor::After(400))), None, now).unwrap();
    assert_eq!(view.position(), Some(400));
}

#[tokio::test]
async fn what_has_ended_is_told_no_more() {
    let world = World::start().await;
    revoke(&world, token(1)).await;
    world.clock.advance(LIFE / 2);
    revoke(&world, token(2)).await;
    world.clock.advance(LIFE / 2 + Duration::from_secs(1));
    let told = read(&world, &message(&world, Cursor::Start));
    assert_eq!((told.entries.len(), told.seq), (1, 2));
    world.clock.advance(LIFE);
    let told = read(&world, &message(&world, Cursor::After(0)));
    assert_eq!((told.entries.len(), told.seq), (0, 2), "the place is reached all the same");
    world.app.feeds.forget_expired(world.app.now());
    let all = world.app.feeds.tenant(&TenantId::default_tenant());
    assert!(all.log(|log| log.after(0, Timestamp::from_millis(0)).next().is_none()));
    assert_eq!(all.log(TenantLog::head), 2);
}

#[test]
fn an_entry_takes_little_memory() {
    assert!(size_of::<Logged>() <= 64, "{} bytes", size_of::<Logged>());
}

#[tokio::test]
async fn a_place_of_another_log_gets_a_snapshot() {
    let world = World::start().await;
    revoke(&world, token(1)).await;
    let feeds = &world.app.feeds;
    assert_eq!(feeds.cursor(Some(1)), Cursor::After(1));
    assert_eq!(feeds.cursor(Some(2)), Cursor::Start);
    assert_eq!(feeds.cursor(None), Cursor::Start);
}

#[tokio::test]
async fn a_node_catches_up_with_a_place_that_is_near() {
    let world = World::start().await;
    let feeds = &world.app.feeds;
    feeds.followed_to(1);
    let mut near = std::pin::pin!(feeds.reach(BEHIND_MAX));
    let ready = |polled: std::task::Poll<()>| polled.is_ready();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(!ready(near.as_mut().poll(&mut context)), "it waits");
    let far = std::pin::pin!(feeds.reach(BEHIND_MAX + 1));
    assert!(ready(far.poll(&mut context)), "the place of another log");
    feeds.followed_to(BEHIND_MAX);
    assert!(ready(near.as_mut().poll(&mut context)), "it has come as far");
    let past = std::pin::pin!(feeds.reach(1));
    assert!(ready(past.poll(&mut context)));
}

#[tokio::test]
async fn a_message_is_dated_when_nothing_was_missing() {
    let world = World::start().await;
    let followed_at = world.app.now();
    world.clock.advance(Duration::from_secs(30));
    let told = read(&world, &message(&world, Cursor::After(0)));
    assert_eq!(told.iat_s, followed_at.as_unix_s(), "the store was not followed since");
    world.app.feeds.mark_current(world.app.now());
    world.clock.advance(Duration::from_secs(1));
    let told = read(&world, &message(&world, Cursor::After(0)));
    assert_eq!(told.iat_s, followed_at.as_unix_s() + 30);
}

#[tokio::test]
async fn floors_are_those_of_the_node() {
    let world = World::start().await;
    let (tenant, sub) = (TenantId::default_tenant(), Subject::from_trusted("user_1"));
    let target = RevocationTarget::User(sub);
    let mut set = keywright_protocol::revocation::RevocationSet::default();
    for seq in 1..=3 {
        let entry = entry(&world, &tenant, seq, target.clone());
        set.insert(&entry);
        world.app.feeds.append(&entry, set.floor_of(&tenant, &target));
    }
    world.app.feeds.followed_to(3);
    let now_s = world.app.now().as_unix_s();
    let told = read(&world, &message(&world, Cursor::Start));
    let floors: Vec<_> =
        told.entries.iter().map(|e| e.floor.as_ref().map(|f| f.issued_until_s)).collect();
    assert_eq!(floors, [Some(now_s), Some(now_s + 1), Some(now_s + 1)], "three in one second");
}
