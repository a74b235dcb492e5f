//! Signing in by password.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use keywright_protocol::audit::{Actor, EventType, Record};
use keywright_protocol::authorize::checks::Entry;
use keywright_protocol::authorize::prompt::Step;
use keywright_protocol::id::SessionId;
use keywright_protocol::limits::PASSWORD_BYTES_MAX;
use keywright_protocol::secret::Secret;
use keywright_protocol::session::{Authentication, Session};
use keywright_protocol::token::SessionToken;
use keywright_protocol::user::Username;
use keywright_protocol::wire::Params;
use keywright_store::session::{EndSession, SessionEnd, SignIn, SignedIn};
use keywright_store::user::Login;

use crate::endpoint::form::read_page;
use crate::environment::random;
use crate::error::ServerFault;
use crate::interaction::authorize::{Passed, Stopped, Visit, stop};
use crate::interaction::cookie::{Cookie, session_token};
use crate::interaction::flow::{Browser, check_csrf, csrf};
use crate::interaction::page::{Policy, client_view, host_of, html, site, texts};
use crate::page::{LoginError, LoginPage};
use crate::password::PasswordVerdict;
use crate::router::Ctx;

const PAGE: &str = "login";

/// Answers `GET /login`.
pub async fn show(ctx: Ctx, headers: HeaderMap, uri: Uri) -> Response {
    let browser = Browser::of(&ctx, &headers);
    let shown = async {
        let visit = Visit::open(&ctx, &headers, &browser, uri.query())?;
        let passed = visit.pass(Entry::Resume).await?;
        if !matches!(passed.step, Step::Login | Step::Reauthenticate) {
            return visit.to_resume();
        }
        let hint = passed.request.login_hint.clone().unwrap_or_default();
        render(&visit, &passed, &hint, None)
    };
    shown.await.unwrap_or_else(|stopped| stop(&ctx, &headers, &stopped))
}

/// Answers `POST /login`.
pub async fn submit(ctx: Ctx, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let browser = Browser::of(&ctx, &parts.headers);
    let submitted = async {
        let params = read_page(&ctx, body).await?;
        check_csrf(&ctx, &parts.headers, (&browser, PAGE), &params)?;
        let visit = Visit::from_params(&ctx, &parts.headers, &browser, &params)?;
        let passed = visit.pass(Entry::Resume).await?;
        let typed = params.one("username")?.unwrap_or_default().to_owned();
        match prove(&ctx, &typed, &params).await? {
            Ok(login) => sign_in(&visit, login).await,
            Err(error) => render(&visit, &passed, &typed, Some(error)),
        }
    };
    submitted.await.unwrap_or_else(|stopped| stop(&ctx, &parts.headers, &stopped))
}

/// Whether the person is who they say; a failure says nothing about which half was wrong.
async fn prove(
    ctx: &Ctx,
    typed: &str,
    params: &Params,
) -> Result<Result<Login, LoginError>, Stopped> {
    let guess = match Guess::take(ctx, typed) {
        Ok(guess) => guess,
        Err(wait) => {
            ctx.app.metrics.login("throttled", "password");
            return Ok(Err(LoginError::Throttled { retry_after_s: wait.as_secs().max(1) }));
        }
    };
    match judge(ctx, typed, params).await {
        Ok(Some(login)) => {
            guess.succeed(ctx);
            ctx.app.metrics.login("success", "password");
            Ok(Ok(login))
        }
        Ok(None) => {
            note_failure(ctx);
            guess.fail(ctx);
            Ok(Err(LoginError::Credentials))
        }
        // Nothing was judged.
        Err(fault) => {
            guess.give_back(ctx);
            match fault {
                ServerFault::Overload(_) => Ok(Err(LoginError::Busy)),
                fault => Err(fault.into()),
            }
        }
    }
}

