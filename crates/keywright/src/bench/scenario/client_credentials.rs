//! `client-credentials`: the same request at every turn (RFC 6749 §4.4).

use serde::Deserialize;

use super::form::{Desk, Form, token_request};
use super::{Ground, Lease, Scenario, Shot, needed};
use crate::bench::Stop;
use crate::bench::http::{Answer, Failure};

pub(super) struct ClientCredentials {
    desk: Desk,
    form: Form,
}

/// RFC 6749 §5.1.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
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
}

impl Scenario for ClientCredentials {
    fn shot(&self, _turn: u64) -> Result<Shot, Failure> {
        Ok(Shot { request: self.desk.post(&self.form), lease: None })
    }

    fn judge(&self, _turn: u64, _lease: Lease, answer: &Answer) -> Result<(), Failure> {
        parse_token(answer).map(drop)
    }
}

pub(super) fn parse_token(answer: &Answer) -> Result<TokenAnswer, Failure> {
    let token: TokenAnswer = answer.parse("access_token")?;
    if token.access_token.is_empty() {
        return Err(Failure::Malformed("access_token"));
    }
    Ok(token)
}
