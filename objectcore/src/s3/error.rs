//! The one place where failures become S3 errors: code, HTTP status, XML.
//!
//! - E1: every error answered is an [`S3Error`]; its [`Code`] fixes both the text and the status.
//! - E2: a failure of ours (5xx) is logged once, where it is answered, with its cause; the client gets only
//!   the code and a plain message.
//! - E3: "503" is answered only when nothing took effect (clients repeat it).

use std::borrow::Cow;
use std::error::Error;

use http::StatusCode;

use crate::types::{
    BodyError, BucketError, InvalidTags, NoSuchBucket, ReadError, StorageError, TagError, Tags, UploadError,
    WriteError,
};

macro_rules! codes {
    ($($name:ident $status:ident),+ $(,)?) => {
        /// An S3 error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($name),+ }

        impl Code {
            /// The code as the XML has it.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Code::$name => stringify!($name)),+ }
            }

            /// The status it is answered with.
            pub(crate) fn status(self) -> StatusCode {
                match self { $(Code::$name => StatusCode::$status),+ }
            }
        }
    };
}

// A macro, because code and status must never part: one table, two functions.
codes! {
    AccessControlListNotSupported BAD_REQUEST,
    AccessDenied FORBIDDEN,
    BadDigest BAD_REQUEST,
    BadRequest BAD_REQUEST,
    BucketAlreadyOwnedByYou CONFLICT,
    BucketNotEmpty CONFLICT,
    EntityTooLarge BAD_REQUEST,
    EntityTooSmall BAD_REQUEST,
    IllegalLocationConstraintException BAD_REQUEST,
    IncompleteBody BAD_REQUEST,
    InsufficientStorage INSUFFICIENT_STORAGE,
    InternalError INTERNAL_SERVER_ERROR,
    InvalidArgument BAD_REQUEST,
    InvalidBucketName BAD_REQUEST,
    InvalidDigest BAD_REQUEST,
    InvalidPart BAD_REQUEST,
    InvalidPartNumber RANGE_NOT_SATISFIABLE,
    InvalidPartOrder BAD_REQUEST,
    InvalidRange RANGE_NOT_SATISFIABLE,
    InvalidRequest BAD_REQUEST,
    InvalidStorageClass BAD_REQUEST,
    InvalidTag BAD_REQUEST,
    InvalidURI BAD_REQUEST,
    KeyTooLongError BAD_REQUEST,
    MalformedTrailerError BAD_REQUEST,
    MalformedXML BAD_REQUEST,
    MaxMessageLengthExceeded BAD_REQUEST,
    MetadataConfigurationAlreadyExists CONFLICT,
    MetadataConfigurationNotFound NOT_FOUND,
    MetadataTooLarge BAD_REQUEST,
    MethodNotAllowed METHOD_NOT_ALLOWED,
    MissingContentLength LENGTH_REQUIRED,
    NoSuchBucket NOT_FOUND,
    NoSuchBucketPolicy NOT_FOUND,
    NoSuchConfiguration NOT_FOUND,
    NoSuchCORSConfiguration NOT_FOUND,
    NoSuchKey NOT_FOUND,
    NoSuchLifecycleConfiguration NOT_FOUND,
    NoSuchObjectLockConfiguration NOT_FOUND,
    NoSuchPublicAccessBlockConfiguration NOT_FOUND,
    NoSuchTagSet NOT_FOUND,
    NoSuchUpload NOT_FOUND,
    NoSuchVersion NOT_FOUND,
    NoSuchWebsiteConfiguration NOT_FOUND,
    NotImplemented NOT_IMPLEMENTED,
    ObjectLockConfigurationNotFoundError NOT_FOUND,
    PreconditionFailed PRECONDITION_FAILED,
    ReplicationConfigurationNotFoundError NOT_FOUND,
    ServerSideEncryptionConfigurationNotFoundError NOT_FOUND,
    ServiceUnavailable SERVICE_UNAVAILABLE,
    SignatureDoesNotMatch FORBIDDEN,
    SlowDown SERVICE_UNAVAILABLE,
    TooManyBuckets BAD_REQUEST,
    TooManyConfigurations BAD_REQUEST,
    XAmzContentSHA256Mismatch BAD_REQUEST,
}

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct S3Error {
    /// What went wrong.
    pub(crate) code: Code,
    /// For people.
    pub(crate) message: Cow<'static, str>,
    /// Further elements of the XML, as S3 has them for some codes.
    pub(crate) details: Vec<(&'static str, String)>,
    /// The cause, for our log only.
    pub(crate) cause: Option<Box<dyn Error + Send + Sync>>,
}

impl S3Error {
    /// An error with a message.
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), details: Vec::new(), cause: None }
    }

    /// Adds an element to the XML.
    pub(crate) fn with(mut self, element: &'static str, value: impl Into<String>) -> Self {
        self.details.push((element, value.into()));
        self
    }

    fn caused_by(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// Logs the cause, where there is one (E2).
    pub(crate) fn log_cause(&self, request_id: &str) {
        let Some(cause) = &self.cause else { return };
        let chain = std::iter::successors(cause.source(), |cause| (*cause).source());
        let sources = chain.map(|cause| format!(": {cause}")).collect::<String>();
        let code = self.code.as_str();
        tracing::error!(request.id = request_id, code, "s3 request failed: {cause}{sources}");
    }

    /// A request header or parameter has a value it cannot have.
    pub(crate) fn argument(name: &str, value: &str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidArgument, message).with("ArgumentName", name).with("ArgumentValue", value)
    }

    /// The request contradicts itself.
    pub(crate) fn request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest, message)
    }

    /// The request asks for what Tarn does not do.
    pub(crate) fn not_implemented(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NotImplemented, message)
    }

    /// The body is not the XML it should be.
    pub(crate) fn malformed_xml() -> Self {
        Self::new(
            Code::MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    }

    /// No rule allows it.
    pub(crate) fn denied() -> Self {
        Self::new(Code::AccessDenied, "Access Denied")
    }

    /// Something of ours failed.
    pub(crate) fn failed(cause: Box<dyn Error + Send + Sync>) -> Self {
        let told = "We encountered an internal error. Please try again.";
        Self { cause: Some(cause), ..Self::new(Code::InternalError, told) }
    }

    /// The bucket does not exist.
    pub(crate) fn no_such_bucket() -> Self {
        Self::new(Code::NoSuchBucket, "The specified bucket does not exist")
    }

    /// The key holds no object.
    pub(crate) fn no_such_key() -> Self {
        Self::new(Code::NoSuchKey, "The specified key does not exist.")
    }

    /// The version does not exist.
    pub(crate) fn no_such_version() -> Self {
        Self::new(Code::NoSuchVersion, "The specified version does not exist.")
    }

    /// A precondition does not hold; `condition` is the header's name.
    pub(crate) fn precondition(condition: &'static str) -> Self {
        Self::new(Code::PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
            .with("Condition", condition)
    }

    /// The range begins behind the end of an object of `size` bytes.
    pub(crate) fn invalid_range(size: u64) -> Self {
        Self::new(Code::InvalidRange, "The requested range is not satisfiable")
            .with("ActualObjectSize", size.to_string())
    }

    /// The body is longer than may be.
    pub(crate) fn too_large(limit_bytes: u64) -> Self {
        Self::new(Code::EntityTooLarge, "Your proposed upload exceeds the maximum allowed size")
            .with("MaxSizeAllowed", limit_bytes.to_string())
    }
}

/// Names of digests in [`BodyError::Mismatch`], beside those of the checksum headers.
pub(crate) mod digest {
    /// `Content-MD5`. The core computes and compares it.
    pub(crate) const CONTENT_MD5: &str = "Content-MD5";
    /// `x-amz-content-sha256`, compared by the identity layer.
    pub(crate) const CONTENT_SHA256: &str = "x-amz-content-sha256";
    /// The trailer that was announced.
    pub(crate) const TRAILER: &str = "trailer";
    /// A chunk signature, compared by the identity layer.
    pub(crate) const SIGNATURE: &str = "chunk signature";
}

impl From<BodyError> for S3Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Incomplete => Self::new(
                Code::IncompleteBody,
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            ),
            BodyError::Mismatch(digest::CONTENT_SHA256) => Self::new(
                Code::XAmzContentSHA256Mismatch,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            BodyError::Mismatch(digest::SIGNATURE) => Self::new(
                Code::SignatureDoesNotMatch,
                "The request signature we calculated does not match the signature you provided.",
            ),
            BodyError::Mismatch(digest::TRAILER) => Self::new(
                Code::MalformedTrailerError,
                "The request contained trailing data that was not well-formed or did not conform to our \
                 published schema.",
            ),
            BodyError::Mismatch(digest::CONTENT_MD5) => {
                Self::new(Code::BadDigest, "The Content-MD5 you specified did not match what we received.")
            }
            BodyError::Mismatch(name) => Self::new(
                Code::BadDigest,
                format!("The {name} you specified did not match what we received."),
            ),
            BodyError::Malformed(what) => Self::request(format!("The body is malformed: {what}")),
            BodyError::TooLarge { limit_bytes } => Self::too_large(limit_bytes),
        }
    }
}

