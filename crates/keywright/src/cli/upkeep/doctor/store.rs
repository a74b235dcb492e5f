//! The store: what it is, who uses it, and the keys in it.

use std::time::Duration;

use keywright_protocol::time::Timestamp;
use keywright_server::Config;
use keywright_server::config::StoreUrl;
use keywright_server::keys::MasterKey;
use keywright_server::keys::ring::{KeyState, state_of};
use keywright_server::start;
use keywright_store::SharedStore;
use keywright_store::change::{LogHeads, NodeReport};
use keywright_store::key::StoredKey;
use keywright_store::schema::Inspection;

use super::super::{LOOK_EVERY, NODE_SILENT, now, refuse_missing};
use super::Finding;
use super::machine::megabytes;
use crate::cli::failure::Failure;
use crate::cli::output::time;

/// The log is cut at 64 MiB: a much longer one is never moved into the tables.
const LOG_BYTES_MAX: u64 = 256 << 20;
/// Token times are compared in seconds.
const SKEW_MAX: Duration = Duration::from_secs(1);
/// How often it is looked whether a node has followed: a second in all.
const LOOKS_MAX: u32 = 6;
/// A signing key whose end is this near has a successor by now.
const KEY_DUE: Duration = Duration::from_hours(24);

/// Looks at the store from outside, and inside if it is this program's.
pub(super) async fn examine(config: &Config, master: Option<&MasterKey>) -> Vec<Finding> {
    let url = &config.store.url;
    let inspected = match refuse_missing(url) {
        Ok(()) => start::inspect_store(url).await.map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    let inspection = match inspected {
        Ok(inspection) => inspection,
        Err(failure) => {
            let remedy = match url {
                StoreUrl::Postgres(_) => "is store.url right, and does the database run?",
                _ => "is store.url right? A first `keywright serve` makes the store",
            };
            return vec![Finding::problem("store", failure.to_string(), remedy)];
        }
    };
    let mut findings = outside(&inspection);
    if !inspection.pending.is_empty() || inspection.schema == 0 {
        return findings;
    }
    match inside(config, master, &mut findings).await {
        Ok(()) => {}
        Err(failure) => {
            let remedy = "the log of a server on this store may say more";
            findings.push(Finding::problem("store", failure.to_string(), remedy));
        }
    }
    findings
}

fn outside(inspection: &Inspection) -> Vec<Finding> {
    let Inspection { engine, schema, known, bytes, .. } = inspection;
    let what = format!("{engine}, {}", megabytes(*bytes));
    let mut findings = vec![Finding::good("store", what)];
    findings.push(if schema > known {
        let what = format!("version {schema}, newer than this program's {known}, which it fits");
        Finding::good("schema", what)
    } else if inspection.pending.is_empty() {
        Finding::good("schema", format!("version {schema}, up to date"))
    } else {
        let what = format!("version {schema} lacks {}", inspection.pending.join(", "));
        let remedy =
            "keywright migrate --dry-run says how long it takes; keywright migrate does it";
        Finding::problem("schema", what, remedy)
    });
    if let Some(log) = inspection.log_bytes {
        let what = format!("{} wait in the write-ahead log", megabytes(log));
        findings.push(if log > LOG_BYTES_MAX {
            Finding::problem("log", what, "something reads without an end: a backup that hangs?")
        } else {
            Finding::good("log", what)
        });
    }
    for (name, holder, until) in &inspection.leases {
        let held = if *until > now() { "is held by" } else { "was last held by" };
        findings
            .push(Finding::note("lease", format!("{name} {held} {holder} until {}", time(*until))));
    }
    if let Some(clock) = inspection.clock {
        findings.push(skew(clock, now()));
    }
    findings
}

fn skew(theirs: Timestamp, ours: Timestamp) -> Finding {
    let apart = theirs.since(ours).max(ours.since(theirs));
    let what = format!("{} ms apart from the store's", apart.as_millis());
    if apart > SKEW_MAX {
        Finding::problem("clock", what, "let both machines follow one source of time")
    } else {
        Finding::good("clock", what)
    }
}

async fn inside(
    config: &Config,
    master: Option<&MasterKey>,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let store = start::open_store(&config.store.url).await?;
    if let Some(source) = store.unfinished_copy().await? {
        let what = format!("the target of a copy that is not finished, from {source}");
        findings.push(Finding::problem("copy", what, "run that command again"));
        return Ok(());
    }
    let epoch = store.load_epoch().await?;
    if epoch.number > 0 {
        let what = format!("{}, since {}", epoch.number, time(epoch.raised_at));
        findings.push(Finding::good("epoch", what));
    }
    if let Some(master) = master {
        findings.extend(keys(config, master, &store).await?);
    }
    findings.extend(nodes(&store).await?);
    store.close().await;
    Ok(())
}

/// Whether all nodes get to where the logs end now; one that has just been told has a moment.
async fn nodes(store: &SharedStore) -> Result<Vec<Finding>, Failure> {
    let heads = store.log_heads().await?;
    let mut looks = 0;
    loop {
        let nodes = store.list_nodes(now().minus(NODE_SILENT)).await?;
        looks += 1;
        if looks == LOOKS_MAX || nodes.iter().all(|node| behind(node, heads) == 0) {
            return Ok(following(&nodes, heads));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn keys(
    config: &Config,
    master: &MasterKey,
    store: &SharedStore,
) -> Result<Vec<Finding>, Failure> {
    let source = config.keys.master.to_string();
    if let Err(fault) = master.check(store, &source).await {
        let remedy = "put the right key back from your copy";
        return Ok(vec![Finding::problem("keys", fault.to_string(), remedy)]);
    }
    let mut findings = Vec::new();
    for tenant in store.list_tenants().await? {
        let own = store.list_keys(&tenant.id).await?;
        let opens = |key: &&StoredKey| {
            let opened = master.open_key(&key.tenant, &key.kid, key.alg, &key.sealed_private);
            state_of(&key.times, now()) == KeyState::Gone || opened.is_ok()
        };
        let sealed = own.len() - own.iter().filter(opens).count();
        let id = &tenant.id;
        findings.push(if own.is_empty() {
            Finding::note("keys", format!("{id} has none yet: a server makes them"))
        } else if sealed > 0 {
            let what = format!("{sealed} keys of {id} cannot be opened");
            Finding::problem("keys", what, "restore a backup made before they were damaged")
        } else {
            aging(id.as_str(), &own)
        });
    }
    Ok(findings)
}

/// A key must sign now, and another must be there when it ends.
fn aging(tenant: &str, keys: &[StoredKey]) -> Finding {
    let remedy = "start a server: it makes and rotates keys by itself";
    let mut active = Vec::new();
    for alg in keys.iter().map(|key| key.alg).collect::<std::collections::BTreeSet<_>>() {
        let of_alg = || keys.iter().filter(|key| key.alg == alg);
        let signs_at =
            |at: Timestamp| of_alg().any(|key| state_of(&key.times, at) == KeyState::Active);
        let name = alg.name();
        if !signs_at(now()) {
            return Finding::problem("keys", format!("no {name} key of {tenant} signs"), remedy);
        }
        if !signs_at(now().plus(KEY_DUE)) {
            let what = format!("the {name} key of {tenant} ends within a day, without a successor");
            return Finding::problem("keys", what, remedy);
        }
        active.push(name);
    }
    Finding::good("keys", format!("{tenant} signs with {}", active.join(", ")))
}

fn following(nodes: &[NodeReport], heads: LogHeads) -> Vec<Finding> {
    if nodes.is_empty() {
        return vec![Finding::note("nodes", "no server runs on this store")];
    }
    let finding = |node: &NodeReport| {
        let behind = behind(node, heads);
        let what = format!("{} is {behind} entries behind", node.id);
        if behind > 0 {
            Finding::problem("nodes", what, "its log says why it cannot follow the store")
        } else {
            Finding::good("nodes", format!("{} follows the store", node.id))
        }
    };
    nodes.iter().map(finding).collect()
}

const fn behind(node: &NodeReport, heads: LogHeads) -> u64 {
    heads.change.saturating_sub(node.followed.change)
        + heads.revocation.saturating_sub(node.followed.revocation)
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_node_that_is_behind_is_found() {
        let node = |change, revocation| NodeReport {
            id: "n".to_owned(),
            machine: "m".to_owned(),
            seen_at: Timestamp::from_millis(0),
            followed: LogHeads { change, revocation },
        };
        let heads = LogHeads { change: 3, revocation: 9 };
        let level = |node| following(&[node], heads).first().map(|finding| finding.level);
        assert_eq!(level(node(3, 9)), Some(Level::Good));
        assert_eq!(level(node(3, 8)), Some(Level::Problem));
        assert_eq!(level(node(2, 9)), Some(Level::Problem));
    }

    #[test]
    fn clocks_may_differ_by_a_second() {
        let at = Timestamp::from_millis;
        assert_eq!(skew(at(5000), at(4000)).level, Level::Good);
        assert_eq!(skew(at(5000), at(3999)).level, Level::Problem);
        assert_eq!(skew(at(3999), at(5000)).level, Level::Problem);
    }
}
