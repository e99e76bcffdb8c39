//! OAuth client credentials (RFC 6749, section 4.4): a client's id and secret for a short token. The token is the
//! client's: it ends when the client does.

use std::net::IpAddr;
use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Access;
use super::issue::sha256_hex;
use super::jwt::{self, Holder};
use super::signing::KeyError;
use crate::directory::{Status, TokenKind};

/// How long a token lasts, in milliseconds. Clients ask for another one when less than 10 minutes are left.
pub(super) const LIFETIME_MS: i64 = 60 * 60 * 1_000;

/// What a client asks for.
#[derive(Deserialize)]
pub(super) struct Form {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// A client as it shows itself.
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Zeroizing<String>,
}

/// A short token.
pub(super) struct ClientToken {
    pub(super) jwt: Zeroizing<String>,
    pub(super) expires_in_s: i64,
}

/// Why there is no token. The route maps each to the wire once.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientRefusal {
    #[error("{0}")]
    Request(&'static str),
    #[error("use client_credentials")]
    GrantType,
    #[error("the client id or secret is wrong")]
    Client,
    #[error("the client may not come from this address")]
    Address,
    #[error("too many requests; try again in {retry_after_s} s")]
    Rate { retry_after_s: u64 },
    #[error("the token cannot be made now")]
    Keys(#[source] KeyError),
}

impl Form {
    /// The client: from the Basic header where there is one, else from the form; never from both.
    pub(super) fn client(self, headers: &HeaderMap) -> Result<Client, ClientRefusal> {
        match self.grant_type.as_deref() {
            Some("client_credentials") => {}
            Some(_) => return Err(ClientRefusal::GrantType),
            None => return Err(ClientRefusal::Request("grant_type is required")),
        }
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (basic, more) = (values.next(), values.next());
        let secret = self.client_secret.map(Zeroizing::new);
        if more.is_some() || (basic.is_some() && secret.is_some()) {
            return Err(ClientRefusal::Request("a client shows itself in one way"));
        }
        match (basic, self.client_id, secret) {
            (Some(value), named, _) => {
                let client = value.to_str().ok().and_then(read_basic).ok_or(ClientRefusal::Client)?;
                if named.is_some_and(|named| named != client.id) {
                    return Err(ClientRefusal::Request("the header and the form name two clients"));
                }
                Ok(client)
            }
            (None, Some(id), Some(secret)) => Ok(Client { id, secret }),
            (None, _, _) => Err(ClientRefusal::Client),
        }
    }
}

/// Ids and secrets have no character that stands for another one in a form, so what is between the colons is them.
fn read_basic(value: &str) -> Option<Client> {
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let client = Client { id: id.to_owned(), secret: Zeroizing::new(secret.to_owned()) };
    scheme.eq_ignore_ascii_case("basic").then_some(client)
}

impl Access {
    /// A token for a client that proves its secret, for an hour or as long as the client lasts.
    pub(super) async fn client_token(
        &self,
        client: &Client,
        address: Option<IpAddr>,
        now_ms: i64,
    ) -> Result<ClientToken, ClientRefusal> {
        let id: Uuid = client.id.parse().map_err(|_| ClientRefusal::Client)?;
        let keys = self.keys(now_ms).await.map_err(ClientRefusal::Keys)?;
        let state = self.catalog.snapshot();
        let known = self.known.holder(&state, id).ok_or(ClientRefusal::Client)?;
        let kept = known.token(id, now_ms).ok_or(ClientRefusal::Client)?;
        let shown = sha256_hex(&client.secret);
        let right = match &kept.kind {
            TokenKind::Client { secret_sha256 } => secret_sha256.as_bytes().ct_eq(shown.as_bytes()).into(),
            TokenKind::Bearer { .. } | TokenKind::Federated { .. } => false,
        };
        let recipient = &known.recipient;
        if !right || recipient.status == Status::Disabled {
            return Err(ClientRefusal::Client);
        }
        if !known.may_come_from(address) {
            return Err(ClientRefusal::Address);
        }
        let per_second = recipient.requests_per_second.unwrap_or(self.rates.per_token);
        let taken = {
            let mut buckets = self.rates.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            buckets.take(id, per_second, now_ms)
        };
        taken.map_err(|many| ClientRefusal::Rate { retry_after_s: many.wait_ms.div_ceil(1_000).max(1) })?;
        let expires_ms = kept.expires_ms.min(now_ms.saturating_add(LIFETIME_MS));
        let jwt = jwt::sign(&keys, Holder { recipient: recipient.id, token: id, expires_ms }, now_ms);
        Ok(ClientToken { jwt, expires_in_s: (expires_ms - now_ms).div_euclid(1_000) })
    }
}

impl ClientRefusal {
    /// For the metrics and the log.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            ClientRefusal::Request(_) => "request",
            ClientRefusal::GrantType => "grant-type",
            ClientRefusal::Client => "client",
            ClientRefusal::Address => "address",
            ClientRefusal::Rate { .. } => "rate",
            ClientRefusal::Keys(_) => "unavailable",
        }
    }
}
