//! A client's logo, from this server: a page must not tell another one who signs in where.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use keywright_protocol::id::ClientId;
use keywright_protocol::time::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::app::App;
use crate::endpoint::response::{no_store, with_type};
use crate::logos::{FetchTurn, Fetched, LOGO_KEPT};
use crate::outbound::Image;
use crate::router::{Ctx, issuer_path};
use crate::tenants::LoadedClient;

/// Where the logo of a client is, on this server.
pub fn path(issuer: &str, client: &ClientId) -> String {
    let client = utf8_percent_encode(client.as_str(), NON_ALPHANUMERIC);
    format!("{}/logos/{client}", issuer_path(issuer))
}

/// The logo of a client. Whatever the reason that there is none, the answer is the same.
pub async fn logo(ctx: Ctx, client_id: Result<Path<String>, PathRejection>) -> Response {
    let client = client_id.ok().and_then(|Path(id)| ClientId::parse(&id).ok());
    let client = client.and_then(|id| ctx.tenant.client(&id));
    match find(&ctx, client).await {
        Some(image) => answer(image),
        None => no_store(StatusCode::NOT_FOUND.into_response()),
    }
}

async fn find(ctx: &Ctx, client: Option<Arc<LoadedClient>>) -> Option<Image> {
    let client = client?;
    if client.client.disabled || client.client.metadata.logo_uri.is_none() {
        return None;
    }
    if let Some(kept) = client.logo.fresh(ctx.now()) {
        return image_of(kept);
    }
    let turn = client.logo.turn().await;
    if let Some(kept) = client.logo.fresh(ctx.now()) {
        return image_of(kept);
    }
    // A task of its own: if the browser leaves, the outcome is kept all the same. Otherwise coming
    // and going would make this server knock without end.
    let fetching = tokio::spawn(fetch(Arc::clone(&ctx.app), client, ctx.now(), turn));
    image_of(fetching.await.ok()?)
}

async fn fetch(
    app: Arc<App>,
    client: Arc<LoadedClient>,
    now: Timestamp,
    turn: FetchTurn,
) -> Fetched {
    let uri = client.client.metadata.logo_uri.as_deref().unwrap_or_default();
    let fetched = match app.outbound.fetch_image(uri).await {
        Ok(image) => Fetched::Image(image),
        Err(error) => {
            tracing::warn!(client.id = %client.client.id, %error, "logo_uri cannot be fetched");
            Fetched::Nothing
        }
    };
    app.logos.keep(&client, fetched.clone(), now, turn);
    fetched
}

fn image_of(fetched: Fetched) -> Option<Image> {
    match fetched {
        Fetched::Image(image) => Some(image),
        Fetched::Nothing => None,
    }
}

/// The bytes are a client's: opened by themselves, they may do nothing either.
fn answer(image: Image) -> Response {
    let kind = HeaderValue::from_static(image.content_type);
    let mut response = with_type(StatusCode::OK, image.bytes, kind);
    let headers = response.headers_mut();
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    let lifetime = format!("public, max-age={}", LOGO_KEPT.as_secs());
    if let Ok(value) = HeaderValue::from_str(&lifetime) {
        headers.insert(header::CACHE_CONTROL, value);
    }
    response
}

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_below_its_issuer() {
        let path = |issuer, id| path(issuer, &ClientId::parse(id).unwrap());
        assert_eq!(path("https://id.example", "web"), "/logos/web");
        assert_eq!(path("https://id.example/auth/t/acme", "web"), "/auth/t/acme/logos/web");
        assert_eq!(path("https://id.example", "../a?b#c"), "/logos/%2E%2E%2Fa%3Fb%23c");
    }
}
