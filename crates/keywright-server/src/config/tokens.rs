//! `[tokens]`: how long codes and tokens live.

use std::time::Duration;

use super::document::Document;
use super::duration::format_duration;
use super::error::ConfigError;
use super::setting::{Effect, Fallback, Section, Setting};

/// How long codes and tokens live.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokensConfig {
    /// An access token.
    pub access_lifetime: Duration,
    /// An authorization code.
    pub code_lifetime: Duration,
    /// A refresh token that nobody uses.
    pub refresh_idle: Duration,
    /// A family of refresh tokens, used or not.
    pub refresh_absolute: Duration,
    /// How long a retry with the parent gets the same child.
    pub refresh_retry: Duration,
}

const SECOND: Duration = Duration::from_secs(1);
/// Codes and access tokens must outlive the way to whoever uses them.
const TWO_SECONDS: Duration = Duration::from_secs(2);
/// RFC 6749 §4.1.2 recommends ten minutes at most; nobody has needed more.
const CODE_LIFETIME_MAX: Duration = Duration::from_mins(10);

pub(super) static SECTION: Section = Section {
    name: "tokens",
    what: "How long codes and tokens live.",
    settings: &[
        Setting {
            name: "access_lifetime",
            fallback: Fallback::Text("10m"),
            effect: Effect::Reload,
            what: "An access token, unless its resource says otherwise; at least 2s.",
        },
        Setting {
            name: "code_lifetime",
            fallback: Fallback::Text("60s"),
            effect: Effect::Reload,
            what: "An authorization code; from 2s to 10m.",
        },
        Setting {
            name: "refresh_idle",
            fallback: Fallback::Text("30d"),
            effect: Effect::Reload,
            what: "A refresh token that is not used.",
        },
        Setting {
            name: "refresh_absolute",
            fallback: Fallback::Text("90d"),
            effect: Effect::Reload,
            what: "A sign-in's refresh tokens altogether; using them does not extend it.",
        },
        Setting {
            name: "refresh_retry",
            fallback: Fallback::Text("10s"),
            effect: Effect::Reload,
            what: "How long a client whose answer was lost may ask again and get the same tokens; \
                   outages do not count.",
        },
    ],
    reserved: &["device_lifetime", "par_lifetime"],
};

pub(super) fn read(document: &Document) -> Result<TokensConfig, ConfigError> {
    let duration = |name, least| document.given(&SECTION, name).duration(least);
    let config = TokensConfig {
        access_lifetime: duration("access_lifetime", TWO_SECONDS)?,
        code_lifetime: duration("code_lifetime", TWO_SECONDS)?,
        refresh_idle: duration("refresh_idle", SECOND)?,
        refresh_absolute: duration("refresh_absolute", SECOND)?,
        refresh_retry: duration("refresh_retry", SECOND)?,
    };
    if config.code_lifetime > CODE_LIFETIME_MAX {
        let most = format_duration(CODE_LIFETIME_MAX);
        let given = document.given(&SECTION, "code_lifetime");
        let what = format!("a code that lives longer than {most} can be stolen at leisure");
        return Err(given.refuse(what, format!("write at most {most:?} (RFC 6749 section 4.1.2)")));
    }
    Ok(config)
}
