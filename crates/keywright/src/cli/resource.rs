//! `keywright resource`: APIs that accept tokens.

use std::time::Duration;

use keywright_jose::Algorithm;
use keywright_protocol::resource::TokenFormat;
use keywright_server::admin::document;
use keywright_server::admin::operations::resources;
use keywright_server::config::parse_duration;
use serde_json::{Map, Value, json};

use super::Place;
use super::backend::{Acting, Backend};
use super::failure::Failure;
use super::output::Column;
use super::remote::RemoteArgs;

#[derive(Debug, clap::Args)]
pub(super) struct ResourceArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: ResourceCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ResourceCommand {
    /// Register an API
    Create {
        /// What stands in the audience of its tokens, a URI
        #[arg(long, value_name = "URI")]
        identifier: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Delete an API; its scopes are unknown from then on
    Delete {
        #[arg(value_name = "URI")]
        identifier: String,
    },
    /// List the APIs
    List,
    /// Show an API
    Show {
        #[arg(value_name = "URI")]
        identifier: String,
    },
    /// Change an API: what is not given stays
    Update {
        #[arg(value_name = "URI")]
        identifier: String,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, clap::Args)]
struct Settings {
    /// A scope, or SCOPE=WORDS with what people read on the consent page; may be repeated
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// How its tokens are written
    #[arg(long, value_enum)]
    token_format: Option<Format>,
    /// With which algorithm its tokens are signed: ES256, RS256, PS256 or EdDSA
    #[arg(long, value_parser = algorithm)]
    alg: Option<Algorithm>,
    /// How long its tokens live, such as 10m; the server's default otherwise
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    lifetime: Option<Duration>,
    /// Whether its tokens are entered in a status list: signed ones only, and a row for each
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    status_list: Option<bool>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Signed: the API verifies it by itself
    Jwt,
    /// Sealed: the API asks the server
    Opaque,
}

const COLUMNS: &[Column] = &[
    ("IDENTIFIER", "identifier"),
    ("SCOPES", "scopes"),
    ("FORMAT", "token_format"),
    ("ALG", "alg"),
    ("LIFETIME (S)", "lifetime_s"),
];

pub(super) async fn run(place: Place, args: ResourceArgs) -> Result<(), Failure> {
    let Acting { backend, output } = Acting::open(&place, args.remote).await?;
    match args.command {
        ResourceCommand::Create { identifier, settings } => {
            let document = settings.over(json!({ "identifier": identifier }))?;
            output.show(&store(&backend, Store::Create, &document).await?)?;
            output.hint("next: `keywright client create --scope SCOPE ..` for who may call it")
        }
        ResourceCommand::Delete { identifier } => {
            delete(&backend, &identifier).await?;
            let document = json!({ "deleted": identifier });
            output.done(&document, &format!("deleted {identifier}"))
        }
        ResourceCommand::List => output.list(&list(&backend).await?, COLUMNS),
        ResourceCommand::Show { identifier } => output.show(&show(&backend, &identifier).await?),
        ResourceCommand::Update { identifier, settings } => {
            let document = settings.over(show(&backend, &identifier).await?)?;
            output.show(&store(&backend, Store::Replace, &document).await?)
        }
    }
}

#[derive(Clone, Copy)]
enum Store {
    Create,
    Replace,
}

impl Settings {
    /// The resource's document with what is given in it.
    fn over(&self, known: Value) -> Result<Value, Failure> {
        let mut members = match known {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let mut set = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        if !self.scope.is_empty() {
            let scopes: Result<Vec<_>, _> =
                self.scope.iter().map(|scope| resources::parse_scope(scope)).collect();
            set("scopes", json!(scopes?));
        }
        if let Some(format) = self.token_format {
            let format = match format {
                Format::Jwt => TokenFormat::Jwt,
                Format::Opaque => TokenFormat::Opaque,
            };
            set("token_format", json!(format));
        }
        if let Some(alg) = self.alg {
            set("alg", json!(alg));
        }
        if let Some(lifetime) = self.lifetime {
            set("lifetime_s", json!(lifetime.as_secs()));
        }
        if let Some(listed) = self.status_list {
            set("status_list", json!(listed));
        }
        Ok(Value::Object(members))
    }
}

async fn store(backend: &Backend, how: Store, document: &Value) -> Result<Value, Failure> {
    let parsed = resources::parse(document.to_string().as_bytes())?;
    match (backend, how) {
        (Backend::Remote(api), Store::Create) => api.post(&["resources"], Some(document)).await,
        (Backend::Remote(api), Store::Replace) => {
            api.put(&["resources", parsed.identifier.as_str()], document).await
        }
        (Backend::Store(local), Store::Create) => {
            let stored = resources::create(&local.app, &local.operator, parsed).await?;
            Ok(document::resource(&stored))
        }
        (Backend::Store(local), Store::Replace) => {
            let stored = resources::replace(&local.app, &local.operator, parsed).await?;
            Ok(document::resource(&stored))
        }
    }
}

async fn list(backend: &Backend) -> Result<Vec<Value>, Failure> {
    match backend {
        Backend::Remote(api) => api.list(&["resources"], &[]).await,
        Backend::Store(local) => {
            let all = resources::list(&local.app, &local.operator).await?;
            Ok(all.iter().map(document::resource).collect())
        }
    }
}

async fn show(backend: &Backend, identifier: &str) -> Result<Value, Failure> {
    match backend {
        Backend::Remote(api) => api.get(&["resources", identifier]).await,
        Backend::Store(local) => {
            let found = resources::show(&local.app, &local.operator, identifier).await?;
            Ok(document::resource(&found))
        }
    }
}

async fn delete(backend: &Backend, identifier: &str) -> Result<(), Failure> {
    match backend {
        Backend::Remote(api) => api.delete(&["resources", identifier]).await.map(drop),
        Backend::Store(local) => {
            Ok(resources::delete(&local.app, &local.operator, identifier).await?)
        }
    }
}

fn algorithm(raw: &str) -> Result<Algorithm, String> {
    Algorithm::parse(raw).ok_or_else(|| "ES256, RS256, PS256 or EdDSA".to_owned())
}

fn duration(raw: &str) -> Result<Duration, String> {
    parse_duration(raw).map_err(|error| error.remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn what_is_not_given_stays() {
        let flags = ["x", "--scope", "a:read=See a", "--scope", "a:write", "--lifetime", "10m"];
        let settings = Flags::try_parse_from(flags).unwrap().settings;
        let known =
            json!({ "identifier": "https://a", "alg": "RS256", "scopes": [{ "name": "b" }] });
        assert_eq!(
            settings.over(known).unwrap(),
            json!({
                "identifier": "https://a",
                "alg": "RS256",
                "scopes": [{ "name": "a:read", "description": "See a" }, { "name": "a:write" }],
                "lifetime_s": 600,
            })
        );
    }

    #[test]
    fn mistakes_are_told_before_anything_is_asked() {
        for bad in
            [["x", "--alg", "none"], ["x", "--lifetime", "600"], ["x", "--token-format", "x"]]
        {
            assert!(Flags::try_parse_from(bad).is_err(), "{bad:?}");
        }
    }
}
