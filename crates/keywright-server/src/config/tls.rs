//! `[tls]`: the certificate that the server shows.

use std::path::{Path, PathBuf};

use super::document::Document;
use super::error::ConfigError;
use super::setting::{Effect, Fallback, Section, Setting};

/// How the server proves its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TlsConfig {
    /// A certificate of a development authority that the server makes for itself.
    Development {
        /// Where the authority and the certificate are kept.
        folder: PathBuf,
        /// The issuer's host.
        host: String,
    },
    /// Files that somebody else renews.
    Files {
        /// The certificate and its chain, PEM.
        certificate: PathBuf,
        /// The private key, PEM.
        key: PathBuf,
    },
}

/// What `[tls]` says, before the issuer's host is known.
pub(super) enum Written {
    Development,
    Files { certificate: PathBuf, key: PathBuf },
    Off,
}

pub(super) static SECTION: Section = Section {
    name: "tls",
    what: "TLS by the server itself. Without certificate or development it speaks plain HTTP, for \
           a proxy in front of it.",
    settings: &[
        Setting {
            name: "certificate",
            fallback: Fallback::Unset { example: "\"/etc/keywright/tls.pem\"", meaning: "no TLS" },
            effect: Effect::Reload,
            what: "PEM file with the certificate and its chain; a reload reads it again.",
        },
        Setting {
            name: "key",
            fallback: Fallback::Unset { example: "\"/etc/keywright/tls.key\"", meaning: "no TLS" },
            effect: Effect::Reload,
            what: "PEM file with the certificate's private key.",
        },
        Setting {
            name: "development",
            fallback: Fallback::No,
            effect: Effect::Reload,
            what: "Makes a private certificate authority beside the store and a certificate for \
                   the issuer's host and loopback. Only those who install that authority trust it.",
        },
    ],
    reserved: &["acme", "client_certificates"],
};

pub(super) fn read(document: &Document, base: &Path) -> Result<Written, ConfigError> {
    let certificate = document.optional(&SECTION, "certificate");
    let key = document.optional(&SECTION, "key");
    let development = document.given(&SECTION, "development");
    match (certificate, key, development.boolean()?) {
        (None, None, false) => Ok(Written::Off),
        (None, None, true) => Ok(Written::Development),
        (Some(certificate), Some(key), false) => Ok(Written::Files {
            certificate: base.join(certificate.text()?),
            key: base.join(key.text()?),
        }),
        (Some(given), None, _) => Err(given.refuse("stands without its key", "set tls.key too")),
        (None, Some(given), _) => {
            Err(given.refuse("stands without its certificate", "set tls.certificate too"))
        }
        (Some(_), Some(_), true) => Err(development
            .refuse("stands beside a certificate", "keep either tls.development or the two files")),
    }
}
