//! `keywright token get`: client credentials, RFC 6749 §4.4.

use std::path::PathBuf;

use serde_json::Value;

use crate::cli::Place;
use crate::cli::backend::load_config;
use crate::cli::failure::Failure;
use crate::cli::input::read_secret;
use crate::cli::output::{Output, print};
use crate::cli::remote::RemoteArgs;
use crate::peer::{
    ClientCredentials, Grant, Http, Issuer, Metadata, SecretMethod, Tokens, request_token,
};

/// The variable that can hold the secret of `--client-secret`.
const SECRET_VARIABLE: &str = "KEYWRIGHT_CLIENT_SECRET";

#[derive(Debug, clap::Args)]
pub(super) struct GetArgs {
    /// The client
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// Its secret: itself, file:PATH or env:NAME; otherwise from KEYWRIGHT_CLIENT_SECRET
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
    client_secret: Option<String>,
    /// How the client shows its secret
    #[arg(long, value_enum, value_name = "METHOD", default_value = "client_secret_basic")]
    token_endpoint_auth_method: SecretMethod,
    /// Scopes to ask for: separated by spaces, or repeated
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// The API that the token is for (RFC 8707); may be repeated
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
}

pub(super) async fn run(place: &Place, remote: &RemoteArgs, args: GetArgs) -> Result<(), Failure> {
    let secret = args.client_secret.or_else(|| std::env::var(SECRET_VARIABLE).ok());
    let Some(secret) = secret else {
        let what = "client credentials need a secret";
        return Err(
            Failure::usage(what).hint("give --client-secret, or set KEYWRIGHT_CLIENT_SECRET")
        );
    };
    let client = ClientCredentials {
        id: args.client_id,
        secret: read_secret(&secret)?,
        method: args.token_endpoint_auth_method,
    };
    let (issuer, ca) = server(place, remote)?;
    let http = Http::new(ca.as_deref())?;
    let metadata = Metadata::load(&http, &issuer).await?;
    let scope = args.scope.join(" ");
    let mut pairs = vec![("grant_type", "client_credentials")];
    if !scope.is_empty() {
        pairs.push(("scope", scope.as_str()));
    }
    pairs.extend(args.resource.iter().map(|resource| ("resource", resource.as_str())));
    match request_token(&http, &metadata.token_endpoint, &client, &pairs).await? {
        Grant::Granted(tokens) => show(Output { json: place.json }, &tokens),
        Grant::Refused { why, request_id } => Err(match request_id {
            Some(id) => Failure::refused(why)
                .hint(&format!("where the server runs, `keywright explain {id}` says more")),
            None => Failure::refused(why),
        }),
    }
}

/// The issuer that is named, or the configured one; of a tenant if one is named. And whom to trust
/// for it.
fn server(place: &Place, remote: &RemoteArgs) -> Result<(Issuer, Option<PathBuf>), Failure> {
    let (root, ca) = match &remote.issuer {
        Some(issuer) => (issuer.as_str().to_owned(), None),
        None => {
            let config = load_config(place)?;
            let authority = config.development_authority();
            (config.issuer, authority)
        }
    };
    let issuer = place.issuer_below(&root).parse().map_err(Failure::usage)?;
    Ok((issuer, remote.ca.clone().or(ca)))
}

fn show(output: Output, tokens: &Tokens) -> Result<(), Failure> {
    if output.json {
        return output.show(&tokens.document);
    }
    // Alone on standard output, so that it can be used in `$( )`.
    print(&tokens.access_token)?;
    let lives = tokens.document.get("expires_in").and_then(Value::as_i64).unwrap_or_default();
    let scope = tokens.text("scope").unwrap_or("no scope");
    output.hint(&format!("lives {lives} s, allows {scope}"))
}
