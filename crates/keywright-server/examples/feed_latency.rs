//! How soon a revocation reaches validators that follow the feed, while many are revoked a second.
//!
//! `cargo run --release -p keywright-server --example feed_latency -- RATE FOLLOWERS SECONDS REDIS`
//!
//! All are optional: 2000 a second, 100, 10 and none.
//!
//! A whole server runs over SQLite. Followers hold streams of events over loopback. Tokens are
//! revoked at a fixed rate, whatever the answers take. Measured is the time from the
//! acknowledgement of a revocation to the arrival of the event that tells it, for every pair of a
//! revocation and a follower. One of the followers verifies every message and applies it; the
//! others note the arrival alone, since the machine is shared by all of them.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keywright_jose::{Algorithm, UnverifiedJws};
use keywright_protocol::audit::Record;
use keywright_protocol::id::{Jti, TenantId};
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::revocation::view::RevocationView;
use keywright_protocol::wire::event_stream::EventParser;
use keywright_protocol::wire::revocations::{FeedMessage, MESSAGE_BYTES_MAX};
use keywright_server::{App, Config, start};
use keywright_store::StoreFault;
use keywright_store::revocation::{Revoke, Revoked};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const TOKEN_LIFE: Duration = Duration::from_mins(10);
const ADDRESS: &str = "127.0.0.1:18080";
const TICK: Duration = Duration::from_millis(2);
/// How long after the last revocation the followers may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// When something happened at a place of the log.
type Moments = Vec<(u64, Instant)>;

/// What is measured.
struct Options {
    rate: u64,
    followers: u64,
    seconds: u64,
    /// A Redis that is written to meanwhile.
    redis: Option<String>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let arguments: Vec<String> = arguments.collect();
        let number = |index: usize, default| {
            arguments.get(index).map_or(Ok(default), |text| text.parse::<u64>())
        };
        let (rate, followers, seconds) = (number(0, 2000)?, number(1, 100)?, number(2, 10)?);
        Ok(Self { rate, followers, seconds, redis: arguments.get(3).cloned() })
    }

    fn config(&self, folder: &Path) -> Result<Config, Failure> {
        let mut text = format!(
            "issuer = 'http://{ADDRESS}'\n[server]\nlisten = '{ADDRESS}'\n\
             ops_listen = '127.0.0.1:0'\n[limits]\nfeed_followers_per_address = 10000\n"
        );
        if let Some(url) = &self.redis {
            text.extend(["[revocation]\nsinks = [{ kind = 'redis', url = '", url, "' }]\n"]);
        }
        Ok(Config::parse(&text, &folder.join("keywright.toml"), [])?)
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    let folder = tempfile::tempdir()?;
    let app = start::open_app(options.config(folder.path())?).await?;
    let running = start::start(Arc::clone(&app)).await?;
    let mut followers = JoinSet::new();
    let (ready, mut readies) = mpsc::channel(1);
    for n in 0..options.followers {
        let role = if n == 0 { Role::Validator } else { Role::Clock };
        followers.spawn(follow(Arc::clone(&app), role, ready.clone()));
    }
    for _ in 0..options.followers {
        readies.recv().await;
    }
    let sink_lag = tokio::spawn(greatest_sink_lag(Arc::clone(&app), options.seconds));
    let begun = Instant::now();
    let (acknowledged, behind) = revoke_at(&app, options.rate, options.seconds).await?;
    let took = begun.elapsed();
    let last = acknowledged.last().map_or(0, |(seq, _)| *seq);
    let told = tokio::time::timeout(PATIENCE, app_reaches(&app, last)).await;
    told.map_err(|_| "the node does not follow its own log")?;
    // The last event is on its way.
    tokio::time::sleep(Duration::from_secs(1)).await;
    running.stop().await;
    let mut latencies = Vec::new();
    let mut bytes = 0;
    while let Some(heard) = followers.join_next().await {
        let heard = heard??;
        bytes = heard.bytes;
        latencies.extend(compare(&acknowledged, &heard.moments)?);
    }
    latencies.sort_unstable();
    let at = |share: f64| percentile(&latencies, share);
    let (count, pairs) = (acknowledged.len(), latencies.len());
    writeln!(
        stdout(),
        "{count} revocations in {:.1} s ({:.0}/s; {} turned away), {} followers, {pairs} pairs\n\
         acknowledged at most {} ms after their turn\n\
         p50 {} ms, p99 {} ms, p99.9 {} ms, most {} ms\n\
         {:.1} bytes of the stream for each revocation",
        took.as_secs_f64(),
        ratio(count, took),
        options.rate * options.seconds - u64::try_from(count)?,
        options.followers,
        behind.as_millis(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        f64::from(u32::try_from(bytes)?) / f64::from(u32::try_from(count)?),
    )?;
    if options.redis.is_some() {
        writeln!(stdout(), "greatest lag of Redis: {:.3} s", sink_lag.await?)?;
    }
    Ok(())
}

/// What the metric of the sink showed at most.
async fn greatest_sink_lag(app: Arc<App>, seconds: u64) -> f64 {
    let mut greatest = 0.0_f64;
    for _ in 0..seconds * 20 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let text = app.metrics.render();
        let lag = text.lines().find(|line| line.starts_with("keywright_revocation_sink_lag"));
        let lag = lag.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        greatest = greatest.max(lag.unwrap_or_default());
    }
    greatest
}

