//! Looking after a store as a whole: backups, moves, schema, health.
//!
//! Unlike other commands, these open the store without what is in it: no key is made and nothing is
//! cached, so that a copy is exact and a broken store can be looked at.

pub(super) mod backup;
mod certificate;
pub(super) mod doctor;
pub(super) mod migrate;
mod progress;
pub(super) mod restore;
pub(super) mod store;

use std::time::Duration;

use keywright_protocol::time::Timestamp;
use keywright_server::config::StoreUrl;
use keywright_server::environment::{Environment as _, SystemEnvironment};
use keywright_server::keys::MasterKey;
use keywright_server::{Config, start, telemetry};
use keywright_store::SharedStore;
use keywright_store::audit::{Verification, verify_chain};
use keywright_store::copy::Proof;
use keywright_store::epoch::{Epoch, RaiseEpoch, TOKENS_LIVE_MAX};
use keywright_store::schema::Inspection;
use serde_json::{Value, json};
use tracing::Level;

use super::Place;
use super::backend::{load_config, make_folder};
use super::failure::Failure;
use super::output::Column;

/// A node that has not reported for this long has stopped without saying so.
const NODE_SILENT: Duration = Duration::from_secs(5);
/// How often it is looked whether a node still reports.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) const PROOF_COLUMNS: &[Column] = &[
    ("TABLE", "table"),
    ("ROWS", "source_rows"),
    ("DIGEST", "source_digest"),
    ("COPIED", "target_rows"),
    ("DIGEST", "target_digest"),
    ("SAME", "same"),
];

/// The configuration, and the key that opens its store.
struct Keeper {
    config: Config,
    master: MasterKey,
}

impl Keeper {
    /// Reads the configuration; the master key must be there.
    fn new(place: &Place, command: &str) -> Result<Self, Failure> {
        let config = read_config(place, command)?;
        let secret = config.keys.master_secret();
        let secret = secret.map_err(|error| Failure::usage(error.to_string()))?;
        Ok(Self { master: MasterKey::new(&secret), config })
    }

    fn url(&self) -> &StoreUrl {
        &self.config.store.url
    }

    /// Opens the configured store, which must be there, this key's, and hold nothing that this
    /// program does not know.
    async fn open(&self) -> Result<SharedStore, Failure> {
        refuse_missing(self.url())?;
        self.refuse_newer().await?;
        let store = start::open_store(self.url()).await?;
        self.master.check(&store, &self.config.keys.master.to_string()).await?;
        Ok(store)
    }

    /// Opens the configured store, or makes it.
    async fn open_or_make(&self) -> Result<SharedStore, Failure> {
        make_folder(&self.config.data_folder())?;
        if self.url().may_exist() {
            self.refuse_newer().await?;
        }
        Ok(start::open_store(self.url()).await?)
    }

    async fn refuse_newer(&self) -> Result<(), Failure> {
        let Inspection { schema, known, .. } = start::inspect_store(self.url()).await?;
        if schema <= known {
            return Ok(());
        }
        let what = format!("the store has schema {schema}, this program knows {known}");
        Err(Failure::refused(what).hint("run the newer program's command"))
    }

    /// When the last access token that was issued until now is dead. The store does not know what
    /// lifetimes were given in the gap: a week covers them, and costs one entry for each tenant.
    async fn tokens_expire_at(&self, store: &SharedStore) -> Result<Timestamp, Failure> {
        let mut longest = self.config.tokens.access_lifetime.max(TOKENS_LIVE_MAX);
        for tenant in store.list_tenants().await? {
            longest = longest.max(Duration::from_secs(tenant.longest_lifetime_s));
            for resource in store.list_resources(&tenant.id).await? {
                longest = longest.max(Duration::from_secs(resource.lifetime_s.unwrap_or(0)));
            }
        }
        // A minute more for validators whose clocks are behind.
        Ok(now().plus(longest).plus(Duration::from_mins(1)))
    }

    async fn raise_epoch(&self, store: &SharedStore, reason: &str) -> Result<Epoch, Failure> {
        let tokens_expire_at = self.tokens_expire_at(store).await?;
        let raise = RaiseEpoch { now: now(), tokens_expire_at, reason: reason.to_owned() };
        Ok(store.raise_epoch(raise).await?)
    }
}

/// Reads the configuration of a command that concerns a whole store.
fn read_config(place: &Place, command: &str) -> Result<Config, Failure> {
    if place.tenant.is_some() {
        let what = format!("{command} concerns the whole store and has no use for --tenant");
        return Err(Failure::usage(what));
    }
    let config = load_config(place)?;
    let quiet = telemetry_of(&config);
    telemetry::init_logging(&quiet);
    Ok(config)
}

fn telemetry_of(config: &Config) -> keywright_server::config::TelemetryConfig {
    keywright_server::config::TelemetryConfig { level: Level::WARN, ..config.telemetry.clone() }
}

fn refuse_missing(url: &StoreUrl) -> Result<(), Failure> {
    if *url == StoreUrl::Memory {
        return Err(Failure::usage("a store in memory ends with its process"));
    }
    if url.may_exist() {
        return Ok(());
    }
    Err(Failure::unreachable(format!("there is no store at {url}")))
}

fn now() -> Timestamp {
    SystemEnvironment.now()
}

/// Refuses while a server uses the store. One that died is waited for until it is forgotten.
async fn refuse_living_nodes(store: &SharedStore, remedy: &str) -> Result<(), Failure> {
    let first = store.list_nodes(now().minus(NODE_SILENT)).await?;
    loop {
        let nodes = store.list_nodes(now().minus(NODE_SILENT)).await?;
        let reported = nodes.iter().find(|node| {
            let before = first.iter().find(|before| before.id == node.id);
            before.is_none_or(|before| before.seen_at < node.seen_at)
        });
        if let Some(node) = reported {
            let what = format!("a server is running on this store (node {})", node.id);
            return Err(Failure::refused(what).hint(remedy));
        }
        if nodes.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Recomputes every tenant's hash chain; answers how many events there are.
async fn verify_chains(store: &SharedStore) -> Result<u64, Failure> {
    let mut events = 0;
    for tenant in store.list_tenants().await? {
        match verify_chain(store, &tenant.id).await? {
            Verification::Intact { count, .. } => events += count,
            Verification::Broken { seq, reason } => {
                let id = &tenant.id;
                let what = format!("the audit log of {id} is broken at {seq}: {reason}");
                return Err(Failure::refused(what));
            }
        }
    }
    Ok(events)
}

/// A proof as a document.
fn proof_document(proof: &Proof) -> Value {
    let short = |digest: String| digest.chars().take(16).collect::<String>();
    json!({
        "table": proof.table.name(),
        "source_rows": proof.source.rows,
        "source_digest": short(proof.source.to_string()),
        "target_rows": proof.target.rows,
        "target_digest": short(proof.target.to_string()),
        "same": proof.holds(),
    })
}

/// Refuses a copy that is not the same as its original.
fn refuse_difference(proofs: &[Proof]) -> Result<(), Failure> {
    let differing: Vec<_> =
        proofs.iter().filter(|proof| !proof.holds()).map(|proof| proof.table.name()).collect();
    if differing.is_empty() {
        return Ok(());
    }
    let what = format!("the copy differs from its original in {}", differing.join(", "));
    Err(Failure::refused(what).hint("nobody may serve from it; run the same command again"))
}
