//! Problem documents, RFC 9457.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use keywright_store::audit::RefusedRequest;
use serde_json::json;

use crate::admin::operations::OperationError;
use crate::endpoint::response::{no_store, with_type};
use crate::error::{Refused, ServerFault, challenge};
use crate::router::Ctx;

/// The checks of an authorized request, in order, for `explain`.
const CHECKS: [&str; 4] = ["access token", "scope", WELL_FORMED, POSSIBLE];
const WELL_FORMED: &str = "request is well-formed";
const POSSIBLE: &str = "the act is possible";

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    error: &'static str,
    detail: String,
    field: Option<String>,
    challenge: Option<String>,
    check: &'static str,
}

impl Problem {
    /// A problem with a code and a sentence.
    pub(super) fn new(status: StatusCode, error: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            error,
            detail: detail.into(),
            field: None,
            challenge: None,
            check: WELL_FORMED,
        }
    }

    /// The request itself is wrong.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    /// A parameter is wrong.
    pub(super) fn parameter(name: &str, reason: &str) -> Self {
        let problem = Self::malformed(format!("{name} {reason}"));
        Self { field: Some(name.to_owned()), ..problem }
    }

    /// Nothing is there.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "the API has no such path")
    }

    /// The path has other methods.
    pub(super) fn method_not_allowed() -> Self {
        let detail = "the path has no such method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    /// The problem with the challenge of RFC 6750 §3.
    #[must_use]
    pub(super) fn challenging(self, challenge: String) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    /// Keeps it for `keywright explain`. Only operators come so far, so the store may be asked to
    /// write for each.
    pub(super) async fn keep(&self, ctx: &Ctx) {
        let kept = RefusedRequest {
            request_id: ctx.request_id().clone(),
            tenant: ctx.origin.tenant.clone(),
            time: ctx.now(),
            endpoint: "api".to_owned(),
            client_id: None,
            checks: CHECKS.map(str::to_owned).to_vec(),
            failed: self.check.to_owned(),
            reason: self.detail.clone(),
            error: self.error.to_owned(),
        };
        if let Err(fault) = ctx.app.store.keep_refusals(vec![kept]).await {
            tracing::warn!(error = %fault, "a refusal could not be kept");
        }
    }

    /// The response.
    pub(super) fn into_response(self, ctx: &Ctx) -> Response {
        let mut document = json!({
            "type": format!("{}/errors/{}", ctx.app.root_issuer(), self.error),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "error": self.error,
            "request_id": ctx.request_id(),
        });
        if let (Some(field), Some(members)) = (self.field, document.as_object_mut()) {
            members.insert("field".to_owned(), field.into());
        }
        tracing::info!(
            request.id = %ctx.request_id(),
            endpoint = "api",
            error = self.error,
            reason = self.detail,
            "request refused"
        );
        let kind = HeaderValue::from_static("application/problem+json");
        let response = no_store(with_type(self.status, Bytes::from(document.to_string()), kind));
        match self.challenge {
            Some(value) => challenge(response, &value),
            None => response,
        }
    }
}

impl From<&Refused> for Problem {
    fn from(refused: &Refused) -> Self {
        let wire = refused.wire();
        let status = StatusCode::from_u16(wire.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, wire.code.as_str(), wire.description)
    }
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        let detail = error.to_string();
        let problem = match error {
            OperationError::Conflict { .. } => Self::new(StatusCode::CONFLICT, "conflict", detail),
            OperationError::Fault(fault) => Self::of_fault(fault),
            OperationError::Invalid { code, field, reason } => {
                let detail = format!("{field} {reason}");
                let problem = Self::new(StatusCode::BAD_REQUEST, code, detail);
                Self { field: Some(field), ..problem }
            }
            OperationError::NotFound { .. } => {
                Self::new(StatusCode::NOT_FOUND, "not_found", detail)
            }
        };
        Self { check: POSSIBLE, ..problem }
    }
}

impl Problem {
    /// The operator of the API may be far from the operator of the machine: the reason stays here.
    fn of_fault(fault: ServerFault) -> Self {
        tracing::error!(error = %fault, "an administrative act failed");
        Self::from(&Refused::Fault(fault))
    }
}
