//! Pages as HTTP responses: one content security policy, one language, nothing kept.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use keywright_protocol::client::Client;
use keywright_protocol::redirect_uri::origin_of;
use keywright_protocol::wire::{ErrorCode, WireError};

use crate::endpoint::response::{no_store, with_type};
use crate::error::ServerFault;
use crate::interaction::cookie::Cookie;
use crate::interaction::flow::Browser;
use crate::interaction::logo;
use crate::page::{ClientView, ErrorPage, IndexPage, Texts, negotiate};
use crate::router::Ctx;

/// An HTML page.
pub fn html(status: StatusCode, text: &Texts, body: String, policy: &Policy) -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = no_store(with_type(status, Bytes::from(body), kind));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&policy.header()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, value);
    }
    // RFC 9700 §4.16, for browsers that do not know frame-ancestors.
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // RFC 9700 §4.2.4: no address of a page leaves it.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(text.lang));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Language"));
    response
}

/// What a page may do.
#[derive(Debug, Default)]
pub struct Policy {
    /// Where its forms may lead, beside this server: the client, at the end of a flow.
    pub leads_to: Option<String>,
    /// The hash of its one script.
    pub script: Option<&'static str>,
}

impl Policy {
    /// A page whose form leads, in the end, to a client.
    pub fn leading_to(redirect_uri: &str) -> Self {
        Self { leads_to: form_target(redirect_uri), script: None }
    }

    fn header(&self) -> String {
        let script = self.script.map(|s| format!("; script-src {s}")).unwrap_or_default();
        // Browsers hold redirects after a post against form-action, and a client's own redirects
        // too: any https address may follow, and the client's own where that is not https.
        let leads_to = self.leads_to.as_ref().map(|s| format!(" https: {s}")).unwrap_or_default();
        format!(
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
             frame-ancestors 'none'; form-action 'self'{leads_to}{script}"
        )
    }
}

/// A redirect URI as a source of a content security policy: its origin, or its scheme.
fn form_target(redirect_uri: &str) -> Option<String> {
    let scheme = || redirect_uri.split_once(':').map(|(scheme, _)| format!("{scheme}:"));
    origin_of(redirect_uri).or_else(scheme)
}

/// The language of a page.
pub fn texts(headers: &HeaderMap, ui_locales: Option<&str>) -> &'static Texts {
    let wanted: Vec<&str> = ui_locales.unwrap_or_default().split(' ').collect();
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    negotiate(&wanted, accept)
}

/// The name of the site, as people read it.
pub fn site(ctx: &Ctx) -> String {
    ctx.tenant.tenant.load().display_name.clone()
}

/// The error page: never a redirect.
pub fn error_page(ctx: &Ctx, headers: &HeaderMap, wire: WireError) -> Response {
    let text = texts(headers, None);
    let body = ErrorPage {
        text,
        site: &site(ctx),
        code: wire.code.as_str(),
        description: wire.description,
        request_id: ctx.request_id().as_str(),
    }
    .html();
    // A person without a session is not "unauthorized" in HTTP's sense: there is no challenge.
    let status = match wire.code {
        ErrorCode::InvalidClient => StatusCode::BAD_REQUEST,
        code => StatusCode::from_u16(code.status()).unwrap_or(StatusCode::BAD_REQUEST),
    };
    html(status, text, body, &Policy::default())
}

/// The error page of a fault of ours.
pub fn fault_page(ctx: &Ctx, headers: &HeaderMap, fault: &ServerFault) -> Response {
    tracing::error!(request.id = %ctx.request_id(), error = %fault, "request failed");
    let wire = crate::error::Refused::Fault(ServerFault::Overload("")).wire();
    if fault.passes() {
        return error_page(ctx, headers, wire);
    }
    let description = "the server failed; the operator has the reason";
    error_page(ctx, headers, WireError::new(ErrorCode::ServerError, description))
}

/// A redirect after which the browser asks with GET, RFC 9700 §4.12.
pub fn see_other(location: &str) -> Response {
    let mut response = no_store(StatusCode::SEE_OTHER.into_response());
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    let none = HeaderValue::from_static("no-referrer");
    response.headers_mut().insert(header::REFERRER_POLICY, none);
    response
}

/// Sets the browser's cookie where it is new.
pub fn remember_browser(ctx: &Ctx, mut response: Response, browser: &Browser) -> Response {
    if browser.is_new
        && let Some(cookie) = Cookie::Browser.set(ctx, browser.secret())
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The client as a page shows it.
pub fn client_view<'a>(ctx: &Ctx, client: &'a Client, host: Option<&'a str>) -> ClientView<'a> {
    let metadata = &client.metadata;
    ClientView {
        name: client.display_name(),
        host,
        logo: metadata.logo_uri.as_ref().map(|_| logo::path(ctx.issuer(), &client.id)),
        policy_uri: metadata.policy_uri.as_deref(),
        tos_uri: metadata.tos_uri.as_deref(),
        client_uri: metadata.client_uri.as_deref(),
        unverified: false,
    }
}

/// The host of a redirect URI, for people.
pub fn host_of(redirect_uri: &str) -> Option<String> {
    let origin = origin_of(redirect_uri)?;
    origin.split_once("://").map(|(_, host)| host.to_owned())
}

/// The welcome page.
pub async fn index(ctx: Ctx, headers: HeaderMap) -> Response {
    let text = texts(&headers, None);
    let discovery_uri = format!("{}/.well-known/openid-configuration", ctx.issuer());
    let page = IndexPage {
        text,
        site: &site(&ctx),
        issuer: ctx.issuer(),
        discovery_uri: &discovery_uri,
        account_uri: None,
    };
    html(StatusCode::OK, text, page.html(), &Policy::default())
}

/// What an `error_uri` leads to: the code in plain words.
pub async fn explain_error(
    ctx: Ctx,
    headers: HeaderMap,
    code: Result<Path<String>, PathRejection>,
) -> Response {
    let text = texts(&headers, None);
    // What is not text is no code either.
    let known = code.ok().and_then(|Path(code)| crate::endpoint::documents::known_error(&code));
    let Some(code) = known else {
        let nothing = WireError::new(ErrorCode::NotFound, "there is no such error code");
        return error_page(&ctx, &headers, nothing);
    };
    let body = ErrorPage {
        text,
        site: &site(&ctx),
        code: code.as_str(),
        description: code.meaning(),
        request_id: ctx.request_id().as_str(),
    }
    .html();
    html(StatusCode::OK, text, body, &Policy::default())
}

/// Style sheet and icon, under names that change with their content.
pub async fn asset(
    ctx: Ctx,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
) -> Response {
    let asset = name.ok().and_then(|Path(name)| crate::page::asset(&format!("/assets/{name}")));
    let Some(asset) = asset else {
        let nothing = WireError::new(ErrorCode::NotFound, "there is nothing at this address");
        return error_page(&ctx, &headers, nothing);
    };
    let kind = HeaderValue::from_static(asset.content_type);
    let mut response = with_type(StatusCode::OK, Bytes::from_static(asset.body), kind);
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, forever);
    response
}
