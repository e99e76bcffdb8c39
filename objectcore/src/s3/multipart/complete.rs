//! `POST /bucket/key?uploadId`

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use md5::{Digest as _, Md5};
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::body;
use crate::s3::call::Call;
use crate::s3::checksum;
use crate::s3::condition::{self, unquote};
use crate::s3::error::{Code, S3Error};
use crate::s3::headers;
use crate::s3::xml::{Element, Writer, url_encode};
use crate::types::{
    Checksum, ChecksumAlgorithm, ChecksumKind, CompleteOptions, CompletePart, ETag, PutIf, UploadId,
    UploadInfo,
};

const DOCUMENT_BYTES_MAX: usize = 2 << 20;
const PARTS_MAX: usize = 10_000;

pub(crate) async fn respond(
    call: &Call<'_>,
    at: &ObjectName,
    upload: &UploadId,
    body: Body,
) -> Result<Response, S3Error> {
    call.authorize_object(Action::PutObject, at)?;
    let when = condition::put_if(call.headers())?;
    let size = expected_size(call)?;
    // The x-amz-checksum headers of this request speak of the object, not of the document.
    let document = body::collect_unchecked(body, DOCUMENT_BYTES_MAX).await?;
    let document = Element::parse(&document, "CompleteMultipartUpload")?;
    let made = match complete(call, at, upload, &document, when.clone(), size).await {
        Err(error) if error.code == Code::NoSuchUpload && when == PutIf::Always => {
            already_made(call, at, &document).await.ok_or(error)?
        }
        made => made?,
    };

    let mut writer = Writer::new("CompleteMultipartUploadResult", 512);
    writer.element("Location", &format!("/{}/{}", at.bucket, url_encode(at.key.as_str())));
    writer.element("Bucket", at.bucket.as_str()).element("Key", at.key.as_str()).etag(&made.etag);
    if let Some(checksum) = &made.checksum {
        checksum::put_elements(&mut writer, checksum, made.parts);
    }
    Ok(writer.answer(StatusCode::OK))
}

/// What the answer tells of the object.
struct Made {
    etag: ETag,
    checksum: Option<Checksum>,
    parts: usize,
}

async fn complete(
    call: &Call<'_>,
    at: &ObjectName,
    upload: &UploadId,
    document: &Element,
    when: PutIf,
    size: Option<u64>,
) -> Result<Made, S3Error> {
    let info = call.core().upload(at, upload).await?;
    let parts = parts(document, info.checksum.map(|(algorithm, _)| algorithm))?;
    let checksum = expected_checksum(call, &info)?;
    let options = CompleteOptions { when, checksum, size };
    let written = call.core().complete_upload(at, upload, &parts, options).await?;
    Ok(Made { etag: written.etag, checksum: written.checksum, parts: parts.len() })
}

/// The object, where it is the one that these parts make: the client repeats a request whose answer it did
/// not get, and S3 answers it again. A conditional request is not answered so: its condition was another's.
async fn already_made(call: &Call<'_>, at: &ObjectName, document: &Element) -> Option<Made> {
    let parts = parts(document, None).ok()?;
    let mut md5 = Md5::new();
    for part in &parts {
        md5.update(hex::decode(&part.etag.0).ok()?);
    }
    let etag = ETag(format!("{}-{}", hex::encode(md5.finalize()), parts.len()));
    let object = call.core().head(at).await.ok().filter(|object| object.etag == etag)?;
    Some(Made { etag, checksum: object.checksum, parts: parts.len() })
}

fn parts(document: &Element, kept: Option<ChecksumAlgorithm>) -> Result<Vec<CompletePart>, S3Error> {
    let parts: Vec<_> = document.all("Part").map(|part| one_part(part, kept)).collect::<Result<_, _>>()?;
    if parts.is_empty() || parts.len() > PARTS_MAX { Err(S3Error::malformed_xml()) } else { Ok(parts) }
}

/// A checksum of another algorithm than the upload's was compared when the part came; it is not kept.
fn one_part(part: &Element, kept: Option<ChecksumAlgorithm>) -> Result<CompletePart, S3Error> {
    let number = part.text_of("PartNumber").and_then(|text| text.parse::<u16>().ok());
    let (Some(number), Some(etag)) = (number, part.text_of("ETag")) else {
        return Err(S3Error::malformed_xml());
    };
    if !(1..=10_000).contains(&number) {
        return Err(S3Error::argument(
            "partNumber",
            &number.to_string(),
            "Part number must be an integer between 1 and 10000, inclusive",
        ));
    }
    let mut checksum = None;
    if let Some(kept) = kept
        && let Some(text) = part.text_of(checksum::element(kept)).filter(|text| !text.is_empty())
    {
        let value = checksum::parse_value(kept, text);
        checksum =
            Some(value.ok_or_else(|| S3Error::from(crate::types::UploadError::InvalidPart { number }))?);
    }
    Ok(CompletePart { number, etag: ETag(unquote(etag).to_owned()), checksum })
}

fn expected_size(call: &Call<'_>) -> Result<Option<u64>, S3Error> {
    let Some(text) = headers::text(call.headers(), &headers::MP_OBJECT_SIZE)? else { return Ok(None) };
    match text.parse() {
        Ok(size) => Ok(Some(size)),
        Err(_) => Err(S3Error::request("Value for x-amz-mp-object-size header is invalid.")),
    }
}

/// The checksum of the whole object, where the client sends one.
fn expected_checksum(call: &Call<'_>, upload: &UploadInfo) -> Result<Option<Checksum>, S3Error> {
    let kept = upload.checksum;
    if let Some(text) = headers::text(call.headers(), &headers::CHECKSUM_TYPE)? {
        let asked = checksum::parse_kind(text)
            .ok_or_else(|| S3Error::request("Value for x-amz-checksum-type header is invalid."))?;
        if kept.is_some_and(|(_, kind)| kind != asked) {
            return Err(S3Error::request(format!(
                "The upload was created using another checksum mode than {}.",
                checksum::kind_name(asked)
            )));
        }
    }
    let mut expected = None;
    for algorithm in checksum::ALL {
        let name = checksum::header(algorithm);
        let Some(text) = headers::text(call.headers(), &name)? else { continue };
        let invalid = || S3Error::request(format!("Value for {name} header is invalid."));
        let (text, kind) = match text.split_once('-') {
            Some((text, _parts)) => (text, ChecksumKind::Composite),
            None => (text, kept.map_or(ChecksumKind::FullObject, |(_, kind)| kind)),
        };
        let value = checksum::parse_value(algorithm, text).ok_or_else(invalid)?;
        if kept.is_some_and(|(kept, kind_kept)| kept != algorithm || kind_kept != kind) || expected.is_some()
        {
            return Err(S3Error::request(
                "The checksum is not of the algorithm and type that the upload was created with.",
            ));
        }
        expected = Some(Checksum { algorithm, kind, value });
    }
    Ok(expected)
}
