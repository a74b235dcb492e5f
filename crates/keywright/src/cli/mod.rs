//! The command line: parsed by clap, carried out by one file for each command.
//!
//! Commands act on the configured store, whether or not the server runs, or with `--issuer` through
//! the administration API of a server elsewhere: [`backend`], [`remote`]. Both ways show the
//! same documents, printed by [`output`]; what goes wrong is a [`failure`].

mod audit;
mod backend;
mod client;
mod client_metadata;
mod explain;
mod failure;
mod grant;
mod init;
mod input;
mod key;
mod output;
mod remote;
mod resource;
mod revoke;
mod serve;
mod session;
mod tenant;
mod token;
mod upkeep;
mod user;

use std::io::Write as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use clap::Parser as _;
use keywright_protocol::id::TenantId;

pub(crate) use self::failure::Failure;
pub(crate) use self::input::{read_password, read_secret};
pub(crate) use self::output::{cell, time};

use crate::{bench, demo};

/// One small program: an organisation's whole OAuth 2.0 and OpenID Connect layer
#[derive(Debug, clap::Parser)]
#[command(name = "keywright", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// The heading of the options that nearly every command has.
const COMMON: &str = "Common options";

/// Where a command acts, and how it answers.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Place {
    /// The configuration; otherwise ./keywright.toml, or the built-in defaults with data in ./data
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The tenant; the default one otherwise
    #[arg(long, global = true, help_heading = COMMON, value_name = "NAME")]
    #[arg(value_parser = parse_tenant)]
    tenant: Option<TenantId>,
    /// One JSON document on standard output
    #[arg(long, global = true, help_heading = COMMON)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the authorization server
    Serve,
    /// Write a commented keywright.toml
    Init,
    /// Everything on loopback, ending in a live token
    Demo(demo::DemoArgs),
    /// Measure a server by an open-loop load
    Bench(bench::BenchArgs),
    /// Issuers with clients, users and keys of their own
    Tenant(tenant::TenantArgs),
    /// Programs that ask for tokens
    Client(client::ClientArgs),
    /// APIs that accept tokens
    Resource(resource::ResourceArgs),
    /// People who sign in
    User(user::UserArgs),
    /// Sign-ins of browsers
    Session(session::SessionArgs),
    /// What people granted to clients
    Grant(grant::GrantArgs),
    /// Signing keys
    Key(key::KeyArgs),
    /// Get, read and revoke tokens
    Token(token::TokenArgs),
    /// The emergency switch: first what it would take, then --confirm
    Revoke(revoke::RevokeArgs),
    /// What happened, and the proof that nobody edited it
    Audit(audit::AuditArgs),
    /// Every check of one request, the one that failed marked
    Explain(explain::ExplainArgs),
    /// Everything in the store, while it is used, in one file
    Backup(upkeep::backup::BackupArgs),
    /// Make a backup the store; what it cannot know any more stays dead
    Restore(upkeep::restore::RestoreArgs),
    /// Move everything to another store
    Store(upkeep::store::StoreArgs),
    /// Bring the store's schema up to date
    Migrate(upkeep::migrate::MigrateArgs),
    /// What is wrong with this installation
    Doctor,
}

/// Parses the command line and carries it out: the program's exit status.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::from(error)),
    };
    // In a box: a runtime has a copy of its code for each of its kinds.
    let command: Pin<Box<dyn Future<Output = _>>> = Box::pin(dispatch(cli));
    let ended = runtime.block_on(command);
    // What still waits, such as a read of standard input, must not hold the program up.
    runtime.shutdown_background();
    ended.unwrap_or_else(|failure| report(&failure))
}

async fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    let Cli { place, command } = cli;
    let done = match command {
        Command::Serve => serve::run(place).await,
        Command::Init => init::run(&place),
        Command::Demo(args) => {
            place.refuse_all("demo")?;
            demo::run(args).await
        }
        Command::Bench(args) => {
            // Its own `--json` is the one that is meant.
            Place { json: false, ..place }.refuse_all("bench")?;
            let measured = bench::run(args).await;
            return measured.map_err(|error| Failure::refused(format!("{error:#}")));
        }
        Command::Tenant(args) => tenant::run(place, args).await,
        Command::Client(args) => client::run(place, args).await,
        Command::Resource(args) => resource::run(place, args).await,
        Command::User(args) => user::run(place, args).await,
        Command::Session(args) => session::run(place, args).await,
        Command::Grant(args) => grant::run(place, args).await,
        Command::Key(args) => key::run(place, args).await,
        Command::Token(args) => token::run(place, args).await,
        Command::Revoke(args) => revoke::run(place, args).await,
        Command::Audit(args) => audit::run(place, args).await,
        Command::Explain(args) => explain::run(place, args).await,
        Command::Backup(args) => upkeep::backup::run(place, args).await,
        Command::Restore(args) => upkeep::restore::run(place, args).await,
        Command::Store(args) => upkeep::store::run(place, args).await,
        Command::Migrate(args) => upkeep::migrate::run(place, args).await,
        Command::Doctor => upkeep::doctor::run(place).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

impl Place {
    /// For commands that have nothing to do with a configured store: an option that would be
    /// ignored is a mistake.
    fn refuse_all(&self, command: &str) -> Result<(), Failure> {
        let given = [
            ("--config", self.config.is_some()),
            ("--json", self.json),
            ("--tenant", self.tenant.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(Failure::usage(format!("{command} has no use for {option}"))),
            None => Ok(()),
        }
    }

    /// The issuer of the tenant.
    fn issuer_below(&self, root: &str) -> String {
        match &self.tenant {
            Some(tenant) if !tenant.is_default() => format!("{root}/t/{tenant}"),
            _ => root.to_owned(),
        }
    }

    fn tenant(&self) -> TenantId {
        self.tenant.clone().unwrap_or_else(TenantId::default_tenant)
    }
}

fn parse_tenant(raw: &str) -> Result<TenantId, String> {
    TenantId::parse(raw).map_err(|_| "lower-case letters, digits and inner hyphens".to_owned())
}

/// Says in one line what went wrong.
fn report(failure: &Failure) -> ExitCode {
    let _nobody_reads = writeln!(std::io::stderr(), "error: {failure}");
    ExitCode::from(failure.status as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parses(line: &str) -> bool {
        Cli::try_parse_from(line.split(' ')).is_ok()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn contract_2_commands() {
        for line in [
            "keywright client create --metadata - --config k.toml --json --tenant acme",
            "keywright --config k.toml client list",
            "keywright client rotate-secret ID --overlap 24h",
            "keywright client update ID --scope openid --redirect-uri https://a.example/cb",
            "keywright resource create --identifier urn:a --scope a --scope b --lifetime 10m",
            "keywright resource create --identifier urn:a --token-format opaque --alg EdDSA",
            "keywright user create --username U --password-stdin --email a@b --email-verified",
            "keywright grant list --user alice --client ID",
            "keywright key revoke -starts-with-a-hyphen",
            "keywright token get --client-id I --client-secret -S --scope x --resource urn:a",
            "keywright token inspect -",
            "keywright revoke --client ID",
            "keywright revoke --token eyJ --preview",
            "keywright revoke --key -kid --confirm",
            "keywright audit tail -n 5",
            "keywright explain req_1",
            "keywright client list --issuer https://id.example --token file:t",
            "keywright bench client-credentials --issuer https://id.example --json",
            "keywright demo --data d --port 8080",
            "keywright backup FILE --json",
            "keywright restore FILE --dangerous-replace",
            "keywright store copy --to sqlite:b.db --online-snapshot",
            "keywright migrate --dry-run",
            "keywright doctor --json",
        ] {
            assert!(parses(line), "CONTRACT-2: {line}");
        }
    }

    #[test]
    fn mistakes_are_usage() {
        for line in [
            "keywright",
            "keywright frobnicate",
            "keywright client frobnicate",
            "keywright client list --tenant A/B",
            "keywright client list --token T",
            "keywright client list --issuer http://id.example",
            "keywright client rotate-secret ID --overlap soon",
            "keywright user create --email-verified --username u",
            "keywright user set-password alice",
            "keywright backup",
            "keywright restore",
            "keywright store copy",
            "keywright revoke",
            "keywright revoke --client a --user b",
            "keywright revoke --client a --preview --confirm",
        ] {
            assert!(!parses(line), "CONTRACT-2: {line}");
        }
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        let place = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().place;
        assert!(place("keywright demo").refuse_all("demo").is_ok());
        let refused = place("keywright demo --config k.toml").refuse_all("demo").unwrap_err();
        assert_eq!(refused.to_string(), "demo has no use for --config");
        assert!(place("keywright demo --json").refuse_all("demo").is_err());
    }

    #[test]
    fn a_tenants_issuer_is_below_the_root() {
        let place = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().place;
        let below = |line| place(line).issuer_below("https://id.example");
        assert_eq!(below("keywright client list"), "https://id.example");
        assert_eq!(below("keywright client list --tenant default"), "https://id.example");
        assert_eq!(below("keywright client list --tenant acme"), "https://id.example/t/acme");
    }
}
