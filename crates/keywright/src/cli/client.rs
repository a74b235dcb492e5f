//! `keywright client`: programs that ask for tokens, as RFC 7591 metadata.

use std::time::Duration;

use keywright_server::admin::document;
use keywright_server::admin::operations::clients;
use keywright_server::config::parse_duration;
use serde_json::{Map, Value, json};

use super::Place;
use super::backend::{Acting, Backend, every_page};
use super::client_metadata::{MetadataArgs, parse};
use super::failure::Failure;
use super::input::{Source, finish_import, watch_import};
use super::output::{Column, Output};
use super::remote::RemoteArgs;

#[derive(Debug, clap::Args)]
pub(super) struct ClientArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: ClientCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ClientCommand {
    /// Register a client; a secret is shown only now
    Create(Box<MetadataArgs>),
    /// Delete a client, its grants and tokens
    Delete { id: String },
    /// Disable a client; its tokens are dead
    Disable { id: String },
    /// Enable a client again
    Enable { id: String },
    /// Register many clients: a JSON array of metadata
    Import {
        #[arg(value_name = "FILE|-")]
        source: Source,
    },
    /// List the clients
    List,
    /// Make a new secret; the old ones live on for a while
    RotateSecret {
        id: String,
        /// How long the old secrets live on; 0s ends them at once
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "24h")]
        overlap: Duration,
    },
    /// Show a client
    Show { id: String },
    /// Replace a client's metadata, or by flags some of its members
    Update {
        id: String,
        #[command(flatten)]
        metadata: Box<MetadataArgs>,
    },
}

const COLUMNS: &[Column] = &[
    ("ID", "client_id"),
    ("NAME", "client_name"),
    ("AUTHENTICATION", "token_endpoint_auth_method"),
    ("GRANTS", "grant_types"),
    ("DISABLED", "keywright_disabled"),
    ("CREATED", "client_id_issued_at"),
];

pub(super) async fn run(place: Place, args: ClientArgs) -> Result<(), Failure> {
    let Acting { backend, output } = Acting::open(&place, args.remote).await?;
    match args.command {
        ClientCommand::Create(metadata) => {
            let issued = create(&backend, &metadata).await?;
            show_issued(output, &issued)
        }
        ClientCommand::Delete { id } => {
            delete(&backend, &id).await?;
            output.done(&json!({ "deleted": id }), &format!("deleted {id}; its tokens are dead"))
        }
        ClientCommand::Disable { id } => {
            let client = switch(&backend, &id, Switch::Disable).await?;
            output.done(&client, &format!("disabled {id}; its tokens are dead"))
        }
        ClientCommand::Enable { id } => {
            let client = switch(&backend, &id, Switch::Enable).await?;
            output.done(&client, &format!("enabled {id}"))
        }
        ClientCommand::Import { source } => import(&backend, output, &source).await,
        ClientCommand::List => output.list(&list(&backend).await?, COLUMNS),
        ClientCommand::RotateSecret { id, overlap } => {
            show_issued(output, &rotate_secret(&backend, &id, overlap).await?)
        }
        ClientCommand::Show { id } => output.show(&show(&backend, &id).await?),
        ClientCommand::Update { id, metadata } => {
            show_issued(output, &update(&backend, &id, &metadata).await?)
        }
    }
}

#[derive(Clone, Copy)]
enum Switch {
    Disable,
    Enable,
}

fn show_issued(output: Output, issued: &Value) -> Result<(), Failure> {
    output.show(issued)?;
    if issued.get("client_secret").is_some() {
        output.hint("keep the client_secret now: it is never shown again")?;
    }
    Ok(())
}

async fn create(backend: &Backend, args: &MetadataArgs) -> Result<Value, Failure> {
    if args.is_empty() {
        let what = "a client needs metadata";
        return Err(
            Failure::usage(what).hint("give --metadata FILE, or flags such as --grant-type")
        );
    }
    let metadata = args.over(Map::new())?;
    match backend {
        Backend::Remote(api) => api.post(&["clients"], Some(&metadata)).await,
        Backend::Store(local) => {
            let metadata = parse(&metadata)?;
            let issued = clients::create(&local.app, &local.operator, metadata).await?;
            Ok(document::issued_client(&issued))
        }
    }
}

