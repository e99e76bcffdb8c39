//! Answers in the XML of AWS's query protocol.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use tarn_openapi::request::RequestId;

use super::super::answer::escape;
use super::super::error::AuthError;
use super::super::oidc::TokenError;
use super::order::Operation;
use super::{Given, StsError};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub(super) fn given(given: &Given, id: &str) -> Response {
    let Given { wanted, made, web } = given;
    let operation = wanted.operation.name();
    let expires = Timestamp::from_second(made.expires).map(|at| at.to_string()).unwrap_or_default();
    let user = match wanted.operation {
        Operation::GetSessionToken => String::new(),
        Operation::AssumeRole | Operation::AssumeRoleWithWebIdentity => format!(
            "<AssumedRoleUser><AssumedRoleId>{key}:{name}</AssumedRoleId>\
             <Arn>arn:aws:sts:::assumed-role/{key}/{name}</Arn></AssumedRoleUser>",
            key = escape(&made.id),
            name = escape(&wanted.name),
        ),
    };
    let web = web.as_ref().map_or_else(String::new, |verified| {
        format!(
            "<SubjectFromWebIdentityToken>{}</SubjectFromWebIdentityToken><Audience>{}</Audience>\
             <Provider>{}</Provider>",
            escape(&verified.subject),
            escape(&verified.audience),
            escape(&verified.issuer),
        )
    });
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{operation}Response xmlns=\"{NAMESPACE}\">\
         <{operation}Result><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{expires}</Expiration></Credentials>{user}{web}</{operation}Result>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{operation}Response>",
        escape(&made.id),
        escape(made.secret.expose()),
        escape(made.token.expose()),
        escape(id),
    );
    answer(StatusCode::OK, xml)
}

pub(super) fn refused(error: &StsError, id: &str) -> Response {
    let (bad, denied) = (StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN);
    let (status, code) = match error {
        StsError::Anonymous => (denied, "MissingAuthenticationToken"),
        StsError::Denied => (denied, "AccessDenied"),
        StsError::UnsignedBody => (denied, "IncompleteSignature"),
        StsError::Form(_) => (bad, "MalformedInput"),
        StsError::Action(_) => (bad, "InvalidAction"),
        StsError::NotServed(_) => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        StsError::Token(TokenError::Invalid(_)) => (bad, "InvalidIdentityToken"),
        StsError::Token(TokenError::Expired) => (bad, "ExpiredTokenException"),
        StsError::Token(TokenError::Rejected(_)) => (denied, "IDPRejectedClaim"),
        StsError::Token(TokenError::Unavailable) => (bad, "IDPCommunicationError"),
        StsError::Parameter(_) => (bad, "ValidationError"),
        StsError::Policy(_) => (bad, "MalformedPolicyDocument"),
        StsError::TooLarge => (bad, "PackedPolicyTooLarge"),
        StsError::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
    };
    failure(status, code, &error.to_string(), id)
}

/// Answers refused credentials, in the names of STS.
pub(crate) fn refused_credentials(refusal: &AuthError, id: &RequestId) -> Response {
    let (status, code) = match refusal {
        AuthError::UnknownKey => (StatusCode::FORBIDDEN, "InvalidClientTokenId"),
        other => other.s3(),
    };
    failure(status, code, &refusal.to_string(), &id.0)
}

fn failure(status: StatusCode, code: &str, message: &str, id: &str) -> Response {
    let kind = if status.is_server_error() { "Receiver" } else { "Sender" };
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse xmlns=\"{NAMESPACE}\"><Error>\
         <Type>{kind}</Type><Code>{code}</Code><Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
        escape(message),
        escape(id),
    );
    answer(status, xml)
}

fn answer(status: StatusCode, xml: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/xml")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, Body::from(xml)).into_response()
}
