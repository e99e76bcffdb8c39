//! Takes a token apart. What comes out is not yet to be believed (J1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::Flaw;
use super::algorithm::Algorithm;

/// The longest token, in bytes: what AWS takes.
pub(crate) const TOKEN_BYTES_MAX: usize = 20_000;
/// The longest name of a key, in bytes.
const KID_BYTES_MAX: usize = 256;

/// A token before its signature is checked.
#[derive(Debug)]
pub(super) struct Unverified<'t> {
    pub(super) algorithm: Algorithm,
    /// A name to compare, nothing else: never a path, an address or a query.
    pub(super) kid: Option<String>,
    pub(super) issuer: String,
    /// Header and claims as they were signed.
    pub(super) signed: &'t [u8],
    pub(super) claims: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// What counts of a header. Where keys may be had by its word (`jku`, `x5u`, `jwk`, `x5c`) is not read at all.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// Extensions that must be understood: none is.
    crit: Option<serde::de::IgnoredAny>,
}

/// The one claim that is read before the signature is checked.
#[derive(Deserialize)]
struct Issued {
    iss: String,
}

impl<'t> Unverified<'t> {
    pub(super) fn read(token: &'t str) -> Result<Self, Flaw> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Flaw::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Flaw::Malformed("it has no signature"))?;
        let (header, claims) = signed.split_once('.').ok_or(Flaw::Malformed("it has no claims"))?;
        let header: Header = serde_json::from_slice(&decode(header)?)
            .map_err(|_| Flaw::Malformed("its header is not the JSON of one"))?;
        let algorithm = header.alg.parse().map_err(|_| Flaw::Algorithm)?;
        if header.crit.is_some() {
            return Err(Flaw::Malformed("its header names extensions"));
        }
        if !header.typ.as_deref().is_none_or(is_bearer_type) {
            return Err(Flaw::Type);
        }
        if header.kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
            return Err(Flaw::Malformed("the name of its key is too long"));
        }
        let claims = decode(claims)?;
        let Issued { iss } =
            serde_json::from_slice(&claims).map_err(|_| Flaw::Malformed("its claims name no issuer"))?;
        let signature = decode(signature)?;
        Ok(Self { algorithm, kid: header.kid, issuer: iss, signed: signed.as_bytes(), claims, signature })
    }
}

/// Access and identity tokens; not those of a logout, a proof or a security event (RFC 8725, section 3.11).
fn is_bearer_type(typ: &str) -> bool {
    let short = typ.get(..12).filter(|start| start.eq_ignore_ascii_case("application/")).map(|_| &typ[12..]);
    let short = short.unwrap_or(typ);
    short.eq_ignore_ascii_case("JWT") || short.eq_ignore_ascii_case("at+jwt")
}

/// base64url without padding, and only the one spelling of each text.
fn decode(part: &str) -> Result<Vec<u8>, Flaw> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Malformed("a part is not base64url"))
}
