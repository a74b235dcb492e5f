//! `[revocation]`: where revocations are written beside the feed.

use std::path::Path;

use redis::IntoConnectionInfo as _;

use super::document::{Document, TextTable};
use super::error::{ConfigError, ValueError};
use super::secret_ref::SecretRef;
use super::setting::{Effect, Fallback, Section, Setting};
use crate::feed::Identifiers;

/// Where revocations are written beside the feed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RevocationConfig {
    /// Each gets every revocation.
    pub sinks: Vec<SinkConfig>,
}

/// One place that gets every revocation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SinkConfig {
    /// Keys that expire, in Redis or Valkey. The address may hold a password.
    Redis(SecretRef),
}

impl RevocationConfig {
    /// Whether the log in memory must keep identifiers.
    pub const fn identifiers(&self) -> Identifiers {
        if self.sinks.is_empty() { Identifiers::Dropped } else { Identifiers::Kept }
    }
}

pub(super) static SECTION: Section = Section {
    name: "revocation",
    what: "Where revocations are written beside the feed.",
    settings: &[Setting {
        name: "sinks",
        fallback: Fallback::EmptyList,
        effect: Effect::Restart,
        what: "Places that get every revocation: [{kind=\"redis\", url=\"redis://..\"}] writes \
               keys that expire into Redis or Valkey. The address is a secret: `file:PATH` and \
               `env:NAME` work too. As a variable of the environment: addresses.",
    }],
    reserved: &[],
};

const REMEDY: &str = "write { kind = \"redis\", url = \"redis://HOST:6379\" }";

pub(super) fn read(document: &Document, base: &Path) -> Result<RevocationConfig, ConfigError> {
    let sinks = document
        .given(&SECTION, "sinks")
        .tables(|table| parse_table(table, base), |address| parse_redis(address, base))?;
    Ok(RevocationConfig { sinks })
}

fn parse_table(table: &TextTable, base: &Path) -> Result<SinkConfig, ValueError> {
    let member = |name: &str| table.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str());
    if let Some((unknown, _)) = table.iter().find(|(key, _)| !["kind", "url"].contains(&&**key)) {
        return Err(ValueError::new(format!("a sink has no {unknown}"), REMEDY));
    }
    match (member("kind"), member("url")) {
        (Some("redis"), Some(url)) => parse_redis(url, base),
        (Some("redis"), None) => Err(ValueError::new("a sink needs a url", REMEDY)),
        (Some(kind), _) => Err(ValueError::new(format!("there is no sink {kind:?}"), REMEDY)),
        (None, _) => Err(ValueError::new("a sink needs a kind", REMEDY)),
    }
}

/// The text may hold a password: no message repeats it.
fn parse_redis(raw: &str, base: &Path) -> Result<SinkConfig, ValueError> {
    let address = SecretRef::parse(raw, base);
    if matches!(address, SecretRef::Literal(_)) {
        judge_address(raw)?;
    }
    Ok(SinkConfig::Redis(address))
}

impl SinkConfig {
    /// Where to connect to.
    ///
    /// # Errors
    /// A secret that cannot be read, or that is no address. It is not repeated.
    pub fn connection(&self) -> Result<redis::ConnectionInfo, ConfigError> {
        let Self::Redis(address) = self;
        let text = address.read()?;
        let text = String::from_utf8_lossy(&text);
        judge_address(&text)
            .map_err(|error| ConfigError::new(address.origin(), error.what, error.remedy))
    }
}

fn judge_address(raw: &str) -> Result<redis::ConnectionInfo, ValueError> {
    if raw.starts_with("rediss:") || raw.starts_with("valkeys:") {
        let what = "TLS to Redis is not built in this version";
        return Err(ValueError::new(what, "use a Redis on a private network, or a tunnel"));
    }
    let what = "the url is not one of Redis";
    raw.into_connection_info().map_err(|_| ValueError::new(what, REMEDY))
}
