//! What every request shares.

mod follow;
mod keys;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use keywright_protocol::audit::Record;
use keywright_protocol::client::Client;
use keywright_protocol::grant::Lifetimes;
use keywright_protocol::grant::refresh_token::FamilyOrigin;
use keywright_protocol::id::{Subject, TenantId};
use keywright_protocol::resource::ResourceCatalog;
use keywright_protocol::revocation::{RevocationEntry, RevocationSet};
use keywright_protocol::tenant::Tenant;
use keywright_protocol::time::Timestamp;
use keywright_store::client::Update;
use keywright_store::tenant::UpdateTenant;
use keywright_store::{SharedStore, StoreFault};

use crate::config::Config;
use crate::environment::SharedEnvironment;
use crate::error::ServerFault;
use crate::explain::Notebook;
use crate::feed::{Feeds, SlotLimits};
use crate::jobs::NODE_SILENT;
use crate::keys::lifecycle::Thoroughness;
use crate::keys::{KeyRing, MasterKey};
use crate::load::Load;
use crate::logos::LogoShelf;
use crate::metrics::Metrics;
use crate::outage::Outages;
use crate::outbound::Outbound;
use crate::password::Passwords;
use crate::status_list::StatusLists;
use crate::tenants::{TenantParts, TenantSecrets, TenantState};
use crate::throttle::Throttle;

/// How many user names are remembered for introspection.
const USERNAMES_MAX: usize = 100_000;
/// Every revocation is remembered for this long at least: what nobody changes needs no note.
const USUAL_LIFETIME: Duration = Duration::from_mins(10);
/// The window of the throttles.
const THROTTLE_WINDOW: Duration = Duration::from_mins(5);

/// What every request shares: one per process.
pub struct App {
    /// The configuration; replaced on reload.
    pub config: ArcSwap<Config>,
    /// Clock and generator.
    pub environment: SharedEnvironment,
    /// The store.
    pub store: SharedStore,
    /// Buffered events and refused requests.
    pub notebook: Notebook,
    /// Metrics.
    pub metrics: Metrics,
    /// Slow hashing.
    pub passwords: Passwords,
    /// The requests that run.
    pub load: Load,
    /// Guesses at an account's password from one network.
    pub guesses_at_account: Throttle,
    /// Guesses at an account's password from all networks together.
    pub guesses_everywhere: Throttle,
    /// Guesses at passwords from an address.
    pub guesses_from_address: Throttle,
    /// Guesses at a client's secret from an address.
    pub guesses_at_client: Throttle,
    /// Guarded fetches.
    pub outbound: Outbound,
    /// Which clients' logos are kept.
    pub logos: LogoShelf,
    /// What validators follow.
    pub feeds: Feeds,
    /// Status lists as they were made last.
    pub status_lists: StatusLists,
    /// When the store was away.
    pub outages: Outages,
    master: MasterKey,
    tenants: ArcSwap<HashMap<TenantId, Arc<TenantState>>>,
    revocations: RwLock<RevocationSet>,
    /// The latest moment, milliseconds, for which expired revocations were forgotten.
    forgotten_at: AtomicI64,
    followed_changes: Mutex<u64>,
    /// Held while what others changed is loaded: two at once could leave the older one.
    following: tokio::sync::Mutex<()>,
    /// Tenants that may want keys since something of them changed.
    want_keys: Mutex<BTreeSet<TenantId>>,
    /// Held while keys are made for them.
    making_keys: tokio::sync::Mutex<()>,
    /// When nothing that others did was missing here, milliseconds.
    heard_at: AtomicI64,
    /// Held by who asks the store what others did; when it did not answer.
    hearing: tokio::sync::Mutex<Option<Timestamp>>,
    /// Held while a ring of keys is read and put in its place.
    loading_keys: tokio::sync::Mutex<()>,
    usernames: Mutex<HashMap<Subject, String>>,
}