/// Who the person is, if the password is theirs.
async fn judge(ctx: &Ctx, typed: &str, params: &Params) -> Result<Option<Login>, ServerFault> {
    let login = match Username::parse(typed) {
        Ok(username) => ctx.app.store.load_login(&ctx.origin.tenant, &username).await?,
        Err(_) => None,
    };
    let password =
        secret_field(params, "password").filter(|p| p.expose().len() <= PASSWORD_BYTES_MAX);
    let hash = login.as_ref().and_then(|login| login.password_hash.clone());
    let verdict = match password {
        Some(password) => ctx.app.passwords.verify(password, hash).await?,
        None => PasswordVerdict::Wrong,
    };
    // A disabled account fails like a wrong password: nobody learns that it exists.
    Ok(login.filter(|login| verdict == PasswordVerdict::Matches && !login.user.disabled))
}

/// A secret that a form carried.
fn secret_field(params: &Params, name: &'static str) -> Option<Secret<String>> {
    params.one(name).ok().flatten().map(|value| Secret::new(value.to_owned()))
}

/// A guess that counts, at an account and from an address, until it has proven itself.
struct Guess {
    account: String,
    everywhere: String,
    address: String,
}

impl Guess {
    fn take(ctx: &Ctx, typed: &str) -> Result<Self, Duration> {
        // What cannot be anybody's name is all one account: nothing grows with what is typed.
        let name = Username::parse(typed);
        let name = name.as_ref().map_or("", Username::as_str);
        let everywhere = format!("{}|{name}", ctx.origin.tenant);
        let address = ctx.network();
        // From one network few guesses, from all together twice as many: a stranger elsewhere
        // cannot alone keep somebody out by guessing wrong.
        let account = format!("{everywhere}|{address}");
        let tries = [
            (&ctx.app.guesses_from_address, &address),
            (&ctx.app.guesses_at_account, &account),
            (&ctx.app.guesses_everywhere, &everywhere),
        ];
        for (taken, (throttle, key)) in tries.iter().enumerate() {
            if let Err(wait) = throttle.attempt(key, ctx.now()) {
                tries.iter().take(taken).for_each(|(throttle, key)| throttle.give_back(key));
                return Err(wait);
            }
        }
        Ok(Self { account, everywhere, address })
    }

    /// It counts, on every node.
    fn fail(self, ctx: &Ctx) {
        ctx.app.share_failure(|app| &app.guesses_at_account, self.account);
        ctx.app.share_failure(|app| &app.guesses_everywhere, self.everywhere);
        ctx.app.share_failure(|app| &app.guesses_from_address, self.address);
    }

    fn give_back(&self, ctx: &Ctx) {
        ctx.app.guesses_at_account.give_back(&self.account);
        ctx.app.guesses_everywhere.give_back(&self.everywhere);
        ctx.app.guesses_from_address.give_back(&self.address);
    }

    /// One account's password says nothing about who else guesses from the address.
    fn succeed(&self, ctx: &Ctx) {
        if ctx.app.guesses_at_account.succeed(&self.account) > 1 {
            ctx.app.forget_failures(|app| &app.guesses_at_account, &self.account);
        }
        ctx.app.guesses_everywhere.give_back(&self.everywhere);
        ctx.app.guesses_from_address.give_back(&self.address);
    }
}

fn note_failure(ctx: &Ctx) {
    ctx.app.metrics.login("failure", "password");
    let event = ctx.origin.event(EventType::LoginFailed, Actor::Anonymous, ctx.now());
    // Beyond the bound of waiting events, failures are counted by the metric alone.
    let _dropped_when_full = ctx.app.notebook.event(event.failed().because("password"));
}

