//! The configuration: one typed TOML file, the environment over it, the defaults below it.
//!
//! Each table of the file is a file here, with a type, a reader and its rows of the table of
//! settings ([`setting`]), from which the messages, `keywright init` and the reference are made. A
//! value is judged once, here: what [`Config`] holds can be used as it is. Nothing is ignored: a
//! key that does not exist is an error with its line and the nearest name.
//!
//! **Architecture invariant:** no secret is in a [`Config`]'s `Debug` form or in a [`ConfigError`].

mod address;
mod audit;
mod document;
mod duration;
mod error;
mod issuer;
mod keys;
mod limits;
mod outbound;
mod reference;
mod reload;
mod revocation;
pub(crate) mod secret_ref;
mod server;
mod setting;
mod store;
mod telemetry;
mod testing;
mod tls;
mod tokens;

use std::fs;
use std::path::{Path, PathBuf};

pub use self::address::AddressBlock;
pub use self::audit::{AuditConfig, Issuance};
pub use self::duration::{format_duration, parse_duration};
pub use self::error::{ConfigError, Origin, ValueError};
pub use self::keys::KeysConfig;
pub use self::limits::LimitsConfig;
pub use self::outbound::OutboundConfig;
pub use self::reference::reference;
pub use self::reload::changes_needing_restart;
pub use self::revocation::{RevocationConfig, SinkConfig};
pub use self::secret_ref::SecretRef;
pub use self::server::ServerConfig;
pub use self::store::{StoreAge, StoreConfig, StoreUrl};
pub use self::telemetry::{LogFormat, TelemetryConfig};
pub use self::testing::TestingConfig;
pub use self::tls::TlsConfig;
pub use self::tokens::TokensConfig;

use self::document::Document;
use self::issuer::Issuer;
use self::setting::ROOT;

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "keywright.toml";

/// Everything that an operator can set.
#[derive(Clone, Debug)]
pub struct Config {
    /// The URL under which everybody knows this server.
    pub issuer: String,
    /// Where it listens.
    pub server: ServerConfig,
    /// Its certificate, if it speaks TLS itself.
    pub tls: Option<TlsConfig>,
    /// Where everything is kept.
    pub store: StoreConfig,
    /// The master key, and when signing keys change.
    pub keys: KeysConfig,
    /// How long codes and tokens live.
    pub tokens: TokensConfig,
    /// The audit log.
    pub audit: AuditConfig,
    /// Where revocations are written beside the feed.
    pub revocation: RevocationConfig,
    /// What the server may fetch.
    pub outbound: OutboundConfig,
    /// How much is too much.
    pub limits: LimitsConfig,
    /// How the server speaks about itself.
    pub telemetry: TelemetryConfig,
    /// What only a test server may do.
    pub testing: TestingConfig,
    base: PathBuf,
}

impl Config {
    /// Reads the named file, or `./keywright.toml` if there is one, or takes the defaults.
    pub fn load(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let default = Path::new(DEFAULT_FILE);
        let path = path.or_else(|| default.exists().then_some(default));
        let Some(path) = path else { return Self::parse("", default, environment) };
        let text = fs::read_to_string(path).map_err(|error| {
            let what = format!("the configuration cannot be read: {error}");
            let remedy = "name an existing file with --config, or write one with `keywright init`";
            ConfigError::new(Origin::Path(path.to_owned()), what, remedy)
        })?;
        Self::parse(&text, path, environment)
    }

    /// Reads a configuration's text as if it stood in the file `path`.
    pub fn parse(
        text: &str,
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let document = Document::parse(text, path, environment)?;
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        let server = server::read(&document)?;
        let written_tls = tls::read(&document, &base)?;
        let issuer = read_issuer(&document, &server, &written_tls)?;
        let parsed = Issuer::parse(&issuer).expect("it was judged when it was read");
        let store = store::read(&document, &base)?;
        Ok(Self {
            tls: place_tls(written_tls, &store.folder(&base), parsed.host),
            keys: keys::read(&document, &base, &store)?,
            tokens: tokens::read(&document)?,
            audit: audit::read(&document)?,
            revocation: revocation::read(&document, &base)?,
            outbound: outbound::read(&document, &base)?,
            limits: limits::read(&document)?,
            telemetry: telemetry::read(&document)?,
            testing: testing::read(&document, &parsed)?,
            issuer,
            server,
            store,
            base,
        })
    }

    /// What `keywright init` writes.
    pub fn template() -> String {
        reference::template()
    }

    /// The folder of what belongs beside the store.
    pub fn data_folder(&self) -> PathBuf {
        self.store.folder(&self.base)
    }

    /// Who signs the certificate that the server makes for itself, where it does.
    pub fn development_authority(&self) -> Option<PathBuf> {
        match self.tls.as_ref()? {
            TlsConfig::Development { folder, .. } => Some(crate::tls::authority_file(folder)),
            TlsConfig::Files { .. } => None,
        }
    }

    /// Whether people reach the server by https, so that cookies can be `Secure`.
    pub fn is_https(&self) -> bool {
        self.issuer.starts_with("https://")
    }

    /// Makes the master key's file on the first start and says whether it did.
    ///
    /// A missing key beside an existing store is an error: that store is sealed with the old one.
    pub fn ensure_master_key(&self, store: StoreAge) -> Result<bool, ConfigError> {
        self.keys.ensure_master_key(store)
    }
}

/// The process's own variables that can be settings, for [`Config::load`].
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let texts = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("KEYWRIGHT_"))?;
        Some((name, value.to_string_lossy().into_owned()))
    });
    texts.collect::<Vec<_>>().into_iter()
}

fn read_issuer(
    document: &Document,
    server: &ServerConfig,
    tls: &tls::Written,
) -> Result<String, ConfigError> {
    if let Some(given) = document.optional(&ROOT, "issuer") {
        return given.parsed(|raw| Issuer::parse(raw).map(|_| raw.to_owned()));
    }
    let scheme = if matches!(tls, tls::Written::Off) { "http" } else { "https" };
    let derived = format!("{scheme}://{}", server.listen);
    let usable = Issuer::parse(&derived).is_ok_and(|issuer| issuer.is_loopback());
    if usable {
        return Ok(derived);
    }
    let remedy = "set issuer to the URL under which clients reach this server, such as \
                  \"https://id.example.com\"";
    let what = format!("{} is not a name that clients could use", server.listen);
    Err(document.given(&server::SECTION, "listen").refuse(what, remedy))
}

fn place_tls(written: tls::Written, data: &Path, host: &str) -> Option<TlsConfig> {
    match written {
        tls::Written::Development => {
            Some(TlsConfig::Development { folder: data.join("tls"), host: host.to_owned() })
        }
        tls::Written::Files { certificate, key } => Some(TlsConfig::Files { certificate, key }),
        tls::Written::Off => None,
    }
}

#[cfg(test)]
mod tests;
