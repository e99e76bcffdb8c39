//! What is answered when a request is not: `{"errorCode", "message"}`, and nothing else.

use http::StatusCode;
use serde::Serialize;

/// A request that is not answered as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind it is.
    pub kind: Kind,
    /// What a person reads.
    pub message: String,
    /// After how many seconds it may be asked again.
    pub retry_after_s: Option<u64>,
}

/// Kinds of failures, each with one status and one code. Clients ask again only after 429 and 5xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no such thing, or none for this reader.
    Missing,
    /// A parameter says what it cannot.
    Invalid,
    /// The request is none of the protocol.
    Malformed,
    /// The table or the server cannot do this.
    Unsupported,
    /// The request, or what it asks for, is larger than is answered.
    TooLarge,
    /// Nobody, or nobody known, is asking.
    Unauthenticated,
    /// Who asks is known and may not.
    Forbidden,
    /// Too many requests.
    Throttled,
    /// The path is there, the method is not.
    MethodNotAllowed,
    /// Nothing was done, and may be in a moment.
    Unavailable,
    /// The server failed, and says no more.
    Internal,
}

impl Kind {
    /// Its status and its code.
    pub fn wire(self) -> (StatusCode, &'static str) {
        match self {
            Self::Missing => (StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST"),
            Self::Invalid => (StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE"),
            Self::Malformed => (StatusCode::BAD_REQUEST, "MALFORMED_REQUEST"),
            Self::Unsupported => (StatusCode::BAD_REQUEST, "UNSUPPORTED_OPERATION"),
            Self::TooLarge => (StatusCode::BAD_REQUEST, "RESOURCE_LIMIT_EXCEEDED"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
            Self::Throttled => (StatusCode::TOO_MANY_REQUESTS, "REQUEST_LIMIT_EXCEEDED"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED_OPERATION"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    error_code: &'a str,
    message: &'a str,
}

impl Failure {
    /// A failure of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after_s: None }
    }

    /// A parameter says what it cannot.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// The request is none of the protocol.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, message)
    }

    /// The table or the server cannot do this.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    /// The server failed. What failed is for its log only.
    pub fn internal() -> Self {
        Self::new(Kind::Internal, "")
    }

    /// There is no such share for this reader.
    pub fn no_share(share: &str) -> Self {
        Self::new(Kind::Missing, format!("share '{share}' not found"))
    }

    /// There is no such schema in the share.
    pub fn no_schema(schema: &str) -> Self {
        Self::new(Kind::Missing, format!("schema '{schema}' not found"))
    }

    /// There is no such table for this reader.
    pub fn no_table(share: &str, schema: &str, table: &str) -> Self {
        let message = format!(
            "[Share/Schema/Table] '{share}/{schema}/{table}' does not exist, \
             please contact your share provider for further information."
        );
        Self::new(Kind::Missing, message)
    }

    /// The body of the answer.
    pub fn body(&self) -> String {
        let (_, error_code) = self.kind.wire();
        serde_json::to_string(&Envelope { error_code, message: &self.message })
            .expect("texts always become JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_has_a_code_and_a_message_and_escapes_what_was_asked() {
        let body = Failure::no_share("a\"b\n").body();
        assert_eq!(body, r#"{"errorCode":"RESOURCE_DOES_NOT_EXIST","message":"share 'a\"b\n' not found"}"#);
        assert_eq!(Failure::internal().body(), r#"{"errorCode":"INTERNAL_ERROR","message":""}"#);
    }
}
