//! Signing out: the question, and the answer.

use askama::Template;

use super::{ClientView, Texts, link, render};

/// The question at `/logout`; posts `decision` = `confirm` or `cancel`, `flow` and `csrf`.
#[derive(Debug, Template)]
#[template(path = "logout.html")]
pub struct LogoutPage<'a> {
    /// The person's language.
    pub text: &'static Texts,
    /// Display name of the tenant.
    pub site: &'a str,
    /// Who asked, where a client did.
    pub client: Option<ClientView<'a>>,
    /// Who is signed in, where it is known.
    pub username: Option<&'a str>,
    /// Where the form is posted.
    pub action: &'a str,
    /// Handle of the interaction.
    pub flow: &'a str,
    /// Token against forged posts.
    pub csrf: &'a str,
}

impl LogoutPage<'_> {
    /// The whole document.
    pub fn html(&self) -> String {
        render(self)
    }
}

/// Says that the session has ended, where there is no page of a client to go to.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOutPage<'a> {
    /// The person's language.
    pub text: &'static Texts,
    /// Display name of the tenant.
    pub site: &'a str,
    /// Who asked, where a client did.
    pub client: Option<ClientView<'a>>,
    /// A way on, shown if it is a web address.
    pub continue_uri: Option<&'a str>,
}

impl<'a> SignedOutPage<'a> {
    /// The whole document.
    pub fn html(&self) -> String {
        render(self)
    }

    fn way_on(&self) -> Option<&'a str> {
        self.continue_uri.and_then(link::web_link)
    }
}
