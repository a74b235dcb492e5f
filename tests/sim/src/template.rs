//! The store with which every schedule begins: made once, copied for each.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use argon2::{Argon2, Params, PasswordHasher as _, Version};
use keywright_jose::{Algorithm, SigningKey, sha256};
use keywright_protocol::audit::Record;
use keywright_protocol::client::{Client, ClientMetadata, StoredSecret};
use keywright_protocol::id::{ClientId, Subject, TenantId};
use keywright_protocol::resource::ProtectedResource;
use keywright_protocol::time::Timestamp;
use keywright_protocol::user::{User, Username};
use keywright_server::app::App;
use keywright_server::config::Config;
use keywright_server::keys::MasterKey;
use keywright_server::router::Dispatch;
use keywright_store::SharedStore;
use keywright_store::client::{ClientStore as _, Create};
use keywright_store::key::{KeyStore as _, KeyTimes, StoredKey};
use keywright_store::memory::MemoryStore;
use keywright_store::resource::ResourceStore as _;
use keywright_store::user::{NewUser, UserStore as _};

use crate::ask::{CLIENTS, ClientSpec, USERS, UserAt};
use crate::chance::Chance;
use crate::kernel::{Kernel, Life, NodeEnvironment, START_MS};
use crate::plan::TokenFormat;

/// How often an operator may ask for another key: each is parsed by every node.
pub(crate) const ROTATIONS_MAX: usize = 3;

const MASTER: &str = "a master key that only simulations have";
const SIGNED: &str = r#"{"identifier": "https://api.example", "alg": "EdDSA",
    "scopes": [{"name": "api:read"}, {"name": "api:write"}]}"#;
const SEALED: [&str; 2] = [
    r#"{"identifier": "https://api.example", "token_format": "opaque",
        "scopes": [{"name": "api:read"}, {"name": "api:write"}]}"#,
    r#"{"identifier": "https://sealed.example", "token_format": "opaque",
        "scopes": [{"name": "sealed:read"}, {"name": "sealed:write"}]}"#,
];

/// See the module.
pub struct Template {
    opaque: MemoryStore,
    signed: MemoryStore,
    pub(crate) config: Config,
    /// Any application's: its endpoints serve every node.
    pub(crate) dispatch: Dispatch,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

impl Default for Template {
    fn default() -> Self {
        Self::new()
    }
}

impl Template {
    /// Makes the stores: keys, clients, resources, users.
    pub fn new() -> Self {
        let text = format!("issuer = 'http://127.0.0.1:8080'\n[keys]\nmaster = '{MASTER}'");
        let config = Config::parse(&text, Path::new("keywright.toml"), [])
            .expect("the configuration above is right");
        let keys = keys();
        let [api, other] = SEALED;
        let (opaque, app) = made(&config, keys.clone(), [api, other]);
        let (signed, _) = made(&config, keys, [SIGNED, other]);
        Self { opaque, signed, config, dispatch: Dispatch::new(app) }
    }

    /// A store of its own.
    pub(crate) fn store(&self, tokens: TokenFormat) -> SharedStore {
        Arc::new(match tokens {
            TokenFormat::Opaque => self.opaque.copy(),
            TokenFormat::Signed => self.signed.copy(),
        })
    }
}

/// A store as its first node leaves it, which makes what is made once: the tenant's own secret.
fn made(config: &Config, keys: Vec<StoredKey>, resources: [&str; 2]) -> (MemoryStore, Arc<App>) {
    let store = Arc::new(MemoryStore::new());
    at_once(seed(&store, keys, resources));
    let kernel = Kernel::new(Chance::new(0));
    let life = Life { node: 0, number: 0 };
    let ahead_ms = Arc::new(AtomicI64::new(0));
    let environment = Arc::new(NodeEnvironment { kernel: Arc::clone(&kernel), life, ahead_ms });
    let shared = Arc::clone(&store) as SharedStore;
    let app = at_once(App::open(config.clone(), shared, environment)).expect("a new store opens");
    drop(kernel.take_spawned());
    (store.copy(), app)
}

/// What nobody's password is.
pub(crate) const WRONG_PASSWORD: &str = "a password that nobody at all has ever chosen for this";

/// The password of the user of a number.
pub(crate) fn password_of(user: UserAt) -> String {
    format!("a password that nobody but the user {user} has ever heard of")
}

/// The least that Argon2 can be asked for: a stored hash names its own cost.
pub(crate) fn cheap_hash(password: &str) -> String {
    let params = Params::new(Params::MIN_M_COST, 1, 1, None).expect("the least is enough");
    let argon2 = Argon2::new(argon2::Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password_with_salt(password.as_bytes(), &[7; 16]);
    hash.expect("a short password is hashed").to_string()
}

/// The name that the user of a number signs in with.
pub(crate) fn username(user: UserAt) -> String {
    format!("user{user}")
}

/// The user of a number.
pub(crate) fn subject(user: UserAt) -> Subject {
    Subject::from_trusted(format!("user_of_number_{user}"))
}

/// Work over a store in memory never waits.
pub(crate) fn at_once<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
    }
}

