//! The operations listener: alive, ready, metrics.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use tokio::sync::watch;
use tower::Service;

use crate::app::App;
use crate::endpoint::response::{no_store, with_type};

/// How long readiness waits for the store.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers operators and their machines.
#[derive(Clone)]
pub(super) struct Health {
    app: Arc<App>,
    draining: watch::Receiver<bool>,
}

impl Health {
    pub(super) const fn new(app: Arc<App>, draining: watch::Receiver<bool>) -> Self {
        Self { app, draining }
    }

    async fn answer(self, request: Request<Incoming>) -> Response {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.ready().await,
            "/metrics" => self.metrics(),
            _ => text(StatusCode::NOT_FOUND, "/livez /readyz /metrics\n"),
        }
    }

    async fn ready(&self) -> Response {
        if *self.draining.borrow() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        match tokio::time::timeout(PATIENCE, self.app.store.ping()).await {
            Ok(Ok(())) => text(StatusCode::OK, "ready\n"),
            Ok(Err(fault)) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{fault}\n")),
            Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
        }
    }

    fn metrics(&self) -> Response {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let body = self.app.metrics.render().into();
        no_store(with_type(StatusCode::OK, body, HeaderValue::from_static(kind)))
    }
}

fn text(status: StatusCode, body: &str) -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    let mut response = no_store(with_type(status, body.to_owned().into(), kind));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

impl Service<Request<Incoming>> for Health {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(this.answer(request).await) })
    }
}