async fn update(backend: &Backend, id: &str, args: &MetadataArgs) -> Result<Value, Failure> {
    if args.is_empty() {
        return Err(Failure::usage("nothing to change").hint("give --metadata FILE, or flags"));
    }
    let known = match show(backend, id).await? {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let metadata = args.over(known)?;
    match backend {
        Backend::Remote(api) => api.put(&["clients", id], &metadata).await,
        Backend::Store(local) => {
            let metadata = clients::parse_update(metadata.to_string().as_bytes())?;
            let issued = clients::update(&local.app, &local.operator, id, metadata).await?;
            Ok(document::issued_client(&issued))
        }
    }
}

async fn list(backend: &Backend) -> Result<Vec<Value>, Failure> {
    match backend {
        Backend::Remote(api) => api.list(&["clients"], &[]).await,
        Backend::Store(local) => {
            let read = |page| clients::list(&local.app, &local.operator, page);
            every_page(read, document::client).await
        }
    }
}

async fn show(backend: &Backend, id: &str) -> Result<Value, Failure> {
    match backend {
        Backend::Remote(api) => api.get(&["clients", id]).await,
        Backend::Store(local) => {
            Ok(document::client(&clients::show(&local.app, &local.operator, id).await?))
        }
    }
}

async fn switch(backend: &Backend, id: &str, switch: Switch) -> Result<Value, Failure> {
    match (backend, switch) {
        (Backend::Remote(api), Switch::Disable) => {
            api.post(&["clients", id, "disable"], None).await
        }
        (Backend::Remote(api), Switch::Enable) => api.post(&["clients", id, "enable"], None).await,
        (Backend::Store(local), Switch::Disable) => {
            Ok(document::client(&clients::disable(&local.app, &local.operator, id).await?))
        }
        (Backend::Store(local), Switch::Enable) => {
            Ok(document::client(&clients::enable(&local.app, &local.operator, id).await?))
        }
    }
}

async fn delete(backend: &Backend, id: &str) -> Result<(), Failure> {
    match backend {
        Backend::Remote(api) => api.delete(&["clients", id]).await.map(drop),
        Backend::Store(local) => Ok(clients::delete(&local.app, &local.operator, id).await?),
    }
}

async fn rotate_secret(backend: &Backend, id: &str, overlap: Duration) -> Result<Value, Failure> {
    match backend {
        Backend::Remote(api) => {
            let body = json!({ "overlap_s": overlap.as_secs() });
            api.post(&["clients", id, "secret"], Some(&body)).await
        }
        Backend::Store(local) => {
            let issued = clients::rotate_secret(&local.app, &local.operator, id, overlap).await?;
            Ok(document::issued_client(&issued))
        }
    }
}

async fn import(backend: &Backend, output: Output, source: &Source) -> Result<(), Failure> {
    let Backend::Store(local) = backend else {
        return Err(Failure::usage("an import acts on the store; leave --issuer out"));
    };
    let bytes = source.read()?;
    let rows = serde_json::from_slice::<Vec<Value>>(&bytes).map_or(1, |items| items.len());
    let watched = watch_import(output, rows, "clients");
    let imported = clients::import(&local.app, &local.operator, &bytes).await;
    watched.finish_and_clear();
    let imported = document::import(&imported?, document::issued_client);
    finish_import(output, &imported, "clients")
}

fn duration(raw: &str) -> Result<Duration, String> {
    parse_duration(raw).map_err(|error| error.remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keywright_server::admin::operations::clients::SECRET_OVERLAP;

    #[test]
    fn the_overlap_is_a_duration_and_a_day_unless_said() {
        assert_eq!(duration("24h").unwrap(), SECRET_OVERLAP);
        assert_eq!(duration("0s").unwrap(), Duration::ZERO);
        assert!(duration("1 day").is_err());
    }
}
