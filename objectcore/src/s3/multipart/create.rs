//! `POST /bucket/key?uploads`

use axum::response::Response;
use http::{HeaderValue, StatusCode};
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::attributes;
use crate::s3::call::Call;
use crate::s3::checksum;
use crate::s3::error::S3Error;
use crate::s3::headers;
use crate::s3::object::tagging;
use crate::s3::xml::Writer;
use crate::types::{Attributes, ChecksumAlgorithm, ChecksumKind};

pub(crate) async fn respond(call: &Call<'_>, at: &ObjectName) -> Result<Response, S3Error> {
    call.authorize_object(Action::PutObject, at)?;
    attributes::refuse_unsupported(call.headers())?;
    let asked = checksum(
        headers::text(call.headers(), &headers::CHECKSUM_ALGORITHM)?,
        headers::text(call.headers(), &headers::CHECKSUM_TYPE)?,
    )?;
    let kept = asked.unwrap_or((checksum::DEFAULT, ChecksumKind::FullObject));
    let tags = tagging::given(call, at)?;
    let attributes = Attributes { tags, ..attributes::parse(call.headers())? };
    let upload = call.core().create_upload(at, attributes, Some(kept)).await?;

    let mut writer = Writer::new("InitiateMultipartUploadResult", 256);
    writer.element("Bucket", at.bucket.as_str()).element("Key", at.key.as_str());
    writer.element("UploadId", &upload.0);
    let mut response = writer.answer(StatusCode::OK);
    if let Some((algorithm, kind)) = asked {
        let out = response.headers_mut();
        out.insert(headers::CHECKSUM_ALGORITHM, HeaderValue::from_static(checksum::name(algorithm)));
        out.insert(headers::CHECKSUM_TYPE, HeaderValue::from_static(checksum::kind_name(kind)));
    }
    Ok(response)
}

/// The checksum asked for. A SHA cannot be combined over parts, CRC-64/NVME always is.
fn checksum(
    algorithm: Option<&str>,
    kind: Option<&str>,
) -> Result<Option<(ChecksumAlgorithm, ChecksumKind)>, S3Error> {
    let Some(algorithm) = algorithm else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(S3Error::request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let algorithm = checksum::parse_name(algorithm).ok_or_else(|| {
        S3Error::request(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, \
             CRC32C, CRC64NVME, SHA1, SHA256]",
        )
    })?;
    let kind = match kind {
        Some(text) => Some(
            checksum::parse_kind(text)
                .ok_or_else(|| S3Error::request("Value for x-amz-checksum-type header is invalid."))?,
        ),
        None => None,
    };
    let refused = |kind| {
        Err(S3Error::request(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            checksum::kind_name(kind),
            checksum::name(algorithm).to_ascii_lowercase(),
        )))
    };
    match (algorithm, kind) {
        (ChecksumAlgorithm::Crc64Nvme, Some(kind @ ChecksumKind::Composite)) => refused(kind),
        (ChecksumAlgorithm::Crc64Nvme, Some(ChecksumKind::FullObject) | None) => {
            Ok(Some((algorithm, ChecksumKind::FullObject)))
        }
        (ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256, Some(kind @ ChecksumKind::FullObject)) => {
            refused(kind)
        }
        (
            ChecksumAlgorithm::Sha1
            | ChecksumAlgorithm::Sha256
            | ChecksumAlgorithm::Crc32
            | ChecksumAlgorithm::Crc32c,
            kind,
        ) => Ok(Some((algorithm, kind.unwrap_or(ChecksumKind::Composite)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::error::Code;

    #[test]
    fn algorithm_and_type_fit_each_other() {
        use ChecksumAlgorithm::{Crc32, Crc64Nvme, Sha256};
        use ChecksumKind::{Composite, FullObject};
        let asked = |algorithm, kind| checksum(algorithm, kind).map_err(|error| error.code);
        assert_eq!(asked(None, None), Ok(None));
        assert_eq!(asked(Some("CRC32"), None), Ok(Some((Crc32, Composite))));
        assert_eq!(asked(Some("crc32"), Some("FULL_OBJECT")), Ok(Some((Crc32, FullObject))));
        assert_eq!(asked(Some("CRC64NVME"), None), Ok(Some((Crc64Nvme, FullObject))));
        assert_eq!(asked(Some("SHA256"), Some("COMPOSITE")), Ok(Some((Sha256, Composite))));
        for bad in [
            (Some("CRC64NVME"), Some("COMPOSITE")),
            (Some("SHA256"), Some("FULL_OBJECT")),
            (Some("MD6"), None),
            (Some("CRC32"), Some("HALF")),
            (None, Some("COMPOSITE")),
        ] {
            assert_eq!(asked(bad.0, bad.1), Err(Code::InvalidRequest), "{bad:?}");
        }
    }
}
