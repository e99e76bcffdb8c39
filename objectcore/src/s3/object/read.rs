//! What GET and HEAD share: what is asked for, whether the conditions hold, the headers of the answer.

use std::ops::Range;

use axum::body::Body;
use axum::http::response::Parts;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::s3::attributes::{self, Overrides};
use crate::s3::call::Call;
use crate::s3::checksum;
use crate::s3::condition::{Conditions, Verdict, if_range_holds};
use crate::s3::error::{Code, S3Error};
use crate::s3::headers;
use crate::s3::range;
use crate::types::{Checksum, GetRange, ObjectInfo};

const OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-cache-control", header::CACHE_CONTROL),
    ("response-content-disposition", header::CONTENT_DISPOSITION),
    ("response-content-encoding", header::CONTENT_ENCODING),
    ("response-content-language", header::CONTENT_LANGUAGE),
    ("response-content-type", header::CONTENT_TYPE),
    ("response-expires", header::EXPIRES),
];

/// Whether the client wants the checksum (`x-amz-checksum-mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChecksumMode {
    Enabled,
    Silent,
}

/// What a GET or HEAD asks for.
pub(super) struct Read<'r> {
    /// The bytes, before `If-Range` had its say.
    pub(super) range: Option<GetRange>,
    if_range: Option<&'r str>,
    conditions: Conditions<'r>,
    overrides: Overrides<'r>,
    checksum_mode: ChecksumMode,
}

impl<'r> Read<'r> {
    pub(super) fn parse(call: &'r Call<'_>) -> Result<Self, S3Error> {
        call.expect_null_version()?;
        refuse_encryption(call.headers())?;
        Ok(Self {
            range: asked_range(call)?,
            if_range: headers::text(call.headers(), &header::IF_RANGE)?,
            conditions: Conditions::parse(call.headers())?,
            overrides: overrides(call)?,
            checksum_mode: match call.headers().get(headers::CHECKSUM_MODE) {
                Some(mode) if mode.as_bytes().eq_ignore_ascii_case(b"ENABLED") => ChecksumMode::Enabled,
                Some(_) | None => ChecksumMode::Silent,
            },
        })
    }

    #[cfg(test)]
    pub(super) fn ranged(range: GetRange, if_range: &'r str) -> Self {
        Self {
            range: Some(range),
            if_range: Some(if_range),
            conditions: Conditions::default(),
            overrides: Vec::new(),
            checksum_mode: ChecksumMode::Silent,
        }
    }

    /// Whether the object must be known before its bytes are asked for.
    pub(super) fn looks_first(&self) -> bool {
        self.range.is_some() && (self.if_range.is_some() || self.conditions.any())
    }

    /// The range that counts for `object`: none, where `If-Range` does not hold.
    pub(super) fn range_for(&self, object: &ObjectInfo) -> Option<GetRange> {
        match (self.range, self.if_range) {
            (Some(GetRange::Part(part)), _) => Some(GetRange::Part(part)),
            (Some(_), Some(value)) if !if_range_holds(value, object) => None,
            (range, _) => range,
        }
    }

    /// Whether `If-Range` allows the whole object in place of the range.
    pub(super) fn may_answer_whole(&self) -> bool {
        self.if_range.is_some() && !matches!(self.range, Some(GetRange::Part(_)))
    }

    /// 304 or 412, where a condition says so.
    pub(super) fn settle(&self, object: &ObjectInfo) -> Result<Option<Response>, S3Error> {
        match self.conditions.evaluate(object) {
            Verdict::Holds => Ok(None),
            Verdict::Fails(condition) => Err(S3Error::precondition(condition)),
            Verdict::NotModified => {
                let (mut parts, body) = Response::new(Body::empty()).into_parts();
                attributes::describe(&mut parts, object, &Vec::new())?;
                parts.headers.remove(header::CONTENT_TYPE);
                parts.status = StatusCode::NOT_MODIFIED;
                Ok(Some(Response::from_parts(parts, body)))
            }
        }
    }

