//! The endpoints: thin files between bytes and protocol.

pub mod access_token;
pub mod client;
pub mod cors;
pub mod documents;
pub mod form;
pub mod introspect;
pub mod response;
pub mod revocations;
pub mod revoke;
pub mod status_list;
pub mod token;
pub mod userinfo;

use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use http::{HeaderValue, Method, Request, header};
use keywright_protocol::wire::{ErrorCode, WireError};

use crate::error::{Refused, refusal_response};
use crate::explain::Asked;
use crate::interaction;
use crate::router::Ctx;

/// Every path below an issuer.
pub fn routes() -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(documents::metadata))
        .route("/.well-known/oauth-authorization-server", get(documents::metadata))
        .route("/jwks", get(documents::jwks))
        .route("/token", post(token::token))
        .route("/introspect", post(introspect::introspect))
        .route("/revoke", post(revoke::revoke))
        .route("/revocations", get(revocations::revocations))
        .route("/statuslists/{id}", get(status_list::status_list))
        .route("/userinfo", get_and_post(userinfo::userinfo))
        .merge(interaction::routes())
        .merge(crate::admin::routes())
        .fallback(documents::not_found)
}

/// What answers.
type Endpoint = fn(Ctx, Request<Body>) -> Pin<Box<dyn Future<Output = Response> + Send>>;

/// The endpoints that programs ask for every token, without the way through [`routes`], which
/// answers all else and these for any other method.
pub fn straight(method: &Method, path: &str) -> Option<Endpoint> {
    match (method, path) {
        (&Method::POST, "/token") => Some(|ctx, request| Box::pin(token::token(ctx, request))),
        (&Method::POST, "/introspect") => {
            Some(|ctx, request| Box::pin(introspect::introspect(ctx, request)))
        }
        (&Method::GET, "/jwks") => Some(|ctx, _| Box::pin(documents::jwks(ctx))),
        _ => None,
    }
}

/// A name for metrics: never more than there are endpoints.
pub fn label(path: &str) -> &'static str {
    const KNOWN: [&str; 14] = [
        "/token",
        "/authorize",
        "/introspect",
        "/revoke",
        "/revocations",
        "/statuslists",
        "/userinfo",
        "/jwks",
        "/login",
        "/consent",
        "/logout",
        "/api/v1",
        "/.well-known",
        "/assets",
    ];
    let below = |known: &&str| {
        path.strip_prefix(*known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    KNOWN.into_iter().find(below).unwrap_or("other")
}

fn get<H: Handler<T, ()>, T: 'static>(handler: H) -> MethodRouter {
    only(axum::routing::get(handler), "GET, HEAD")
}

fn post<H: Handler<T, ()>, T: 'static>(handler: H) -> MethodRouter {
    only(axum::routing::post(handler), "POST")
}

fn get_and_post<H: Handler<T, ()> + Clone, T: 'static>(handler: H) -> MethodRouter {
    only(axum::routing::get(handler.clone()).post(handler), "GET, HEAD, POST")
}

/// Any other method is refused with the ones that there are, RFC 9110 §15.5.6. Preflights never
/// come here: they are answered before.
fn only(methods: MethodRouter, allowed: &'static str) -> MethodRouter {
    methods.fallback(move |ctx: Ctx| async move { refuse_method(&ctx, allowed) })
}

fn refuse_method(ctx: &Ctx, allowed: &'static str) -> Response {
    let wire = WireError::new(ErrorCode::MethodNotAllowed, "the endpoint has no such method");
    let mut response = refusal_response(ctx, &Refused::Http(wire));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The refusal of an endpoint, kept for `explain`.
pub(crate) fn refuse(ctx: &Ctx, asked: Asked<'_>, refused: &Refused) -> Response {
    ctx.app.notebook.refusal(ctx, asked, refused);
    let response = refusal_response(ctx, refused);
    match refused {
        // RFC 6749 §5.2.
        Refused::Client(_) if response.status() == http::StatusCode::UNAUTHORIZED => {
            crate::error::challenge(response, "Basic realm=\"keywright\", charset=\"UTF-8\"")
        }
        _ => response.into_response(),
    }
}
