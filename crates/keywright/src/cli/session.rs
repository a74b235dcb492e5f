//! `keywright session`: sign-ins of browsers.

use keywright_server::admin::document;
use keywright_server::admin::operations::sessions;
use serde_json::{Value, json};

use super::Place;
use super::backend::{Acting, Backend, every_page};
use super::failure::Failure;
use super::output::Column;
use super::remote::RemoteArgs;

#[derive(Debug, clap::Args)]
pub(super) struct SessionArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: SessionCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SessionCommand {
    /// List the live sessions
    List {
        /// Those of one user: name or subject identifier
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// End a session, with the tokens and grants born in it
    Revoke { id: String },
}

/// The columns of a list of sessions.
pub(super) const COLUMNS: &[Column] = &[
    ("ID", "id"),
    ("USER", "sub"),
    ("SIGNED IN", "signed_in_at"),
    ("EXPIRES", "expires_at"),
    ("ADDRESS", "ip"),
];

pub(super) async fn run(place: Place, args: SessionArgs) -> Result<(), Failure> {
    let Acting { backend, output } = Acting::open(&place, args.remote).await?;
    match args.command {
        SessionCommand::List { user } => {
            output.list(&list(&backend, user.as_deref()).await?, COLUMNS)
        }
        SessionCommand::Revoke { id } => {
            revoke(&backend, &id).await?;
            output.done(&json!({ "revoked": id }), &format!("ended {id}; its tokens are dead"))
        }
    }
}

/// The live sessions, of one user or of all.
pub(super) async fn list(backend: &Backend, user: Option<&str>) -> Result<Vec<Value>, Failure> {
    match backend {
        Backend::Remote(api) => api.list(&["sessions"], &[("user", user)]).await,
        Backend::Store(local) => {
            let read = |page| sessions::list(&local.app, &local.operator, user, page);
            every_page(read, document::session).await
        }
    }
}

async fn revoke(backend: &Backend, id: &str) -> Result<(), Failure> {
    match backend {
        Backend::Remote(api) => api.delete(&["sessions", id]).await.map(drop),
        Backend::Store(local) => {
            sessions::revoke(&local.app, &local.operator, id).await?;
            Ok(())
        }
    }
}
