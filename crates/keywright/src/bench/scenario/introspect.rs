//! `introspect`: live tokens of the client's own, in turn (RFC 7662).

use anyhow::anyhow;
use serde::Deserialize;

use super::client_credentials::{ClientCredentials, parse_token};
use super::form::{Desk, Form};
use super::{Ground, Lease, Scenario, Shot, needed};
use crate::bench::Stop;
use crate::bench::http::{Answer, Failure};

/// Several, so that it is about more than one token; few, so that they are quickly got.
const TOKENS: u64 = 64;

pub(super) struct Introspect {
    desk: Desk,
    forms: Vec<Form>,
}

impl Introspect {
    pub(super) async fn prepare(ground: &Ground<'_>) -> Result<Self, Stop> {
        let client = ground.confidential_client()?;
        let uri = needed(ground.endpoints.introspection.as_ref(), "introspection_endpoint")?;
        let desk = Desk::new(uri, client, ground.endpoints.client_auth);
        let issuing = ClientCredentials::new(ground)?;
        let mut forms = Vec::new();
        for turn in 0..TOKENS {
            let token = issue(ground, &issuing, turn).await;
            let token = token.map_err(|why| Stop::Refused(anyhow!("no token: {why}")))?;
            forms.push(desk.form(&[("token", &token)]));
        }
        Ok(Self { desk, forms })
    }
}

impl Scenario for Introspect {
    fn shot(&self, turn: u64) -> Result<Shot, Failure> {
        let at = usize::try_from(turn % TOKENS).unwrap_or_default();
        let form = self.forms.get(at).ok_or(Failure::Exhausted)?;
        Ok(Shot { request: self.desk.post(form), lease: None })
    }

    fn judge(&self, _turn: u64, _lease: Lease, answer: &Answer) -> Result<(), Failure> {
        // RFC 7662 §2.2: the one required member.
        #[derive(Deserialize)]
        struct Introspection {
            active: bool,
        }
        let found: Introspection = answer.parse("active")?;
        found.active.then_some(()).ok_or(Failure::Malformed("the token is not active"))
    }
}

async fn issue(
    ground: &Ground<'_>,
    issuing: &ClientCredentials,
    turn: u64,
) -> Result<String, Failure> {
    let shot = issuing.shot(turn)?;
    let answer = ground.http.send(shot.request).await?;
    Ok(parse_token(&answer)?.access_token)
}
