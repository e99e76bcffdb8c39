//! Temporary credentials on the root path: `POST /` with a form, as AWS STS takes it.
//!
//! - W1: credentials act for who asked and never reach further; an inline policy only narrows them.
//!   Who brings a token of an identity provider signs nothing: the token is the credential, and the credentials made
//!   for it end no later than it does, but for what the provider's configuration adds.
//! - W2: what is asked for and not known is refused, never passed over.
//!
//! Source: AWS STS API reference, version 2011-06-15. There are no roles here: `RoleArn` is read by nobody.

mod answer;
pub(super) mod order;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use http::{HeaderMap, Method, Request, header};
use tarn_openapi::access::{Ask, Authorize, Principal, Resource, Sender};
use tarn_openapi::request::RequestId;

pub(crate) use self::answer::refused_credentials;
use self::order::{Operation, Wanted};
use super::oidc::{Issuers, Rejection, TokenError, Verified};
use super::session::{IssueError, Order, Sessions, Temporary, Use};

/// The longest form, in bytes.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// What the front works with.
pub struct Sts {
    /// Makes the credentials.
    pub sessions: Arc<Sessions>,
    /// Says who may have some.
    pub authorize: Arc<dyn Authorize>,
    /// Whose tokens are taken.
    pub issuers: Arc<Issuers>,
}

/// Why no credentials were made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StsError {
    #[error("the request is not signed")]
    Anonymous,
    #[error("access denied")]
    Denied,
    #[error("the body must be signed with the request")]
    UnsignedBody,
    #[error("the body must be a URL-encoded form: {0}")]
    Form(String),
    #[error("there is no action {0:?} in version 2011-06-15")]
    Action(String),
    #[error("the action {0} is not served here")]
    NotServed(&'static str),
    #[error("{0}")]
    Token(#[from] TokenError),
    #[error("{0}")]
    Parameter(String),
    #[error("{0}")]
    Policy(String),
    #[error("the policies of the session are too long for its token")]
    TooLarge,
    #[error("the credentials could not be made")]
    Failed,
}

/// Whether a request of the S3 front is one for this. A bucket takes no URL-encoded form.
pub(crate) fn is_sts<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let form = kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let uri = request.uri();
    request.method() == Method::POST && uri.path() == "/" && uri.query().is_none() && form
}

/// The front.
pub fn router(sts: Arc<Sts>) -> Router {
    Router::new().route("/", post(issue)).layer(DefaultBodyLimit::max(FORM_BYTES_MAX)).with_state(sts)
}

async fn issue(
    State(sts): State<Arc<Sts>>,
    principal: Option<Extension<Principal>>,
    sender: Option<Extension<Sender>>,
    id: Option<Extension<RequestId>>,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let principal = principal.map_or(Principal::Anonymous, |Extension(principal)| principal);
    let sender = sender.map(|Extension(sender)| sender);
    let id = id.map_or_else(|| "-".to_owned(), |Extension(id)| id.0.to_string());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let wanted = match form {
        Ok(Form(fields)) => Wanted::read(fields),
        Err(rejection) => Err(StsError::Form(rejection.body_text())),
    };
    // Who sends a token needs no signature.
    let unsigned = |wanted: &Wanted| wanted.token.is_none() && !signs_body(&headers);
    let made = match wanted {
        Ok(wanted) if unsigned(&wanted) => Err(StsError::UnsignedBody),
        Ok(wanted) => sts.give(&principal, sender.as_ref(), wanted, now).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(given) => {
            let web = given.web.as_ref().map(|verified| &*verified.identity.id);
            tracing::info!(session.id = %given.made.id, expires = given.made.expires, web.id = web,
                "gave out temporary credentials");
            answer::given(&given, &id)
        }
        Err(error) => {
            tracing::info!(%error, "gave out no temporary credentials");
            answer::refused(&error, &id)
        }
    }
}

/// Credentials, what was asked for, and the token they were given for.
struct Given {
    wanted: Wanted,
    made: Temporary,
    web: Option<Verified>,
}

/// A form of which the signature says nothing could be anyone's.
fn signs_body(headers: &HeaderMap) -> bool {
    let stated = headers.get("x-amz-content-sha256").map(|value| value.as_bytes());
    stated.is_none_or(|stated| !stated.starts_with(b"UNSIGNED") && !stated.starts_with(b"STREAMING"))
}

impl Sts {
    async fn give(
        &self,
        principal: &Principal,
        sender: Option<&Sender>,
        wanted: Wanted,
        now: i64,
    ) -> Result<Given, StsError> {
        let Some(token) = &wanted.token else {
            let made = self.make(principal, sender, &wanted, now)?;
            return Ok(Given { wanted, made, web: None });
        };
        let verified = self.issuers.verify(token.expose(), now).await?;
        if verified.identity.policies.is_empty() {
            return Err(StsError::Token(TokenError::Rejected(Rejection::NoPolicy)));
        }
        let made = self.make(&Principal::Web(verified.identity.clone()), sender, &wanted, now)?;
        Ok(Given { wanted, made, web: Some(verified) })
    }

    fn make(
        &self,
        principal: &Principal,
        sender: Option<&Sender>,
        wanted: &Wanted,
        now: i64,
    ) -> Result<Temporary, StsError> {
        if *principal == Principal::Anonymous {
            return Err(StsError::Anonymous);
        }
        let seconds = wanted.lifetime_seconds.to_string();
        let values = [("sts:DurationSeconds", seconds.as_str())];
        let ask = Ask::new(wanted.operation.action(), Resource::Server).sent_by(sender).with(&values);
        self.authorize.authorize(principal, ask).map_err(|_| StsError::Denied)?;
        let order = Order {
            parent: principal.clone(),
            restriction: wanted.restriction.clone(),
            lifetime_seconds: wanted.lifetime_seconds,
            purpose: Use::Signing,
            ticket: None,
        };
        self.sessions.issue(order, now).map_err(|error| match error {
            IssueError::NoParent => StsError::Denied,
            IssueError::TooLarge => StsError::TooLarge,
            IssueError::Random => StsError::Failed,
        })
    }
}

impl Operation {
    fn action(self) -> tarn_openapi::access::Action {
        match self {
            Operation::AssumeRole => tarn_openapi::access::Action::AssumeRole,
            Operation::AssumeRoleWithWebIdentity => tarn_openapi::access::Action::AssumeRoleWithWebIdentity,
            Operation::GetSessionToken => tarn_openapi::access::Action::GetSessionToken,
        }
    }
}