impl From<StorageError> for S3Error {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Full => Self::new(
                Code::InsufficientStorage,
                "The drives are full. Nothing was written; reads and deletes work.",
            ),
            StorageError::Busy => Self::new(Code::SlowDown, "Please reduce your request rate."),
            StorageError::Closing => Self::new(Code::ServiceUnavailable, "The server is shutting down."),
            StorageError::TooFewDrives { .. }
            | StorageError::Damaged { .. }
            | StorageError::Unknown
            | StorageError::Io { .. } => {
                Self::new(Code::InternalError, "We encountered an internal error. Please try again.")
                    .caused_by(error)
            }
        }
    }
}

impl From<NoSuchBucket> for S3Error {
    fn from(NoSuchBucket: NoSuchBucket) -> Self {
        Self::no_such_bucket()
    }
}

impl From<ReadError> for S3Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NoSuchBucket => Self::no_such_bucket(),
            ReadError::NoSuchKey => Self::no_such_key(),
            ReadError::InvalidRange { size } => Self::invalid_range(size),
            ReadError::Storage(error) => error.into(),
        }
    }
}

impl From<WriteError> for S3Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NoSuchBucket => Self::no_such_bucket(),
            WriteError::NoSuchSource => Self::no_such_key(),
            // If-Match on a key without an object: S3 says that the key does not exist.
            WriteError::Precondition { exists: false } => Self::no_such_key(),
            WriteError::Precondition { exists: true } => Self::precondition("If-Match or If-None-Match"),
            WriteError::Body(error) => error.into(),
            WriteError::Storage(error) => error.into(),
        }
    }
}

