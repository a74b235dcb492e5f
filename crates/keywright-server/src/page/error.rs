//! What a person sees when a request cannot go on and must not go back to the client.

use askama::Template;

use super::{Message, Texts, render};

/// An error that is told here instead of at the client's redirect URI.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    /// The person's language.
    pub text: &'static Texts,
    /// Display name of the tenant.
    pub site: &'a str,
    /// The `error` code of the specifications.
    pub code: &'a str,
    /// `error_description`, for whoever has to repair it.
    pub description: &'a str,
    /// As in `X-Request-Id`.
    pub request_id: &'a str,
}

impl ErrorPage<'_> {
    /// The whole document.
    pub fn html(&self) -> String {
        render(self)
    }

    fn message(&self) -> &'static Message {
        self.text.errors.of(self.code)
    }
}
