//! `[testing]`: what only a test server may do. Nothing yet.

use super::document::Document;
use super::error::ConfigError;
use super::issuer::Issuer;
use super::setting::Section;

/// What only a test server may do. Nothing yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct TestingConfig {}

pub(super) static SECTION: Section = Section {
    name: "testing",
    what: "For test servers only: refused unless the issuer is loopback or a `.test` name.",
    settings: &[],
    reserved: &["dangerous_ciba_auto_approve"],
};

/// A production server with a switch for tests is an accident that waits: it does not start.
pub(super) fn read(document: &Document, issuer: &Issuer<'_>) -> Result<TestingConfig, ConfigError> {
    for setting in SECTION.settings {
        let written = document.optional(&SECTION, setting.name).filter(|it| !it.is_default());
        if let Some(given) = written.filter(|_| !issuer.is_for_testing()) {
            let what = "only for a loopback issuer, or one with a .test name";
            return Err(given.refuse(what, "take [testing] out of a server that is not a test"));
        }
    }
    Ok(TestingConfig {})
}
