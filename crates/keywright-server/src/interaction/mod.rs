//! What happens in a person's browser: authorize, sign in, consent, sign out.
//!
//! No page keeps state on the server. The request that started a flow travels sealed from page to
//! page ([`flow`]), bound to the browser that began it; every stop opens it and runs the grid
//! again. Two tabs are two flows.

pub mod authorize;
pub mod consent;
pub mod cookie;
pub mod flow;
pub mod login;
pub mod logo;
pub mod logout;
pub mod page;

use axum::Router;
use axum::routing::{MethodRouter, get};
use keywright_protocol::wire::{ErrorCode, WireError};

use crate::router::Ctx;

/// The paths that a browser visits.
pub fn routes() -> Router {
    Router::new()
        .route("/", page_of(get(page::index)))
        .route("/authorize", page_of(get(authorize::authorize).post(authorize::authorize_post)))
        .route("/authorize/resume", page_of(get(authorize::resume)))
        .route("/login", page_of(get(login::show).post(login::submit)))
        .route("/consent", page_of(get(consent::show).post(consent::submit)))
        .route("/logout", page_of(get(logout::logout).post(logout::logout_post)))
        .route("/logout/confirm", page_of(axum::routing::post(logout::confirm)))
        .route("/errors/{code}", page_of(get(page::explain_error)))
        .route("/logos/{client_id}", page_of(get(logo::logo)))
        .route("/assets/{name}", page_of(get(page::asset)))
}

/// A page is refused with a page.
fn page_of(methods: MethodRouter) -> MethodRouter {
    methods.fallback(|ctx: Ctx, headers: http::HeaderMap| async move {
        let wire = WireError::new(ErrorCode::MethodNotAllowed, "the page has no such method");
        page::error_page(&ctx, &headers, wire)
    })
}
