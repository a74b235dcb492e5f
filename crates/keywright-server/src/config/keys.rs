//! `[keys]`: the master key, and when signing keys change.

use std::io;
use std::path::Path;
use std::time::Duration;

use keywright_jose::base64url::base64url_encode;
use zeroize::Zeroizing;

use super::document::Document;
use super::duration::format_duration;
use super::error::{ConfigError, Origin};
use super::secret_ref::{SecretRef, create_private};
use super::setting::{Effect, Fallback, Section, Setting};
use super::store::{StoreAge, StoreConfig};
use crate::environment::{SystemEnvironment, random};

/// The master key, and when signing keys change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeysConfig {
    /// The key under which all other keys are kept.
    pub master: SecretRef,
    /// How long a signing key signs.
    pub rotate_every: Duration,
    /// How long before its first signature a key is published.
    pub announce: Duration,
}

const SECOND: Duration = Duration::from_secs(1);
/// A random key of 128 bits, written as hexadecimal digits, has as many.
const MASTER_BYTES_MIN: usize = 32;

pub(super) static SECTION: Section = Section {
    name: "keys",
    what: "The master key, and when signing keys change.",
    settings: &[
        Setting {
            name: "master",
            fallback: Fallback::Unset {
                example: "\"file:data/master.key\"",
                meaning: "`master.key` beside the store, made on the first start",
            },
            effect: Effect::Restart,
            what: "The key under which all signing keys are kept: `file:PATH`, `env:NAME` or the \
                   key itself; at least 32 random characters. Without it the store is worth \
                   nothing: keep a copy elsewhere.",
        },
        Setting {
            name: "rotate_every",
            fallback: Fallback::Text("90d"),
            effect: Effect::Reload,
            what: "How long a signing key signs before the next one takes over.",
        },
        Setting {
            name: "announce",
            fallback: Fallback::Text("14d"),
            effect: Effect::Reload,
            what: "How long before its first signature a key is published, so that caches know it; \
                   at most `rotate_every`, and half of it where that is shorter than the default.",
        },
    ],
    reserved: &[],
};

pub(super) fn read(
    document: &Document,
    base: &Path,
    store: &StoreConfig,
) -> Result<KeysConfig, ConfigError> {
    let master = match document.optional(&SECTION, "master") {
        Some(given) => SecretRef::parse(given.text()?, base),
        None => SecretRef::File(store.folder(base).join("master.key")),
    };
    let rotate_every = document.given(&SECTION, "rotate_every").duration(SECOND)?;
    let announce = read_announce(document, rotate_every)?;
    Ok(KeysConfig { master, rotate_every, announce })
}

fn read_announce(document: &Document, rotate_every: Duration) -> Result<Duration, ConfigError> {
    let given = document.given(&SECTION, "announce");
    let announce = given.duration(SECOND)?;
    if given.is_default() {
        return Ok(announce.min(rotate_every / 2));
    }
    if announce > rotate_every {
        let most = format_duration(rotate_every);
        let what = "a key would have to be published before the one in front of it signs";
        return Err(given.refuse(what, format!("write at most keys.rotate_every, {most:?}")));
    }
    Ok(announce)
}

impl KeysConfig {
    /// The master key itself: whatever it is, nobody can guess it.
    pub fn master_secret(&self) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
        let secret = self.master.read()?;
        if secret.len() < MASTER_BYTES_MIN {
            let what = format!("the master key {} is too short to be random", self.master);
            let remedy = format!(
                "make one of at least {MASTER_BYTES_MIN} characters: openssl rand -base64 32"
            );
            return Err(ConfigError::new(self.master.origin(), what, remedy));
        }
        Ok(secret)
    }

    /// Makes the master key's file on the first start.
    pub(super) fn ensure_master_key(&self, store: StoreAge) -> Result<bool, ConfigError> {
        let SecretRef::File(path) = &self.master else { return Ok(false) };
        let refuse = |what: String, remedy: &str| {
            Err(ConfigError::new(Origin::Path(path.clone()), what, remedy))
        };
        if path.exists() {
            return Ok(false);
        }
        if store == StoreAge::SetUp {
            // A new key would lock the old store up for good while seeming to help.
            let what = "the master key is missing, and the store was made with one";
            let remedy = "put the key back, from your copy or another node, or start a new store";
            return refuse(what.into(), remedy);
        }
        let key = Zeroizing::new(random::<32>(&SystemEnvironment));
        let text = Zeroizing::new(base64url_encode(key.as_slice()) + "\n");
        match create_private(path, text.as_bytes()) {
            Ok(()) => Ok(true),
            // Another process made it in the same moment: that one counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => refuse(
                format!("the master key cannot be written: {error}"),
                "make the folder writable, or name another file in keys.master",
            ),
        }
    }
}
