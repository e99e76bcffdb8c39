//! The one place where requests are authenticated, before any front sees them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tarn_objectcore::{Memory, Share};
use tarn_openapi::access::{Principal, Sender, Transport};
use tarn_openapi::network::Network;
use tarn_openapi::request::{Authenticated, RequestId};

use super::answer::{self, Protocol};
use super::error::AuthError;
use super::forwarded;
use super::keyring::Keyring;
use super::oidc::{Issuers, TokenError};
use super::secret::Secret;
use super::session::{Sessions, Use};
use super::sigv4::canonical::sha256;
use super::sigv4::payload::Payload;
use super::sigv4::presented::{self, Place, Presented};
use super::sigv4::signing_key::SigningKeys;
use super::sigv4::verify;
use super::standing::Standing;
use super::{body, oauth, sts};

/// The longest body that is read to check a signature over it (not S3: there its hash is a header).
const BUFFERED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The other end of the connection a request came on, as the listener saw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) SocketAddr);

/// Authenticates requests.
pub struct Identity {
    keyring: Arc<Keyring>,
    signing_keys: SigningKeys,
    tokens: Option<oauth::Tokens>,
    sessions: Option<Arc<Sessions>>,
    issuers: Option<Arc<Issuers>>,
    proxies: Vec<Network>,
    memory: Arc<Memory>,
}

impl Identity {
    /// Looks keys up in `keyring`. Without `tokens` no bearer token is accepted, without `sessions` no
    /// temporary credentials are. Bodies that must be read before they are trusted take a share of `memory`.
    pub fn new(
        keyring: Arc<Keyring>,
        tokens: Option<oauth::Tokens>,
        sessions: Option<Arc<Sessions>>,
        memory: Arc<Memory>,
    ) -> Self {
        Self {
            keyring,
            signing_keys: SigningKeys::default(),
            tokens,
            sessions,
            issuers: None,
            proxies: Vec::new(),
            memory,
        }
    }

    /// With `proxies` that tell where a request came from.
    pub fn with_proxies(self, proxies: Vec<Network>) -> Self {
        Self { proxies, ..self }
    }

    /// With tokens of `issuers` taken by the catalog.
    pub fn with_issuers(self, issuers: Arc<Issuers>) -> Self {
        Self { issuers: Some(issuers), ..self }
    }

    /// The keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// What shows later whether the key behind a principal is still the one it is now.
    pub(crate) fn standing(&self, principal: &Principal) -> Standing {
        Standing::new(self.keyring.clone(), principal)
    }

    /// The bearer tokens, when the server issues them.
    pub fn tokens(&self) -> Option<&oauth::Tokens> {
        self.tokens.as_ref()
    }

    /// The issuers whose tokens are taken, when there are any.
    pub(super) fn issuers(&self) -> Option<&Issuers> {
        self.issuers.as_deref()
    }

    /// The temporary credentials, when the server makes any.
    pub(super) fn sessions(&self) -> Option<&Sessions> {
        self.sessions.as_deref()
    }

    /// Checks what the request presents and returns the request as the fronts may see it, and the memory to hold
    /// until it is answered.
    async fn admit(
        &self,
        request: Request,
        protocol: Protocol,
        now: i64,
    ) -> Result<(Request, Option<Share>), AuthError> {
        let (mut parts, mut content) = request.into_parts();
        let sender = sender(&parts, &self.proxies, now);
        let mut share = None;
        let (principal, how) = match present(&parts)? {
            Credentials::None if wants_credentials(protocol, parts.uri.path()) => {
                return Err(AuthError::Missing);
            }
            Credentials::None => (Principal::Anonymous, Authenticated::Anonymous),
            Credentials::Bearer(_) if protocol == Protocol::S3 => {
                return Err(AuthError::UnsupportedMechanism);
            }
            Credentials::Bearer(token) => {
                let principal = self.bearer(token, protocol, (sender.address, now)).await?;
                (principal, Authenticated::Bearer)
            }
            Credentials::Signed(presented) => {
                let verified = self.check_signed(*presented, &parts, content, (sender.address, now)).await?;
                (content, share) = (verified.content, verified.share);
                (verified.principal, verified.how)
            }
        };
        parts.extensions.insert(sender);
        parts.extensions.insert(principal);
        parts.extensions.insert(how);
        Ok((Request::from_parts(parts, content), share))
    }

