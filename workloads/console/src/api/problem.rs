//! What is wrong with a request, as RFC 9457 has it.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use vedette_service::error_chain;

use crate::read::DemandError;

/// The content type of a problem.
pub(super) const PROBLEM: &str = "application/problem+json";

/// `application/problem+json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// In short.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
    /// Where it may go otherwise later, when to ask again.
    #[serde(skip)]
    retry_after_seconds: u64,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or_default().to_owned();
        Self { title, status: status.as_u16(), detail: detail.into(), retry_after_seconds: 1 }
    }

    /// A parameter is not what it must be.
    pub(super) fn parameter(name: &str, expected: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("{name} cannot be used: {expected}"))
    }

    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, what)
    }

    pub(super) fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "most paths are only read: ask with GET; api/v1/openapi.json says what takes POST",
        )
    }

    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "a question to this console has no body")
    }

    pub(super) fn body_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "what is sent has at most 20 KiB: shorten the match, the reason or the record",
        )
    }

    /// What was sent cannot be done as it is.
    pub(super) fn invalid(what: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, what)
    }

    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what)
    }

    /// Nobody has said who asks.
    pub(super) fn unauthorized(what: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, what)
    }

    /// Whoever asks may not.
    pub(super) fn forbidden(what: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, what)
    }

    /// It does not fit what is there.
    pub(super) fn conflict(what: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, what)
    }

    /// It was asked under a host that is none of this server.
    pub(super) fn misdirected(what: impl Into<String>) -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, what)
    }

    /// The bucket, or Kafka, is away.
    pub(super) fn unavailable(what: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, what)
    }

    pub(super) fn too_many() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "the console is asked too much at once: ask again in a second")
    }

    /// Others are at it, for about so long.
    pub(super) fn busy(what: impl Into<String>, retry_after_seconds: u64) -> Self {
        Self { retry_after_seconds, ..Self::new(StatusCode::TOO_MANY_REQUESTS, what) }
    }

    pub(super) fn failed() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be made; the log of the console says why")
    }
}

impl From<DemandError> for Problem {
    fn from(error: DemandError) -> Self {
        match error {
            DemandError::Spent { seconds } => Self::busy(error.to_string(), seconds),
            DemandError::TooLarge => Self::invalid(error.to_string()),
            DemandError::Slow | DemandError::Bucket(_) => Self::unavailable(error_chain(&error)),
            DemandError::Ended(_) => {
                tracing::error!(error = error_chain(&error), "what was asked for could not be read");
                Self::failed()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, PROBLEM)], body).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(self.retry_after_seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
