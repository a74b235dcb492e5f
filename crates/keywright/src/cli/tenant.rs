//! `keywright tenant`: issuers with clients, users and keys of their own.

use keywright_protocol::profile::Profile;
use keywright_server::admin::document;
use keywright_server::admin::operations::tenants::{self, NewTenant};
use serde_json::{Value, json};

use super::Place;
use super::backend::{Acting, Backend};
use super::failure::Failure;
use super::output::Column;
use super::remote::RemoteArgs;

#[derive(Debug, clap::Args)]
pub(super) struct TenantArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: TenantCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TenantCommand {
    /// Create a tenant; its issuer is ISSUER/t/NAME
    Create {
        name: String,
        /// What people read on its pages; the name otherwise
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
        /// The requirements that it keeps
        #[arg(long, value_enum, default_value = "oauth21")]
        profile: ProfileName,
    },
    /// Disable a tenant: it answers nobody, and its tokens are dead
    Disable { name: String },
    /// Enable a tenant again
    Enable { name: String },
    /// List the tenants
    List,
    /// Show a tenant
    Show { name: String },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ProfileName {
    /// OAuth 2.1: PKCE for every client
    Oauth21,
    /// Also confidential clients without PKCE
    Oidc,
}

const COLUMNS: &[Column] = &[
    ("NAME", "name"),
    ("ISSUER", "issuer"),
    ("PROFILE", "profile"),
    ("DISABLED", "disabled"),
    ("CREATED", "created_at"),
];

pub(super) async fn run(place: Place, args: TenantArgs) -> Result<(), Failure> {
    let Acting { backend, output } = Acting::open(&place, args.remote).await?;
    match args.command {
        TenantCommand::Create { name, display_name, profile } => {
            let tenant = create(&backend, name, display_name, profile).await?;
            output.show(&tenant)?;
            output.hint("next: `keywright client create --tenant NAME ..` makes a client in it")
        }
        TenantCommand::Disable { name } => {
            let tenant = switch(&backend, &name, Switch::Disable).await?;
            output.done(&tenant, &format!("disabled {name}; its tokens are dead"))
        }
        TenantCommand::Enable { name } => {
            let tenant = switch(&backend, &name, Switch::Enable).await?;
            output.done(&tenant, &format!("enabled {name}"))
        }
        TenantCommand::List => output.list(&list(&backend).await?, COLUMNS),
        TenantCommand::Show { name } => output.show(&show(&backend, &name).await?),
    }
}

#[derive(Clone, Copy)]
enum Switch {
    Disable,
    Enable,
}

async fn create(
    backend: &Backend,
    name: String,
    display_name: Option<String>,
    profile: ProfileName,
) -> Result<Value, Failure> {
    let profile = match profile {
        ProfileName::Oauth21 => Profile::Oauth21,
        ProfileName::Oidc => Profile::Oidc,
    };
    match backend {
        Backend::Remote(api) => {
            let body = json!({ "name": name, "display_name": display_name, "profile": profile });
            api.post(&["tenants"], Some(&body)).await
        }
        Backend::Store(local) => {
            let new = NewTenant { name, display_name, profile };
            let tenant = tenants::create(&local.app, &local.operator, new).await?;
            Ok(document::tenant(&local.app, &tenant))
        }
    }
}

async fn list(backend: &Backend) -> Result<Vec<Value>, Failure> {
    match backend {
        Backend::Remote(api) => api.list(&["tenants"], &[]).await,
        Backend::Store(local) => {
            let all = tenants::list(&local.app).await?;
            Ok(all.iter().map(|tenant| document::tenant(&local.app, tenant)).collect())
        }
    }
}

async fn show(backend: &Backend, name: &str) -> Result<Value, Failure> {
    match backend {
        Backend::Remote(api) => api.get(&["tenants", name]).await,
        Backend::Store(local) => {
            let tenant = tenants::show(&local.app, name).await?;
            Ok(document::tenant(&local.app, &tenant))
        }
    }
}

async fn switch(backend: &Backend, name: &str, switch: Switch) -> Result<Value, Failure> {
    match backend {
        Backend::Remote(api) => {
            let act = match switch {
                Switch::Disable => "disable",
                Switch::Enable => "enable",
            };
            api.post(&["tenants", name, act], None).await
        }
        Backend::Store(local) => {
            let tenant = match switch {
                Switch::Disable => tenants::disable(&local.app, &local.operator, name).await?,
                Switch::Enable => tenants::enable(&local.app, &local.operator, name).await?,
            };
            Ok(document::tenant(&local.app, &tenant))
        }
    }
}
