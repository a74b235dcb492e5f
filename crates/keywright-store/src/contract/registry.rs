//! What operators register: clients, resources, tenants, keys; and the nodes that follow.

use keywright_protocol::id::{GrantId, TenantId};
use keywright_protocol::resource::{ProtectedResource, ResourceIndicator};
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::time::Timestamp;

use super::fixture::{TOKENS, World, at_s, done, id_bytes, targets};
use super::revocation::a_key;
use crate::change::{Changed, LogHeads, NodeReport};
use crate::client::{Create, DeleteClient, Update, UpdateClient};
use crate::code::Issue;
use crate::grant::GrantFilter;
use crate::key::KeyChange;
use crate::tenant::UpdateTenant;
use crate::{Page, SharedStore};

fn delete(world: &World) -> DeleteClient {
    DeleteClient {
        tenant: world.tenant.clone(),
        id: world.client.clone(),
        tokens_expire_at: at_s(5).plus(TOKENS),
        record: world.event(at_s(5)),
    }
}

pub(super) async fn clients_are_created_changed_listed_and_deleted(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let elsewhere = World::elsewhere(store.clone(), "elsewhere").await;
    let taken = world.a_client("pos-web");
    assert_eq!(store.create_client(taken, world.event(at_s(1))).await.unwrap(), Create::Exists);
    for id in ["a", "b", "c"] {
        world.add_client(id).await;
    }
    let page = |after, limit| store.list_clients(&world.tenant, Page { after, limit });
    let first = page(None, 3).await.unwrap();
    let ids: Vec<_> = first.items.iter().map(|client| client.id.as_str()).collect();
    assert_eq!((ids, first.next.as_deref()), (vec!["a", "b", "c"], Some("c")));
    let last = page(first.next, 3).await.unwrap();
    assert_eq!((last.items, last.next), (vec![world.a_client("pos-web")], None));
    assert_eq!(store.all_clients().await.unwrap().len(), 5);
    let update = |revoke_until| UpdateClient {
        tenant: world.tenant.clone(),
        id: world.client.clone(),
        change: Box::new(|client| {
            client.disabled = true;
            client.tenant = TenantId::from_trusted("stolen");
        }),
        revoke_until,
        record: world.event(at_s(3)),
    };
    let (client, revoked) = done(store.update_client(update(None)).await.unwrap());
    assert_eq!((client.disabled, &client.tenant), (true, &world.tenant));
    assert_eq!((client.not_before, revoked), (Timestamp::from_millis(0), vec![]));
    let until = Some(at_s(3).plus(TOKENS));
    let (client, revoked) = done(store.update_client(update(until)).await.unwrap());
    assert_eq!(client.not_before, at_s(3));
    assert_eq!(targets(revoked), [RevocationTarget::Client(world.client.clone())]);
    let loaded = store.load_client(&world.tenant, &world.client).await.unwrap();
    assert_eq!(loaded, Some(client));
    let ((), revoked) = done(store.delete_client(delete(&world)).await.unwrap());
    assert_eq!(targets(revoked), [RevocationTarget::Client(world.client.clone())]);
    assert!(store.load_client(&world.tenant, &world.client).await.unwrap().is_none());
    assert_eq!(store.delete_client(delete(&world)).await.unwrap(), Update::Missing);
    assert_eq!(store.update_client(update(None)).await.unwrap(), Update::Missing);
    let theirs = store.load_client(&elsewhere.tenant, &elsewhere.client).await.unwrap();
    assert!(theirs.is_some(), "the same name in another tenant");
}

