//! `keywright bench`: an open-loop load generator for any authorization server.
//!
//! Every request has a time at which it is due, decided before the start. What the server does with
//! one request does not postpone the next, and latency counts from the due time, not from the
//! moment when a connection was free: a server that stalls is charged for everybody who waited
//! (correction for coordinated omission). The road of a run:
//!
//! | stop | file |
//! |---|---|
//! | the command line becomes values | [`plan`] |
//! | the server says where its endpoints are | [`discovery`] |
//! | what is sent, and what counts as an answer | [`scenario`], a file for each |
//! | when each request is due | [`schedule`] |
//! | send, wait, judge | [`load`], [`http`] |
//! | count and print | [`tally`], [`report`] |

mod discovery;
mod http;
mod load;
mod plan;
mod report;
mod scenario;
mod schedule;
mod tally;

use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use self::discovery::Endpoints;
use self::http::Http;
use self::plan::{Credentials, Issuer};
use self::report::Report;
use self::scenario::Ground;
use self::schedule::Schedule;

/// What `keywright bench` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "The client secret may come from the environment: KEYWRIGHT_CLIENT_SECRET.")]
pub(crate) struct BenchArgs {
    /// What to send
    #[arg(value_enum)]
    scenario: scenario::Name,
    /// The server: https, or http on this machine's loopback
    #[arg(long)]
    issuer: Issuer,
    /// The client that asks
    #[arg(long)]
    client_id: Option<String>,
    /// Its secret; other users of this machine can read a command line
    #[arg(long)]
    client_secret: Option<String>,
    /// Scopes to ask for, separated by spaces
    #[arg(long)]
    scope: Option<String>,
    /// The protected resource to ask for (RFC 8707)
    #[arg(long)]
    resource: Option<String>,
    /// Refresh tokens, one a line, each of a family of its own; the file is not rewritten
    #[arg(long, value_name = "FILE")]
    refresh_tokens: Option<PathBuf>,
    /// Requests a second that fall due: 500, or 500/s
    #[arg(long, default_value = "100/s", value_parser = plan::parse_rate)]
    rate: NonZeroU32,
    /// The most requests in flight, each on a connection of its own
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// How long to measure
    #[arg(long, default_value = "10s", value_parser = plan::parse_duration)]
    duration: Duration,
    /// How long to send before measuring
    #[arg(long, default_value = "2s", value_parser = plan::parse_duration)]
    warmup: Duration,
    /// Certificates to trust instead of the public ones, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// Why nothing was measured.
enum Stop {
    /// The server answers, but not with what the scenario needs.
    Refused(anyhow::Error),
    Unreachable(anyhow::Error),
    Usage(String),
}

/// Runs one scenario; exit status as everywhere: 0 measured, 1 nothing succeeded or refused, 2
/// usage, 3 unreachable.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let json = args.json;
    let mut stderr = std::io::stderr();
    let (message, code) = match measure(args).await {
        Ok(report) => {
            let text = if json { report.to_json()? } else { report.to_text() };
            writeln!(std::io::stdout(), "{text}")?;
            return Ok(ExitCode::from(u8::from(report.nothing_succeeded())));
        }
        Err(Stop::Refused(why)) => (format!("{why:#}"), 1),
        Err(Stop::Usage(why)) => (why, 2),
        Err(Stop::Unreachable(why)) => (format!("{why:#}"), 3),
    };
    writeln!(stderr, "bench: {message}")?;
    Ok(ExitCode::from(code))
}

async fn measure(args: BenchArgs) -> Result<Report, Stop> {
    let schedule = Schedule::new(args.rate, args.warmup, args.duration).map_err(Stop::Usage)?;
    let secret = args.client_secret.or_else(|| std::env::var("KEYWRIGHT_CLIENT_SECRET").ok());
    let client = Credentials::new(args.client_id, secret).map_err(Stop::Usage)?;
    let families = args.refresh_tokens.as_deref().map(plan::load_refresh_tokens);
    let refresh_tokens = families.transpose().map_err(Stop::Usage)?.unwrap_or_default();
    let http = Http::new(args.connections, args.ca.as_deref()).map_err(Stop::Usage)?;
    let endpoints = Endpoints::load(&http, &args.issuer).await.map_err(Stop::Unreachable)?;
    let ground = Ground {
        http: &http,
        endpoints: &endpoints,
        client: client.as_ref(),
        scope: args.scope.as_deref(),
        resource: args.resource.as_deref(),
    };
    let scenario = scenario::prepare(args.scenario, &ground, refresh_tokens).await?;
    let load = load::Load { schedule, connections: args.connections, quiet: args.json };
    let tally = load::run(load, http, scenario).await;
    Ok(Report::new(args.scenario, &args.issuer, &schedule, args.connections, &tally))
}