impl App {
    /// Opens the store's contents: verifies the master key, loads every tenant, makes first keys.
    ///
    /// # Errors
    /// The wrong master key, or a store that cannot be read; nothing is changed then.
    pub async fn open(
        config: Config,
        store: SharedStore,
        environment: SharedEnvironment,
    ) -> Result<Arc<Self>, ServerFault> {
        let secret = config.keys.master_secret().map_err(|e| ServerFault::Key(e.to_string()))?;
        let master = MasterKey::new(&secret);
        if let Some(source) = store.unfinished_copy().await? {
            let what = format!(
                "this store is the target of a copy that is not finished, from {source}: run \
                 that command again, or name another store"
            );
            return Err(StoreFault::Incompatible(what).into());
        }
        master.verify(&store, &config.keys.master.to_string()).await?;
        let limits = &config.limits;
        let throttle = |name, most| Throttle::new(name, most, THROTTLE_WINDOW);
        let passwords =
            Passwords::new(limits.password_threads, limits.password_queue, &*environment);
        let outbound =
            Outbound::new(&config.outbound).map_err(|e| ServerFault::Internal(e.to_string()))?;
        let slots =
            SlotLimits { all: limits.feed_followers, network: limits.feed_followers_per_address };
        let feeds = Feeds::new(config.revocation.identifiers(), slots);
        let app = Arc::new(Self {
            guesses_at_account: throttle("account", limits.login_failures_per_account),
            guesses_everywhere: throttle(
                "everywhere",
                limits.login_failures_per_account.saturating_mul(2),
            ),
            guesses_from_address: throttle("address", limits.login_failures_per_address),
            guesses_at_client: throttle("client", limits.login_failures_per_account),
            config: ArcSwap::from_pointee(config),
            notebook: Notebook::start(Arc::clone(&store), &environment),
            environment,
            store,
            metrics: Metrics::default(),
            passwords,
            load: Load::default(),
            outbound,
            logos: LogoShelf::default(),
            feeds,
            status_lists: StatusLists::default(),
            outages: Outages::default(),
            master,
            tenants: ArcSwap::from_pointee(HashMap::new()),
            revocations: RwLock::new(RevocationSet::default()),
            forgotten_at: AtomicI64::new(i64::MIN),
            followed_changes: Mutex::new(0),
            following: tokio::sync::Mutex::new(()),
            want_keys: Mutex::default(),
            making_keys: tokio::sync::Mutex::new(()),
            heard_at: AtomicI64::new(i64::MIN / 2),
            hearing: tokio::sync::Mutex::new(None),
            loading_keys: tokio::sync::Mutex::new(()),
            usernames: Mutex::new(HashMap::new()),
        });
        app.remember_outage().await?;
        app.load_everything().await?;
        Ok(app)
    }

    /// The moment.
    pub fn now(&self) -> Timestamp {
        self.environment.now()
    }

    /// The configured issuer, that of the default tenant.
    pub fn root_issuer(&self) -> String {
        self.config.load().issuer.clone()
    }

    /// The issuer of a tenant.
    pub fn issuer_of(&self, tenant: &TenantId) -> String {
        let root = self.root_issuer();
        if tenant.is_default() { root } else { format!("{root}/t/{tenant}") }
    }

    /// A tenant by name, if it serves anybody.
    pub fn tenant(&self, id: &TenantId) -> Option<Arc<TenantState>> {
        self.tenants.load().get(id).filter(|state| !state.tenant.load().disabled).cloned()
    }

    /// A tenant by name, disabled or not.
    pub fn any_tenant(&self, id: &TenantId) -> Option<Arc<TenantState>> {
        self.tenants.load().get(id).cloned()
    }

    /// Every tenant, disabled or not.
    pub fn tenants(&self) -> Vec<Arc<TenantState>> {
        self.tenants.load().values().cloned().collect()
    }

    /// How long things live.
    pub fn lifetimes(&self) -> Lifetimes {
        let config = self.config.load();
        Lifetimes {
            access: config.tokens.access_lifetime,
            code: config.tokens.code_lifetime,
            refresh_absolute: config.tokens.refresh_absolute,
            refresh_idle: config.tokens.refresh_idle,
        }
    }

    /// The answer to a refresh after this moment may be asked for again.
    pub fn retry_since(&self, now: Timestamp) -> Timestamp {
        self.outages.retry_since(now, self.config.load().tokens.refresh_retry)
    }

    /// The store answers what it was asked at a moment.
    pub fn reached_store(&self, asked_at: Timestamp) {
        self.outages.reached(asked_at, self.now(), self.config.load().tokens.refresh_retry);
    }

