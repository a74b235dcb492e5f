//! `[audit]`: what is recorded before anybody gets a token.

use super::document::Document;
use super::error::{ConfigError, ValueError};
use super::setting::{Effect, Fallback, Section, Setting};

/// What is recorded before anybody gets a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditConfig {
    /// When the record of an issued token is on disk.
    pub issuance: Issuance,
}

/// When the record of an issued token is on disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Issuance {
    /// Soon after: a crash may lose the records of the last moment.
    Buffered,
    /// Before the token leaves the process.
    Durable,
}

pub(super) static SECTION: Section = Section {
    name: "audit",
    what: "The audit log.",
    settings: &[Setting {
        name: "issuance",
        fallback: Fallback::Text("durable"),
        effect: Effect::Reload,
        what: "`durable`: no token leaves before its record is on disk. `buffered`: faster, and a \
               crash may lose the records of the last moment.",
    }],
    reserved: &["sinks"],
};

pub(super) fn read(document: &Document) -> Result<AuditConfig, ConfigError> {
    let issuance = document.given(&SECTION, "issuance").parsed(|raw| match raw {
        "buffered" => Ok(Issuance::Buffered),
        "durable" => Ok(Issuance::Durable),
        _ => {
            Err(ValueError::new(format!("{raw:?} is neither"), "write \"durable\" or \"buffered\""))
        }
    })?;
    Ok(AuditConfig { issuance })
}
