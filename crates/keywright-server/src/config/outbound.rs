//! `[outbound]`: what the server may fetch.

use std::path::{Path, PathBuf};

use super::address::AddressBlock;
use super::document::Document;
use super::error::ConfigError;
use super::setting::{Effect, Fallback, Section, Setting};

/// What the server may fetch.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OutboundConfig {
    /// Certificate authorities beside the public ones, PEM files.
    pub extra_ca: Vec<PathBuf>,
    /// Addresses that are not public and may be reached.
    pub allow_addresses: Vec<AddressBlock>,
}

pub(super) static SECTION: Section = Section {
    name: "outbound",
    what: "What the server fetches by itself, such as a client's `jwks_uri`. Only public \
           addresses, only over https, unless said here.",
    settings: &[
        Setting {
            name: "extra_ca",
            fallback: Fallback::EmptyList,
            effect: Effect::Restart,
            what: "PEM files of certificate authorities that are trusted beside the public ones.",
        },
        Setting {
            name: "allow_addresses",
            fallback: Fallback::EmptyList,
            effect: Effect::Restart,
            what: "Addresses or blocks inside your network that may be reached, also over http.",
        },
    ],
    reserved: &[],
};

pub(super) fn read(document: &Document, base: &Path) -> Result<OutboundConfig, ConfigError> {
    Ok(OutboundConfig {
        extra_ca: document.given(&SECTION, "extra_ca").list(|raw| Ok(base.join(raw)))?,
        allow_addresses: document.given(&SECTION, "allow_addresses").list(str::parse)?,
    })
}
