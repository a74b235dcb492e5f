//! Which page comes next, OpenID Connect Core §3.1.2.3 and §3.1.2.4.

use std::time::Duration;

use crate::authorize::{AuthorizationRequest, AuthorizeError, Prompt};
use crate::client::{Client, ConsentRule};
use crate::grant::StoredGrant;
use crate::session::Session;
use crate::time::Timestamp;

/// What stands between a request and its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Ask for consent.
    Consent,
    /// Nothing: issue the code.
    Issue,
    /// Ask who it is.
    Login,
    /// Ask again, although somebody is signed in.
    Reauthenticate,
    /// Tell the client why not.
    Refuse(AuthorizeError),
}

/// What is known when a step is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Who asks.
    pub client: &'a Client,
    /// The browser's live session.
    pub session: Option<&'a Session>,
    /// What this user granted to this client before.
    pub grant: Option<&'a StoredGrant>,
    /// When this flow began: a sign-in after it satisfies `prompt=login` and `max_age`.
    pub started: Timestamp,
}

/// Chooses the next step.
pub fn next_step(request: &AuthorizationRequest, situation: Situation<'_>) -> Step {
    let silent = request.prompt == Prompt::None;
    let Some(session) = situation.session else {
        return if silent { Step::Refuse(AuthorizeError::LoginRequired) } else { Step::Login };
    };
    if request.hinted_sub.as_ref().is_some_and(|sub| *sub != session.sub) {
        // OpenID Connect Core §3.1.2.1: the hinted user, or an error.
        return if silent { Step::Refuse(AuthorizeError::WrongUser) } else { Step::Reauthenticate };
    }
    if is_stale(request, session, situation.started) {
        return if silent {
            Step::Refuse(AuthorizeError::LoginRequired)
        } else {
            Step::Reauthenticate
        };
    }
    if needs_consent(request, &situation) {
        return if silent { Step::Refuse(AuthorizeError::ConsentRequired) } else { Step::Consent };
    }
    Step::Issue
}

fn is_stale(request: &AuthorizationRequest, session: &Session, started: Timestamp) -> bool {
    let signed_in = session.authentication.time;
    let login_asked = matches!(request.prompt, Prompt::Asked { login: true, .. });
    let too_old = request
        .max_age_s
        .is_some_and(|s| signed_in.plus(Duration::from_secs(u64::from(s))) < started);
    too_old || (login_asked && signed_in < started)
}

fn needs_consent(request: &AuthorizationRequest, situation: &Situation<'_>) -> bool {
    if matches!(request.prompt, Prompt::Asked { consent: true, .. }) {
        return true;
    }
    if situation.client.metadata.keywright_consent == Some(ConsentRule::Implicit) {
        return false;
    }
    // RFC 8252 §8.6: any program on the device could be the receiver, so the person decides.
    if request.receiver_unproven {
        return true;
    }
    situation.grant.is_none_or(|grant| {
        let new_resource = request.resources.iter().any(|r| !grant.resources.contains(r));
        new_resource || !request.scope.is_subset_of(&grant.scope)
    })
}
