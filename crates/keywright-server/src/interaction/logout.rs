//! RP-initiated logout, OpenID Connect RP-Initiated Logout 1.0.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use keywright_jose::Claims;
use keywright_protocol::audit::{Actor, EventType, Record};
use keywright_protocol::id::ClientId;
use keywright_protocol::session::Session;
use keywright_protocol::wire::authorize::with_query;
use keywright_protocol::wire::logout::LogoutRequest;
use keywright_protocol::wire::{ErrorCode, Params, RequestError, WireError};
use keywright_store::session::{EndSession, SessionEnd};

use crate::endpoint::form::{UnreadPage, is_form, read_body, read_page};
use crate::error::ServerFault;
use crate::interaction::authorize::open_id_token;
use crate::interaction::cookie::{Cookie, session_token};
use crate::interaction::flow::{Browser, Flow, FlowError, FlowKind, check_csrf, csrf};
use crate::interaction::page::{
    Policy, client_view, error_page, fault_page, html, remember_browser, see_other, site, texts,
};
use crate::page::{LogoutPage, SignedOutPage};
use crate::router::Ctx;
use crate::tenants::LoadedClient;

const PAGE: &str = "logout";

/// Why nobody is signed out.
enum Stopped {
    Fault(ServerFault),
    Flow(FlowError),
    Page(UnreadPage),
    Refused(&'static str),
    Request(RequestError),
}

impl<E: Into<ServerFault>> From<E> for Stopped {
    fn from(fault: E) -> Self {
        Self::Fault(fault.into())
    }
}

/// Who asks, and where to go: verified.
struct Verified {
    client: Option<std::sync::Arc<LoadedClient>>,
    hint: Option<Claims>,
    redirect: Option<String>,
    ui_locales: Option<String>,
}

/// Answers `GET /logout`.
pub async fn logout(ctx: Ctx, headers: HeaderMap, uri: Uri) -> Response {
    let browser = Browser::of(&ctx, &headers);
    let query = uri.query().unwrap_or_default();
    let response = begin(&ctx, &headers, &browser, query).await;
    let response = response.unwrap_or_else(|stopped| stop(&ctx, &headers, &stopped));
    remember_browser(&ctx, response, &browser)
}

/// Answers `POST /logout`, §2: the browser asks again with GET, since it withholds the session's
/// cookie from a post that comes from elsewhere.
pub async fn logout_post(ctx: Ctx, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = if is_form(&parts.headers) { read_body(&ctx, body).await.ok() } else { None };
    match body.map(|body| String::from_utf8(body.to_vec())) {
        Some(Ok(query)) if query.bytes().all(|b| b.is_ascii_graphic()) => {
            see_other(&format!("{}/logout?{query}", ctx.issuer()))
        }
        _ => stop(&ctx, &parts.headers, &Stopped::Refused("the form cannot be read")),
    }
}

/// Answers `POST /logout/confirm`: the person has decided.
pub async fn confirm(ctx: Ctx, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let browser = Browser::of(&ctx, &parts.headers);
    let confirmed = async {
        let params = read_page(&ctx, body).await.map_err(Stopped::Page)?;
        check_csrf(&ctx, &parts.headers, (&browser, PAGE), &params).map_err(Stopped::Flow)?;
        let sealed = params.one("flow").map_err(Stopped::Request)?.unwrap_or_default();
        let flow = Flow::open(&ctx, sealed, FlowKind::Logout, &browser).map_err(Stopped::Flow)?;
        let verified = verify(&ctx, &flow.query)?;
        if params.one("decision").map_err(Stopped::Request)? != Some("confirm") {
            return Ok(see_other(&format!("{}/", ctx.issuer())));
        }
        let session = live_session(&ctx, &parts.headers).await?;
        end(&ctx, &parts.headers, session, &verified).await
    };
    confirmed.await.unwrap_or_else(|stopped| stop(&ctx, &parts.headers, &stopped))
}

async fn begin(
    ctx: &Ctx,
    headers: &HeaderMap,
    browser: &Browser,
    query: &str,
) -> Result<Response, Stopped> {
    let verified = verify(ctx, query)?;
    let session = live_session(ctx, headers).await?;
    match &session {
        None => end(ctx, headers, None, &verified).await,
        // The hint proves that the client speaks for this very session; otherwise anybody's link
        // could sign people out, so they are asked, §2.
        Some(live) if hint_names(verified.hint.as_ref(), live) => {
            end(ctx, headers, session, &verified).await
        }
        Some(live) => ask(ctx, headers, browser, query, live, &verified).await,
    }
}

fn hint_names(hint: Option<&Claims>, session: &Session) -> bool {
    let sid = hint.and_then(|claims| claims.str("sid").ok().flatten());
    sid == Some(session.id.as_str())
}

/// §2 and §3: a redirect only to an address that the verified client has registered.
fn verify(ctx: &Ctx, query: &str) -> Result<Verified, Stopped> {
    let params = Params::parse(query.as_bytes()).map_err(Stopped::Request)?;
    let request = LogoutRequest::parse(&params).map_err(Stopped::Request)?;
    let hint = match &request.unverified_id_token_hint {
        Some(text) => Some(
            open_id_token(ctx, text)
                .ok_or(Stopped::Refused("id_token_hint is not an ID token of this server"))?,
        ),
        None => None,
    };
    let hinted = hint.as_ref().and_then(|claims| claims.str("aud").ok().flatten());
    let named = match (request.client_id.as_deref(), hinted) {
        (Some(named), Some(hinted)) if named != hinted => {
            return Err(Stopped::Refused("client_id is not the audience of id_token_hint"));
        }
        (named, hinted) => named.or(hinted),
    };
    let client =
        named.and_then(|id| ClientId::parse(id).ok()).and_then(|id| ctx.tenant.client(&id));
    let client = client.filter(|loaded| !loaded.client.disabled);
    let redirect = match &request.post_logout_redirect_uri {
        Some(uri) => Some(verify_redirect(uri, client.as_deref(), request.state.as_deref())?),
        None => None,
    };
    Ok(Verified { client, hint, redirect, ui_locales: request.ui_locales })
}

fn verify_redirect(
    uri: &str,
    client: Option<&LoadedClient>,
    state: Option<&str>,
) -> Result<String, Stopped> {
    let client = client
        .ok_or(Stopped::Refused("post_logout_redirect_uri needs id_token_hint or client_id"))?;
    let registered = &client.client.metadata.post_logout_redirect_uris;
    if !registered.iter().any(|known| known.matches(uri)) {
        return Err(Stopped::Refused("post_logout_redirect_uri is not registered for this client"));
    }
    Ok(with_query(uri, state.map(|state| ("state", state)).into_iter()))
}

async fn live_session(ctx: &Ctx, headers: &HeaderMap) -> Result<Option<Session>, Stopped> {
    let Some(token) = session_token(ctx, headers) else { return Ok(None) };
    Ok(ctx.app.store.load_session(&ctx.origin.tenant, token.hash(), ctx.now()).await?)
}

async fn ask(
    ctx: &Ctx,
    headers: &HeaderMap,
    browser: &Browser,
    query: &str,
    session: &Session,
    verified: &Verified,
) -> Result<Response, Stopped> {
    let text = texts(headers, verified.ui_locales.as_deref());
    let flow = Flow::begin(FlowKind::Logout, query.to_owned(), browser, ctx.now()).seal(ctx)?;
    let username = ctx.app.username(&ctx.origin.tenant, &session.sub).await?;
    let page = LogoutPage {
        text,
        site: &site(ctx),
        client: verified.client.as_ref().map(|loaded| client_view(ctx, &loaded.client, None)),
        username: username.as_deref(),
        action: &format!("{}/logout/confirm", ctx.issuer()),
        csrf: &csrf(ctx, browser, PAGE, &flow),
        flow: &flow,
    };
    let policy = verified.redirect.as_deref().map(Policy::leading_to).unwrap_or_default();
    Ok(html(StatusCode::OK, text, page.html(), &policy))
}

async fn end(
    ctx: &Ctx,
    headers: &HeaderMap,
    session: Option<Session>,
    verified: &Verified,
) -> Result<Response, Stopped> {
    let mut entries = Vec::new();
    if let Some(session) = session {
        let mut event = ctx
            .origin
            .event(EventType::SessionEnded, Actor::User(session.sub.clone()), ctx.now())
            .subject(&session.sub)
            .because("signed out");
        event.session_id = Some(session.id.clone());
        let end = EndSession {
            tenant: ctx.origin.tenant.clone(),
            session: session.id,
            how: SessionEnd::Logout,
            tokens_expire_at: ctx.app.tokens_expire_at(&ctx.tenant, ctx.now()),
            record: Record::of(event),
        };
        entries = ctx.app.store.end_session(end).await?;
    }
    // Another node may have ended it just now: whoever is told so may count on this one.
    ctx.app.learn_and_follow(&entries).await?;
    let mut response = match &verified.redirect {
        Some(redirect) => see_other(redirect),
        None => signed_out(ctx, headers, verified),
    };
    if let Some(cookie) = Cookie::Session.clear(ctx) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn signed_out(ctx: &Ctx, headers: &HeaderMap, verified: &Verified) -> Response {
    let text = texts(headers, verified.ui_locales.as_deref());
    let page = SignedOutPage {
        text,
        site: &site(ctx),
        client: verified.client.as_ref().map(|loaded| client_view(ctx, &loaded.client, None)),
        continue_uri: None,
    };
    html(StatusCode::OK, text, page.html(), &Policy::default())
}

fn stop(ctx: &Ctx, headers: &HeaderMap, stopped: &Stopped) -> Response {
    let wire = match stopped {
        Stopped::Fault(fault) => return fault_page(ctx, headers, fault),
        Stopped::Flow(error) => error.wire(),
        Stopped::Page(error) => error.wire(),
        Stopped::Refused(why) => WireError::new(ErrorCode::InvalidRequest, why),
        Stopped::Request(error) => WireError::from(error),
    };
    error_page(ctx, headers, wire)
}
