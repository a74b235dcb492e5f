//! Status lists over HTTP, draft-ietf-oauth-status-list §8.
//!
//! Everybody may read them: a bit tells nothing to those who do not hold its token.

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use keywright_protocol::id::StatusListId;
use keywright_protocol::limits::STATUS_LIST_TTL;
use keywright_protocol::status_list::MEDIA_TYPE;
use keywright_protocol::wire::{ErrorCode, WireError};

use crate::endpoint::refuse;
use crate::endpoint::response::with_type;
use crate::error::Refused;
use crate::explain::Asked;
use crate::router::Ctx;

/// Where lists are, below an issuer.
pub const PATH: &str = "/statuslists/";

/// Answers `GET /statuslists/{id}`.
pub async fn status_list(ctx: Ctx, request: Request<Body>) -> Response {
    let (parts, _) = request.into_parts();
    match answer(&ctx, &parts).await {
        Ok(response) => response,
        Err(refused) => refuse(&ctx, Asked::at("statuslists"), &refused),
    }
}

async fn answer(ctx: &Ctx, request: &Parts) -> Result<Response, Refused> {
    // §8.4: what was at another time is not kept.
    let query = request.uri.query().unwrap_or_default();
    if query.split('&').any(|parameter| parameter.split('=').next() == Some("time")) {
        let why = "the status at another time is not kept";
        return Err(Refused::Http(WireError::new(ErrorCode::NotImplemented, why)));
    }
    if !accepts(&request.headers) {
        let why = "status lists are sent as application/statuslist+jwt only";
        return Err(Refused::Http(WireError::new(ErrorCode::NotAcceptable, why)));
    }
    let id = request.uri.path().strip_prefix(PATH).and_then(StatusListId::parse);
    let list = match &id {
        Some(id) => ctx.app.status_lists.list(&ctx.app, &ctx.tenant, id).await?,
        None => None,
    };
    let Some(list) = list else {
        let why = "there is no such status list, or all its tokens are dead";
        return Err(Refused::Http(WireError::new(ErrorCode::NotFound, why)));
    };
    let mut response = with_type(StatusCode::OK, list, HeaderValue::from_static(MEDIA_TYPE));
    let cache = format!("public, max-age={}", STATUS_LIST_TTL.as_secs());
    if let Ok(cache) = HeaderValue::from_str(&cache) {
        response.headers_mut().insert(header::CACHE_CONTROL, cache);
    }
    Ok(response)
}

/// Whether the peer takes a list as a JWT, RFC 9110 §12.5.1; who does not say takes everything.
fn accepts(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let mut kinds = lines.flat_map(|line| line.split(',')).peekable();
    let essence = |kind: &str| kind.split(';').next().unwrap_or_default().trim().to_owned();
    kinds.peek().is_none()
        || kinds.any(|kind| {
            let kind = essence(kind);
            [MEDIA_TYPE, "application/*", "*/*"].iter().any(|ours| kind.eq_ignore_ascii_case(ours))
        })
}
