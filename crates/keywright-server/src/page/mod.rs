//! Everything that a person sees of the authorization server.
//!
//! One plain struct per page, public fields in, one `String` of HTML out. Nothing here knows a
//! store, a request or a clock: an endpoint fills the struct and chooses status and headers.
//!
//! Three rules hold for each page, and `tests` enforces them. A value reaches HTML only through
//! the template engine's escaping; a URI becomes a link only through `link`; a name that
//! somebody else chose stands in `<bdi>`, so that its writing direction cannot rearrange ours.
//!
//! Architecture invariant: no page needs JavaScript, and no page fetches anything from another
//! origin: even a client's logo comes from this server.

mod asset;
mod client;
mod consent;
mod error;
mod form_post;
mod index;
mod link;
mod login;
mod logout;
#[cfg(test)]
mod tests;
mod texts;

pub use asset::{Asset, asset, icon_url, stylesheet_url};
pub use client::ClientView;
pub use consent::{ConsentPage, ScopeView};
pub use error::ErrorPage;
pub use form_post::{FORM_POST_SCRIPT_CSP, FormPostPage};
pub use index::IndexPage;
pub use login::{LoginError, LoginPage};
pub use logout::{LogoutPage, SignedOutPage};
pub use texts::{ErrorTexts, Message, Phrase, ScopeTexts, Texts, negotiate};

fn render(page: &impl askama::Template) -> String {
    page.render().expect("writing text into memory does not fail")
}
