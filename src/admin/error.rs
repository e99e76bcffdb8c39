//! Failures of the admin API and their answers.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use tarn_catalog::CommitError;
use tarn_catalog::state::Conflict;
use tarn_inventory::BeginError;
use tarn_inventory::policy::PolicyError;
use tarn_sharing::access::{IssueError, KeyError as SigningError};
use tarn_sharing::directory as shares;
use tarn_sql::QueryError;

use super::sharing::error as sharing;
use super::sql;
use crate::events::StreamError;
use crate::identity::{DirectoryError, KeyError};
use crate::webhooks::WebhookError;

/// Why a request was not done.
pub(super) enum Failure {
    /// Not an administrator.
    Denied,
    /// Not for this caller, for a reason it may know.
    Refused(String),
    /// The body or a parameter is wrong.
    Invalid(String),
    /// What it names is not there.
    Missing(String),
    /// What is kept cannot be read.
    Damaged(String),
    /// What is there does not allow it.
    Conflict(String),
    /// This server does not do that.
    Unserved(String),
    /// The answer has no form that is asked for.
    NotAcceptable(String),
    /// It cannot be done now.
    Busy(String),
    /// It failed, or nobody knows; told in the log.
    Failed(String),
    /// Of an access key.
    Key(KeyError),
    /// Of a user, group, service account or policy.
    Directory(DirectoryError),
    /// The catalog did not do it, or does not know.
    Catalog(CommitError),
    /// Of a stream of events.
    Stream(StreamError),
    /// Of a webhook.
    Webhook(WebhookError),
    /// Of a maintenance policy.
    Policy(PolicyError),
    /// Of a maintenance run.
    Run(BeginError),
    /// Of a share or recipient.
    Sharing(shares::DirectoryError),
    /// Of a token of a recipient.
    Issue(IssueError),
    /// Of a query.
    Query(QueryError),
    /// Of the keys that sign tokens of recipients.
    Signing(SigningError),
}

/// An error of the admin API.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ErrorBody {
    error: ErrorDetail,
}