    /// The head of the answer that carries `bytes` of `object`, read with `range`.
    pub(super) fn head(
        &self,
        object: &ObjectInfo,
        range: Option<GetRange>,
        bytes: &Range<u64>,
    ) -> Result<Parts, S3Error> {
        let (mut parts, ()) = Response::new(()).into_parts();
        attributes::describe(&mut parts, object, &self.overrides)?;
        let length = bytes.end - bytes.start;
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if range.is_some() && length > 0 {
            parts.status = StatusCode::PARTIAL_CONTENT;
            let content_range = format!("bytes {}-{}/{}", bytes.start, bytes.end - 1, object.size);
            parts.headers.extend(
                HeaderValue::try_from(content_range).ok().map(|value| (header::CONTENT_RANGE, value)),
            );
        }
        // S3 tells the count only to those who ask for a part.
        if matches!(range, Some(GetRange::Part(_))) && !object.parts.is_empty() {
            parts.headers.insert(headers::PARTS_COUNT, HeaderValue::from(object.parts.len()));
        }
        if self.checksum_mode == ChecksumMode::Enabled
            && let Some(checksum) = checksum_of(object, range, length)
        {
            checksum::put_headers(&mut parts.headers, checksum, object.parts.len());
            // A part answers its own checksum and the type of the object's.
            if let Some(whole) = &object.checksum {
                let kind = HeaderValue::from_static(checksum::kind_name(whole.kind));
                parts.headers.insert(headers::CHECKSUM_TYPE, kind);
            }
        }
        Ok(parts)
    }
}

/// The checksum that is true of the bytes answered: the object's for the whole, a part's for that
/// part. A client verifies the body with it, so a range has none.
fn checksum_of(object: &ObjectInfo, range: Option<GetRange>, length: u64) -> Option<&Checksum> {
    match range {
        Some(GetRange::Part(number)) if !object.parts.is_empty() => {
            object.parts.iter().find(|part| part.number == number)?.checksum.as_ref()
        }
        _ if length == object.size => object.checksum.as_ref(),
        _ => None,
    }
}

fn asked_range(call: &Call<'_>) -> Result<Option<GetRange>, S3Error> {
    let header = headers::text(call.headers(), &header::RANGE)?;
    match (call.query.get("partNumber"), header) {
        (Some(_), Some(_)) => {
            Err(S3Error::request("Cannot specify both Range header and partNumber query parameter"))
        }
        (Some(number), None) => Ok(Some(GetRange::Part(range::part_number(number)?))),
        (None, Some(header)) => Ok(range::parse(header)),
        (None, None) => Ok(None),
    }
}

fn overrides<'r>(call: &'r Call<'_>) -> Result<Overrides<'r>, S3Error> {
    let mut overrides = Vec::new();
    for (parameter, name) in OVERRIDES {
        let Some(value) = call.query.get(parameter) else { continue };
        if !call.is_signed() {
            return Err(S3Error::request(
                "Request specific response headers cannot be used for anonymous GET requests.",
            ));
        }
        overrides.push((name, value));
    }
    Ok(overrides)
}

/// A key for decryption does not fit an object that is not encrypted.
fn refuse_encryption(headers: &HeaderMap) -> Result<(), S3Error> {
    if headers.keys().any(|name| name.as_str().starts_with("x-amz-server-side-encryption")) {
        return Err(S3Error::request("The encryption parameters are not applicable to this object."));
    }
    Ok(())
}

/// A part that is not there is its own error.
pub(super) fn explain_range(error: S3Error, range: Option<GetRange>) -> S3Error {
    match (error.code, range) {
        (Code::InvalidRange, Some(GetRange::Part(_))) => {
            S3Error::new(Code::InvalidPartNumber, "The requested partnumber is not satisfiable")
        }
        (_, _) => error,
    }
}
