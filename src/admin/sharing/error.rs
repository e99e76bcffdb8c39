//! Failures of shares, recipients and their tokens, and their answers.

use http::StatusCode;
use tarn_sharing::access::{IssueError, KeyError};
use tarn_sharing::directory::DirectoryError;

use super::super::error::catalog_error;

pub(in super::super) fn directory_error(error: &DirectoryError) -> (StatusCode, &'static str, String) {
    let (bad, missing) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND);
    let (status, code) = match error {
        DirectoryError::Name { .. } | DirectoryError::Invalid(_) => (bad, "InvalidRequest"),
        DirectoryError::Full { .. } | DirectoryError::TooLarge { .. } => (bad, "LimitExceeded"),
        DirectoryError::Exists { .. } => (StatusCode::CONFLICT, "AlreadyExists"),
        DirectoryError::NotEmpty(_) => (StatusCode::CONFLICT, "InUse"),
        DirectoryError::Missing { .. }
        | DirectoryError::NoGrant { .. }
        | DirectoryError::NoToken(_)
        | DirectoryError::NoSource(_) => (missing, "NotFound"),
        DirectoryError::Contended => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        DirectoryError::Damaged { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "Damaged"),
        DirectoryError::Bucket(source) => {
            tracing::error!(error = %source, "a bucket could not be asked");
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
        DirectoryError::Listing(source) => {
            tracing::error!(error = %source, "the log of a Delta table could not be listed");
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
        DirectoryError::Commit(source) => return catalog_error(source),
    };
    (status, code, error.to_string())
}

pub(in super::super) fn issue_error(error: &IssueError) -> (StatusCode, &'static str, String) {
    match error {
        IssueError::Lifetime => (StatusCode::BAD_REQUEST, "InvalidRequest", error.to_string()),
        IssueError::Keys(source) => key_error(source),
    }
}

pub(in super::super) fn key_error(error: &KeyError) -> (StatusCode, &'static str, String) {
    let (status, code) = match error {
        KeyError::TooMany => (StatusCode::CONFLICT, "LimitExceeded"),
        KeyError::Contended => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        KeyError::Damaged => (StatusCode::UNPROCESSABLE_ENTITY, "Damaged"),
        KeyError::Random => {
            tracing::error!(%error, "no token could be made");
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
        KeyError::Commit(source) => return catalog_error(source),
    };
    (status, code, error.to_string())
}