impl From<InvalidTags> for S3Error {
    fn from(error: InvalidTags) -> Self {
        let invalid =
            |message: &'static str, key: String| Self::new(Code::InvalidTag, message).with("TagKey", key);
        match error {
            InvalidTags::TooMany { .. } => {
                Self::new(Code::BadRequest, format!("Object tags cannot be greater than {}", Tags::COUNT_MAX))
            }
            InvalidTags::Key(key) => invalid("The TagKey you have provided is invalid", key),
            InvalidTags::Reserved(key) => invalid("System tags cannot be added/updated by requester", key),
            InvalidTags::Value { key, value } => {
                invalid("The TagValue you have provided is invalid", key).with("TagValue", value)
            }
            InvalidTags::Twice(key) => invalid("Cannot provide multiple Tags with the same key", key),
        }
    }
}

impl From<TagError> for S3Error {
    fn from(error: TagError) -> Self {
        match error {
            TagError::NoSuchBucket => Self::no_such_bucket(),
            TagError::NoSuchKey => Self::no_such_key(),
            TagError::Precondition => Self::precondition("If-Match"),
            TagError::Invalid(error) => error.into(),
            TagError::Storage(error) => error.into(),
        }
    }
}

impl From<BucketError> for S3Error {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::NoSuchBucket => Self::no_such_bucket(),
            BucketError::Exists => Self::new(
                Code::BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own it.",
            ),
            BucketError::NotEmpty => {
                Self::new(Code::BucketNotEmpty, "The bucket you tried to delete is not empty")
            }
            BucketError::TooMany { limit } => {
                Self::new(Code::TooManyBuckets, format!("There are {limit} buckets already."))
            }
            BucketError::Storage(error) => error.into(),
        }
    }
}

impl From<UploadError> for S3Error {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::NoSuchBucket => Self::no_such_bucket(),
            UploadError::NoSuchUpload => Self::new(
                Code::NoSuchUpload,
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have \
                 been aborted or completed.",
            ),
            UploadError::InvalidPart { number } => Self::new(
                Code::InvalidPart,
                "One or more of the specified parts could not be found. The part may not have been \
                 uploaded, or the specified entity tag may not match the part's entity tag.",
            )
            .with("PartNumber", number.to_string()),
            UploadError::InvalidPartOrder => Self::new(
                Code::InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            ),
            UploadError::TooSmall { number, size, minimum } => Self::new(
                Code::EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size",
            )
            .with("ProposedSize", size.to_string())
            .with("MinSizeAllowed", minimum.to_string())
            .with("PartNumber", number.to_string()),
            UploadError::TooLarge { limit_bytes } => Self::too_large(limit_bytes),
            UploadError::BadDigest => Self::new(
                Code::BadDigest,
                "The checksum or size you specified for the object did not match what we computed.",
            ),
            UploadError::Write(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_answered_as_the_design_says() {
        let status = |error: S3Error| error.code.status().as_u16();
        assert_eq!(status(StorageError::Full.into()), 507);
        assert_eq!(status(StorageError::Busy.into()), 503);
        assert_eq!(status(StorageError::Unknown.into()), 500);
        assert_eq!(status(StorageError::Damaged { intact: 1, needed: 2 }.into()), 500);
        assert_eq!(status(StorageError::TooFewDrives { healthy: 1, needed: 3 }.into()), 500);
        assert_eq!(status(WriteError::Precondition { exists: true }.into()), 412);
        assert_eq!(status(WriteError::Precondition { exists: false }.into()), 404);
        assert_eq!(status(BodyError::Mismatch(digest::SIGNATURE).into()), 403);
    }
}
