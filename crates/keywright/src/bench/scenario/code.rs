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

    /// Signs every browser in by one flow each: no password is checked while it is measured.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::discovery::{ClientAuth, Endpoints};
    use crate::bench::http::Http;
    use crate::bench::plan::Credentials;
    use ::http::header::{COOKIE, LOCATION, SET_COOKIE};
    use ::http::{HeaderValue, StatusCode};
    use std::sync::Arc;

    const LOGIN: &str = r#"<form id="login-form" action="/login"><input name="csrf" value="t">
        <input name="username"><input name="password"></form>"#;
    const CONSENT: &str = r#"<form id="consent-form" action="/consent">
        <button id="consent-allow" name="decision" value="allow"></form>"#;

    fn code() -> Code {
        let endpoints = Endpoints {
            metadata: Uri::default(),
            authorization: Some(Uri::from_static("https://a.example/authorize")),
            token: Some(Uri::from_static("https://a.example/token")),
            introspection: None,
            jwks: None,
            revocation: None,
            client_auth: ClientAuth::Basic,
        };
        let client = Credentials::new(Some("c".to_owned()), None).unwrap();
        let person = Person {
            username: "alice".to_owned(),
            password: Arc::new(Secret::new("sesame".to_owned())),
            redirect_uri: "https://c.example/cb".to_owned(),
        };
        let ground = Ground {
            http: &Http::new(1, None).unwrap(),
            endpoints: &endpoints,
            client: client.as_ref(),
            person: Some(&person),
            scope: None,
            resource: None,
            connections: 1,
        };
        Code::new(&ground, Purpose::Flow).ok().unwrap()
    }

    fn page(text: &str) -> Answer {
        Answer::of(StatusCode::OK, text)
    }

    fn redirect(to: &str) -> Answer {
        let mut answer = Answer::of(StatusCode::SEE_OTHER, "");
        answer.headers.insert(LOCATION, HeaderValue::from_str(to).unwrap());
        answer.headers.insert(SET_COOKIE, HeaderValue::from_static("s=1; Path=/"));
        answer
    }

    /// Where the client gets its code, with the state of the flow.
    fn back(shot: &Shot) -> Answer {
        redirect(&format!("https://c.example/cb?code=x&state={}", visit(shot).state))
    }

    fn visit(shot: &Shot) -> &Visit {
        match &shot.lease {
            Lease::Visit(visit) => visit,
            Lease::Nothing | Lease::Renewal(_) | Lease::Token(_) => {
                panic!("every shot is of a flow")
            }
        }
    }

    /// Gives an answer; what is sent next.
    fn answer(code: &Code, shot: Shot, answer: &Answer) -> Result<Shot, Failure> {
        match code.judge(0, shot.lease, answer)? {
            Next::Send(next) => Ok(*next),
            Next::Done | Next::Issued(_) => panic!("the flow is not over"),
        }
    }

    #[test]
    fn a_flow_goes_through_its_pages_to_the_tokens() {
        let code = code();
        let mut shot = code.shot(0).unwrap();
        let query = shot.request.uri().query().unwrap().to_owned();
        for part in ["response_type=code", "code_challenge_method=S256", "&code_challenge="] {
            assert!(query.contains(part), "RFC7636-4.3: {query}");
        }
        let mut steps = vec![shot.step];
        for page in [redirect("/login?flow=f"), page(LOGIN), redirect("/consent"), page(CONSENT)] {
            shot = answer(&code, shot, &page).unwrap();
            steps.push(shot.step);
        }
        assert_eq!(shot.request.headers().get(COOKIE).unwrap(), "s=1");
        let back = back(&shot);
        shot = answer(&code, shot, &back).unwrap();
        steps.push(shot.step);
        let want = ["authorize", "redirect", "sign-in", "redirect", "consent", "redeem"];
        assert_eq!(steps, want);
        assert!(shot.request.headers().get(COOKIE).is_none(), "the client is no browser");
        let tokens = page(r#"{"access_token":"t","refresh_token":"r"}"#);
        let Ok(Next::Issued(tokens)) = code.judge(0, shot.lease, &tokens) else {
            panic!("the tokens are the end")
        };
        assert_eq!(tokens.refresh_token.as_deref(), Some("r"));
    }

    #[test]
    fn what_is_not_the_answer_ends_the_flow() {
        let code = code();
        let error = Answer::of(
            StatusCode::BAD_REQUEST,
            r#"<main id="error" data-error="invalid_request">"#,
        );
        for (given, want) in [
            (redirect("https://c.example/cb?code=x&state=other"), "malformed answer: state"),
            (redirect("https://c.example/cb?error=access_denied"), "302 access_denied"),
            (
                redirect("https://evil.example/cb?code=x"),
                "malformed answer: a redirect to somebody else",
            ),
            (error, "400 invalid_request"),
            (page("<p>hello"), "malformed answer: a page without a form that is known"),
            (Answer::of(StatusCode::SERVICE_UNAVAILABLE, ""), "503"),
        ] {
            let shot = code.shot(0).unwrap();
            let failure = answer(&code, shot, &given).err().unwrap();
            assert_eq!(failure.to_string(), want);
        }
    }

    #[test]
    fn neither_a_wrong_password_nor_a_loop_goes_on_for_ever() {
        let code = code();
        let again = answer(&code, code.shot(0).unwrap(), &page(LOGIN)).unwrap();
        assert_eq!(answer(&code, again, &page(LOGIN)).err(), Some(Failure::SignIn));
        let mut shot = code.shot(0).unwrap();
        let ended = (0..100).find_map(|_| {
            let given = redirect("/round");
            let lease = std::mem::replace(&mut shot.lease, Lease::Nothing);
            match code.judge(0, lease, &given) {
                Ok(Next::Send(next)) => {
                    shot = *next;
                    None
                }
                Ok(_) => panic!("a redirect is not the end"),
                Err(why) => Some(why),
            }
        });
        assert_eq!(ended, Some(LOOP));
    }
}