const fn long_ago() -> Timestamp {
    Timestamp::from_millis(START_MS - 86_400_000)
}

const fn record() -> Record {
    Record { now: long_ago(), events: Vec::new(), once: None }
}

async fn seed(store: &MemoryStore, keys: Vec<StoredKey>, resources: [&str; 2]) {
    for key in keys {
        let created = store.create_key(key, record()).await;
        assert_eq!(created.ok(), Some(Create::Created), "keys have names of their own");
    }
    let tenant = TenantId::default_tenant();
    for resource in resources {
        let resource: ProtectedResource =
            serde_json::from_str(resource).expect("the resources above are right");
        let created = store.create_resource(&tenant, resource, record()).await;
        assert_eq!(created.ok(), Some(Create::Created), "resources have names of their own");
    }
    for spec in &CLIENTS {
        let created = store.create_client(registered(spec), record()).await;
        assert_eq!(created.ok(), Some(Create::Created), "clients have names of their own");
    }
    for user in 0..USERS {
        let created = store.create_user(known(user)).await;
        assert_eq!(created.ok(), Some(Create::Created), "users have names of their own");
    }
}

fn registered(spec: &ClientSpec) -> Client {
    let secret = |secret: &str| StoredSecret {
        sha256: sha256(secret.as_bytes()),
        created_at: long_ago(),
        expires_at: None,
    };
    Client {
        tenant: TenantId::default_tenant(),
        id: ClientId::from_trusted(spec.id),
        metadata: ClientMetadata::parse(spec.metadata.as_bytes())
            .expect("the clients' metadata is right"),
        secrets: spec.secret.map(secret).into_iter().collect(),
        disabled: false,
        not_before: Timestamp::from_millis(0),
        created_at: long_ago(),
    }
}

fn known(user: UserAt) -> NewUser {
    let password = password_of(user);
    let user = User {
        sub: subject(user),
        username: Username::parse(&username(user)).expect("visible ASCII"),
        email: None,
        email_verified: false,
        claims: serde_json::Map::new(),
        disabled: false,
        not_before: Timestamp::from_millis(0),
        created_at: long_ago(),
        updated_at: long_ago(),
    };
    let password_hash = Some(cheap_hash(&password));
    NewUser { tenant: TenantId::default_tenant(), user, password_hash, record: record() }
}

/// One key of each algorithm, and its announced successor.
fn keys() -> Vec<StoredKey> {
    let master = MasterKey::new(MASTER.as_bytes());
    let stored = |key: &SigningKey, active_at: Timestamp| StoredKey {
        tenant: TenantId::default_tenant(),
        kid: key.kid().to_owned(),
        alg: key.alg(),
        sealed_private: master
            .seal_key(&TenantId::default_tenant(), key)
            .expect("a key of a few bytes is sealed"),
        public: key.public_jwk().clone(),
        times: KeyTimes { published_at: long_ago(), active_at, retire_at: None, gone_at: None },
    };
    let made = |alg| SigningKey::generate(alg).expect("the library makes keys");
    let later = long_ago().plus(Duration::from_hours(24 * 3650));
    let mut keys = Vec::new();
    for (number, active_at) in (0..).zip([long_ago(), later]) {
        keys.extend([Algorithm::Es256, Algorithm::Rs256].map(|alg| stored(&made(alg), active_at)));
        keys.push(stored(&ed25519(number), active_at));
    }
    keys
}

/// The first number of the keys that are made in a schedule.
pub(crate) const MADE: u64 = 100;

/// The same key in every process, so that the same seed gives the same bytes.
pub(crate) fn ed25519(number: u64) -> SigningKey {
    // RFC 8410 §7: the head of every unencrypted Ed25519 key.
    let mut pkcs8 = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    pkcs8.extend(sha256(format!("simulated key {number}").as_bytes()));
    SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).expect("32 bytes are an Ed25519 key")
}
