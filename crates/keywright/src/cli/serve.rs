//! `keywright serve`: the authorization server.

use std::io::Write as _;

use keywright_server::config::{DEFAULT_FILE, StoreUrl};
use keywright_server::start::{self, ConfigSource};
use keywright_server::{Config, telemetry};

use super::Place;
use super::backend::{load_config, open_app};
use super::failure::Failure;

pub(super) async fn run(place: Place) -> Result<(), Failure> {
    if place.tenant.is_some() {
        return Err(Failure::usage("serve serves every tenant; it has no use for --tenant"));
    }
    let config = load_config(&place)?;
    telemetry::init_logging(&config.telemetry);
    let first = is_first(&config);
    let told = welcome(&config);
    let app = open_app(config).await?;
    if first {
        std::io::stderr().write_all(told.as_bytes())?;
    }
    start::serve(app, ConfigSource { path: place.config }).await?;
    Ok(())
}

/// Whether there is no store yet.
fn is_first(config: &Config) -> bool {
    matches!(&config.store.url, StoreUrl::Sqlite(path) if !path.exists())
}

/// What somebody who has just started a server wants to know.
fn welcome(config: &Config) -> String {
    let (issuer, data) = (&config.issuer, config.data_folder());
    let configured = std::path::Path::new(DEFAULT_FILE).exists();
    let advice = if configured {
        ""
    } else {
        "  keywright init                       a file with every setting, explained\n"
    };
    format!(
        "\nThis is a new installation. Its data and its master key are in {data}: keep a copy of the\n\
         key, without it the data is worth nothing.\n\n\
         \x20 issuer     {issuer}\n\
         \x20 discovery  {issuer}/.well-known/openid-configuration\n\n\
         Next, in another terminal:\n\n\
         {advice}\
         \x20 keywright resource create --identifier https://api.example.com --scope orders:read\n\
         \x20 keywright client create --grant-type client_credentials --scope orders:read\n\
         \x20 keywright token get --client-id ID --client-secret SECRET --scope orders:read\n\n",
        data = data.display()
    )
}
