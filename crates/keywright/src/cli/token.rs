//! `keywright token`: get, read, trace and revoke tokens.

mod get;
mod inspect;
mod verdict;

use keywright_protocol::token::RefreshToken;
use keywright_server::admin::document;
use keywright_server::admin::operations::tokens;
use serde_json::{Value, json};

use super::Place;
use super::audit::print_events;
use super::backend::{Acting, Backend};
use super::failure::Failure;
use super::input::Source;
use super::output::Output;
use super::remote::RemoteArgs;

#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TokenCommand {
    /// Get a token by client credentials, over HTTP
    Get(get::GetArgs),
    /// Read a token, verify it, and explain each check
    Inspect(inspect::InspectArgs),
    /// Show what became of a token and of those before and after it
    Lineage {
        /// The token, or - for standard input
        token: String,
    },
    /// Revoke a token; a refresh token takes its family along
    Revoke {
        /// The token, or - for standard input
        token: String,
    },
}

pub(super) async fn run(place: Place, args: TokenArgs) -> Result<(), Failure> {
    let TokenArgs { remote, command } = args;
    match command {
        TokenCommand::Get(args) => get::run(&place, &remote, args).await,
        TokenCommand::Inspect(args) => inspect::run(&place, remote, args).await,
        TokenCommand::Lineage { token } => {
            let Acting { backend, output } = Acting::open(&place, remote).await?;
            lineage(&backend, output, &read_token(token)?).await
        }
        TokenCommand::Revoke { token } => {
            let Acting { backend, output } = Acting::open(&place, remote).await?;
            let revoked = revoke(&backend, &read_token(token)?).await?;
            output.done(&json!({ "revoked": revoked }), "revoked")
        }
    }
}

/// A token from the command line, or from standard input where no other user can see it.
fn read_token(given: String) -> Result<String, Failure> {
    if given == "-" {
        return Ok(Source::Stdin.read_text()?.trim().to_owned());
    }
    Ok(given)
}

/// Revokes what a token names; the answer is what the revocation log gained.
pub(super) async fn revoke(backend: &Backend, token: &str) -> Result<Vec<Value>, Failure> {
    match backend {
        Backend::Remote(api) => {
            let answer = api.post(&["revocations"], Some(&target_of(token)?)).await?;
            Ok(answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
        }
        Backend::Store(local) => {
            let entries = tokens::revoke(&local.app, &local.operator, token).await?;
            Ok(entries.iter().map(document::revocation).collect())
        }
    }
}

/// What a token names, as far as anybody can read it.
pub(super) fn target_of(token: &str) -> Result<Value, Failure> {
    if let Some(refresh) = RefreshToken::parse(token) {
        return Ok(json!({ "kind": "family", "id": refresh.family() }));
    }
    match inspect::unverified_claims(token).get("jti") {
        Some(jti) => Ok(json!({ "kind": "token", "id": jti })),
        None => Err(Failure::refused("only the server itself can read this token")
            .hint("revoke it where the store is, or revoke its grant or client")),
    }
}

async fn lineage(backend: &Backend, output: Output, token: &str) -> Result<(), Failure> {
    let Backend::Store(local) = backend else {
        let what = "a lineage is read where the store is";
        return Err(Failure::usage(what).hint("leave --issuer out"));
    };
    let events = tokens::lineage(&local.app, &local.operator, token).await?;
    print_events(output, &events)
}
