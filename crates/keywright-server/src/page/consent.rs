//! May this client have these scopes?

use askama::Template;

use super::{ClientView, Texts, render};

/// The form at `/consent`; posts `decision`, the ticked `scope`s, `flow` and `csrf`.
#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub struct ConsentPage<'a> {
    /// The person's language.
    pub text: &'static Texts,
    /// Display name of the tenant.
    pub site: &'a str,
    /// Who asks.
    pub client: ClientView<'a>,
    /// Who is signed in.
    pub username: &'a str,
    /// Where the form is posted.
    pub action: &'a str,
    /// Handle of the interaction.
    pub flow: &'a str,
    /// Token against forged posts.
    pub csrf: &'a str,
    /// What it asks for, in the order to show it.
    pub scopes: &'a [ScopeView<'a>],
}

impl ConsentPage<'_> {
    /// The whole document.
    pub fn html(&self) -> String {
        render(self)
    }

    fn has_choice(&self) -> bool {
        self.scopes.iter().any(|scope| scope.optional)
    }
}

/// One scope in the words of the person who decides.
#[derive(Clone, Copy, Debug)]
pub struct ScopeView<'a> {
    /// The scope itself, as posted.
    pub name: &'a str,
    /// What it means, as an imperative: "See your profile".
    pub title: &'a str,
    /// A sentence more.
    pub description: Option<&'a str>,
    /// Shown with a checkbox; otherwise listed as needed.
    pub optional: bool,
    /// The API it belongs to, where it is not the server itself.
    pub resource: Option<&'a str>,
}

impl<'a> ScopeView<'a> {
    /// An optional scope of the server itself, in words if anybody has described it.
    ///
    /// Standard scopes are described here; `described` is what the owner of an API wrote.
    pub fn new(text: &'static Texts, name: &'a str, described: Option<&'a str>) -> Self {
        let (title, description) = match text.scopes.find(name) {
            Some(standard) => (standard.title, Some(standard.detail)),
            None => (described.unwrap_or(name), None),
        };
        Self { name, title, description, optional: true, resource: None }
    }

    /// Whether the bare name tells more than the title does.
    fn shows_name(&self) -> bool {
        self.description.is_none() && self.title != self.name
    }
}
