//! What a signed request presents: who signed, when, which headers, and the signature. Read from the
//! `Authorization` header or from the query of a presigned URL; nothing is checked against a key here.

use http::{HeaderMap, Uri};

use super::super::error::AuthError;
use super::canonical::pairs;
use super::credential::Credential;
use super::date::AmzDate;
use super::payload::{self, Payload};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The most signed headers looked at; the listener takes no more in a request.
const SIGNED_HEADERS_MAX: usize = 100;

/// Where the signature was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Header,
    /// Presigned: valid for `expires_seconds` from its date.
    Query {
        expires_seconds: i64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presented {
    pub(crate) credential: Credential,
    pub(crate) date: AmzDate,
    pub(crate) signed_headers: String,
    pub(crate) signature: [u8; 32],
    pub(crate) place: Place,
    pub(crate) payload: Payload,
    /// The payload as it stands in the canonical request; empty while [`Payload::Unstated`].
    pub(crate) payload_text: String,
    /// The session token sent beside it.
    pub(crate) token: Option<String>,
}

/// Whether the query is that of a presigned URL.
pub(crate) fn is_presigned(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| {
        pairs(query).any(|(name, _)| {
            matches!(name.as_ref(), b"X-Amz-Algorithm" | b"X-Amz-Credential" | b"X-Amz-Signature")
        })
    })
}

/// Reads a signed `Authorization` header.
pub(crate) fn from_header(authorization: &str, headers: &HeaderMap) -> Result<Presented, AuthError> {
    let malformed = AuthError::MalformedHeader;
    let fields = authorization.strip_prefix(ALGORITHM).ok_or(AuthError::UnsupportedMechanism)?;
    if !fields.starts_with([' ', '\t']) {
        return Err(AuthError::UnsupportedMechanism);
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for field in fields.split(',') {
        let (name, value) = field.trim().split_once('=').ok_or(malformed("a field has no '='"))?;
        let slot = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => return Err(malformed("a field is not Credential, SignedHeaders or Signature")),
        };
        if slot.replace(value).is_some() {
            return Err(malformed("a field is given twice"));
        }
    }
    let credential =
        Credential::parse(credential.ok_or(malformed("Credential is missing"))?).map_err(malformed)?;
    let signed_headers = signed_headers.ok_or(malformed("SignedHeaders is missing"))?;
    check_signed_headers(signed_headers).map_err(malformed)?;
    let signature =
        parse_signature(signature.ok_or(malformed("Signature is missing"))?).map_err(malformed)?;
    let date = date_of(headers).ok_or(AuthError::MissingDate)?;
    if date.day() != credential.date {
        return Err(malformed("the credential's date is not that of the request"));
    }
    let (payload, payload_text) = match headers.get("x-amz-content-sha256") {
        Some(value) => payload::parse(value.to_str().map_err(|_| AuthError::InvalidContentSha256)?)?,
        None if credential.service.is_object_service() => return Err(AuthError::MissingContentSha256),
        None => (Payload::Unstated, String::new()),
    };
    let token = token_of(headers)?;
    let signed_headers = signed_headers.to_owned();
    let place = Place::Header;
    Ok(Presented { credential, date, signed_headers, signature, place, payload, payload_text, token })
}

fn date_of(headers: &HeaderMap) -> Option<AmzDate> {
    match headers.get("x-amz-date") {
        Some(value) => AmzDate::parse(value.to_str().ok()?),
        None => AmzDate::parse_http(headers.get("date")?.to_str().ok()?),
    }
}

/// The one session token of the headers. That it is signed is checked with the other `x-amz-*` headers.
fn token_of(headers: &HeaderMap) -> Result<Option<String>, AuthError> {
    let mut values = headers.get_all("x-amz-security-token").iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(AuthError::SecurityToken);
    }
    let text = first.map(|value| value.to_str().map(str::to_owned)).transpose();
    text.map_err(|_| AuthError::SecurityToken)
}

/// Reads the query of a presigned URL.
pub(crate) fn from_query(query: &str) -> Result<Presented, AuthError> {
    let malformed = AuthError::MalformedQuery;
    let mut fields = Fields::default();
    for (name, value) in pairs(query) {
        let Some(slot) = fields.slot(&name) else { continue };
        let value = String::from_utf8(value.into_owned()).map_err(|_| malformed("a value is not UTF-8"))?;
        if slot.replace(value).is_some() {
            return Err(malformed("a parameter is given twice"));
        }
    }
    if fields.algorithm.as_deref() != Some(ALGORITHM) {
        return Err(malformed("X-Amz-Algorithm must be AWS4-HMAC-SHA256"));
    }
    let credential = fields.credential.ok_or(malformed("X-Amz-Credential is missing"))?;
    let credential = Credential::parse(&credential).map_err(malformed)?;
    if !credential.service.is_object_service() {
        return Err(malformed("only requests of S3 can be presigned"));
    }
    let date = fields.date.as_deref().and_then(AmzDate::parse);
    let date = date.ok_or(malformed("X-Amz-Date must be yyyymmddThhmmssZ"))?;
    if date.day() != credential.date {
        return Err(malformed("the credential's date is not X-Amz-Date's"));
    }
    let expires = fields.expires.as_deref().and_then(|text| text.parse::<i64>().ok());
    let expires_seconds = expires.ok_or(malformed("X-Amz-Expires must be a number of seconds"))?;
    let signed_headers = fields.signed_headers.ok_or(malformed("X-Amz-SignedHeaders is missing"))?;
    check_signed_headers(&signed_headers).map_err(malformed)?;
    let signature = fields.signature.ok_or(malformed("X-Amz-Signature is missing"))?;
    let signature = parse_signature(&signature).map_err(malformed)?;
    let (payload, payload_text) = payload::parse(fields.sha256.as_deref().unwrap_or(payload::UNSIGNED))?;
    if matches!(payload, Payload::Chunked(_)) {
        return Err(malformed("a presigned request cannot be chunked"));
    }
    let place = Place::Query { expires_seconds };
    let token = fields.token;
    Ok(Presented { credential, date, signed_headers, signature, place, payload, payload_text, token })
}

#[derive(Default)]
struct Fields {
    algorithm: Option<String>,
    credential: Option<String>,
    date: Option<String>,
    expires: Option<String>,
    signed_headers: Option<String>,
    signature: Option<String>,
    sha256: Option<String>,
    token: Option<String>,
}

impl Fields {
    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<String>> {
        match name {
            b"X-Amz-Algorithm" => Some(&mut self.algorithm),
            b"X-Amz-Credential" => Some(&mut self.credential),
            b"X-Amz-Date" => Some(&mut self.date),
            b"X-Amz-Expires" => Some(&mut self.expires),
            b"X-Amz-SignedHeaders" => Some(&mut self.signed_headers),
            b"X-Amz-Signature" => Some(&mut self.signature),
            b"X-Amz-Content-Sha256" => Some(&mut self.sha256),
            b"X-Amz-Security-Token" => Some(&mut self.token),
            _ => None,
        }
    }
}

fn check_signed_headers(text: &str) -> Result<(), &'static str> {
    if text.split(';').count() > SIGNED_HEADERS_MAX {
        return Err("too many signed headers");
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("signed headers must be in lower case");
    }
    if !text.split(';').any(|name| name == "host") {
        return Err("host must be a signed header");
    }
    Ok(())
}

fn parse_signature(text: &str) -> Result<[u8; 32], &'static str> {
    let mut signature = [0; 32];
    hex::decode_to_slice(text, &mut signature).map_err(|_| "the signature must be 64 hex digits")?;
    Ok(signature)
}
