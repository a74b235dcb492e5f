//! The client as a page shows it.

use std::char::ToUppercase;

use super::link;

/// What is known of the client that sent the person here. All of it may be hostile.
#[derive(Clone, Debug)]
pub struct ClientView<'a> {
    /// `client_name`, or the client id where it has none.
    pub name: &'a str,
    /// Host of the redirect URI: the one thing here that a client cannot invent.
    pub host: Option<&'a str>,
    /// Where this server shows the logo: a path, since a page asks nobody else.
    pub logo: Option<String>,
    /// `policy_uri`.
    pub policy_uri: Option<&'a str>,
    /// `tos_uri`.
    pub tos_uri: Option<&'a str>,
    /// `client_uri`.
    pub client_uri: Option<&'a str>,
    /// The client registered itself and nobody has looked at it since.
    pub unverified: bool,
}

impl<'a> ClientView<'a> {
    pub(super) fn logo(&self) -> Option<&str> {
        self.logo.as_deref().and_then(link::own_path)
    }

    pub(super) fn home(&self) -> Option<&'a str> {
        self.client_uri.and_then(link::web_link)
    }

    pub(super) fn policy(&self) -> Option<&'a str> {
        self.policy_uri.and_then(link::web_link)
    }

    pub(super) fn terms(&self) -> Option<&'a str> {
        self.tos_uri.and_then(link::web_link)
    }

    pub(super) fn has_links(&self) -> bool {
        self.home().or(self.policy()).or(self.terms()).is_some()
    }

    /// Stands where the logo would be.
    pub(super) fn initial(&self) -> Option<ToUppercase> {
        self.name.chars().find(|letter| letter.is_alphanumeric()).map(char::to_uppercase)
    }
}