fn ratio(count: usize, took: Duration) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from) / took.as_secs_f64()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index within the list"
)]
fn percentile(sorted: &[u32], share: f64) -> u32 {
    let index = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(index - 1).copied().unwrap_or_default()
}

async fn app_reaches(app: &App, seq: u64) {
    let mut followed = app.feeds.watch();
    let _reached = followed.wait_for(|followed| *followed >= seq).await;
}

/// Revokes tokens at a fixed rate; when each was acknowledged, and how late the latest was.
async fn revoke_at(
    app: &Arc<App>,
    rate: u64,
    seconds: u64,
) -> Result<(Moments, Duration), Failure> {
    let moments = Arc::new(Mutex::new((Moments::new(), Duration::ZERO)));
    let mut calls = JoinSet::new();
    let mut clock = interval(TICK);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let ticks = seconds * 1000 / u64::try_from(TICK.as_millis())?;
    let mut sent = 0;
    for tick in 1..=ticks {
        let due = clock.tick().await;
        let upto = rate * seconds * tick / ticks;
        for n in sent..upto {
            let (app, moments) = (Arc::clone(app), Arc::clone(&moments));
            calls.spawn(async move { revoke(&app, n, due, &moments).await });
        }
        sent = upto;
        while let Some(done) = calls.try_join_next() {
            done??;
        }
    }
    while let Some(done) = calls.join_next().await {
        done??;
    }
    let mut moments = moments.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut acknowledged, behind) = std::mem::take(&mut *moments);
    acknowledged.sort_unstable();
    Ok((acknowledged, behind))
}

async fn revoke(
    app: &App,
    n: u64,
    due: Instant,
    moments: &Mutex<(Moments, Duration)>,
) -> Result<(), Failure> {
    let now = app.now();
    let target = RevocationTarget::Token(Jti::from_trusted(format!("measured-token-{n:08}")));
    let record = Record { now, events: Vec::new(), once: None };
    let tenant = TenantId::default_tenant();
    let revoke = Revoke { tenant, target, tokens_expire_at: now.plus(TOKEN_LIFE), record };
    let entries = match app.store.revoke(revoke).await {
        Ok(Revoked::Done(entries)) => entries,
        Ok(_) => return Err("a token is always revoked".into()),
        // The disk does not keep up for a moment: the caller is told, and nothing was promised.
        Err(StoreFault::Busy(_)) => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    app.learn(&entries);
    let at = Instant::now();
    let mut moments = moments.lock().unwrap_or_else(PoisonError::into_inner);
    moments.0.extend(entries.iter().map(|entry| (entry.seq, at)));
    moments.1 = moments.1.max(at - due);
    Ok(())
}

/// What a follower does with an event.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Role {
    /// Notes its arrival.
    Clock,
    /// Verifies and applies it too.
    Validator,
}

struct Heard {
    moments: Moments,
    bytes: usize,
}

/// Listens until the server ends the stream.
async fn follow(app: Arc<App>, role: Role, ready: mpsc::Sender<()>) -> Result<Heard, Failure> {
    let mut tcp = TcpStream::connect(ADDRESS).await?;
    let request = format!(
        "GET /revocations HTTP/1.0\r\nHost: {ADDRESS}\r\nAccept: text/event-stream\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).await?;
    let mut parser = EventParser::new(MESSAGE_BYTES_MAX);
    let mut view = RevocationView::new(app.root_issuer());
    let mut heard = Heard { moments: Moments::new(), bytes: 0 };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tcp.read(&mut buffer).await?;
        let at = Instant::now();
        let Some(piece @ [_, ..]) = buffer.get(..read) else { break };
        heard.bytes += read;
        for event in parser.push(piece)? {
            // What stands before the first event is the head of the response.
            let Ok(seq) = event.id.parse() else { continue };
            heard.moments.push((seq, at));
            if heard.moments.len() == 1 {
                ready.send(()).await?;
            }
            if role == Role::Validator {
                apply(&app, &mut view, &event.data)?;
            }
        }
    }
    let last = heard.moments.last().map_or(0, |(seq, _)| *seq);
    if role == Role::Validator && u64::try_from(view.len())? != last {
        return Err(format!("{last} were told, {} are known", view.len()).into());
    }
    Ok(heard)
}

fn apply(app: &App, view: &mut RevocationView, jws: &str) -> Result<(), Failure> {
    let tenant = app.tenant(&TenantId::default_tenant()).ok_or("there is one")?;
    let keys = tenant.keys.load();
    let jws = UnverifiedJws::parse_document(jws, MESSAGE_BYTES_MAX)?;
    let jws = jws.verify(keys.verifying(), &[Algorithm::Es256])?;
    let message = FeedMessage::decode(&jws.payload)?;
    Ok(view.apply(&message, jws.header.kid.as_deref(), app.now())?)
}

/// For each revocation the time until it was heard, milliseconds.
fn compare(acknowledged: &Moments, heard: &Moments) -> Result<Vec<u32>, Failure> {
    let mut heard = heard.iter().peekable();
    let mut latencies = Vec::with_capacity(acknowledged.len());
    for (seq, at) in acknowledged {
        while heard.next_if(|(reached, _)| reached < seq).is_some() {}
        let (_, arrived) = heard.peek().ok_or("a revocation was never heard")?;
        let latency = arrived.saturating_duration_since(*at);
        latencies.push(u32::try_from(latency.as_millis())?);
    }
    Ok(latencies)
}
