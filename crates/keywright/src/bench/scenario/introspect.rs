//! `introspect`: live tokens of the client's own, in turn (RFC 7662).

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::client_credentials::{ClientCredentials, parse_token};
use super::form::{Desk, Form};
use super::{Ground, Lease, Next, Scenario, Shot, needed};
use crate::bench::Stop;
use crate::bench::http::{Answer, Failure};

/// Several, so that it is about more than one token; few, so that they are quickly got.
const TOKENS: u64 = 64;

pub(super) struct Introspect {
    desk: Desk,
    issuing: ClientCredentials,
    /// One for each token; a measurement may outlive them.
    forms: Vec<Mutex<Form>>,
}

/// A token that has expired is replaced within the turn that finds out.
#[derive(Clone, Copy)]
pub(in crate::bench) enum Renewal {
    /// Its successor was asked for.
    Asked,
    /// Its successor was introspected.
    Done,
}

impl Introspect {
    pub(super) async fn prepare(ground: &Ground<'_>) -> Result<Self, Stop> {
        let mut introspect = Self::new(ground)?;
        for _ in 0..TOKENS {
            let token = introspect.issuing.issue(ground).await?;
            introspect.forms.push(Mutex::new(introspect.form(&token)));
        }
        Ok(introspect)
    }

    fn new(ground: &Ground<'_>) -> Result<Self, Stop> {
        let client = ground.confidential_client()?;
        let uri = needed(ground.endpoints.introspection.as_ref(), "introspection_endpoint")?;
        let desk = Desk::new(uri, client, ground.endpoints.client_auth);
        Ok(Self { desk, issuing: ClientCredentials::new(ground)?, forms: Vec::new() })
    }

    fn form(&self, token: &str) -> Form {
        self.desk.form(&[("token", token)])
    }

    fn slot(&self, turn: u64) -> Result<&Mutex<Form>, Failure> {
        let at = usize::try_from(turn % TOKENS).unwrap_or_default();
        self.forms.get(at).ok_or(Failure::Exhausted)
    }

    /// Puts the successor in its place and asks about it.
    fn replace(&self, turn: u64, answer: &Answer) -> Result<Next, Failure> {
        let form = self.form(&parse_token(answer)?.access_token);
        *self.slot(turn)?.lock().unwrap_or_else(PoisonError::into_inner) = form;
        let shot = self.shot(turn)?.lend(Lease::Renewal(Renewal::Done));
        Ok(Next::Send(Box::new(shot)))
    }
}

impl Scenario for Introspect {
    fn shot(&self, turn: u64) -> Result<Shot, Failure> {
        let form = self.slot(turn)?.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Shot::new("introspect", self.desk.post(&form)))
    }

    fn judge(&self, turn: u64, lease: Lease, answer: &Answer) -> Result<Next, Failure> {
        // RFC 7662 §2.2: the one required member.
        #[derive(Deserialize)]
        struct Introspection {
            active: bool,
        }
        if matches!(lease, Lease::Renewal(Renewal::Asked)) {
            return self.replace(turn, answer);
        }
        let found: Introspection = answer.parse("active")?;
        match (found.active, lease) {
            (true, _) => Ok(Next::Done),
            (false, Lease::Renewal(_)) => Err(Failure::Malformed("the token is not active")),
            (false, _) => {
                let shot = self.issuing.shot(turn)?.lend(Lease::Renewal(Renewal::Asked));
                Ok(Next::Send(Box::new(shot)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::discovery::{ClientAuth, Endpoints};
    use crate::bench::http::Http;
    use crate::bench::plan::Credentials;
    use ::http::{StatusCode, Uri};
    use keywright_protocol::secret::Secret;

    fn introspect() -> Introspect {
        let endpoints = Endpoints {
            metadata: Uri::default(),
            authorization: None,
            token: Some(Uri::from_static("https://a.example/token")),
            introspection: Some(Uri::from_static("https://a.example/introspect")),
            jwks: None,
            revocation: None,
            client_auth: ClientAuth::Basic,
        };
        let (id, secret) = (Some("c".to_owned()), Some(Secret::new("s".to_owned())));
        let client = Credentials::new(id, secret).unwrap();
        let ground = Ground {
            http: &Http::new(1, None).unwrap(),
            endpoints: &endpoints,
            client: client.as_ref(),
            person: None,
            scope: None,
            resource: None,
            connections: 1,
        };
        let mut introspect = Introspect::new(&ground).ok().unwrap();
        introspect.forms.push(Mutex::new(introspect.form("old")));
        introspect
    }

    /// Gives the answers to a turn; the paths that were asked, and how it ended.
    fn turn(answers: &[&str]) -> (Vec<String>, Result<(), Failure>) {
        let introspect = introspect();
        let mut shot = introspect.shot(0).unwrap();
        let mut paths = Vec::new();
        for answer in answers {
            paths.push(shot.request.uri().path().to_owned());
            match introspect.judge(0, shot.lease, &Answer::of(StatusCode::OK, answer)) {
                Ok(Next::Send(next)) => shot = *next,
                Ok(_) => return (paths, Ok(())),
                Err(why) => return (paths, Err(why)),
            }
        }
        panic!("the turn is not over after {paths:?}")
    }

    #[test]
    fn an_expired_token_is_replaced_once() {
        let (live, expired, token) =
            (r#"{"active":true}"#, r#"{"active":false}"#, r#"{"access_token":"new"}"#);
        assert_eq!(turn(&[live]), (vec!["/introspect".to_owned()], Ok(())), "RFC7662-2.2");
        let road = ["/introspect", "/token", "/introspect"].map(str::to_owned).to_vec();
        assert_eq!(turn(&[expired, token, live]), (road.clone(), Ok(())));
        let dead = Failure::Malformed("the token is not active");
        assert_eq!(turn(&[expired, token, expired]), (road, Err(dead)));
    }
}