    /// When the last access token issued until now is dead: how long a revocation must be known.
    /// Lifetimes may have been longer when it was issued than they are now.
    pub fn tokens_expire_at(&self, tenant: &TenantState, now: Timestamp) -> Timestamp {
        // A minute more for validators whose clocks are behind.
        now.plus(self.longest_ever(tenant)).plus(Duration::from_mins(1))
    }

    /// The longest lifetime that a token of the tenant ever had.
    fn longest_ever(&self, tenant: &TenantState) -> Duration {
        let ever = Duration::from_secs(tenant.tenant.load().longest_lifetime_s).max(USUAL_LIFETIME);
        self.longest_token(tenant).max(ever)
    }

    /// Until when a token of that moment is accepted here, whatever it says of itself: a lifetime
    /// that was shortened counts at once.
    pub fn accepted_until(&self, tenant: &TenantState, issued_at: Timestamp) -> Timestamp {
        issued_at.plus(self.longest_token(tenant)).plus(Duration::from_mins(1))
    }

    /// Keeps in mind, for good, that access tokens of this tenant may live so long: before the
    /// first of them is issued.
    pub async fn remember_lifetime(
        &self,
        tenant: &TenantState,
        lifetime: Duration,
    ) -> Result<(), ServerFault> {
        let seconds = lifetime.as_secs();
        let known = tenant.tenant.load().longest_lifetime_s.max(USUAL_LIFETIME.as_secs());
        if seconds <= known {
            return Ok(());
        }
        let update = UpdateTenant {
            id: tenant.id(),
            change: Box::new(move |tenant| {
                tenant.longest_lifetime_s = tenant.longest_lifetime_s.max(seconds);
            }),
            revoke_until: None,
            record: Record { now: self.now(), events: Vec::new(), once: None },
        };
        if let Update::Done { value, .. } = self.store.update_tenant(update).await? {
            tenant.tenant.store(Arc::new(value));
        }
        Ok(())
    }

    /// The same for the lifetimes that are in force now, which the configuration may have set.
    pub async fn remember_lifetimes(&self, tenant: &TenantState) -> Result<(), ServerFault> {
        self.remember_lifetime(tenant, self.longest_token(tenant)).await
    }

    /// Whether all that stands behind a refresh family is still there: tenant, client, user, grant.
    /// `/token` asks the same in its commit.
    pub async fn is_backed(
        &self,
        tenant: &TenantState,
        origin: &FamilyOrigin,
    ) -> Result<bool, ServerFault> {
        let (id, born) = (tenant.id(), origin.created_at);
        let accepts = |disabled: bool, not_before: Timestamp| !disabled && not_before < born;
        let client = tenant.client(&origin.client);
        let client_stands =
            client.is_some_and(|loaded| accepts(loaded.client.disabled, loaded.client.not_before));
        let tenant_stands = tenant.tenant.load().not_before < born;
        let user = self.store.load_user(&id, &origin.sub).await?;
        let user_stands = user.is_some_and(|user| accepts(user.disabled, user.not_before));
        let grant = self.store.load_grant(&id, &origin.sub, &origin.client).await?;
        let grant_stands = grant.is_some_and(|grant| grant.id == origin.grant);
        Ok(tenant_stands && client_stands && user_stands && grant_stands)
    }

    fn longest_token(&self, tenant: &TenantState) -> Duration {
        let default = self.config.load().tokens.access_lifetime;
        tenant.catalog.load().longest_lifetime().map_or(default, |own| own.max(default))
    }

    /// Asks the revocation log in memory.
    pub fn with_revocations<T>(&self, ask: impl FnOnce(&RevocationSet) -> T) -> T {
        let set = self.revocations.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        ask(&set)
    }

    /// Takes over what a commit of this process revoked.
    pub fn learn(&self, entries: &[RevocationEntry]) {
        if entries.is_empty() {
            return;
        }
        let mut set = self.revocations.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for entry in entries {
            set.learn(entry);
            self.metrics.revoked(entry.target.kind().name());
        }
    }

    /// Forgets revocations that can concern no living token.
    pub fn forget_expired(&self, now: Timestamp) {
        let mut set = self.revocations.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        set.forget_expired(now);
        self.metrics.revocation_entries(set.len());
        drop(set);
        self.feeds.forget_expired(now);
        self.forgotten_at.fetch_max(now.as_millis(), Ordering::AcqRel);
    }

