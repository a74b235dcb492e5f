//! `keywright serve`: the authorization server.

use std::io::Write as _;
use std::path::Path;

use keywright_server::config::{DEFAULT_FILE, SecretRef, StoreUrl};
use keywright_server::start::{self, ConfigSource};
use keywright_server::{Config, telemetry};

use super::Place;
use super::backend::{load_config, open_app};
use super::failure::Failure;

pub(super) async fn run(place: Place) -> Result<(), Failure> {
    Place { config: None, ..place.clone() }.refuse_all("serve")?;
    let config = load_config(&place)?;
    telemetry::init_logging(&config.telemetry);
    let first = is_first(&config);
    let configured = place.config.is_some() || Path::new(DEFAULT_FILE).exists();
    let told = welcome(&config, configured);
    let app = open_app(config).await?;
    if first {
        std::io::stderr().write_all(told.as_bytes())?;
    }
    start::serve(app, ConfigSource { path: place.config }).await?;
    Ok(())
}

/// Whether there is no store yet.
fn is_first(config: &Config) -> bool {
    match &config.store.url {
        StoreUrl::Memory => false,
        // The node's own first start, at least.
        StoreUrl::Postgres(_) => {
            matches!(&config.keys.master, SecretRef::File(path) if !path.exists())
        }
        StoreUrl::Sqlite(path) => !path.exists(),
    }
}

/// What somebody who has just started a server wants to know.
fn welcome(config: &Config, configured: bool) -> String {
    let (issuer, store, key) = (&config.issuer, &config.store.url, &config.keys.master);
    let init = "  keywright init   # a file with every setting, explained\n";
    let init = if configured { "" } else { init };
    format!(
        "\nThis is a new installation.\n\n\
         \x20 data       {store}\n\
         \x20 master key {key}\n\n\
         Keep a copy of the key elsewhere: without it the data is worth nothing.\n\n\
         \x20 issuer     {issuer}\n\
         \x20 discovery  {issuer}/.well-known/openid-configuration\n\n\
         Next, in another terminal:\n\n{init}\
         \x20 keywright resource create --identifier https://api.example.com --scope orders:read\n\
         \x20 keywright client create --grant-type client_credentials --scope orders:read\n\
         \x20 keywright token get --client-id ID --client-secret SECRET --scope orders:read\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_start_says_what_is_next() {
        let config = Config::parse("", Path::new("/srv/k/keywright.toml"), []).unwrap();
        let text = welcome(&config, false);
        for part in [
            "http://127.0.0.1:8080\n",
            "/srv/k/data/keywright.db\n",
            "/srv/k/data/master.key\n",
            "keywright init",
            "token get",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!welcome(&config, true).contains("keywright init"), "there is a file already");
    }
}
