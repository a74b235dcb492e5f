//! The sample API that the demo protects, and the application on top of it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::guard::Guard;
use super::page::{Part, STYLE, page};
use super::sign_in::{SignIn, SignedIn};

/// The scope for looking.
pub(super) const READ: &str = "orders:read";
/// The scope for ordering.
pub(super) const WRITE: &str = "orders:write";

/// Orders that are remembered; the oldest makes room.
const ORDERS_MAX: usize = 100;
const BODY_BYTES_MAX: usize = 4096;
const COOKIE: &str = "demo_browser";

/// Everything that a request needs.
pub(super) struct Api {
    guard: Guard,
    sign_in: SignIn,
    orders: Mutex<Vec<Order>>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Order {
    item: String,
    quantity: u32,
}

type Shared = State<Arc<Api>>;

impl Api {
    /// An API with something in it to read.
    pub(super) fn new(guard: Guard, sign_in: SignIn) -> Arc<Self> {
        let order = |item: &str, quantity| Order { item: item.to_owned(), quantity };
        let orders = Mutex::new(vec![order("espresso beans", 3), order("paper filters", 100)]);
        Arc::new(Self { guard, sign_in, orders })
    }

    /// Its paths.
    pub(super) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/", get(index))
            .route("/style.css", get(style))
            .route("/orders", get(list_orders).post(place_order))
            .route("/.well-known/oauth-protected-resource", get(metadata))
            .route("/login", get(login))
            .route("/callback", get(callback))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(self)
    }
}

async fn index(State(api): Shared) -> Response {
    let orders = format!(
        "GET  {0}/orders    needs the scope {READ}\nPOST {0}/orders    needs the scope {WRITE}",
        api.guard.resource
    );
    let explained = format!(
        "A small API that accepts the access tokens of {}, and an application that signs people \
         in there.",
        api.guard.issuer
    );
    page(
        StatusCode::OK,
        "Demo Orders",
        &[
            Part::Paragraph(&explained),
            Part::Button { href: "/login", label: "Sign in" },
            Part::Heading("The API"),
            Part::Listing(&orders),
        ],
    )
}

async fn style() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], STYLE).into_response()
}

async fn list_orders(State(api): Shared, headers: HeaderMap) -> Response {
    match api.guard.admit(&headers, READ).await {
        Ok(claims) => {
            let orders = api.orders.lock().unwrap_or_else(PoisonError::into_inner).clone();
            private(StatusCode::OK, &json!({ "orders": orders, "for": claims.sub }))
        }
        Err(denied) => api.guard.refuse(denied),
    }
}

async fn place_order(State(api): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let claims = match api.guard.admit(&headers, WRITE).await {
        Ok(claims) => claims,
        Err(denied) => return api.guard.refuse(denied),
    };
    let Ok(order) = serde_json::from_slice::<Order>(&body) else {
        let example = json!({ "error": "invalid_order",
            "error_description": "send an item and a quantity as JSON" });
        return private(StatusCode::BAD_REQUEST, &example);
    };
    let mut orders = api.orders.lock().unwrap_or_else(PoisonError::into_inner);
    if orders.len() >= ORDERS_MAX {
        orders.remove(0);
    }
    orders.push(order.clone());
    private(StatusCode::CREATED, &json!({ "order": order, "for": claims.sub }))
}

/// RFC 9728 §3.2: how a client that knows only this API finds out where its tokens come from.
async fn metadata(State(api): Shared) -> Response {
    Json(json!({
        "resource": api.guard.resource,
        "resource_name": "Demo Orders",
        "authorization_servers": [api.guard.issuer],
        "scopes_supported": [READ, WRITE],
        "bearer_methods_supported": ["header"],
    }))
    .into_response()
}

async fn login(State(api): Shared, headers: HeaderMap) -> Response {
    let departure = match api.sign_in.begin(cookie(&headers)) {
        Ok(departure) => departure,
        Err(why) => return failed(&why),
    };
    let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Lax; Path=/", departure.browser);
    (StatusCode::SEE_OTHER, [(header::LOCATION, departure.location), (header::SET_COOKIE, cookie)])
        .into_response()
}

async fn callback(State(api): Shared, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let answer: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    match api.sign_in.finish(&answer, cookie(&headers)).await {
        Ok(signed_in) => welcome(&api, signed_in).await,
        Err(why) => failed(&why),
    }
}

async fn welcome(api: &Api, signed_in: SignedIn) -> Response {
    let url = format!("{}/orders", api.guard.resource);
    let called = api.sign_in.call(&url, &signed_in.access_token).await;
    let called = called.unwrap_or_else(|why| why);
    let claims = Value::Object(signed_in.id_claims.into_map());
    let claims = serde_json::to_string_pretty(&claims).unwrap_or_default();
    page(
        StatusCode::OK,
        "Signed in",
        &[
            Part::Paragraph("The code was redeemed, the ID token verified. It says:"),
            Part::Listing(&claims),
            Part::Paragraph("With the access token the application called the API:"),
            Part::Listing(&format!("GET {url}\n\n{called}")),
            Part::Button { href: "/login", label: "Once more" },
        ],
    )
}

fn failed(why: &str) -> Response {
    page(
        StatusCode::BAD_REQUEST,
        "Not signed in",
        &[Part::Paragraph(why), Part::Button { href: "/login", label: "Try again" }],
    )
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|p| p.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

fn private(status: StatusCode, document: &Value) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    (status, [(header::CACHE_CONTROL, no_store)], Json(document)).into_response()
}
