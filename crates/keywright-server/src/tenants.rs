//! What a request needs of its tenant, in memory: clients, resources, keys and ready documents.
//!
//! Readers take snapshots without a lock. A change, made here or by another process, replaces the
//! part it concerns.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;
use bytes::Bytes;
use keywright_jose::{SealingKey, VerifyingKeys, hkdf_sha256};
use keywright_protocol::client::Client;
use keywright_protocol::id::{ClientId, TenantId};
use keywright_protocol::resource::ResourceCatalog;
use keywright_protocol::tenant::Tenant;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::GenerationKey;
use keywright_protocol::wire::discovery;

use crate::keys::KeyRing;
use crate::logos::LogoPlace;
use crate::status_list::OpenList;

/// A client with its keys, parsed once.
#[derive(Debug)]
pub struct LoadedClient {
    /// The client.
    pub client: Arc<Client>,
    /// Its logo, once somebody has asked for it.
    pub logo: LogoPlace,
    keys: OnceLock<VerifyingKeys>,
    fetched: Mutex<Option<FetchedKeys>>,
    /// Held by who fetches the keys.
    pub fetching: tokio::sync::Mutex<()>,
}

/// The keys behind a client's `jwks_uri`.
#[derive(Clone, Debug)]
pub struct FetchedKeys {
    /// The keys that came last, parsed, and when they came.
    pub keys: Option<(Arc<VerifyingKeys>, Timestamp)>,
    /// When they were asked for last, with or without success.
    pub tried_at: Timestamp,
}

impl LoadedClient {
    /// A client as it was loaded.
    pub fn new(client: Client) -> Arc<Self> {
        Arc::new(Self {
            client: Arc::new(client),
            logo: LogoPlace::default(),
            keys: OnceLock::new(),
            fetched: Mutex::new(None),
            fetching: tokio::sync::Mutex::new(()),
        })
    }

    /// The keys that were fetched last.
    pub fn fetched_keys(&self) -> Option<FetchedKeys> {
        self.fetched.lock().ok().and_then(|kept| kept.clone())
    }

    /// Keeps keys that were fetched.
    pub fn keep_keys(&self, fetched: FetchedKeys) {
        if let Ok(mut kept) = self.fetched.lock() {
            *kept = Some(fetched);
        }
    }

    /// The keys of its metadata; empty where it has none there.
    pub fn inline_keys(&self) -> &VerifyingKeys {
        self.keys.get_or_init(|| {
            let none = keywright_jose::JwkSet::new(Vec::new());
            VerifyingKeys::new(self.client.metadata.jwks.as_ref().unwrap_or(&none))
        })
    }
}

type Clients = HashMap<ClientId, Arc<LoadedClient>>;

/// The keys that a tenant's own secret gives: for sealed tokens and for pages.
#[derive(Debug)]
pub struct TenantSecrets {
    /// Seals opaque access tokens.
    pub opaque: SealingKey,
    /// Seals what a page carries to the next.
    pub flow: SealingKey,
    /// Authenticates forms.
    pub csrf: [u8; 32],
    /// Authenticates the generation that a refresh token carries.
    pub generation: GenerationKey,
}

impl TenantSecrets {
    /// Derives them from the tenant's root secret.
    pub fn derive(root: &[u8]) -> Self {
        Self {
            opaque: SealingKey::derive(root, "keywright opaque access token"),
            flow: SealingKey::derive(root, "keywright interaction"),
            csrf: hkdf_sha256(root, "keywright csrf"),
            generation: GenerationKey::from_bytes(hkdf_sha256(root, "keywright generation")),
        }
    }
}

/// A tenant in memory.
#[derive(Debug)]
pub struct TenantState {
    /// The tenant.
    pub tenant: ArcSwap<Tenant>,
    /// Its issuer.
    pub issuer: Arc<str>,
    /// Its derived secrets.
    pub secrets: TenantSecrets,
    clients: ArcSwap<Clients>,
    origins: ArcSwap<HashSet<String>>,
    /// Its resources.
    pub catalog: ArcSwap<ResourceCatalog>,
    /// Its keys.
    pub keys: ArcSwap<KeyRing>,
    metadata: ArcSwap<Bytes>,
    /// The status list that new tokens are entered in.
    pub open_list: OpenList,
}

/// What a tenant is loaded from.
#[derive(Debug)]
pub struct TenantParts {
    /// The tenant.
    pub tenant: Tenant,
    /// Its issuer.
    pub issuer: String,
    /// Its derived secrets.
    pub secrets: TenantSecrets,
    /// Its clients.
    pub clients: Vec<Client>,
    /// Its resources.
    pub catalog: ResourceCatalog,
    /// Its keys.
    pub keys: KeyRing,
}

impl TenantState {
    /// A tenant from what was loaded.
    pub fn new(parts: TenantParts) -> Self {
        let clients: Clients =
            parts.clients.into_iter().map(|c| (c.id.clone(), LoadedClient::new(c))).collect();
        let metadata = document(&parts.issuer, &parts.catalog);
        Self {
            origins: ArcSwap::from_pointee(origins_of(&clients)),
            tenant: ArcSwap::from_pointee(parts.tenant),
            issuer: parts.issuer.into(),
            secrets: parts.secrets,
            clients: ArcSwap::from_pointee(clients),
            catalog: ArcSwap::from_pointee(parts.catalog),
            keys: ArcSwap::from_pointee(parts.keys),
            metadata: ArcSwap::from_pointee(metadata),
            open_list: OpenList::default(),
        }
    }

    /// The tenant's name.
    pub fn id(&self) -> TenantId {
        self.tenant.load().id.clone()
    }

    /// A client by identifier.
    pub fn client(&self, id: &ClientId) -> Option<Arc<LoadedClient>> {
        self.clients.load().get(id).cloned()
    }

    /// Every client, in no order.
    pub fn clients(&self) -> Vec<Arc<LoadedClient>> {
        self.clients.load().values().cloned().collect()
    }

    /// Whether a browser origin belongs to some client.
    pub fn knows_origin(&self, origin: &str) -> bool {
        self.origins.load().contains(origin)
    }

    /// The metadata document.
    pub fn metadata(&self) -> Bytes {
        self.metadata.load().as_ref().clone()
    }

    /// The published keys.
    pub fn jwks(&self, now: Timestamp) -> Bytes {
        self.keys.load().document(now)
    }

    /// Replaces clients, or forgets them.
    pub fn put_clients(&self, changed: Vec<(ClientId, Option<Client>)>) {
        let mut clients = Clients::clone(&self.clients.load());
        for (id, client) in changed {
            match client {
                Some(client) => clients.insert(id, LoadedClient::new(client)),
                None => clients.remove(&id),
            };
        }
        self.origins.store(Arc::new(origins_of(&clients)));
        self.clients.store(Arc::new(clients));
    }

    /// Replaces the resources.
    pub fn put_catalog(&self, catalog: ResourceCatalog) {
        self.metadata.store(Arc::new(document(&self.issuer, &catalog)));
        self.catalog.store(Arc::new(catalog));
    }
}

fn origins_of(clients: &Clients) -> HashSet<String> {
    clients.values().filter(|c| !c.client.disabled).flat_map(|c| c.client.origins()).collect()
}

fn document(issuer: &str, catalog: &ResourceCatalog) -> Bytes {
    Bytes::from(discovery::metadata(issuer, catalog).to_string())
}
