//! From a configuration to a running server, and back to a clean stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use keywright_store::memory::MemoryStore;
use keywright_store::postgres::{self, Address, PostgresStore};
use keywright_store::schema::{Inspection, Rehearsal};
use keywright_store::sqlite::{self, SqliteStore};
use keywright_store::{SharedStore, StoreFault};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::app::App;
use crate::config::{self, Config, DEFAULT_FILE, StoreAge, StoreUrl, changes_needing_restart};
use crate::environment::SystemEnvironment;
use crate::error::ServerFault;
use crate::jobs;
use crate::keys::MasterKey;
use crate::listen::{self, ConnectionLimits};
use crate::router::Dispatch;
use crate::tls;

mod operations;

/// How long jobs may take to end what they are at.
const JOBS_END: Duration = Duration::from_secs(3);
/// How often the configuration file is looked at for a change.
const FILE_LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration, or what it names, is wrong.
    #[error("{0}")]
    Config(String),
    /// The contents of the store cannot be used: most often the wrong master key.
    #[error(transparent)]
    Fault(ServerFault),
    /// An address cannot be listened on.
    #[error("{0}")]
    Listen(String),
    /// The store cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl From<ServerFault> for StartError {
    fn from(fault: ServerFault) -> Self {
        match fault {
            ServerFault::Store(fault) => Self::Store(fault),
            fault => Self::Fault(fault),
        }
    }
}

impl StartError {
    /// CONTRACT section 2: 2 usage, 3 the store cannot be reached.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Fault(_) => 1,
            Self::Listen(_) | Self::Store(_) => 3,
        }
    }
}

/// Where the configuration came from, for reloading it.
#[derive(Clone, Debug, Default)]
pub struct ConfigSource {
    /// The file, if one was named.
    pub path: Option<PathBuf>,
}

impl ConfigSource {
    /// When the file was last written.
    fn written_at(&self) -> Option<SystemTime> {
        let path = self.path.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        std::fs::metadata(path).and_then(|file| file.modified()).ok()
    }

    /// Reads the configuration.
    pub fn load(&self) -> Result<Config, StartError> {
        Config::load(self.path.as_deref(), config::environment())
            .map_err(|error| StartError::Config(error.to_string()))
    }
}

async fn open_sqlite(path: PathBuf) -> Result<Arc<SqliteStore>, StartError> {
    Ok(Arc::new(blocking(move || SqliteStore::open(&path)).await?))
}

/// Opens a store and looks at nothing in it.
pub async fn open_store(url: &StoreUrl) -> Result<SharedStore, StartError> {
    match url {
        StoreUrl::Memory => Ok(Arc::new(MemoryStore::new())),
        StoreUrl::Postgres(address) => {
            Ok(Arc::new(PostgresStore::open(Address::clone(address)).await?))
        }
        StoreUrl::Sqlite(path) => Ok(open_sqlite(path.clone()).await?),
    }
}

/// What a store is like, without making it or bringing it up to date.
pub async fn inspect_store(url: &StoreUrl) -> Result<Inspection, StartError> {
    match url.clone() {
        StoreUrl::Memory => Err(no_memory()),
        StoreUrl::Postgres(address) => Ok(postgres::inspect(*address).await?),
        StoreUrl::Sqlite(path) => blocking(move || sqlite::inspect(&path)).await,
    }
}

/// What bringing a store up to date would do, tried on a copy of it.
pub async fn rehearse_migration(url: &StoreUrl) -> Result<Rehearsal, StartError> {
    match url.clone() {
        StoreUrl::Memory => Err(no_memory()),
        StoreUrl::Postgres(address) => Ok(postgres::rehearse(*address).await?),
        StoreUrl::Sqlite(path) => blocking(move || sqlite::rehearse(&path)).await,
    }
}

/// Takes a store's schema back to an earlier version, or says whether that could be done; answers
/// the versions that were taken back and their names. Nobody may be using the store.
pub async fn migrate_store_back(
    url: &StoreUrl,
    version: u32,
    dry_run: bool,
) -> Result<Vec<(u32, &'static str)>, StartError> {
    match url.clone() {
        StoreUrl::Memory => Err(no_memory()),
        StoreUrl::Postgres(address) => {
            Ok(postgres::migrate_back(*address, version, dry_run).await?)
        }
        StoreUrl::Sqlite(path) => {
            blocking(move || sqlite::migrate_back(&path, version, dry_run)).await
        }
    }
}

fn no_memory() -> StartError {
    StartError::Config("a store in memory has nothing to look at".to_owned())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreFault> + Send + 'static,
) -> Result<T, StartError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|e| StoreFault::Unavailable(e.to_string()))??)
}

