//! `keywright grant`: what people granted to clients.

use keywright_server::admin::document;
use keywright_server::admin::operations::grants;
use serde_json::{Value, json};

use super::Place;
use super::backend::{Acting, Backend, every_page};
use super::failure::Failure;
use super::output::Column;
use super::remote::RemoteArgs;

#[derive(Debug, clap::Args)]
pub(super) struct GrantArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: GrantCommand,
}

#[derive(Debug, clap::Subcommand)]
enum GrantCommand {
    /// List the live grants
    List {
        /// Those of one user: name or subject identifier
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// Those to one client
        #[arg(long, value_name = "ID")]
        client: Option<String>,
    },
    /// Take a grant back, with its tokens
    Revoke { id: String },
}

const COLUMNS: &[Column] = &[
    ("ID", "id"),
    ("USER", "sub"),
    ("CLIENT", "client_id"),
    ("SCOPE", "scope"),
    ("UPDATED", "updated_at"),
];

pub(super) async fn run(place: Place, args: GrantArgs) -> Result<(), Failure> {
    let Acting { backend, output } = Acting::open(&place, args.remote).await?;
    match args.command {
        GrantCommand::List { user, client } => {
            let grants = list(&backend, user.as_deref(), client.as_deref()).await?;
            output.list(&grants, COLUMNS)
        }
        GrantCommand::Revoke { id } => {
            revoke(&backend, &id).await?;
            output.done(&json!({ "revoked": id }), &format!("revoked {id}; its tokens are dead"))
        }
    }
}

/// The live grants of a user, to a client, or both.
pub(super) async fn list(
    backend: &Backend,
    user: Option<&str>,
    client: Option<&str>,
) -> Result<Vec<Value>, Failure> {
    match backend {
        Backend::Remote(api) => api.list(&["grants"], &[("user", user), ("client", client)]).await,
        Backend::Store(local) => {
            let read = |page| grants::list(&local.app, &local.operator, user, client, page);
            every_page(read, document::grant).await
        }
    }
}

async fn revoke(backend: &Backend, id: &str) -> Result<(), Failure> {
    match backend {
        Backend::Remote(api) => api.delete(&["grants", id]).await.map(drop),
        Backend::Store(local) => {
            grants::revoke(&local.app, &local.operator, id).await?;
            Ok(())
        }
    }
}
