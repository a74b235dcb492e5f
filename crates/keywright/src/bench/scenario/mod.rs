//! What one turn sends and what counts as an answer. A new scenario is one file and one line in
//! [`prepare_one`].

mod client_credentials;
mod code;
mod document;
mod form;
mod introspect;
mod jar;
mod mixed;
mod page;
mod refresh;
mod revoke;
mod visit;

use std::mem;
use std::sync::Arc;

use ::http::{Request, Uri};
use anyhow::anyhow;
use bytes::Bytes;
use http_body_util::Full;
use keywright_protocol::secret::Secret;
use serde::Serialize;

use self::client_credentials::ClientCredentials;
pub(super) use self::client_credentials::TokenAnswer;
use self::code::{Code, Visit};
use self::document::Document;
use self::introspect::{Introspect, Renewal};
use self::mixed::Mixed;
use self::refresh::Refresh;
use self::revoke::Revoke;
use super::Stop;
use super::discovery::Endpoints;
use super::http::{Answer, Failure, Http};
use super::plan::Credentials;
use super::target::Person;

/// The scenarios, as the command line calls them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// A new access token for the client itself
    ClientCredentials,
    /// The whole authorization code flow with PKCE, by people who are signed in (--username)
    Code,
    /// The metadata document
    Discovery,
    /// Introspection of live tokens of the client's own
    Introspect,
    /// The key set
    Jwks,
    /// All of these that the given credentials allow, in fixed shares
    Mixed,
    /// Rotation: each family's newest token for the next, one at a time per family
    Refresh,
    /// Issue a token, then revoke it
    Revoke,
    /// Six client credentials, three introspections, one refresh (if there are families)
    TokenMixed,
}

impl Kind {
    pub(super) fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// One kind of work, shared by all connections.
///
/// It sees no network and no clock: the load generator sends what [`Scenario::shot`] makes and
/// brings back either the answer or the loss.
pub(super) trait Scenario: Send + Sync {
    /// What to send at this turn.
    fn shot(&self, turn: u64) -> Result<Shot, Failure>;

    /// Whether this is what the turn asked for, and what comes next.
    fn judge(&self, turn: u64, lease: Lease, answer: &Answer) -> Result<Next, Failure>;

    /// No answer came: what was lent comes back.
    fn lost(&self, _turn: u64, _lease: Lease) {}
}

/// One request, what it is called in the report, and what the scenario lends to it.
pub(super) struct Shot {
    pub(super) step: &'static str,
    pub(super) request: Request<Full<Bytes>>,
    pub(super) lease: Lease,
}

impl Shot {
    fn new(step: &'static str, request: Request<Full<Bytes>>) -> Self {
        Self { step, request, lease: Lease::Nothing }
    }

    fn lend(self, lease: Lease) -> Self {
        Self { lease, ..self }
    }
}

/// What an answer leads to.
pub(super) enum Next {
    /// The turn is over.
    Done,
    /// The turn is over, and these are its tokens.
    Issued(TokenAnswer),
    /// The turn needs another request.
    Send(Box<Shot>),
}

/// What only one request may use at a time.
pub(super) enum Lease {
    Nothing,
    /// A token that is being replaced.
    Renewal(Renewal),
    /// A credential.
    Token(Secret<String>),
    /// A flow on its way.
    Visit(Box<Visit>),
}

impl Lease {
    fn token(self) -> Option<Secret<String>> {
        match self {
            Self::Token(token) => Some(token),
            Self::Nothing | Self::Renewal(_) | Self::Visit(_) => None,
        }
    }
}

/// What a scenario is prepared from.
pub(super) struct Ground<'a> {
    pub(super) http: &'a Http,
    pub(super) endpoints: &'a Endpoints,
    pub(super) client: Option<&'a Credentials>,
    pub(super) person: Option<&'a Person>,
    pub(super) scope: Option<&'a str>,
    pub(super) resource: Option<&'a str>,
    pub(super) connections: u16,
}

impl Ground<'_> {
    fn client(&self) -> Result<&Credentials, Stop> {
        self.client.ok_or_else(|| Stop::Usage("this scenario needs --client-id".to_owned()))
    }

    fn confidential_client(&self) -> Result<&Credentials, Stop> {
        let client = self.client()?;
        if client.secret.is_none() {
            let what = "this scenario needs --client-secret, or KEYWRIGHT_CLIENT_SECRET";
            return Err(Stop::Usage(what.to_owned()));
        }
        Ok(client)
    }

    fn person(&self) -> Result<&Person, Stop> {
        let what = "this scenario needs --username, its password and --redirect-uri";
        self.person.ok_or_else(|| Stop::Usage(what.to_owned()))
    }
}

/// A scenario that is ready, and the parts of it that the credentials do not allow.
pub(super) struct Prepared {
    pub(super) scenario: Arc<dyn Scenario>,
    pub(super) left_out: Vec<String>,
}

pub(super) async fn prepare(
    kind: Kind,
    ground: &Ground<'_>,
    mut refresh_tokens: Vec<Secret<String>>,
) -> Result<Prepared, Stop> {
    let uses_families = matches!(kind, Kind::Mixed | Kind::Refresh | Kind::TokenMixed);
    if !refresh_tokens.is_empty() && !uses_families {
        return Err(Stop::Usage("this scenario does not use --refresh-tokens".to_owned()));
    }
    let mut left_out = Vec::new();
    let scenario: Arc<dyn Scenario> = match kind {
        Kind::Mixed => {
            Arc::new(Mixed::everything(ground, &mut refresh_tokens, &mut left_out).await?)
        }
        Kind::TokenMixed => Arc::new(Mixed::tokens(ground, &mut refresh_tokens).await?),
        single => prepare_one(single, ground, &mut refresh_tokens).await?.into(),
    };
    Ok(Prepared { scenario, left_out })
}

/// One that is not a mixture; the refresh tokens go to the one that uses them.
async fn prepare_one(
    kind: Kind,
    ground: &Ground<'_>,
    refresh_tokens: &mut Vec<Secret<String>>,
) -> Result<Box<dyn Scenario>, Stop> {
    Ok(match kind {
        Kind::ClientCredentials => Box::new(ClientCredentials::prepare(ground).await?),
        Kind::Code => Box::new(Code::sign_in(ground).await?),
        Kind::Discovery => Box::new(Document::metadata(ground)),
        Kind::Introspect => Box::new(Introspect::prepare(ground).await?),
        Kind::Jwks => Box::new(Document::jwks(ground)?),
        Kind::Refresh => {
            let mut families = mem::take(refresh_tokens);
            if families.is_empty() && ground.person.is_some() {
                families = Code::families(ground).await?;
            }
            Box::new(Refresh::new(ground, families)?)
        }
        Kind::Revoke => Box::new(Revoke::prepare(ground).await?),
        Kind::Mixed | Kind::TokenMixed => {
            return Err(Stop::Usage("a mixture is not a part of one".to_owned()));
        }
    })
}

/// An endpoint that the scenario cannot do without.
fn needed<'a>(endpoint: Option<&'a Uri>, what: &str) -> Result<&'a Uri, Stop> {
    endpoint.ok_or_else(|| Stop::NotAllowed(anyhow!("the server's metadata names no {what}")))
}
