//! `/api/v1`: the administration API, CONTRACT §3.
//!
//! [`TABLE`] is all of it: the routes and the OpenAPI document are both made from it, so they
//! cannot differ. A request is authorized, then read, then carried out by one of
//! [`crate::admin::operations`].

mod audit_events;
mod authorize;
mod call;
mod clients;
mod grants;
mod keys;
mod openapi;
mod operation;
mod problem;
mod resources;
mod revocations;
mod schema;
mod sessions;
mod tenants;
#[cfg(test)]
mod tests;
mod users;

use axum::Router;
use axum::body::Body;
use axum::extract::RawPathParams;
use axum::extract::rejection::RawPathParamsRejection;
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, on};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};

use self::call::Call;
use self::operation::{Operation, Reply};
use self::problem::Problem;
use crate::admin::operations::Operator;
use crate::endpoint::response::{json_bytes, no_store};
use crate::router::Ctx;

pub use self::openapi::description;

/// Where the API is below an issuer.
const BASE: &str = "/api/v1";

/// Every operation, by noun.
static TABLE: [&[Operation]; 9] = [
    audit_events::OPERATIONS,
    clients::OPERATIONS,
    grants::OPERATIONS,
    keys::OPERATIONS,
    resources::OPERATIONS,
    revocations::OPERATIONS,
    sessions::OPERATIONS,
    tenants::OPERATIONS,
    users::OPERATIONS,
];

fn operations() -> impl Iterator<Item = &'static Operation> {
    TABLE.iter().flat_map(|noun| noun.iter())
}

/// Every path of the API.
pub fn routes() -> Router {
    let mut router = Router::new()
        .route(&format!("{BASE}/openapi.json"), get(describe))
        .route(&format!("{BASE}/{{*rest}}"), any(not_found));
    let mut paths: Vec<&str> = operations().map(|operation| operation.path).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        router = router.route(&format!("{BASE}{path}"), methods_of(path));
    }
    router
}

/// The operations of one path; any other method is refused with those, RFC 9110 §15.5.6.
fn methods_of(path: &str) -> MethodRouter {
    let (mut methods, mut allowed) = (MethodRouter::new(), Vec::new());
    for operation in operations().filter(|operation| operation.path == path) {
        let handler = move |ctx: Ctx,
                            params: Result<RawPathParams, RawPathParamsRejection>,
                            request: Request<Body>| async move {
            answer(operation, &ctx, params.ok(), request).await
        };
        methods = methods.merge(on(operation.method.filter(), handler));
        allowed.push(operation.method.name());
    }
    let allowed = HeaderValue::from_str(&allowed.join(", ")).ok();
    methods.fallback(move |ctx: Ctx| async move {
        let mut response = Problem::method_not_allowed().into_response(&ctx);
        if let Some(allowed) = allowed {
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response
    })
}

async fn answer(
    operation: &'static Operation,
    ctx: &Ctx,
    params: Option<RawPathParams>,
    request: Request<Body>,
) -> Response {
    match carry_out(operation, ctx, params, request).await {
        Ok(reply) => respond(ctx, reply),
        Err(problem) => problem.into_response(ctx),
    }
}

async fn carry_out(
    operation: &'static Operation,
    ctx: &Ctx,
    params: Option<RawPathParams>,
    request: Request<Body>,
) -> Result<Reply, Problem> {
    let operator = authorize::authorize(operation, ctx, request.headers()).await?;
    let acting = act(operation, ctx, operator, params, request).await;
    if let Err(problem) = &acting {
        problem.keep(ctx).await;
    }
    acting
}

async fn act(
    operation: &'static Operation,
    ctx: &Ctx,
    operator: Operator,
    params: Option<RawPathParams>,
    request: Request<Body>,
) -> Result<Reply, Problem> {
    let params = params.ok_or_else(|| Problem::malformed("the path is malformed"))?;
    let path = params.iter().map(|(_, value)| value.to_owned()).collect();
    let headers = request.headers().clone();
    let call = Call::read(operation, ctx.clone(), operator, path, request).await?;
    // It may have been revoked while the document arrived.
    authorize::authorize(operation, ctx, &headers).await?;
    (operation.act)(&call).await
}

fn respond(ctx: &Ctx, reply: Reply) -> Response {
    match reply {
        Reply::Created { path, document } => {
            let mut response = json(StatusCode::CREATED, &document);
            let location = format!("{}{BASE}{path}", ctx.issuer());
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        }
        Reply::Item(document) => json(StatusCode::OK, &document),
        Reply::Nothing => {
            let mut response = no_store(Response::new(Body::empty()));
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
    }
}

fn json(status: StatusCode, document: &serde_json::Value) -> Response {
    no_store(json_bytes(status, Bytes::from(document.to_string())))
}

async fn describe(ctx: Ctx) -> Response {
    json(StatusCode::OK, &description(ctx.issuer()))
}

async fn not_found(ctx: Ctx) -> Response {
    Problem::not_found().into_response(&ctx)
}
