//! The page at the issuer itself, for those who follow its address.

use askama::Template;

use super::{Texts, link, render};

/// Says what this server is and where its metadata can be read.
#[derive(Debug, Template)]
#[template(path = "index.html")]
pub struct IndexPage<'a> {
    /// The person's language.
    pub text: &'static Texts,
    /// Display name of the tenant.
    pub site: &'a str,
    /// The issuer identifier.
    pub issuer: &'a str,
    /// Absolute address of the discovery document.
    pub discovery_uri: &'a str,
    /// The person's own page, where there is one.
    pub account_uri: Option<&'a str>,
}

impl<'a> IndexPage<'a> {
    /// The whole document.
    pub fn html(&self) -> String {
        render(self)
    }

    fn discovery(&self) -> Option<&'a str> {
        link::web_link(self.discovery_uri)
    }

    fn account(&self) -> Option<&'a str> {
        self.account_uri.and_then(link::web_link)
    }
}
