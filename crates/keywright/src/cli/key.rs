//! `keywright key`: signing keys.

use keywright_jose::Algorithm;
use keywright_server::admin::document;
use keywright_server::admin::operations::keys;
use serde_json::{Value, json};

use super::Place;
use super::backend::{Acting, Backend};
use super::failure::Failure;
use super::output::Column;
use super::remote::RemoteArgs;

#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeyCommand {
    /// List the keys and what they do now
    List,
    /// Withdraw a key: the tokens that it signed are dead
    Revoke {
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Let other keys sign from now on; the old ones verify until the last token is dead
    Rotate {
        /// The keys of this algorithm only
        #[arg(long, value_parser = algorithm)]
        alg: Option<Algorithm>,
    },
}

const COLUMNS: &[Column] = &[
    ("KID", "kid"),
    ("ALG", "alg"),
    ("STATE", "state"),
    ("SIGNS FROM", "active_at"),
    ("SIGNS UNTIL", "retire_at"),
    ("GONE", "gone_at"),
];

pub(super) async fn run(place: Place, args: KeyArgs) -> Result<(), Failure> {
    let Acting { backend, output } = Acting::open(&place, args.remote).await?;
    match args.command {
        KeyCommand::List => output.list(&list(&backend).await?, COLUMNS),
        KeyCommand::Revoke { kid } => {
            revoke(&backend, &kid).await?;
            output.done(&json!({ "revoked": kid }), &format!("revoked {kid}; its tokens are dead"))
        }
        KeyCommand::Rotate { alg } => {
            let kids = rotate(&backend, alg).await?;
            output.done(&json!({ "kids": kids }), &format!("now signing: {}", kids.join(" ")))
        }
    }
}

async fn list(backend: &Backend) -> Result<Vec<Value>, Failure> {
    match backend {
        Backend::Remote(api) => api.list(&["keys"], &[]).await,
        Backend::Store(local) => {
            let all = keys::list(&local.app, &local.operator).await?;
            Ok(all.iter().map(document::key).collect())
        }
    }
}

async fn revoke(backend: &Backend, kid: &str) -> Result<(), Failure> {
    match backend {
        Backend::Remote(api) => api.post(&["keys", kid, "revoke"], None).await.map(drop),
        Backend::Store(local) => {
            keys::revoke(&local.app, &local.operator, kid).await?;
            Ok(())
        }
    }
}

async fn rotate(backend: &Backend, alg: Option<Algorithm>) -> Result<Vec<String>, Failure> {
    match backend {
        Backend::Remote(api) => {
            let body = alg.map_or_else(|| json!({}), |alg| json!({ "alg": alg }));
            let answer = api.post(&["keys", "rotate"], Some(&body)).await?;
            let keys = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            let kids = keys.iter().filter_map(|key| key.get("kid").and_then(Value::as_str));
            Ok(kids.map(str::to_owned).collect())
        }
        Backend::Store(local) => Ok(keys::rotate(&local.app, &local.operator, alg).await?),
    }
}

fn algorithm(raw: &str) -> Result<Algorithm, String> {
    Algorithm::parse(raw).ok_or_else(|| "ES256, RS256, PS256 or EdDSA".to_owned())
}