/// Opens the store and what is in it; nothing listens yet. On the very first start the master key
/// is made beside the store.
pub async fn open_app(config: Config) -> Result<Arc<App>, StartError> {
    let folder = config.data_folder();
    std::fs::create_dir_all(&folder)
        .map_err(|e| StoreFault::Unavailable(format!("{}: {e}", folder.display())))?;
    let ensure_master_key = |age: StoreAge| {
        let ensured = config.ensure_master_key(age);
        ensured.map(drop).map_err(|error| StartError::Config(error.to_string()))
    };
    let environment = Arc::new(SystemEnvironment);
    match config.store.url.clone() {
        StoreUrl::Memory => {
            ensure_master_key(StoreAge::New)?;
            Ok(App::open(config, Arc::new(MemoryStore::new()), environment).await?)
        }
        StoreUrl::Postgres(address) => {
            let postgres = Arc::new(PostgresStore::open(*address).await?);
            let store: SharedStore = Arc::clone(&postgres) as SharedStore;
            ensure_master_key(MasterKey::age_of(&store).await?)?;
            let app = App::open(config, store, environment).await?;
            let observe = app.metrics.commit_observer();
            postgres.observe(move |commit| observe(commit.verbs, commit.took));
            Ok(app)
        }
        StoreUrl::Sqlite(path) => {
            // By the file: opening it would make one.
            ensure_master_key(if path.exists() { StoreAge::SetUp } else { StoreAge::New })?;
            let sqlite = open_sqlite(path).await?;
            let store: SharedStore = Arc::clone(&sqlite) as SharedStore;
            let app = App::open(config, store, environment).await?;
            let observe = app.metrics.commit_observer();
            sqlite.observe(move |commit| observe(commit.verbs, commit.took));
            Ok(app)
        }
    }
}

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where operations listen.
    pub ops_address: SocketAddr,
    app: Arc<App>,
    tls: Arc<ArcSwapOption<rustls::ServerConfig>>,
    listening: watch::Sender<bool>,
    working: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    jobs: JoinSet<()>,
}

/// Binds both listeners and starts the jobs.
pub async fn start(app: Arc<App>) -> Result<Running, StartError> {
    let config = app.config.load_full();
    let listen_error = |error: listen::ListenError| StartError::Listen(error.to_string());
    let listener = listen::bind(config.server.listen).await.map_err(listen_error)?;
    let ops = listen::bind(config.server.ops_listen).await.map_err(listen_error)?;
    let address = local_address(&listener)?;
    let ops_address = local_address(&ops)?;
    let tls = Arc::new(ArcSwapOption::new(load_tls(&config)?));
    let sinks = jobs::sinks(&config).map_err(|error| StartError::Config(error.to_string()))?;
    let (listening, stop_listening) = watch::channel(false);
    let (working, stop_working) = watch::channel(false);
    let limits = ConnectionLimits::of(&config.limits);
    let service = Dispatch::new(Arc::clone(&app));
    let public = listen::serve(listener, Some(Arc::clone(&tls)), service, limits, stop_listening);
    let health = operations::Health::new(Arc::clone(&app), listening.subscribe());
    // The operations listener answers until the very end: it says that the server drains.
    let private = listen::serve(ops, None, health, limits, stop_working.clone());
    let jobs = jobs::start(&app, sinks, &stop_working);
    let listeners = vec![tokio::spawn(public), tokio::spawn(private)];
    Ok(Running { address, ops_address, app, tls, listening, working, listeners, jobs })
}

impl Running {
    /// Stops accepting, finishes what has begun, stores what waits, closes the store.
    pub async fn stop(mut self) {
        // Streams would never end by themselves.
        self.app.feeds.close();
        self.listening.send_replace(true);
        let private = self.listeners.pop();
        for listener in self.listeners.drain(..) {
            let _ended = listener.await;
        }
        self.working.send_replace(true);
        let ending = async { while self.jobs.join_next().await.is_some() {} };
        if tokio::time::timeout(JOBS_END, ending).await.is_err() {
            // They wait for a store that does not answer.
            self.jobs.shutdown().await;
        }
        if let Some(private) = private {
            let _ended = private.await;
        }
        self.app.notebook.flush().await;
        self.app.store.close().await;
    }

    /// Reads the configuration again; says what needs a restart. A wrong one changes nothing.
    pub fn reload(&self, source: &ConfigSource) {
        let mut new = match source.load() {
            Ok(new) => new,
            Err(error) => {
                tracing::error!(error = %error, "the configuration stays as it was");
                return;
            }
        };
        match load_tls(&new) {
            Ok(tls) => self.tls.store(tls),
            Err(error) => {
                tracing::error!(error = %error, "the configuration stays as it was");
                return;
            }
        }
        let old = self.app.config.load_full();
        for setting in changes_needing_restart(&old, &new) {
            tracing::warn!(setting, "this change takes effect after a restart");
        }
        // What the process was built on stays until it is built anew.
        new.issuer.clone_from(&old.issuer);
        new.store = old.store.clone();
        new.keys.master = old.keys.master.clone();
        self.app.config.store(Arc::new(new));
        tracing::info!("configuration reloaded");
    }
}

/// Runs until the process is asked to stop.
pub async fn serve(app: Arc<App>, source: ConfigSource) -> Result<(), StartError> {
    let running = start(app).await?;
    tracing::info!(
        server.address = %running.address,
        ops.address = %running.ops_address,
        issuer = %running.app.root_issuer(),
        "serving"
    );
    let signals = |kind| signal(kind).map_err(|e| StartError::Listen(e.to_string()));
    let mut terminate = signals(SignalKind::terminate())?;
    let mut interrupt = signals(SignalKind::interrupt())?;
    let mut hangup = signals(SignalKind::hangup())?;
    let mut written_at = source.written_at();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => running.reload(&source),
            () = tokio::time::sleep(FILE_LOOKED_AT_EVERY) => {
                let now_written_at = source.written_at();
                if now_written_at.is_some() && now_written_at != written_at {
                    running.reload(&source);
                }
                written_at = now_written_at;
            }
        }
    }
    tracing::info!("draining");
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}

fn load_tls(config: &Config) -> Result<Option<Arc<rustls::ServerConfig>>, StartError> {
    let Some(settings) = &config.tls else { return Ok(None) };
    tls::load(settings).map(Some).map_err(|error| StartError::Config(error.to_string()))
}

fn local_address(listener: &tokio::net::TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Listen(error.to_string()))
}
