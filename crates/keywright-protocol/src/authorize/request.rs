//! An authorization request that has passed the grid, and where its answer goes.

use crate::authorize::AuthorizeError;
use crate::authorize::pkce::CodeChallenge;
use crate::id::{ClientId, Subject};
use crate::resource::ResourceIndicator;
use crate::scope::ScopeSet;

/// How the response travels, OAuth 2.0 Multiple Response Types §2.1.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ResponseMode {
    /// A form that the browser posts.
    FormPost,
    /// In the query of the redirect.
    #[default]
    Query,
}

/// Where the answer goes, once client and redirect URI are known to belong together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResponseTarget {
    /// The redirect URI, as requested.
    pub redirect_uri: String,
    /// How the response travels.
    pub mode: ResponseMode,
    /// Returned as it came.
    pub state: Option<String>,
}

/// What `prompt` asks for, OpenID Connect Core §3.1.2.1.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Prompt {
    /// Whatever is needed.
    #[default]
    AsNeeded,
    /// Nothing: an error instead of a page.
    None,
    /// Pages, even if they were not needed.
    Asked {
        /// `login` or `select_account`.
        login: bool,
        /// `consent`.
        consent: bool,
    },
}

/// A request that has passed every check; only the grid makes one.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client: ClientId,
    /// Where the answer goes.
    pub target: ResponseTarget,
    /// What is asked.
    pub scope: ScopeSet,
    /// For which resources.
    pub resources: Vec<ResourceIndicator>,
    /// Returned in the ID token.
    pub nonce: Option<String>,
    /// RFC 7636 §4.3.
    pub challenge: Option<CodeChallenge>,
    /// Which pages are asked for.
    pub prompt: Prompt,
    /// The oldest acceptable sign-in, seconds.
    pub max_age_s: Option<u32>,
    /// What the person probably types.
    pub login_hint: Option<String>,
    /// Who must be signed in, from a verified ID token.
    pub hinted_sub: Option<Subject>,
    /// RFC 5646 tags, in order of preference.
    pub ui_locales: Option<String>,
    /// Whether only the asked device's own user may have received the answer, RFC 8252 §8.6.
    pub receiver_unproven: bool,
}

/// A refused request, and who is told.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The person, on a page: client or redirect URI are not to be trusted.
    Page(AuthorizeError),
    /// The client, by redirect.
    Redirect(ResponseTarget, AuthorizeError),
    /// The client, but only once somebody has signed in: what a client may ask for is nobody
    /// else's business, and a stranger is not sent on (RFC 9700 §4.11.2).
    Withheld(Box<AuthorizationRequest>, AuthorizeError),
}
