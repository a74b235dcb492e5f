//! What one turn sends and what counts as an answer. A new scenario is one file and one line in
//! [`prepare`].

mod client_credentials;
mod document;
mod form;
mod introspect;
mod refresh;
mod revoke;
mod token_mixed;

use std::sync::Arc;

use ::http::{Request, Uri};
use anyhow::anyhow;
use bytes::Bytes;
use http_body_util::Full;
use keywright_protocol::secret::Secret;
use serde::Serialize;

use self::client_credentials::ClientCredentials;
use self::document::Document;
use self::introspect::Introspect;
use self::refresh::Refresh;
use self::revoke::Revoke;
use self::token_mixed::TokenMixed;
use super::Stop;
use super::discovery::Endpoints;
use super::http::{Answer, Failure, Http};
use super::plan::Credentials;

/// The scenarios, as the command line calls them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Name {
    /// A new access token for the client itself
    ClientCredentials,
    /// The metadata document
    Discovery,
    /// Introspection of live tokens of the client's own
    Introspect,
    /// The key set
    Jwks,
    /// Rotation: each family's newest token for the next, one at a time per family
    Refresh,
    /// Issue a token, then revoke it
    Revoke,
    /// Six client credentials, three introspections, one refresh (with --refresh-tokens)
    #[value(alias = "mixed")]
    TokenMixed,
}

/// One kind of work, shared by all connections.
///
/// It sees no network and no clock: the load generator sends what [`Scenario::shot`] makes and
/// brings back either the answer or the loss.
pub(super) trait Scenario: Send + Sync {
    /// What to send at this turn.
    fn shot(&self, turn: u64) -> Result<Shot, Failure>;

    /// Whether this is what the turn asked for.
    fn judge(&self, turn: u64, lease: Lease, answer: &Answer) -> Result<(), Failure>;

    /// No answer came: what was lent comes back.
    fn lost(&self, _turn: u64, _lease: Lease) {}
}

/// One request and what the scenario lends to it.
pub(super) struct Shot {
    pub(super) request: Request<Full<Bytes>>,
    pub(super) lease: Lease,
}

/// A credential that only one request may use at a time.
pub(super) type Lease = Option<Secret<String>>;

/// What a scenario is prepared from.
pub(super) struct Ground<'a> {
    pub(super) http: &'a Http,
    pub(super) endpoints: &'a Endpoints,
    pub(super) client: Option<&'a Credentials>,
    pub(super) scope: Option<&'a str>,
    pub(super) resource: Option<&'a str>,
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
}

pub(super) async fn prepare(
    name: Name,
    ground: &Ground<'_>,
    refresh_tokens: Vec<Secret<String>>,
) -> Result<Arc<dyn Scenario>, Stop> {
    if !refresh_tokens.is_empty() && !matches!(name, Name::Refresh | Name::TokenMixed) {
        return Err(Stop::Usage("this scenario does not use --refresh-tokens".to_owned()));
    }
    Ok(match name {
        Name::ClientCredentials => Arc::new(ClientCredentials::new(ground)?),
        Name::Discovery => Arc::new(Document::metadata(ground)),
        Name::Introspect => Arc::new(Introspect::prepare(ground).await?),
        Name::Jwks => Arc::new(Document::jwks(ground)?),
        Name::Refresh => Arc::new(Refresh::new(ground, refresh_tokens)?),
        Name::Revoke => Arc::new(Revoke::new(ground)?),
        Name::TokenMixed => Arc::new(TokenMixed::prepare(ground, refresh_tokens).await?),
    })
}

/// An endpoint that the scenario cannot do without.
fn needed<'a>(endpoint: Option<&'a Uri>, what: &str) -> Result<&'a Uri, Stop> {
    endpoint.ok_or_else(|| Stop::Refused(anyhow!("the server's metadata names no {what}")))
}
