//! `code`: the whole authorization code flow with PKCE, by people who are signed in already
//! (RFC 6749 §4.1, RFC 7636).
//!
//! Each of some browsers signs in before anything is measured. A turn is then one flow in a tab of
//! one of them: the authorization request, whatever pages and redirects the server puts between,
//! and the redemption of the code. The pages are Keywright's: `form#login-form` and
//! `form#consent-form`.

use std::sync::{Mutex, PoisonError};

use ::http::Uri;
use anyhow::anyhow;
use keywright_jose::{base64url_encode, sha256};
use keywright_protocol::secret::Secret;
use keywright_server::environment::{SystemEnvironment, random};

use super::client_credentials::parse_token;
use super::form::Desk;
use super::jar::Jar;
use super::page::{self, Form};
use super::{Ground, Lease, Next, Scenario, Shot, needed, visit};
use crate::bench::Stop;
use crate::bench::http::{Answer, Failure, parse_error_code};
use crate::bench::load::perform;
use crate::bench::target::Person;

/// Pages and redirects of one flow; more is a loop.
const MAX_PAGES: u8 = 12;
/// Browsers beyond this add memory and nothing else: a browser may have many tabs.
const MAX_BROWSERS: u16 = 64;

pub(super) struct Code {
    desk: Desk,
    person: Person,
    authorization: Uri,
    /// The parameters of the authorization request that are the same at each turn.
    query: String,
    browsers: Vec<Mutex<Jar>>,
}

/// One flow on its way.
pub(in crate::bench) struct Visit {
    browser: u64,
    verifier: Secret<String>,
    state: String,
    /// Where the browser is.
    at: Uri,
    pages_left: u8,
    signed_in: SignedIn,
    stage: Stage,
}

/// Whether this flow has met the sign-in page before.
#[derive(Clone, Copy, Eq, PartialEq)]
enum SignedIn {
    Before,
    Here,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Stage {
    Browsing,
    Redeeming,
}

/// What the tokens are wanted for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// The flow itself is what is measured.
    Flow,
    /// Each flow is to leave a refresh token behind.
    Families,
}

