//! Consent: a person sees who asks for what, and leaves out what they do not want to give.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode, Uri};
use keywright_protocol::audit::{Actor, EventType};
use keywright_protocol::authorize::checks::Entry;
use keywright_protocol::authorize::prompt::Step;
use keywright_protocol::authorize::{AuthorizeError, Refusal};
use keywright_protocol::wire::Params;

use crate::endpoint::form::read_page;
use crate::interaction::authorize::{Passed, Stopped, Visit, stop};
use crate::interaction::flow::{Browser, check_csrf, csrf};
use crate::interaction::page::{Policy, client_view, host_of, html, site, texts};
use crate::page::{ConsentPage, ScopeView};
use crate::router::Ctx;

const PAGE: &str = "consent";

/// Without it there is no sign-in to consent to.
const REQUIRED: &str = "openid";

/// Answers `GET /consent`.
pub async fn show(ctx: Ctx, headers: HeaderMap, uri: Uri) -> Response {
    let browser = Browser::of(&ctx, &headers);
    let shown = async {
        let visit = Visit::open(&ctx, &headers, &browser, uri.query())?;
        let passed = visit.pass(Entry::Resume).await?;
        if passed.step == Step::Consent { render(&visit, &passed).await } else { visit.to_resume() }
    };
    shown.await.unwrap_or_else(|stopped| stop(&ctx, &headers, &stopped))
}

/// Answers `POST /consent`.
pub async fn submit(ctx: Ctx, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let browser = Browser::of(&ctx, &parts.headers);
    let submitted = async {
        let params = read_page(&ctx, body).await?;
        let visit = Visit::from_params(&ctx, &parts.headers, &browser, &params)?;
        let passed = visit.pass(Entry::Resume).await?;
        // Somebody else may have signed in since: they did not see the page that is answered.
        check_csrf(&ctx, &parts.headers, (&browser, &page_of(&passed)), &params)?;
        // Signed out meanwhile, or the request wants a fresher sign-in.
        if !matches!(passed.step, Step::Consent | Step::Issue) {
            return visit.to_resume();
        }
        decide(&visit, &passed, &params).await
    };
    submitted.await.unwrap_or_else(|stopped| stop(&ctx, &parts.headers, &stopped))
}

/// The page as the person saw it who was signed in.
fn page_of(passed: &Passed) -> String {
    let session = passed.session.as_ref().map_or("", |session| session.id.as_str());
    format!("{PAGE} of {session}")
}

async fn decide(visit: &Visit<'_>, passed: &Passed, params: &Params) -> Result<Response, Stopped> {
    let denied = || Refusal::Redirect(passed.request.target.clone(), AuthorizeError::AccessDenied);
    let allowed = params.one("decision")? == Some("allow");
    let ticked: Vec<&str> = params.all("scope").collect();
    let asked = &passed.request.scope;
    // Only what was asked can be granted, whatever the form says.
    let granted = asked.filtered(|name| name == REQUIRED || ticked.contains(&name));
    if !allowed || granted.is_empty() {
        note_denial(visit.ctx, passed);
        return Err(denied().into());
    }
    visit.issue(passed, granted).await
}

fn note_denial(ctx: &Ctx, passed: &Passed) {
    let Some(session) = &passed.session else { return };
    let event = ctx
        .origin
        .event(EventType::ConsentDenied, Actor::User(session.sub.clone()), ctx.now())
        .client(&passed.request.client)
        .subject(&session.sub);
    let _dropped_when_full = ctx.app.notebook.event(event);
}

async fn render(visit: &Visit<'_>, passed: &Passed) -> Result<Response, Stopped> {
    let ctx = visit.ctx;
    let Some(session) = &passed.session else { return visit.to_resume() };
    let text = texts(visit.headers, passed.request.ui_locales.as_deref());
    let username = ctx.app.username(&ctx.origin.tenant, &session.sub).await?.unwrap_or_default();
    let catalog = ctx.tenant.catalog.load();
    let scopes: Vec<ScopeView<'_>> = passed
        .request
        .scope
        .iter()
        .map(|name| {
            let described = catalog.describe_scope(name);
            let words = described.and_then(|(_, scope)| scope.description.as_deref());
            ScopeView {
                optional: name != REQUIRED,
                resource: described.map(|(resource, _)| resource.identifier.as_str()),
                ..ScopeView::new(text, name, words)
            }
        })
        .collect();
    let flow = visit.flow.seal(ctx)?;
    let redirect_uri = &passed.request.target.redirect_uri;
    let host = host_of(redirect_uri);
    let page = ConsentPage {
        text,
        site: &site(ctx),
        client: client_view(ctx, &passed.client.client, host.as_deref()),
        username: &username,
        action: &format!("{}/{PAGE}", ctx.issuer()),
        csrf: &csrf(ctx, visit.browser, &page_of(passed), &flow),
        flow: &flow,
        scopes: &scopes,
    };
    Ok(html(StatusCode::OK, text, page.html(), &Policy::leading_to(redirect_uri)))
}
