//! `revoke`: a token is issued at one turn and revoked at a later one (RFC 7009).

use std::sync::{Mutex, PoisonError};

use keywright_protocol::secret::Secret;

use super::client_credentials::{ClientCredentials, parse_token};
use super::form::Desk;
use super::{Ground, Lease, Next, Scenario, Shot, needed};
use crate::bench::Stop;
use crate::bench::http::{Answer, Failure};

pub(super) struct Revoke {
    issuing: ClientCredentials,
    desk: Desk,
    /// Issued and not yet revoked.
    live: Mutex<Vec<Secret<String>>>,
}

impl Revoke {
    pub(super) async fn prepare(ground: &Ground<'_>) -> Result<Self, Stop> {
        let revoke = Self::new(ground)?;
        revoke.keep(Secret::new(revoke.issuing.issue(ground).await?));
        Ok(revoke)
    }

    fn new(ground: &Ground<'_>) -> Result<Self, Stop> {
        let issuing = ClientCredentials::new(ground)?;
        let uri = needed(ground.endpoints.revocation.as_ref(), "revocation_endpoint")?;
        let client = ground.confidential_client()?;
        let desk = Desk::new(uri, client, ground.endpoints.client_auth);
        Ok(Self { issuing, desk, live: Mutex::default() })
    }

    fn keep(&self, token: Secret<String>) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).push(token);
    }
}

impl Scenario for Revoke {
    /// Revokes if there is anything to revoke: in the long run every other turn.
    fn shot(&self, turn: u64) -> Result<Shot, Failure> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(token) = live else { return self.issuing.shot(turn) };
        let form = self.desk.form(&[("token", token.expose())]);
        Ok(Shot::new("revoke", self.desk.post(&form)).lend(Lease::Token(token)))
    }

    fn judge(&self, _turn: u64, lease: Lease, answer: &Answer) -> Result<Next, Failure> {
        if lease.token().is_some() {
            // RFC 7009 §2.2: the status is the whole answer.
            return answer.succeeded().map(|()| Next::Done);
        }
        self.keep(Secret::new(parse_token(answer)?.access_token));
        Ok(Next::Done)
    }

    fn lost(&self, _turn: u64, lease: Lease) {
        if let Some(token) = lease.token() {
            self.keep(token);
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

    fn revoke() -> Revoke {
        let endpoints = Endpoints {
            metadata: Uri::default(),
            authorization: None,
            token: Some(Uri::from_static("https://a.example/token")),
            introspection: None,
            jwks: None,
            revocation: Some(Uri::from_static("https://a.example/revoke")),
            client_auth: ClientAuth::Basic,
        };
        let (id, secret) = (Some("c".to_owned()), Some(Secret::new("s".to_owned())));
        let client = Credentials::new(id, secret).unwrap();
        let (http, client) = (&Http::new(1, None).unwrap(), client.as_ref());
        let ground = Ground {
            http,
            endpoints: &endpoints,
            client,
            person: None,
            scope: None,
            resource: None,
            connections: 1,
        };
        Revoke::new(&ground).ok().unwrap()
    }

    fn turn(revoke: &Revoke, status: StatusCode, body: &'static str) -> (String, bool) {
        let shot = revoke.shot(0).unwrap();
        let path = shot.request.uri().path().to_owned();
        let answer = Answer::of(status, body);
        (path, revoke.judge(0, shot.lease, &answer).is_ok())
    }

    #[test]
    fn what_is_issued_is_revoked_once() {
        let revoke = revoke();
        let issue = |revoke| turn(revoke, StatusCode::OK, r#"{"access_token":"x"}"#);
        assert_eq!(issue(&revoke), ("/token".to_owned(), true));
        let empty = turn(&revoke, StatusCode::OK, "");
        assert_eq!(empty, ("/revoke".to_owned(), true), "RFC7009-2.2");
        assert_eq!(issue(&revoke).0, "/token");
        let busy = turn(&revoke, StatusCode::SERVICE_UNAVAILABLE, "");
        assert_eq!(busy, ("/revoke".to_owned(), false), "RFC7009-2.2.1");
    }
}