impl Code {
    /// Opens the browsers; nobody is signed in yet.
    pub(super) fn new(ground: &Ground<'_>, purpose: Purpose) -> Result<Self, Stop> {
        let person = ground.person()?.clone();
        let client = ground.client()?;
        let uri = needed(ground.endpoints.token.as_ref(), "token_endpoint")?;
        let authorization = ground.endpoints.authorization.as_ref();
        let authorization = needed(authorization, "authorization_endpoint")?.clone();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", &person.redirect_uri),
            ("code_challenge_method", "S256"),
        ]);
        let scope = match purpose {
            Purpose::Flow => "openid",
            Purpose::Families => "openid offline_access",
        };
        query.append_pair("scope", ground.scope.unwrap_or(scope));
        if purpose == Purpose::Families {
            // OpenID Connect Core §11: without it, offline access may be left out.
            query.append_pair("prompt", "consent");
        }
        query.extend_pairs(ground.resource.map(|resource| ("resource", resource)));
        Ok(Self {
            desk: Desk::new(uri, client, ground.endpoints.client_auth),
            person,
            authorization,
            query: query.finish(),
            browsers: (0..ground.connections.min(MAX_BROWSERS)).map(|_| Mutex::default()).collect(),
        })
    }

    /// Signs every browser in by one flow each, so that no password is checked while it is measured.
    pub(super) async fn sign_in(ground: &Ground<'_>) -> Result<Self, Stop> {
        let code = Self::new(ground, Purpose::Flow)?;
        for (turn, _) in (0..).zip(&code.browsers) {
            let signed_in = perform(ground.http, &code, turn).await.outcome;
            signed_in.map_err(|why| Stop::of(&why, "no code"))?;
        }
        Ok(code)
    }

    /// A refresh token of a family of its own for each connection.
    pub(super) async fn families(ground: &Ground<'_>) -> Result<Vec<Secret<String>>, Stop> {
        let code = Self::new(ground, Purpose::Families)?;
        let mut families = Vec::new();
        for turn in 0..u64::from(ground.connections) {
            let issued = perform(ground.http, &code, turn).await.outcome;
            let issued = issued.map_err(|why| Stop::of(&why, "no refresh token"))?;
            let token = issued.and_then(|tokens| tokens.refresh_token);
            let missing =
                || Stop::NotAllowed(anyhow!("no refresh token: is offline_access allowed?"));
            families.push(Secret::new(token.ok_or_else(missing)?));
        }
        Ok(families)
    }

    /// The jar of a browser. There is one at least: connections begin at 1.
    fn with_jar<T>(&self, browser: u64, work: impl FnOnce(&mut Jar) -> T) -> Result<T, Failure> {
        let count = u64::try_from(self.browsers.len()).unwrap_or(u64::MAX).max(1);
        let jar = usize::try_from(browser % count).ok().and_then(|at| self.browsers.get(at));
        let jar = jar.ok_or(Failure::Malformed("no browser"))?;
        Ok(work(&mut jar.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn open(&self, step: &'static str, mut visit: Box<Visit>, to: Uri) -> Result<Next, Failure> {
        visit.pages_left = visit.pages_left.checked_sub(1).ok_or(LOOP)?;
        let cookies = self.with_jar(visit.browser, |jar| jar.header(to.path()))?;
        visit.at = to.clone();
        Ok(Next::Send(Box::new(Shot::new(step, visit::get(to, cookies)).lend(Lease::Visit(visit)))))
    }

    fn submit(
        &self,
        step: &'static str,
        mut visit: Box<Visit>,
        form: &Form,
    ) -> Result<Next, Failure> {
        visit.pages_left = visit.pages_left.checked_sub(1).ok_or(LOOP)?;
        let to = visit::resolve(&visit.at, &form.action)?;
        let cookies = self.with_jar(visit.browser, |jar| jar.header(to.path()))?;
        let request = visit::post(to.clone(), cookies, &form.pairs);
        visit.at = to;
        Ok(Next::Send(Box::new(Shot::new(step, request).lend(Lease::Visit(visit)))))
    }

    /// A redirect: on to the next page, or back to the client.
    fn follow(&self, visit: Box<Visit>, location: &str) -> Result<Next, Failure> {
        match visit::parameters_of(location, &self.person.redirect_uri) {
            Some(parameters) => self.redeem(visit, &parameters),
            None => {
                let to = visit::resolve(&visit.at, location)?;
                self.open("redirect", visit, to)
            }
        }
    }

    fn redeem(
        &self,
        mut visit: Box<Visit>,
        parameters: &[(String, String)],
    ) -> Result<Next, Failure> {
        let value = |wanted: &str| {
            let found = parameters.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        if let Some(error) = value("error") {
            return Err(Failure::Refused(302, parse_error_code(error)));
        }
        // RFC 6749 §10.12.
        if value("state") != Some(&visit.state) {
            return Err(Failure::Malformed("state"));
        }
        let code = value("code").ok_or(Failure::Malformed("code"))?;
        let form = self.desk.form(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.person.redirect_uri),
            ("code_verifier", visit.verifier.expose()),
        ]);
        visit.stage = Stage::Redeeming;
        Ok(Next::Send(Box::new(
            Shot::new("redeem", self.desk.post(&form)).lend(Lease::Visit(visit)),
        )))
    }

    /// A page: the one that asks who is there, or the one that asks for consent.
    fn fill_in(&self, mut visit: Box<Visit>, answer: &Answer) -> Result<Next, Failure> {
        let text = String::from_utf8_lossy(&answer.body);
        if let Some(mut form) = Form::find(&text, "login-form") {
            if visit.signed_in == SignedIn::Here {
                return Err(Failure::SignIn);
            }
            visit.signed_in = SignedIn::Here;
            form.fill("username", &self.person.username);
            form.fill("password", self.person.password.expose());
            form.press("login-submit");
            return self.submit("sign-in", visit, &form);
        }
        if let Some(mut form) = Form::find(&text, "consent-form") {
            form.press("consent-allow");
            return self.submit("consent", visit, &form);
        }
        if answer.status.is_success() {
            return Err(Failure::Malformed("a page without a form that is known"));
        }
        let code = page::error_of(&text).as_deref().and_then(parse_error_code);
        Err(Failure::Refused(answer.status.as_u16(), code))
    }
}

const LOOP: Failure = Failure::Malformed("the pages do not end");

impl Scenario for Code {
    fn shot(&self, turn: u64) -> Result<Shot, Failure> {
        let secret = || base64url_encode(&random::<32>(&SystemEnvironment));
        let (verifier, state) = (secret(), secret());
        let mut query = form_urlencoded::Serializer::new(self.query.clone());
        query.extend_pairs([
            ("code_challenge", base64url_encode(&sha256(verifier.as_bytes())).as_str()),
            ("state", &state),
            ("nonce", &secret()),
        ]);
        let to = visit::with_query(&self.authorization, &query.finish())?;
        let visit = Box::new(Visit {
            browser: turn,
            verifier: Secret::new(verifier),
            state,
            at: to.clone(),
            pages_left: MAX_PAGES,
            signed_in: SignedIn::Before,
            stage: Stage::Browsing,
        });
        match self.open("authorize", visit, to)? {
            Next::Send(shot) => Ok(*shot),
            Next::Done | Next::Issued(_) => Err(LOOP),
        }
    }

    fn judge(&self, _turn: u64, lease: Lease, answer: &Answer) -> Result<Next, Failure> {
        let Lease::Visit(visit) = lease else { return Err(Failure::Malformed("no flow")) };
        if visit.stage == Stage::Redeeming {
            return parse_token(answer).map(Next::Issued);
        }
        self.with_jar(visit.browser, |jar| jar.absorb(&answer.headers))?;
        match answer.location() {
            Some(location) => self.follow(visit, location),
            None => self.fill_in(visit, answer),
        }
    }
}
