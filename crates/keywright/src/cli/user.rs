//! `keywright user`: people who sign in.

use keywright_protocol::secret::Secret;
use keywright_server::admin::document;
use keywright_server::admin::operations::users::{self, Profile};
use serde_json::{Map, Value, json};

use super::Place;
use super::backend::{Acting, Backend, every_page};
use super::failure::Failure;
use super::input::{Source, finish_import, read_password, watch_import};
use super::output::{Column, Output};
use super::remote::RemoteArgs;
use super::session;

#[derive(Debug, clap::Args)]
pub(super) struct UserArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, clap::Subcommand)]
enum UserCommand {
    /// Create a user; without a password they cannot sign in yet
    Create(NewUserArgs),
    /// Disable a user: their sessions end, their tokens are dead
    Disable {
        /// What they sign in with
        username: String,
    },
    /// Enable a user again
    Enable {
        /// What they sign in with
        username: String,
    },
    /// Create many users: one JSON object a line, with username and perhaps email, email_verified,
    /// claims and password_hash (Argon2 in PHC form)
    Import {
        #[arg(value_name = "FILE|-")]
        source: Source,
    },
    /// List the users
    List,
    /// List the live sessions of a user
    Sessions {
        /// What they sign in with
        username: String,
    },
    /// Set a password: the user's sessions end
    SetPassword {
        /// What they sign in with
        username: String,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Show a user
    Show {
        /// What they sign in with
        username: String,
    },
}

#[derive(Debug, clap::Args)]
struct NewUserArgs {
    /// What they sign in with
    #[arg(long, value_name = "NAME")]
    username: String,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// An address
    #[arg(long)]
    email: Option<String>,
    /// The address is proven to be theirs
    #[arg(long, requires = "email")]
    email_verified: bool,
    /// A standard claim of OpenID Connect, such as name="Ada Lovelace"; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    claim: Vec<(String, Value)>,
}

const COLUMNS: &[Column] = &[
    ("SUBJECT", "sub"),
    ("USERNAME", "username"),
    ("EMAIL", "email"),
    ("VERIFIED", "email_verified"),
    ("DISABLED", "disabled"),
    ("CREATED", "created_at"),
];

pub(super) async fn run(place: Place, args: UserArgs) -> Result<(), Failure> {
    let Acting { backend, output } = Acting::open(&place, args.remote).await?;
    match args.command {
        UserCommand::Create(new) => {
            let sightless = !new.password_stdin;
            output.show(&create(&backend, new).await?)?;
            if sightless {
                output.hint("next: `keywright user set-password NAME --password-stdin`")?;
            }
            Ok(())
        }
        UserCommand::Disable { username } => {
            let user = switch(&backend, &username, Switch::Disable).await?;
            output.done(&user, &format!("disabled {username}; their tokens are dead"))
        }
        UserCommand::Enable { username } => {
            let user = switch(&backend, &username, Switch::Enable).await?;
            output.done(&user, &format!("enabled {username}"))
        }
        UserCommand::Import { source } => import(&backend, output, &source).await,
        UserCommand::List => output.list(&list(&backend).await?, COLUMNS),
        UserCommand::Sessions { username } => {
            output.list(&session::list(&backend, Some(&username)).await?, session::COLUMNS)
        }
        UserCommand::SetPassword { username, .. } => {
            let user = set_password(&backend, &username, read_password()?).await?;
            output.done(&user, &format!("{username} has a new password; their sessions have ended"))
        }
        UserCommand::Show { username } => output.show(&show(&backend, &username).await?),
    }
}

#[derive(Clone, Copy)]
enum Switch {
    Disable,
    Enable,
}

async fn create(backend: &Backend, args: NewUserArgs) -> Result<Value, Failure> {
    let password = if args.password_stdin { Some(read_password()?) } else { None };
    let NewUserArgs { username, email, email_verified, claim, .. } = args;
    let claims = Map::from_iter(claim);
    match backend {
        Backend::Remote(api) => {
            let body = json!({
                "username": username,
                "email": email,
                "email_verified": email_verified,
                "claims": claims,
                "password": password.as_ref().map(|password| password.expose().as_str()),
            });
            api.post(&["users"], Some(&body)).await
        }
        Backend::Store(local) => {
            let profile = Profile { username, email, email_verified, claims };
            let user = users::create(&local.app, &local.operator, profile, password).await?;
            Ok(document::user(&user))
        }
    }
}

async fn list(backend: &Backend) -> Result<Vec<Value>, Failure> {
    match backend {
        Backend::Remote(api) => api.list(&["users"], &[]).await,
        Backend::Store(local) => {
            let read = |page| users::list(&local.app, &local.operator, page);
            every_page(read, document::user).await
        }
    }
}

async fn show(backend: &Backend, who: &str) -> Result<Value, Failure> {
    match backend {
        Backend::Remote(api) => api.get(&["users", who]).await,
        Backend::Store(local) => {
            Ok(document::user(&users::show(&local.app, &local.operator, who).await?))
        }
    }
}

async fn switch(backend: &Backend, who: &str, switch: Switch) -> Result<Value, Failure> {
    match (backend, switch) {
        (Backend::Remote(api), Switch::Disable) => api.post(&["users", who, "disable"], None).await,
        (Backend::Remote(api), Switch::Enable) => api.post(&["users", who, "enable"], None).await,
        (Backend::Store(local), Switch::Disable) => {
            Ok(document::user(&users::disable(&local.app, &local.operator, who).await?))
        }
        (Backend::Store(local), Switch::Enable) => {
            Ok(document::user(&users::enable(&local.app, &local.operator, who).await?))
        }
    }
}

async fn set_password(
    backend: &Backend,
    who: &str,
    password: Secret<String>,
) -> Result<Value, Failure> {
    match backend {
        Backend::Remote(api) => {
            let body = json!({ "password": password.expose().as_str() });
            api.post(&["users", who, "password"], Some(&body)).await
        }
        Backend::Store(local) => {
            let user = users::set_password(&local.app, &local.operator, who, password).await?;
            Ok(document::user(&user))
        }
    }
}

async fn import(backend: &Backend, output: Output, source: &Source) -> Result<(), Failure> {
    let Backend::Store(local) = backend else {
        return Err(Failure::usage("an import acts on the store; leave --issuer out"));
    };
    let lines = source.read_text()?;
    let watched = watch_import(output, lines.lines().count(), "users");
    let imported = users::import(&local.app, &local.operator, &lines).await;
    watched.finish_and_clear();
    finish_import(output, &document::import(&imported?, document::user), "users")
}

/// `NAME=VALUE`: a boolean or an object where it reads as one, a text otherwise.
fn claim(raw: &str) -> Result<(String, Value), String> {
    let (name, value) = raw.split_once('=').ok_or("write NAME=VALUE")?;
    let value = match serde_json::from_str(value) {
        Ok(value @ (Value::Bool(_) | Value::Object(_))) => value,
        _ => Value::from(value),
    };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_texts_unless_they_read_otherwise() {
        assert_eq!(claim("name=Ada = L").unwrap(), ("name".into(), json!("Ada = L")));
        assert_eq!(claim("zoneinfo=12").unwrap().1, json!("12"));
        assert_eq!(claim("phone_number_verified=true").unwrap().1, json!(true));
        assert_eq!(claim(r#"address={"country":"UK"}"#).unwrap().1, json!({ "country": "UK" }));
        assert!(claim("name").is_err());
    }
}