    /// Counts a failure with those of other nodes, and learns of theirs, while nobody waits.
    pub fn share_failure(self: &Arc<Self>, of: fn(&Self) -> &Throttle, key: String) {
        let app = Arc::clone(self);
        self.environment.spawn(Box::pin(async move {
            let (throttle, now) = (of(&app), app.now());
            let shared = (throttle.shared_key(&key), throttle.window());
            match app.store.count_failure(shared.0, shared.1, now).await {
                Ok(Some(all)) => throttle.learn(&key, all, now),
                Ok(None) => {}
                // This node's own count is not worth less for it.
                Err(fault) => tracing::debug!(error = %fault, "a failure is counted here alone"),
            }
        }));
    }

    /// Forgets what all nodes counted of a key that has proven itself.
    pub fn forget_failures(self: &Arc<Self>, of: fn(&Self) -> &Throttle, key: &str) {
        let (app, key) = (Arc::clone(self), of(self).shared_key(key));
        self.environment.spawn(Box::pin(async move {
            if let Err(fault) = app.store.forget_failures(key).await {
                tracing::debug!(error = %fault, "failures are not forgotten before their time");
            }
        }));
    }

    /// The name that a user signs in with: it never changes, so it is remembered.
    pub async fn username(
        &self,
        tenant: &TenantId,
        sub: &Subject,
    ) -> Result<Option<String>, ServerFault> {
        let known = self.usernames.lock().ok().and_then(|names| names.get(sub).cloned());
        if known.is_some() {
            return Ok(known);
        }
        let Some(user) = self.store.load_user(tenant, sub).await? else { return Ok(None) };
        let name = user.username.as_str().to_owned();
        if let Ok(mut names) = self.usernames.lock() {
            if names.len() >= USERNAMES_MAX {
                names.clear();
            }
            names.insert(sub.clone(), name.clone());
        }
        Ok(Some(name))
    }

    /// Before this start the last sign of life of any node: those that are stopped in peace leave
    /// none, and have answered everybody.
    async fn remember_outage(&self) -> Result<(), ServerFault> {
        let (asked_at, ever) = (self.now(), Timestamp::from_millis(0));
        let nodes = self.store.list_nodes(ever).await?;
        let last = nodes.iter().map(|node| node.seen_at).max();
        // Nodes that live report every few seconds.
        let last = last.filter(|seen_at| asked_at.since(*seen_at) > NODE_SILENT);
        self.reached_store(last.unwrap_or(asked_at));
        Ok(())
    }

    async fn load_everything(&self) -> Result<(), ServerFault> {
        let now = self.now();
        // The heads first: what changes while everything is loaded is followed afterwards.
        let heads = self.store.log_heads().await?;
        let tenants = self.store.list_tenants().await?;
        let mut clients: HashMap<TenantId, Vec<Client>> = HashMap::new();
        for client in self.store.all_clients().await? {
            clients.entry(client.tenant.clone()).or_default().push(client);
        }
        let mut loaded = HashMap::new();
        for tenant in tenants {
            let own = clients.remove(&tenant.id).unwrap_or_default();
            let state = Arc::new(self.build_tenant(tenant, own).await?);
            self.remember_lifetimes(&state).await?;
            self.maintain_keys(&state, Thoroughness::Signing).await?;
            loaded.insert(state.id(), state);
        }
        self.tenants.store(Arc::new(loaded));
        // Only now: a load that failed, or that nobody waited for, is done again.
        if let Ok(mut seq) = self.followed_changes.lock() {
            *seq = heads.change;
        }
        self.follow_revocations().await?;
        // What was swept from the log before this start concerns no living token.
        self.revocations_followed_to(heads.revocation);
        self.heard(now);
        Ok(())
    }

    async fn build_tenant(
        &self,
        tenant: Tenant,
        clients: Vec<Client>,
    ) -> Result<TenantState, ServerFault> {
        let id = tenant.id.clone();
        let root = self.master.tenant_root(&self.store, &id, &*self.environment).await?;
        let keys = self.store.list_keys(&id).await?;
        Ok(TenantState::new(TenantParts {
            issuer: self.issuer_of(&id),
            secrets: TenantSecrets::derive(&root),
            clients,
            catalog: ResourceCatalog::new(self.store.list_resources(&id).await?),
            keys: KeyRing::open(&keys, &self.master, self.now())?,
            tenant,
        }))
    }
}