    async fn check_signed(
        &self,
        mut presented: Presented,
        parts: &Parts,
        mut content: Body,
        (address, now): (Option<IpAddr>, i64),
    ) -> Result<Verified, AuthError> {
        verify::check_time(&presented, now)?;
        let (principal, secret) = self.signatory(&presented, address, now)?;
        let mut share = None;
        if presented.payload == Payload::Unstated {
            verify::check_headers(&presented, parts)?;
            let (bytes, held) = self.buffer(content).await?;
            share = Some(held);
            presented.payload_text = hex::encode(sha256(&bytes));
            content = Body::from(bytes);
        }
        let seed = verify::check_signature(&presented, parts, &secret, &self.signing_keys)?;
        let content = body::wrap(presented.payload, seed, &parts.headers, content)?;
        let how = match presented.place {
            Place::Header => Authenticated::SignedHeader,
            Place::Query { .. } => Authenticated::SignedQuery,
        };
        Ok(Verified { principal, content, how, share })
    }

    /// Reads a whole body that is not known to be anyone's yet, so within the budget of memory.
    async fn buffer(&self, content: Body) -> Result<(Bytes, Share), AuthError> {
        let announced = content.size_hint().upper().unwrap_or(BUFFERED_BYTES_MAX as u64);
        if announced > BUFFERED_BYTES_MAX as u64 {
            return Err(AuthError::BodyTooLarge);
        }
        let share = self.memory.share(announced).await.map_err(|_| AuthError::Busy)?;
        let read = Limited::new(content, BUFFERED_BYTES_MAX).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { AuthError::BodyTooLarge } else { AuthError::Incomplete }
        });
        Ok((read?.to_bytes(), share))
    }

    /// Who signs with the access key id that is presented, and with which secret.
    fn signatory(
        &self,
        presented: &Presented,
        address: Option<IpAddr>,
        now: i64,
    ) -> Result<(Principal, Secret), AuthError> {
        let id = &presented.credential.access_key;
        let Some(token) = &presented.token else {
            let key = self.keyring.find(id).ok_or(AuthError::UnknownKey)?;
            return Ok((key.principal(), key.secret.clone()));
        };
        let sessions = self.sessions.as_ref().ok_or(AuthError::SecurityToken)?;
        let opened = sessions.open(token, Use::Signing, address, now)?;
        if *opened.session.id != **id {
            return Err(AuthError::SecurityToken);
        }
        Ok((Principal::Session(opened.session), opened.secret))
    }

    /// Whose a bearer token is. A session's and an identity provider's are taken by the catalog only.
    async fn bearer(
        &self,
        token: &str,
        protocol: Protocol,
        (address, now): (Option<IpAddr>, i64),
    ) -> Result<Principal, AuthError> {
        let issued = self.tokens.as_ref().ok_or(AuthError::InvalidBearer);
        let refused = match issued.and_then(|tokens| tokens.verify(token, &self.keyring, now)) {
            Ok(key) => return Ok(key.principal()),
            Err(refused) => refused,
        };
        if protocol != Protocol::Iceberg || refused == AuthError::ExpiredBearer {
            return Err(refused);
        }
        // A JWT has dots, a session token has none.
        match (token.contains('.'), &self.sessions, &self.issuers) {
            (false, Some(sessions), _) => {
                Ok(Principal::Session(sessions.open(token, Use::Bearer, address, now)?.session))
            }
            (true, _, Some(issuers)) => match issuers.verify(token, now).await {
                Ok(verified) => Ok(Principal::Web(verified.identity)),
                Err(TokenError::Expired) => Err(AuthError::ExpiredBearer),
                Err(TokenError::Unavailable) => Err(AuthError::IssuerUnavailable),
                Err(TokenError::Invalid(_) | TokenError::Rejected(_)) => Err(AuthError::InvalidBearer),
            },
            (false, None, _) | (true, _, None) => Err(refused),
        }
    }
}