pub(super) async fn a_deleted_client_takes_its_grants_along(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let family = world.family(1, at_s(1)).await;
    let listed = |filter| store.list_grants(&world.tenant, filter, Page::default());
    let of_user = || GrantFilter { sub: Some(world.sub.clone()), client: None };
    let of_client = || GrantFilter { sub: None, client: Some(world.client.clone()) };
    for filter in [GrantFilter::default(), of_user(), of_client()] {
        assert_eq!(listed(filter).await.unwrap().items, [world.grant()]);
    }
    done(store.delete_client(delete(&world)).await.unwrap());
    // A client of the same name is another client.
    let again = world.a_client("pos-web");
    assert_eq!(store.create_client(again, world.event(at_s(6))).await.unwrap(), Create::Created);
    for filter in [GrantFilter::default(), of_user(), of_client()] {
        assert_eq!(listed(filter).await.unwrap().items, []);
    }
    assert!(world.load(&family).await.is_none());
    assert!(store.load_grant(&world.tenant, &world.sub, &world.client).await.unwrap().is_none());
    store.sweep(at_s(7)).await.unwrap();
    let mut issue = world.a_code(2, at_s(8));
    issue.grant.id = GrantId::from_random(id_bytes(2));
    issue.code.grant = issue.grant.id.clone();
    assert!(matches!(world.issue(issue.clone()).await, Issue::Committed(_)));
    assert_eq!(listed(of_client()).await.unwrap().items, [issue.grant]);
}

fn a_resource(lifetime_s: u64) -> ProtectedResource {
    let json = format!(
        r#"{{"identifier":"https://api.test/","scopes":[{{"name":"read"}}],
            "lifetime_s":{lifetime_s}}}"#
    );
    serde_json::from_str(&json).unwrap()
}

pub(super) async fn resources_are_created_replaced_and_deleted(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let (tenant, record) = (&world.tenant, || world.event(at_s(1)));
    let replace = |lifetime| store.replace_resource(tenant, a_resource(lifetime), record());
    assert_eq!(replace(60).await.unwrap(), Update::Missing);
    let create = |lifetime| store.create_resource(tenant, a_resource(lifetime), record());
    assert_eq!(create(60).await.unwrap(), Create::Created);
    assert_eq!(create(90).await.unwrap(), Create::Exists);
    assert_eq!(store.list_resources(tenant).await.unwrap(), [a_resource(60)]);
    done(replace(90).await.unwrap());
    assert_eq!(store.list_resources(tenant).await.unwrap(), [a_resource(90)]);
    let elsewhere = TenantId::from_trusted("elsewhere");
    assert_eq!(store.list_resources(&elsewhere).await.unwrap(), []);
    let name = ResourceIndicator::parse("https://api.test/").unwrap();
    done(store.delete_resource(tenant, &name, record()).await.unwrap());
    assert_eq!(store.delete_resource(tenant, &name, record()).await.unwrap(), Update::Missing);
    assert_eq!(store.list_resources(tenant).await.unwrap(), []);
}

pub(super) async fn tenants_begin_with_the_default_one(store: SharedStore) {
    assert_eq!(store.list_tenants().await.unwrap(), [crate::first_tenant()]);
    let elsewhere = World::elsewhere(store.clone(), "elsewhere").await;
    let ids: Vec<_> = store.list_tenants().await.unwrap().into_iter().map(|t| t.id).collect();
    assert_eq!(ids, [TenantId::default_tenant(), elsewhere.tenant.clone()]);
    let taken = crate::first_tenant();
    let record = elsewhere.event(at_s(1));
    assert_eq!(store.create_tenant(taken, record).await.unwrap(), Create::Exists);
    let update = |id: TenantId, revoke_until| UpdateTenant {
        id,
        change: Box::new(|tenant| tenant.display_name = "Elsewhere".to_owned()),
        revoke_until,
        record: elsewhere.event(at_s(2)),
    };
    let (tenant, revoked) =
        done(store.update_tenant(update(elsewhere.tenant.clone(), None)).await.unwrap());
    assert_eq!((tenant.display_name.as_str(), revoked), ("Elsewhere", vec![]));
    let until = Some(at_s(2).plus(TOKENS));
    let (tenant, revoked) =
        done(store.update_tenant(update(elsewhere.tenant.clone(), until)).await.unwrap());
    assert_eq!(tenant.not_before, at_s(2));
    assert_eq!(targets(revoked), [RevocationTarget::Tenant]);
    assert_eq!(store.list_tenants().await.unwrap()[1], tenant);
    let unknown = update(TenantId::from_trusted("unknown"), None);
    assert_eq!(store.update_tenant(unknown).await.unwrap(), Update::Missing);
}