/// What went wrong.
#[derive(Serialize, utoipa::ToSchema)]
struct ErrorDetail {
    /// A stable name.
    code: &'static str,
    /// For people.
    message: String,
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<DirectoryError> for Failure {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        Self::Catalog(error)
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

impl From<WebhookError> for Failure {
    fn from(error: WebhookError) -> Self {
        Self::Webhook(error)
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

impl From<BeginError> for Failure {
    fn from(error: BeginError) -> Self {
        Self::Run(error)
    }
}

impl From<shares::DirectoryError> for Failure {
    fn from(error: shares::DirectoryError) -> Self {
        Self::Sharing(error)
    }
}

impl From<IssueError> for Failure {
    fn from(error: IssueError) -> Self {
        Self::Issue(error)
    }
}

impl From<SigningError> for Failure {
    fn from(error: SigningError) -> Self {
        Self::Signing(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::Denied => (StatusCode::FORBIDDEN, "AccessDenied", "access denied".into()),
            Self::Refused(message) => (StatusCode::FORBIDDEN, "AccessDenied", message),
            Self::Invalid(message) => (StatusCode::BAD_REQUEST, "InvalidRequest", message),
            Self::Missing(message) => (StatusCode::NOT_FOUND, "NotFound", message),
            Self::Damaged(message) => (StatusCode::UNPROCESSABLE_ENTITY, "Damaged", message),
            Self::Conflict(message) => (StatusCode::CONFLICT, "Conflict", message),
            Self::Unserved(message) => (StatusCode::BAD_REQUEST, "NotImplemented", message),
            Self::NotAcceptable(message) => (StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message),
            Self::Busy(message) => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown", message),
            Self::Failed(message) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message),
            Self::Key(error) => key_error(&error),
            Self::Directory(error) => directory_error(&error),
            Self::Catalog(error) => catalog_error(&error),
            Self::Stream(error) => stream_error(&error),
            Self::Webhook(error) => webhook_error(&error),
            Self::Policy(error) => policy_error(&error),
            Self::Run(error) => run_error(&error),
            Self::Sharing(error) => sharing::directory_error(&error),
            Self::Issue(error) => sharing::issue_error(&error),
            Self::Query(error) => sql::query_error(&error),
            Self::Signing(error) => sharing::key_error(&error),
        };
        (status, Json(ErrorBody { error: ErrorDetail { code, message } })).into_response()
    }
}

fn key_error(error: &KeyError) -> (StatusCode, &'static str, String) {
    let (status, code) = match error {
        KeyError::LimitedAdmin => (StatusCode::BAD_REQUEST, "InvalidRequest"),
        KeyError::Exists(_) => (StatusCode::CONFLICT, "KeyExists"),
        KeyError::Missing(_) => (StatusCode::NOT_FOUND, "NoSuchKey"),
        KeyError::Directory(error) => return directory_error(error),
    };
    (status, code, error.to_string())
}

fn directory_error(error: &DirectoryError) -> (StatusCode, &'static str, String) {
    let (bad, conflict) = (StatusCode::BAD_REQUEST, StatusCode::CONFLICT);
    let (status, code) = match error {
        DirectoryError::Policy(source) => return (bad, "MalformedPolicy", format!("{error}: {source}")),
        DirectoryError::Key(_) | DirectoryError::Name(_) | DirectoryError::Description { .. } => {
            (bad, "InvalidRequest")
        }
        DirectoryError::Full { .. } => (bad, "LimitExceeded"),
        DirectoryError::Exists(_) => (conflict, "AlreadyExists"),
        DirectoryError::InUse { .. } => (conflict, "InUse"),
        DirectoryError::BuiltIn(_) => (conflict, "BuiltIn"),
        DirectoryError::Missing { .. } => (StatusCode::NOT_FOUND, "NotFound"),
        DirectoryError::Damaged(_) => (StatusCode::UNPROCESSABLE_ENTITY, "Damaged"),
        DirectoryError::Contended | DirectoryError::Commit(CommitError::Busy { .. }) => {
            (StatusCode::SERVICE_UNAVAILABLE, "SlowDown")
        }
        DirectoryError::Commit(source) => {
            tracing::error!(error = %source, "an access key, user, group, service account or policy could not be changed");
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
    };
    (status, code, error.to_string())
}

pub(super) fn catalog_error(error: &CommitError) -> (StatusCode, &'static str, String) {
    let (status, code) = match error {
        CommitError::Conflict(
            Conflict::NoSuchWarehouse(_)
            | Conflict::NoSuchNamespace(_)
            | Conflict::NoSuchFunction(_)
            | Conflict::NoSuchTable(_)
            | Conflict::NotDropped(_)
            | Conflict::NoSuchDropped(_),
        ) => (StatusCode::NOT_FOUND, "NotFound"),
        CommitError::Conflict(
            Conflict::TableExists(_)
            | Conflict::ViewExists(_)
            | Conflict::NameTaken { .. }
            | Conflict::RenamedOnto { .. }
            | Conflict::PlaceTaken(_)
            | Conflict::NamespaceNotEmpty(_)
            | Conflict::TableProtected(_)
            | Conflict::NamespaceProtected(_)
            | Conflict::Requirement { .. },
        ) => (StatusCode::CONFLICT, "Conflict"),
        CommitError::Conflict(_) => (StatusCode::BAD_REQUEST, "InvalidRequest"),
        CommitError::Busy { .. } | CommitError::Fenced => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        CommitError::Load(_) | CommitError::Write(_) | CommitError::Defect | CommitError::Unknown { .. } => {
            tracing::error!(%error, "the catalog could not be changed");
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
    };
    (status, code, error.to_string())
}

fn stream_error(error: &StreamError) -> (StatusCode, &'static str, String) {
    let (status, code) = match error {
        StreamError::TooMany => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        StreamError::Ahead { .. } => (StatusCode::BAD_REQUEST, "InvalidRequest"),
        StreamError::Gone { .. } => (StatusCode::GONE, "PositionGone"),
        StreamError::Unreadable(source) => {
            tracing::error!(error = %source, "the catalog log could not be read");
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
    };
    (status, code, error.to_string())
}

fn webhook_error(error: &WebhookError) -> (StatusCode, &'static str, String) {
    let (status, code) = match error {
        WebhookError::Invalid(_) => (StatusCode::BAD_REQUEST, "InvalidRequest"),
        WebhookError::Missing(_) => (StatusCode::NOT_FOUND, "NotFound"),
        WebhookError::TooMany => (StatusCode::CONFLICT, "TooMany"),
        WebhookError::Damaged(_) => (StatusCode::UNPROCESSABLE_ENTITY, "Damaged"),
        WebhookError::Commit(CommitError::Conflict(Conflict::DocumentChanged { .. })) => {
            (StatusCode::CONFLICT, "Conflict")
        }
        WebhookError::Commit(source) => return catalog_error(source),
    };
    (status, code, error.to_string())
}

fn policy_error(error: &PolicyError) -> (StatusCode, &'static str, String) {
    let (status, code) = match error {
        PolicyError::NoSuchScope(_) => (StatusCode::NOT_FOUND, "NotFound"),
        PolicyError::Invalid(_) => (StatusCode::BAD_REQUEST, "InvalidRequest"),
        PolicyError::Commit(CommitError::Busy { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        PolicyError::Damaged(_) | PolicyError::Commit(_) => {
            tracing::error!(%error, "a maintenance policy could not be read or changed");
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
    };
    (status, code, error.to_string())
}

fn run_error(error: &BeginError) -> (StatusCode, &'static str, String) {
    let (status, code) = match error {
        BeginError::NoSuchTable(_) => (StatusCode::NOT_FOUND, "NotFound"),
        BeginError::Running(_) => (StatusCode::CONFLICT, "RunInProgress"),
        BeginError::TooMany => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        BeginError::Policy(error) => return policy_error(error),
    };
    (status, code, error.to_string())
}
