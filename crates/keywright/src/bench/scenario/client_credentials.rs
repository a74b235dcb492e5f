//! `client-credentials`: the same request at every turn (RFC 6749 §4.4).

use serde::Deserialize;

use super::form::{Desk, Form, token_request};
use super::{Ground, Lease, Next, Scenario, Shot, needed};
use crate::bench::Stop;
use crate::bench::http::{Answer, Failure};

pub(super) struct ClientCredentials {
    desk: Desk,
    form: Form,
}

/// RFC 6749 §5.1.
#[derive(Deserialize)]
pub(in crate::bench) struct TokenAnswer {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
}

impl ClientCredentials {
    pub(super) fn new(ground: &Ground<'_>) -> Result<Self, Stop> {
        let client = ground.confidential_client()?;
        let uri = needed(ground.endpoints.token.as_ref(), "token_endpoint")?;
        let desk = Desk::new(uri, client, ground.endpoints.client_auth);
        let form = desk.form(&token_request(ground, "client_credentials"));
        Ok(Self { desk, form })
    }

    /// The same, after one token: what is refused now would be refused at every turn.
    pub(super) async fn prepare(ground: &Ground<'_>) -> Result<Self, Stop> {
        let issuing = Self::new(ground)?;
        issuing.issue(ground).await?;
        Ok(issuing)
    }

    /// One token, outside any schedule.
    pub(super) async fn issue(&self, ground: &Ground<'_>) -> Result<String, Stop> {
        let answer = ground.http.send(self.desk.post(&self.form)).await;
        let token = answer.and_then(|answer| parse_token(&answer));
        Ok(token.map_err(|why| Stop::of(&why, "no token"))?.access_token)
    }
}

impl Scenario for ClientCredentials {
    fn shot(&self, _turn: u64) -> Result<Shot, Failure> {
        Ok(Shot::new("client-credentials", self.desk.post(&self.form)))
    }

    fn judge(&self, _turn: u64, _lease: Lease, answer: &Answer) -> Result<Next, Failure> {
        parse_token(answer).map(Next::Issued)
    }
}

pub(super) fn parse_token(answer: &Answer) -> Result<TokenAnswer, Failure> {
    let token: TokenAnswer = answer.parse("access_token")?;
    if token.access_token.is_empty() {
        return Err(Failure::Malformed("access_token"));
    }
    Ok(token)
}
