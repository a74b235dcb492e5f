//! `keywright bench`: an open-loop load generator for any authorization server.
//!
//! Every turn has a time at which it is due, decided before the start. What the server does with
//! one does not postpone the next, and latency counts from the due time, not from the moment when
//! a connection was free: a server that stalls is charged for everybody who waited (correction for
//! coordinated omission). The road of a run:
//!
//! | stop | file |
//! |---|---|
//! | the command line becomes values | [`target`], [`plan`] |
//! | the server says where its endpoints are | [`discovery`] |
//! | what is sent, and what counts as an answer | [`scenario`], a file for each |
//! | who is measured when: rounds, ramps | [`campaign`], [`ramp`] |
//! | when each turn is due | [`schedule`] |
//! | send, wait, judge | [`load`], [`http`] |
//! | count, and tell it | [`tally`], [`report`], [`text`], [`chart`] |

mod campaign;
mod chart;
mod discovery;
mod http;
mod interrupt;
mod load;
mod plan;
mod ramp;
mod report;
mod scenario;
mod schedule;
mod tally;
mod target;
mod text;

use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use self::campaign::{Mode, Plan, Progress};
use self::http::Failure;
use self::report::Report;
use self::target::TargetArgs;

/// How often each of several servers has its turn.
const ROUNDS: u16 = 5;
/// How long one is measured, in all.
const DURATION: Duration = Duration::from_secs(10);
/// How long each step of a ramp is measured.
const STEP: Duration = Duration::from_secs(4);
const WARMUP: Duration = Duration::from_secs(2);
/// Where there are several slices, the first has warmed the server up.
const SHORT_WARMUP: Duration = Duration::from_secs(1);

/// What `keywright bench` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Secrets may come from the environment: KEYWRIGHT_CLIENT_SECRET, KEYWRIGHT_PASSWORD.
Ctrl-C ends the measurement and prints what was measured so far.")]
pub(crate) struct BenchArgs {
    /// What to send
    #[arg(value_enum)]
    scenario: scenario::Kind,
    #[command(flatten)]
    target: TargetArgs,
    /// Turns a second that fall due: 500, or 500/s; with --ramp, the first rate
    #[arg(long, default_value = "100/s", value_parser = plan::parse_rate)]
    rate: NonZeroU32,
    /// The most turns in flight, each on a connection of its own
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// How long to measure each server [default: 10s; with --ramp, 4s a step]
    #[arg(long, value_parser = plan::parse_duration)]
    duration: Option<Duration>,
    /// How long to send before measuring [default: 2s; 1s with --ramp or several rounds]
    #[arg(long, value_parser = plan::parse_duration)]
    warmup: Option<Duration>,
    /// Into how many slices the duration is cut, in which servers take turns [default: 1; 5 for
    /// several servers]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: Option<u16>,
    /// Raise the rate until the server is saturated, and report the highest that it sustained
    #[arg(long, conflicts_with = "rounds")]
    ramp: bool,
    /// With --ramp: the 99th percentile beyond which a rate is too high
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = plan::parse_duration)]
    max_p99: Duration,
    /// Certificates to trust instead of the public ones, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
    /// Draw the latencies, too
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Why nothing was measured.
enum Stop {
    /// Somebody ended it before anything was measured.
    Interrupted,
    /// The server answers, but these credentials may not do what the scenario needs.
    NotAllowed(anyhow::Error),
    /// The server answers, but not with what the scenario needs.
    Refused(anyhow::Error),
    Unreachable(anyhow::Error),
    Usage(String),
}

/// Measures; exit status as everywhere: 0 measured, 1 nothing succeeded or refused, 2 usage, 3
/// unreachable.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let (json, svg) = (args.json, args.svg.clone());
    let (message, code) = match measure(args).await {
        Ok(reports) => {
            let text = if json { report::to_json(&reports)? } else { text::to_text(&reports) };
            writeln!(std::io::stdout(), "{text}")?;
            if let Some(file) = svg {
                let chart = chart::to_svg(&reports);
                std::fs::write(&file, chart).with_context(|| file.display().to_string())?;
            }
            let vain = reports.iter().any(Report::nothing_succeeded);
            return Ok(ExitCode::from(u8::from(vain)));
        }
        Err(Stop::Interrupted) => ("interrupted before anything was measured".to_owned(), 1),
        Err(Stop::NotAllowed(why) | Stop::Refused(why)) => (format!("{why:#}"), 1),
        Err(Stop::Usage(why)) => (why, 2),
        Err(Stop::Unreachable(why)) => (format!("{why:#}"), 3),
    };
    writeln!(std::io::stderr(), "bench: {message}")?;
    Ok(ExitCode::from(code))
}

async fn measure(args: BenchArgs) -> Result<Vec<Report>, Stop> {
    let targets = args.target.load().map_err(Stop::Usage)?;
    let rounds = args.rounds.unwrap_or(if targets.len() > 1 { ROUNDS } else { 1 });
    let (mode, duration) = if args.ramp {
        (Mode::Ramp { max_p99: args.max_p99 }, args.duration.unwrap_or(STEP))
    } else {
        let whole = args.duration.unwrap_or(DURATION);
        (Mode::Fixed { rounds }, whole / u32::from(rounds))
    };
    let warmup = if args.ramp || rounds > 1 { SHORT_WARMUP } else { WARMUP };
    let plan = Plan {
        kind: args.scenario,
        rate: args.rate,
        warmup: args.warmup.unwrap_or(warmup),
        duration,
        connections: args.connections,
        mode,
        ca: args.ca,
        progress: if args.json { Progress::Hidden } else { Progress::Shown },
    };
    campaign::run(&plan, targets).await
}

impl Stop {
    /// What a failure means before anything is measured.
    fn of(failure: &Failure, what: &str) -> Self {
        // RFC 6749 §5.2 and §4.1.2.1, RFC 8707 §2: right credentials, wrong wish.
        const WISHES: [&str; 6] = [
            "access_denied",
            "invalid_scope",
            "invalid_target",
            "unauthorized_client",
            "unsupported_grant_type",
            "unsupported_response_type",
        ];
        let why = anyhow!("{what}: {failure}");
        match failure {
            Failure::Connect | Failure::Timeout | Failure::Transport => Self::Unreachable(why),
            Failure::Refused(_, Some(code)) if WISHES.contains(&code.as_str()) => {
                Self::NotAllowed(why)
            }
            _ => Self::Refused(why),
        }
    }

    /// Which server it was about.
    fn at(self, name: &str) -> Self {
        match self {
            Self::NotAllowed(why) => Self::NotAllowed(why.context(name.to_owned())),
            Self::Refused(why) => Self::Refused(why.context(name.to_owned())),
            Self::Unreachable(why) => Self::Unreachable(why.context(name.to_owned())),
            Self::Usage(why) => Self::Usage(why),
            Self::Interrupted => Self::Interrupted,
        }
    }
}