/// What conditions of policies may know.
fn sender(parts: &Parts, proxies: &[Network], now: i64) -> Sender {
    let peer = parts.extensions.get::<PeerAddress>();
    let seen = peer.map(|peer| forwarded::sender(peer.0.ip(), &parts.headers, proxies));
    Sender {
        address: seen.map(|(address, _)| address),
        transport: seen.map_or(Transport::Plain, |(_, transport)| transport),
        at_seconds: now,
        user_agent: parts.headers.get(header::USER_AGENT).cloned(),
        referer: parts.headers.get(header::REFERER).cloned(),
    }
}

/// Whether a request without credentials is told so (401) before its front sees it. S3 answers itself,
/// and probes, metrics and the API document decide for themselves.
fn wants_credentials(protocol: Protocol, path: &str) -> bool {
    match protocol {
        Protocol::S3 => false,
        Protocol::Iceberg => true,
        Protocol::Sharing => false,
        Protocol::Plain => path.starts_with("/_admin"),
    }
}

struct Verified {
    principal: Principal,
    content: Body,
    how: Authenticated,
    share: Option<Share>,
}

/// What a request presents.
enum Credentials<'a> {
    None,
    Signed(Box<Presented>),
    Bearer(&'a str),
}

fn present(parts: &Parts) -> Result<Credentials<'_>, AuthError> {
    let presigned = presented::is_presigned(&parts.uri);
    let authorization = single_authorization(&parts.headers)?;
    if presigned && authorization.is_some() {
        return Err(AuthError::SeveralMechanisms);
    }
    // Of directory buckets, which this server has none of.
    if parts.headers.contains_key("x-amz-s3session-token") {
        return Err(AuthError::SecurityToken);
    }
    let has_token = parts.headers.contains_key("x-amz-security-token");
    if presigned {
        // The token of a presigned URL is in its query, where it is signed.
        if has_token {
            return Err(AuthError::SecurityToken);
        }
        let query = parts.uri.query().unwrap_or_default();
        return Ok(Credentials::Signed(Box::new(presented::from_query(query)?)));
    }
    let Some(authorization) = authorization else {
        // The older signature in a query: say so instead of treating it as nobody's request.
        let old = parts.uri.query().is_some_and(|query| query.contains("AWSAccessKeyId="));
        return match (old, has_token) {
            (true, _) => Err(AuthError::UnsupportedMechanism),
            (false, true) => Err(AuthError::SecurityToken),
            (false, false) => Ok(Credentials::None),
        };
    };
    match authorization.split_once(' ') {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("bearer") && has_token => {
            Err(AuthError::SeveralMechanisms)
        }
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Credentials::Bearer(token.trim()))
        }
        _ => Ok(Credentials::Signed(Box::new(presented::from_header(authorization, &parts.headers)?))),
    }
}

fn single_authorization(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(AuthError::SeveralMechanisms);
    }
    match first {
        None => Ok(None),
        Some(value) => value.to_str().map(Some).map_err(|_| AuthError::MalformedHeader("it is not ASCII")),
    }
}

/// The middleware. Must stand inside the one that gives requests their id.
pub async fn authenticate(State(identity): State<Arc<Identity>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // The token endpoint reads its own credentials: a client's id and secret, not a signature.
    let protocol = Protocol::of_request(&request);
    if protocol == Protocol::Iceberg && oauth::is_token_path(path) {
        return next.run(request).await;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    if protocol == Protocol::Sharing {
        let (mut parts, content) = request.into_parts();
        let sender = sender(&parts, &identity.proxies, now);
        parts.extensions.insert(sender);
        return next.run(Request::from_parts(parts, content)).await;
    }
    let path = path.to_owned();
    let id = request.extensions().get::<RequestId>().cloned().unwrap_or_else(|| RequestId("-".into()));
    let asks_sts = protocol == Protocol::S3 && sts::is_sts(&request);
    match identity.admit(request, protocol, now).await {
        Ok((request, share)) => {
            let response = next.run(request).await;
            drop(share);
            response
        }
        Err(refusal) => {
            let (_, code) = refusal.s3();
            metrics::counter!("tarn_auth_refused_total", "code" => code).increment(1);
            tracing::info!(request.path = %path, code, reason = %refusal, "credentials refused");
            if asks_sts {
                sts::refused_credentials(&refusal, &id)
            } else {
                answer::refused(protocol, &refusal, &path, &id)
            }
        }
    }
}
