//! Problem documents, RFC 9457.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::admin::operations::OperationError;
use crate::endpoint::response::{no_store, with_type};
use crate::error::{RETRY_AFTER, Refused, ServerFault, challenge};
use crate::router::Ctx;

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    error: String,
    detail: String,
    field: Option<String>,
    challenge: Option<String>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// A problem with a code and a sentence.
    pub(super) fn new(status: StatusCode, error: &str, detail: impl Into<String>) -> Self {
        Self {
            status,
            error: error.to_owned(),
            detail: detail.into(),
            field: None,
            challenge: None,
            retry_after: None,
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
        let mut response =
            no_store(with_type(self.status, Bytes::from(document.to_string()), kind));
        if let Some(wait) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
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
        match error {
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
        }
    }
}

impl Problem {
    /// The operator of the API may be far from the operator of the machine: the reason stays here.
    fn of_fault(fault: ServerFault) -> Self {
        tracing::error!(error = %fault, "an administrative act failed");
        let retry_after = fault.passes().then_some(RETRY_AFTER);
        Self { retry_after, ..Self::from(&Refused::Fault(fault)) }
    }
}
