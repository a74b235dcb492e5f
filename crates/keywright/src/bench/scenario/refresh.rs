//! `refresh`: rotation of many families, each by one request at a time (RFC 6749 §6).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use keywright_protocol::secret::Secret;

use super::client_credentials::parse_token;
use super::form::Desk;
use super::{Ground, Lease, Next, Scenario, Shot, needed};
use crate::bench::Stop;
use crate::bench::http::{Answer, Failure};

/// The newest token of each family that is not in flight; a dead family does not come back.
pub(super) struct Refresh {
    desk: Desk,
    idle: Mutex<VecDeque<Secret<String>>>,
}

impl Refresh {
    pub(super) fn new(ground: &Ground<'_>, tokens: Vec<Secret<String>>) -> Result<Self, Stop> {
        if tokens.is_empty() {
            let what = "this scenario needs --refresh-tokens FILE, or --username";
            return Err(Stop::Usage(what.to_owned()));
        }
        let uri = needed(ground.endpoints.token.as_ref(), "token_endpoint")?;
        let desk = Desk::new(uri, ground.client()?, ground.endpoints.client_auth);
        Ok(Self { desk, idle: Mutex::new(tokens.into()) })
    }

    /// At the end of the queue, so that every family gets its turn.
    fn give_back(&self, token: Option<Secret<String>>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(token);
    }
}

impl Scenario for Refresh {
    fn shot(&self, _turn: u64) -> Result<Shot, Failure> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let token = idle.ok_or(Failure::Exhausted)?;
        let grant = ("grant_type", "refresh_token");
        let form = self.desk.form(&[grant, ("refresh_token", token.expose())]);
        Ok(Shot::new("refresh", self.desk.post(&form)).lend(Lease::Token(token)))
    }

    fn judge(&self, _turn: u64, lease: Lease, answer: &Answer) -> Result<Next, Failure> {
        match parse_token(answer) {
            Ok(token) => {
                // Without a new one the old one stays good (RFC 6749 §6).
                self.give_back(token.refresh_token.map(Secret::new).or(lease.token()));
                Ok(Next::Done)
            }
            Err(why) => {
                if is_busy(&why) {
                    self.give_back(lease.token());
                }
                Err(why)
            }
        }
    }

    /// Whether the server rotated is unknown: the old token is the one to try again with.
    fn lost(&self, _turn: u64, lease: Lease) {
        self.give_back(lease.token());
    }
}

/// The server had no time; the family lives.
fn is_busy(why: &Failure) -> bool {
    matches!(why, Failure::Refused(status, _) if *status == 429 || *status >= 500)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::discovery::ClientAuth;
    use crate::bench::plan::Credentials;
    use ::http::{StatusCode, Uri};

    fn refresh(tokens: &[&str]) -> Refresh {
        let client = Credentials::new(Some("c".to_owned()), None).unwrap().unwrap();
        let uri = Uri::from_static("https://a.example/token");
        let idle = tokens.iter().map(|token| Secret::new((*token).to_owned())).collect();
        Refresh { desk: Desk::new(&uri, &client, ClientAuth::Basic), idle: Mutex::new(idle) }
    }

    fn idle(refresh: &Refresh) -> Vec<String> {
        refresh.idle.lock().unwrap().iter().map(|token| token.expose().clone()).collect()
    }

    fn turn(refresh: &Refresh, status: u16, body: &'static str) -> Result<(), Failure> {
        let shot = refresh.shot(0)?;
        let answer = Answer::of(StatusCode::from_u16(status).unwrap(), body);
        refresh.judge(0, shot.lease, &answer).map(drop)
    }

    #[test]
    fn the_newest_token_of_a_family_is_used_next() {
        let refresh = refresh(&["a1", "b1"]);
        turn(&refresh, 200, r#"{"access_token":"x","refresh_token":"a2"}"#).unwrap();
        assert_eq!(idle(&refresh), ["b1", "a2"], "RFC6749-6");
        turn(&refresh, 200, r#"{"access_token":"x"}"#).unwrap();
        assert_eq!(idle(&refresh), ["a2", "b1"], "RFC6749-6");
    }

    #[test]
    fn a_busy_server_kills_no_family_and_a_refusal_does() {
        let refresh = refresh(&["a1"]);
        assert!(turn(&refresh, 503, "").is_err());
        assert_eq!(idle(&refresh), ["a1"]);
        assert!(turn(&refresh, 400, r#"{"error":"invalid_grant"}"#).is_err());
        assert_eq!(turn(&refresh, 200, ""), Err(Failure::Exhausted));
    }

    #[test]
    fn a_lost_answer_gives_the_token_back() {
        let refresh = refresh(&["a1"]);
        let shot = refresh.shot(0).unwrap();
        assert!(refresh.shot(1).is_err(), "one request at a time per family");
        refresh.lost(0, shot.lease);
        assert_eq!(idle(&refresh), ["a1"]);
    }
}
