//! Why a request's credentials were refused, and the codes of each protocol for it.

use http::StatusCode;

/// Why a request was not let in. Nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The `Authorization` header cannot be read.
    #[error("the authorization header is malformed: {0}")]
    MalformedHeader(&'static str),
    /// The presigned query cannot be read.
    #[error("the query authorization parameters are malformed: {0}")]
    MalformedQuery(&'static str),
    /// Another mechanism than those served here.
    #[error("the authorization mechanism is not supported; use AWS4-HMAC-SHA256")]
    UnsupportedMechanism,
    /// More than one mechanism in one request.
    #[error("only one authorization mechanism may be used in a request")]
    SeveralMechanisms,
    /// The access key does not exist.
    #[error("the access key id does not exist")]
    UnknownKey,
    /// The signature is not the one the request and the secret call for.
    #[error("the request signature does not match; check the secret key and the signing method")]
    SignatureMismatch,
    /// The request was signed too long ago or in the future.
    #[error("the difference between the request time and the server's time is too large")]
    Skewed,
    /// There is no date to check.
    #[error("the request carries no valid x-amz-date or date header")]
    MissingDate,
    /// A presigned URL is past its time.
    #[error("the request has expired")]
    Expired,
    /// A header that changes the request's meaning is not covered by the signature.
    #[error("a header of the request was not signed: {0}")]
    Unsigned(String),
    /// The session token was not made here for this use, was changed, or belongs to another access key id.
    #[error("the security token is not valid")]
    SecurityToken,
    /// The session is past its time.
    #[error("the security token has expired")]
    ExpiredToken,
    /// `x-amz-content-sha256` is missing.
    #[error("Missing required header for this request: x-amz-content-sha256")]
    MissingContentSha256,
    /// `x-amz-content-sha256` is none of the accepted values.
    #[error("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a known streaming value, or a SHA-256 in hex")]
    InvalidContentSha256,
    /// A chunked body without `x-amz-decoded-content-length`.
    #[error("the header x-amz-decoded-content-length is required for a chunked body")]
    MissingLength,
    /// The body is empty and the announced hash is another, or a buffered body differs.
    #[error("the provided x-amz-content-sha256 does not match what was computed")]
    Sha256Mismatch,
    /// The body had to be read to check the signature, and is too long or broken.
    #[error("the body is too long to be checked: sign it with x-amz-content-sha256")]
    BodyTooLarge,
    /// There is no memory for a body that had to be read to check the signature.
    #[error("the server is busy; try again")]
    Busy,
    /// The connection ended before the body did.
    #[error("the body ended before its announced length")]
    Incomplete,
    /// The bearer token is not one of ours, or its key is gone.
    #[error("the bearer token is not valid")]
    InvalidBearer,
    /// The bearer token is past its time.
    #[error("the bearer token has expired")]
    ExpiredBearer,
    /// The keys of the bearer token's issuer are not known and cannot be had now.
    #[error("the keys of the token's issuer cannot be had now; try again")]
    IssuerUnavailable,
    /// Nothing was presented where something must be.
    #[error("credentials are required")]
    Missing,
}

impl AuthError {
    /// S3's status and error code.
    pub(crate) fn s3(&self) -> (StatusCode, &'static str) {
        let bad = StatusCode::BAD_REQUEST;
        let denied = StatusCode::FORBIDDEN;
        match self {
            Self::MalformedHeader(_) => (bad, "AuthorizationHeaderMalformed"),
            Self::MalformedQuery(_) => (bad, "AuthorizationQueryParametersError"),
            Self::UnsupportedMechanism | Self::SeveralMechanisms | Self::MissingContentSha256 => {
                (bad, "InvalidRequest")
            }
            Self::UnknownKey => (denied, "InvalidAccessKeyId"),
            Self::SignatureMismatch => (denied, "SignatureDoesNotMatch"),
            Self::Skewed => (denied, "RequestTimeTooSkewed"),
            Self::MissingDate | Self::Expired | Self::Unsigned(_) | Self::Missing => (denied, "AccessDenied"),
            Self::SecurityToken | Self::InvalidBearer => (bad, "InvalidToken"),
            Self::ExpiredBearer | Self::ExpiredToken => (bad, "ExpiredToken"),
            Self::InvalidContentSha256 => (bad, "InvalidArgument"),
            Self::MissingLength => (StatusCode::LENGTH_REQUIRED, "MissingContentLength"),
            Self::Sha256Mismatch => (bad, "XAmzContentSHA256Mismatch"),
            Self::BodyTooLarge => (bad, "EntityTooLarge"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
            Self::IssuerUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            Self::Incomplete => (bad, "IncompleteBody"),
        }
    }

    /// The status outside S3: what is wrong with the request is 400 or 413, who sent it is 401.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::MissingContentSha256
            | Self::InvalidContentSha256
            | Self::MissingLength
            | Self::Sha256Mismatch
            | Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy | Self::IssuerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::MalformedHeader(_)
            | Self::MalformedQuery(_)
            | Self::UnsupportedMechanism
            | Self::SeveralMechanisms
            | Self::UnknownKey
            | Self::SignatureMismatch
            | Self::Skewed
            | Self::MissingDate
            | Self::Expired
            | Self::Unsigned(_)
            | Self::SecurityToken
            | Self::ExpiredToken
            | Self::InvalidBearer
            | Self::ExpiredBearer
            | Self::Missing => StatusCode::UNAUTHORIZED,
        }
    }
}