async fn sign_in(visit: &Visit<'_>, login: Login) -> Result<Response, Stopped> {
    let ctx = visit.ctx;
    let user = &login.user;
    // The moment after the slow hash, so that `auth_time` never lies before the flow began.
    let now = ctx.app.now().max(visit.flow.started);
    let token = SessionToken::from_random(random(&*ctx.app.environment));
    let session = Session {
        id: SessionId::from_random(random(&*ctx.app.environment)),
        sub: user.sub.clone(),
        authentication: Authentication::by_password(now),
        expires_at: now.plus(ctx.app.config.load().limits.session_lifetime),
        ip: ctx.origin.ip.clone(),
        user_agent: ctx.origin.user_agent.clone(),
    };
    let event = ctx
        .origin
        .event(EventType::LoginSucceeded, Actor::User(user.sub.clone()), now)
        .subject(&user.sub)
        .because("password");
    let sign_in = SignIn {
        tenant: ctx.origin.tenant.clone(),
        cookie: token.hash(),
        session,
        previous: session_token(ctx, visit.headers).map(|previous| previous.hash()),
        tokens_expire_at: ctx.app.tokens_expire_at(&ctx.tenant, now),
        record: Record::of(event),
    };
    match ctx.app.store.sign_in(sign_in).await? {
        SignedIn::Committed { session, revoked } => {
            ctx.app.learn(&revoked);
            if has_new_password(ctx, &login).await? {
                end_at_once(ctx, session).await?;
                return visit.to_resume();
            }
            let mut response = visit.to_resume()?;
            if let Some(cookie) = Cookie::Session.set(ctx, &token.to_wire()) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        SignedIn::SubjectGone => visit.to_resume(),
    }
}

/// Whether the password was changed while this one was being compared. A change that comes later
/// finds the session and ends it.
async fn has_new_password(ctx: &Ctx, login: &Login) -> Result<bool, Stopped> {
    let now = ctx.app.store.load_login(&ctx.origin.tenant, &login.user.username).await?;
    Ok(now.is_none_or(|now| now.password_hash != login.password_hash))
}

async fn end_at_once(ctx: &Ctx, session: Session) -> Result<(), Stopped> {
    let now = ctx.app.now();
    let actor = Actor::User(session.sub.clone());
    let mut event = ctx
        .origin
        .event(EventType::SessionEnded, actor, now)
        .subject(&session.sub)
        .because("the password was changed during the sign-in");
    event.session_id = Some(session.id.clone());
    let end = EndSession {
        tenant: ctx.origin.tenant.clone(),
        session: session.id,
        how: SessionEnd::Revoked,
        tokens_expire_at: ctx.app.tokens_expire_at(&ctx.tenant, now),
        record: Record::of(event),
    };
    ctx.app.learn(&ctx.app.store.end_session(end).await?);
    Ok(())
}

fn render(
    visit: &Visit<'_>,
    passed: &Passed,
    username: &str,
    error: Option<LoginError>,
) -> Result<Response, Stopped> {
    let ctx = visit.ctx;
    let text = texts(visit.headers, passed.request.ui_locales.as_deref());
    let flow = visit.flow.seal(ctx)?;
    let redirect_uri = &passed.request.target.redirect_uri;
    let host = host_of(redirect_uri);
    let status = match &error {
        None | Some(LoginError::Credentials) => StatusCode::OK,
        Some(LoginError::Throttled { .. }) => StatusCode::TOO_MANY_REQUESTS,
        Some(LoginError::Busy) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let wait_s = match &error {
        Some(LoginError::Throttled { retry_after_s }) => Some(*retry_after_s),
        Some(LoginError::Busy) => Some(1),
        Some(LoginError::Credentials) | None => None,
    };
    let page = LoginPage {
        text,
        site: &site(ctx),
        client: Some(client_view(ctx, &passed.client.client, host.as_deref())),
        action: &format!("{}/{PAGE}", ctx.issuer()),
        csrf: &csrf(ctx, visit.browser, PAGE, &flow),
        flow: &flow,
        username,
        error,
        reauthenticate: passed.step == Step::Reauthenticate,
    };
    let mut response = html(status, text, page.html(), &Policy::leading_to(redirect_uri));
    if let Some(wait_s) = wait_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    }
    Ok(response)
}
