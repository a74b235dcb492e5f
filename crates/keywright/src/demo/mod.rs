//! `keywright demo`: everything in one process on loopback, ending in a live token.
//!
//! The authorization server is the real one, in this process, behind HTTP like everywhere; beside
//! it runs a small protected API ([`api`], [`guard`]) and an application that signs people in
//! ([`sign_in`]). [`seed`] makes the inhabitants, [`story`] does what is then told.

mod api;
mod guard;
mod home;
mod page;
mod seed;
mod sign_in;
mod story;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keywright_server::start;
use keywright_server::{App, Config, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::api::Api;
use self::guard::Guard;
use self::home::{Home, Notes};
use self::seed::Inhabitants;
use self::sign_in::SignIn;
use self::story::Story;
use crate::cli::Failure;
use crate::peer::{FeedFollower, Http, KeyCache, Metadata};

const SERVER_PORT: u16 = 8080;
const API_PORT: u16 = 9001;
/// How long the sample API waits at its start for word of what is revoked.
const FEED_PATIENCE: Duration = Duration::from_secs(10);

/// What `keywright demo` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Where to keep its state; a temporary folder otherwise
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The port of the authorization server; 8080 if that is free, any free one otherwise
    #[arg(long, value_name = "P")]
    port: Option<u16>,
}

/// Runs the demo until somebody stops it.
pub(crate) async fn run(args: DemoArgs) -> Result<(), Failure> {
    let home = Home::open(args.data)?;
    let mut notes = home.notes()?;
    let config = configure(&home, args.port)?;
    telemetry::init_logging(&config.telemetry);
    let app = start::open_app(config).await?;
    let running = start::start(Arc::clone(&app)).await?;
    let told = tell(&app, &home, &mut notes).await;
    let ended = match told {
        Ok(sample) => {
            wait_for_signal().await?;
            sample.stop().await;
            Ok(())
        }
        Err(failure) => Err(failure),
    };
    running.stop().await;
    ended
}

/// Seeds, starts the sample API, does everything for real and tells it.
async fn tell(app: &Arc<App>, home: &Home, notes: &mut Notes) -> Result<SampleApi, Failure> {
    let listener = bind(notes.api_port.unwrap_or(API_PORT))?;
    let address = listener.local_addr()?;
    notes.api_port = Some(address.port());
    let api_url = format!("http://{address}");
    let people = seed::plant(app, &api_url, notes).await?;
    home.keep(notes)?;
    let http = Http::new(None)?;
    let issuer = app.root_issuer().parse().map_err(Failure::refused)?;
    let metadata = Metadata::load(&http, &issuer).await?;
    let Inhabitants { machine, password, web } = people;
    let keys = Arc::new(KeyCache::new(http.clone(), metadata.jwks_uri.clone()));
    let feed = follow_feed(app, &http, &metadata, &keys)?;
    let guard = Guard {
        environment: Arc::clone(&app.environment),
        issuer: metadata.issuer.clone(),
        resource: api_url.clone(),
        keys: Arc::clone(&keys),
        feed: Arc::clone(&feed),
    };
    let sign_in = SignIn {
        app: Arc::clone(app),
        http: http.clone(),
        metadata: metadata.clone(),
        client: web,
        redirect_uri: format!("{api_url}/callback"),
        keys,
        pending: Mutex::new(Vec::new()),
    };
    let following = tokio::spawn(Arc::clone(&feed).run());
    let sample = SampleApi::start(listener, Api::new(guard, sign_in), following)?;
    tokio::time::timeout(FEED_PATIENCE, feed.heard_everything())
        .await
        .map_err(|_| Failure::refused("the revocation feed of the server is not heard"))?;
    let token = story::obtain_token(&http, &metadata, &machine).await?;
    story::call_api(&http, &api_url, &token).await?;
    let story = Story {
        metadata: &metadata,
        api_url: &api_url,
        client_id: &machine.id,
        token: &token,
        username: seed::USERNAME,
        password: &password,
        kept_in: (!home.is_temporary()).then(|| home.folder()),
        configuration: &home.configuration(),
        now: app.now(),
    };
    std::io::stdout().write_all(story.tell().as_bytes())?;
    Ok(sample)
}

/// What tells the sample API which tokens are revoked.
fn follow_feed(
    app: &App,
    http: &Http,
    metadata: &Metadata,
    keys: &Arc<KeyCache>,
) -> Result<Arc<FeedFollower>, Failure> {
    let url = metadata.revocations_endpoint.clone();
    let url = url.ok_or_else(|| Failure::refused("the server has no revocation feed"))?;
    let environment = Arc::clone(&app.environment);
    Ok(FeedFollower::new(http.clone(), url, &metadata.issuer, Arc::clone(keys), environment))
}

/// The configuration of a demo: nothing of the machine's own takes part.
fn configure(home: &Home, port: Option<u16>) -> Result<Config, Failure> {
    let address = match port {
        Some(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        // Let go again: the server binds it in a moment.
        None => bind(SERVER_PORT)?.local_addr()?,
    };
    let text = format!(
        "issuer = \"http://{address}\"\n\
         [server]\nlisten = \"{address}\"\nops_listen = \"127.0.0.1:0\"\n\
         [store]\nurl = \"sqlite:keywright.db\"\n\
         [telemetry]\nlevel = \"warn\"\n"
    );
    let path = home.configuration();
    std::fs::write(&path, &text)?;
    Config::parse(&text, &path, []).map_err(|error| Failure::usage(error.to_string()))
}

/// This port on loopback if it is free, any other otherwise.
fn bind(preferred: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, preferred))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
}

/// The sample API while it runs.
struct SampleApi {
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
    following: JoinHandle<()>,
}

impl SampleApi {
    fn start(
        listener: TcpListener,
        api: Arc<Api>,
        following: JoinHandle<()>,
    ) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (stop, stopped) = oneshot::channel();
        let serving = axum::serve(listener, api.router())
            .with_graceful_shutdown(async { drop(stopped.await) });
        Ok(Self { stop, served: tokio::spawn(async { serving.await }), following })
    }

    async fn stop(self) {
        drop(self.stop);
        self.following.abort();
        // A browser may keep its connection open for ever.
        let patience = Duration::from_secs(1);
        let _ended = tokio::time::timeout(patience, self.served).await;
    }
}

async fn wait_for_signal() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