pub(super) async fn keys_change_together(store: SharedStore) {
    let world = World::new(store.clone()).await;
    let create = |kid| store.create_key(a_key(&world, kid), world.event(at_s(1)));
    assert_eq!(create("a").await.unwrap(), Create::Created);
    assert_eq!(create("b").await.unwrap(), Create::Created);
    assert_eq!(create("a").await.unwrap(), Create::Exists);
    let retire = |kid: &str| KeyChange {
        kid: kid.to_owned(),
        change: Box::new(|times| times.retire_at = Some(at_s(5))),
    };
    let update = |kids: &[&str]| {
        let changes = kids.iter().map(|kid| retire(kid)).collect();
        store.update_keys(&world.tenant, changes, world.event(at_s(2)))
    };
    let ends = || async {
        let keys = store.list_keys(&world.tenant).await.unwrap();
        keys.into_iter().map(|key| (key.kid, key.times.retire_at.unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(update(&["a", "unknown"]).await.unwrap(), Update::Missing);
    let (a, b) = ("a".to_owned(), "b".to_owned());
    assert_eq!(ends().await, [(a.clone(), at_s(1000)), (b.clone(), at_s(1000))]);
    done(update(&["a", "b"]).await.unwrap());
    assert_eq!(ends().await, [(a, at_s(5)), (b, at_s(5))]);
    let key = store.list_keys(&world.tenant).await.unwrap().remove(0);
    let as_stored = a_key(&world, "a");
    assert_eq!((key.alg, key.sealed_private), (as_stored.alg, as_stored.sealed_private));
    let json = |jwk| serde_json::to_value(jwk).unwrap();
    assert_eq!(json(&key.public), json(&as_stored.public));
}

pub(super) async fn secrets_are_kept_once(store: SharedStore) {
    assert_eq!(store.load_secret("csrf").await.unwrap(), None);
    assert_eq!(store.keep_secret("csrf", vec![1]).await.unwrap(), [1]);
    assert_eq!(store.keep_secret("csrf", vec![2]).await.unwrap(), [1]);
    assert_eq!(store.keep_secret("other", vec![3]).await.unwrap(), [3]);
    assert_eq!(store.load_secret("csrf").await.unwrap(), Some(vec![1]));
}

pub(super) async fn every_change_is_logged_in_order(store: SharedStore) {
    assert_eq!(store.log_heads().await.unwrap(), LogHeads::default());
    let world = World::new(store.clone()).await;
    let record = || world.event(at_s(1));
    let resource = store.create_resource(&world.tenant, a_resource(60), record());
    assert_eq!(resource.await.unwrap(), Create::Created);
    let key = store.create_key(a_key(&world, "k"), record());
    assert_eq!(key.await.unwrap(), Create::Created);
    drop(world.revoke(RevocationTarget::Tenant, at_s(2)).await);
    done(store.delete_client(delete(&world)).await.unwrap());
    let log = store.changes_since(0, 100).await.unwrap();
    let changed: Vec<_> = log.iter().map(|entry| entry.changed.clone()).collect();
    let client = Changed::Client(world.client.clone());
    let expected = [client.clone(), Changed::Resources, Changed::Keys, Changed::Tenant, client];
    assert_eq!(changed, expected);
    assert!(log.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    assert!(log.iter().all(|entry| entry.tenant == world.tenant));
    assert_eq!(store.log_heads().await.unwrap().change, log[4].seq);
    assert_eq!(store.changes_since(log[1].seq, 2).await.unwrap(), log[2..4]);
}

pub(super) async fn nodes_report(store: SharedStore) {
    let report = |id: &str, seconds, change| NodeReport {
        id: id.to_owned(),
        machine: "m".to_owned(),
        seen_at: at_s(seconds),
        followed: LogHeads { change, revocation: 7 },
    };
    for (id, seconds, change) in [("a", 1, 1), ("b", 5, 2), ("a", 9, 3)] {
        store.report_node(report(id, seconds, change)).await.unwrap();
    }
    let all = store.list_nodes(at_s(5)).await.unwrap();
    assert_eq!(all, [report("a", 9, 3), report("b", 5, 2)]);
    assert_eq!(store.list_nodes(at_s(6)).await.unwrap(), [report("a", 9, 3)]);
    store.remove_node("a").await.unwrap();
    store.remove_node("a").await.unwrap();
    assert_eq!(store.list_nodes(at_s(0)).await.unwrap(), [report("b", 5, 2)]);
}
