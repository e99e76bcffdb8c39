//! Answers; the one place where failures become answers.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use tarn_catalog::LoadError;

use crate::access::Refusal;
use crate::table::TableError;

/// A request that is not answered as asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    kind: Kind,
    message: String,
    retry_after_s: Option<u64>,
}

/// Kinds of failures, each with one status and one of the specification's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    BadRequest,
    NotAuthorized,
    Forbidden,
    NoSuchShare,
    NoSuchNamespace,
    NoSuchTable,
    NoSuchRoute,
    ReadOnly,
    Damaged,
    Throttled,
    Unavailable,
    Internal,
}

impl Kind {
    fn wire(self) -> (StatusCode, &'static str) {
        match self {
            Kind::BadRequest => (StatusCode::BAD_REQUEST, "BadRequestException"),
            Kind::NotAuthorized => (StatusCode::UNAUTHORIZED, "NotAuthorizedException"),
            Kind::Forbidden => (StatusCode::FORBIDDEN, "ForbiddenException"),
            Kind::NoSuchShare => (StatusCode::NOT_FOUND, "NoSuchWarehouseException"),
            Kind::NoSuchNamespace => (StatusCode::NOT_FOUND, "NoSuchNamespaceException"),
            Kind::NoSuchTable => (StatusCode::NOT_FOUND, "NoSuchTableException"),
            Kind::NoSuchRoute => (StatusCode::NOT_FOUND, "NotFoundException"),
            Kind::ReadOnly => (StatusCode::METHOD_NOT_ALLOWED, "UnsupportedOperationException"),
            Kind::Damaged => (StatusCode::UNPROCESSABLE_ENTITY, "UnprocessableEntityException"),
            Kind::Throttled => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
            Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException"),
            Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        }
    }
}

impl Failure {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after_s: None }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, name) = self.kind.wire();
        let error = json!({"message": self.message, "type": name, "code": status.as_u16()});
        let mut response = no_store((status, Json(json!({ "error": error }))));
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// An answer that is for one caller and must not be kept.
pub(super) fn no_store(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (kind, retry_after_s) = match refusal {
            Refusal::Missing | Refusal::Invalid | Refusal::Expired => (Kind::NotAuthorized, None),
            Refusal::Address => (Kind::Forbidden, None),
            Refusal::Rate { retry_after_s } => (Kind::Throttled, Some(retry_after_s)),
            Refusal::Unavailable => (Kind::Unavailable, None),
        };
        Self { kind, message: refusal.to_string(), retry_after_s }
    }
}

/// Where something lies is for the log.
impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Location { .. } | LoadError::Invalid { .. } | LoadError::TooLarge { .. } => {
                tracing::warn!(%error, "the metadata of a shared table cannot be read");
                let message = "the table is damaged; please contact your share provider";
                Failure::new(Kind::Damaged, message)
            }
            LoadError::Missing { .. } | LoadError::Store { .. } => {
                tracing::error!(%error, "the metadata of a shared table could not be read");
                Failure::new(Kind::Internal, "the table could not be read")
            }
        }
    }
}

/// Why credentials were not made.
impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        let kind = match &error {
            TableError::NoSuchTable => Kind::NoSuchTable,
            TableError::Unsupported(_) | TableError::Outside => Kind::Forbidden,
            TableError::NoSuchVersion { .. } => Kind::BadRequest,
            TableError::Invalid(_) | TableError::TooLarge { .. } => Kind::Damaged,
            TableError::Busy { retry_after_s } => {
                let retry_after_s = Some(*retry_after_s);
                return Failure { retry_after_s, ..Failure::new(Kind::Unavailable, error.to_string()) };
            }
            TableError::Store(source) => {
                tracing::error!(error = %source, "no credentials for a shared table");
                return Failure::new(Kind::Internal, "the table could not be opened");
            }
        };
        Failure::new(kind, error.to_string())
    }
}
