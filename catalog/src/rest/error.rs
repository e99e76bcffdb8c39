//! The error envelope of the Iceberg REST specification, and the one place where it is written.
//!
//! `{"error": {"message", "type", "code"}}`, nothing else at the top. Domain errors become a
//! [`Failure`] in `failure.rs`, once each.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// What a handler answers when it does not answer success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

/// The types of the specification this server answers with, each with its one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadRequest,
    /// A view that cannot be. Not of tables: clients delete the files of the attempt on a BadRequest only.
    IllegalArgument,
    NotAuthorized,
    Forbidden,
    NoSuchWarehouse,
    NoSuchNamespace,
    NoSuchTable,
    NoSuchView,
    NoSuchFunction,
    NoSuchPlan,
    NoSuchPlanTask,
    /// A file a request names, or one of ours, is not there. Never a 5xx: clients retry those for
    /// minutes.
    NotFound,
    NoSuchRoute,
    MethodNotAllowed,
    /// The client can do it itself; this server does not.
    Unsupported,
    AlreadyExists,
    /// A table or namespace that may not be dropped.
    Protected,
    NamespaceNotEmpty,
    CommitFailed,
    TooLarge,
    Unprocessable,
    /// Nothing was done. The only 503: clients delete the files of the attempt on it.
    Unavailable,
    /// It may have been done; the answer of the log was lost.
    CommitStateUnknown,
    /// It may have been done; the deadline passed while the log was asked.
    CommitDeadline,
    /// A file this catalog wrote or was given cannot be read as what it must be.
    Damaged,
    Internal,
}

impl Kind {
    fn wire(self) -> (StatusCode, &'static str) {
        match self {
            Kind::BadRequest => (StatusCode::BAD_REQUEST, "BadRequestException"),
            Kind::IllegalArgument => (StatusCode::BAD_REQUEST, "IllegalArgumentException"),
            Kind::NotAuthorized => (StatusCode::UNAUTHORIZED, "NotAuthorizedException"),
            Kind::Forbidden => (StatusCode::FORBIDDEN, "ForbiddenException"),
            Kind::NoSuchWarehouse => (StatusCode::NOT_FOUND, "NoSuchWarehouseException"),
            Kind::NoSuchNamespace => (StatusCode::NOT_FOUND, "NoSuchNamespaceException"),
            Kind::NoSuchTable => (StatusCode::NOT_FOUND, "NoSuchTableException"),
            Kind::NoSuchView => (StatusCode::NOT_FOUND, "NoSuchViewException"),
            Kind::NoSuchFunction => (StatusCode::NOT_FOUND, "NoSuchFunctionException"),
            Kind::NoSuchPlan => (StatusCode::NOT_FOUND, "NoSuchPlanIdException"),
            Kind::NoSuchPlanTask => (StatusCode::NOT_FOUND, "NoSuchPlanTaskException"),
            Kind::NotFound => (StatusCode::NOT_FOUND, "NotFoundException"),
            Kind::NoSuchRoute => (StatusCode::NOT_FOUND, "NotFoundException"),
            Kind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "UnsupportedOperationException"),
            Kind::Unsupported => (StatusCode::NOT_ACCEPTABLE, "UnsupportedOperationException"),
            Kind::AlreadyExists => (StatusCode::CONFLICT, "AlreadyExistsException"),
            Kind::Protected => (StatusCode::CONFLICT, "ConflictException"),
            Kind::NamespaceNotEmpty => (StatusCode::CONFLICT, "NamespaceNotEmptyException"),
            Kind::CommitFailed => (StatusCode::CONFLICT, "CommitFailedException"),
            Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "BadRequestException"),
            Kind::Unprocessable => (StatusCode::UNPROCESSABLE_ENTITY, "UnprocessableEntityException"),
            Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException"),
            Kind::CommitStateUnknown => (StatusCode::INTERNAL_SERVER_ERROR, "CommitStateUnknownException"),
            Kind::CommitDeadline => (StatusCode::GATEWAY_TIMEOUT, "CommitStateUnknownException"),
            Kind::Damaged => (StatusCode::UNPROCESSABLE_ENTITY, "UnprocessableEntityException"),
            Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        }
    }
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, message)
    }

    /// Refused before any effect; try again after `retry_after`.
    pub(crate) fn unavailable(message: impl Into<String>, retry_after: Duration) -> Self {
        Self { kind: Kind::Unavailable, message: message.into(), retry_after: Some(retry_after) }
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IcebergErrorResponse)]
pub(crate) struct ErrorEnvelope {
    error: ErrorModel,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorModel {
    /// For a person.
    message: String,
    /// One of the specification's exception names.
    #[schema(example = "NoSuchTableException")]
    r#type: &'static str,
    /// The HTTP status.
    code: u16,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, name) = self.kind.wire();
        let envelope = ErrorEnvelope {
            error: ErrorModel { message: self.message, r#type: name, code: status.as_u16() },
        };
        let mut response = (status, axum::Json(envelope)).into_response();
        if let Some(wait) = self.retry_after {
            // Whole seconds, never zero: clients read zero as "at once".
            let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
