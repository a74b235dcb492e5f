//! `introspect`: live tokens of the client's own, in turn (RFC 7662).

use serde::Deserialize;

use super::client_credentials::ClientCredentials;
use super::form::{Desk, Form};
use super::{Ground, Lease, Next, Scenario, Shot, needed};
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
        for _ in 0..TOKENS {
            forms.push(desk.form(&[("token", &issuing.issue(ground).await?)]));
        }
        Ok(Self { desk, forms })
    }
}

impl Scenario for Introspect {
    fn shot(&self, turn: u64) -> Result<Shot, Failure> {
        let at = usize::try_from(turn % TOKENS).unwrap_or_default();
        let form = self.forms.get(at).ok_or(Failure::Exhausted)?;
        Ok(Shot::new("introspect", self.desk.post(form)))
    }

    fn judge(&self, _turn: u64, _lease: Lease, answer: &Answer) -> Result<Next, Failure> {
        // RFC 7662 §2.2: the one required member.
        #[derive(Deserialize)]
        struct Introspection {
            active: bool,
        }
        let found: Introspection = answer.parse("active")?;
        found.active.then_some(Next::Done).ok_or(Failure::Malformed("the token is not active"))
    }
}
