//! This server's bearer tokens (RFC 7519): how they are written, and which are believed. Pure.
//!
//! - Q1: the algorithm is that of the key that `kid` names, and a header that says another one is refused. A header has
//!   nothing but `alg`, `kid` and `typ`, claims have nothing but ours, and neither names a thing twice.
//! - Q2: issuer and audience are those of this deployment: a token of another one, or for another use, opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::keys::{SigningKeys, TOKEN_LIFETIME_MS_MAX};

/// The longest token of ours, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// The longest token that is read to see whose it is, in bytes: those of providers list groups.
const SHOWN_BYTES_MAX: usize = 20_000;
/// How far the clock of another node may be ahead, in seconds.
const AHEAD_SECONDS_MAX: i64 = 60;

/// What makes a token none of ours. For the log only: who sends it is told nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("it is longer than {TOKEN_BYTES_MAX} bytes, or {SHOWN_BYTES_MAX} of a provider")]
    TooLong,
    #[error("it cannot be read: {0}")]
    Malformed(&'static str),
    #[error("its issuer is not known")]
    Issuer,
    #[error("its audience is not this server's shares")]
    Audience,
    #[error("its key is not known, or was withdrawn")]
    Key,
    #[error("its algorithm is not that of its key")]
    Algorithm,
    #[error("its signature does not verify")]
    Signature,
    #[error("it was issued in the future, or for longer than a token may last")]
    Times,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    /// The recipient's birth.
    pub(super) sub: Uuid,
    /// The id of the token in the recipient's document.
    pub(super) jti: Uuid,
    /// Seconds since 1970.
    iat: i64,
    /// Seconds since 1970.
    pub(super) exp: i64,
}

/// A token whose signature verifies. It may have ended, and what it names may be gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proved {
    pub(super) claims: Claims,
    /// The number of the key that signed it.
    pub(super) key: u32,
}

/// A token before its signature is checked.
pub(super) struct Unverified<'t> {
    bytes: usize,
    header: Vec<u8>,
    claims: Vec<u8>,
    signed: &'t [u8],
    signature: Vec<u8>,
    /// Who says to have issued it.
    pub(super) issuer: String,
}

/// The one claim that is read before the signature is checked.
#[derive(Deserialize)]
struct Issued {
    iss: String,
}

/// Whom a token is for, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder {
    pub(super) recipient: Uuid,
    pub(super) token: Uuid,
    /// Milliseconds since 1970.
    pub(super) expires_ms: i64,
}

/// Signs a token by the key that signs now.
pub(super) fn sign(keys: &SigningKeys, holder: Holder, now_ms: i64) -> Zeroizing<String> {
    let key = keys.signing();
    let header = Header { alg: key.algorithm().into(), kid: key.kid.clone(), typ: "JWT".into() };
    let claims = Claims {
        iss: keys.issuer(),
        aud: keys.audience(),
        sub: holder.recipient,
        jti: holder.token,
        iat: now_ms.div_euclid(1_000),
        exp: holder.expires_ms.div_euclid(1_000),
    };
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
    Zeroizing::new(format!("{signed}.{signature}"))
}

fn encode(part: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).expect("texts and numbers always become JSON"))
}

impl<'t> Unverified<'t> {
    /// Takes a token apart.
    pub(super) fn read(token: &'t str) -> Result<Self, Flaw> {
        if token.len() > SHOWN_BYTES_MAX {
            return Err(Flaw::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Flaw::Malformed("it has no signature"))?;
        let (header, claims) = signed.split_once('.').ok_or(Flaw::Malformed("it has no claims"))?;
        let claims = decode(claims)?;
        let Issued { iss } =
            serde_json::from_slice(&claims).map_err(|_| Flaw::Malformed("its claims name no issuer"))?;
        Ok(Self {
            bytes: token.len(),
            header: decode(header)?,
            claims,
            signed: signed.as_bytes(),
            signature: decode(signature)?,
            issuer: iss,
        })
    }

    /// Whether it is one of ours, and what it says. That it ended is for the caller to see.
    pub(super) fn prove(&self, keys: &SigningKeys, now_ms: i64) -> Result<Proved, Flaw> {
        if self.bytes > TOKEN_BYTES_MAX {
            return Err(Flaw::TooLong);
        }
        let header: Header = serde_json::from_slice(&self.header)
            .map_err(|_| Flaw::Malformed("its header is not one of this server's"))?;
        let key = keys.verifying(&header.kid, now_ms).ok_or(Flaw::Key)?;
        if header.alg != key.algorithm() {
            return Err(Flaw::Algorithm);
        }
        if header.typ != "JWT" {
            return Err(Flaw::Malformed("its type is not JWT"));
        }
        if !key.verifies(self.signed, &self.signature) {
            return Err(Flaw::Signature);
        }
        let claims: Claims = serde_json::from_slice(&self.claims)
            .map_err(|_| Flaw::Malformed("its claims are not those of this server"))?;
        if claims.iss != keys.issuer() {
            return Err(Flaw::Issuer);
        }
        if claims.aud != keys.audience() {
            return Err(Flaw::Audience);
        }
        let lasts = claims.exp.saturating_sub(claims.iat);
        let ahead = claims.iat.saturating_sub(now_ms.div_euclid(1_000));
        if ahead > AHEAD_SECONDS_MAX || lasts > TOKEN_LIFETIME_MS_MAX / 1_000 + 1 {
            return Err(Flaw::Times);
        }
        Ok(Proved { claims, key: key.number })
    }
}

/// base64url without padding, and only the one spelling of each text.
fn decode(part: &str) -> Result<Vec<u8>, Flaw> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Malformed("a part is not base64url"))
}
