//! Checksums of S3: names, headers, and computing them while bytes pass.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::types::{Checksum, ChecksumAlgorithm, ChecksumKind};

use super::error::{Code, S3Error};
use super::headers;
use super::xml::Writer;

/// All algorithms, in the order of S3's documentation.
pub(crate) const ALL: [ChecksumAlgorithm; 5] = [
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc64Nvme,
    ChecksumAlgorithm::Sha1,
    ChecksumAlgorithm::Sha256,
];

/// What S3 computes when the client asks for nothing.
pub(crate) const DEFAULT: ChecksumAlgorithm = ChecksumAlgorithm::Crc64Nvme;

/// `CRC32`
pub(crate) fn name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "CRC32",
        ChecksumAlgorithm::Crc32c => "CRC32C",
        ChecksumAlgorithm::Crc64Nvme => "CRC64NVME",
        ChecksumAlgorithm::Sha1 => "SHA1",
        ChecksumAlgorithm::Sha256 => "SHA256",
    }
}

/// `x-amz-checksum-crc32`
pub(crate) fn header(algorithm: ChecksumAlgorithm) -> HeaderName {
    HeaderName::from_static(header_name(algorithm))
}

fn header_name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "x-amz-checksum-crc32",
        ChecksumAlgorithm::Crc32c => "x-amz-checksum-crc32c",
        ChecksumAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        ChecksumAlgorithm::Sha1 => "x-amz-checksum-sha1",
        ChecksumAlgorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

/// `ChecksumCRC32`
pub(crate) fn element(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "ChecksumCRC32",
        ChecksumAlgorithm::Crc32c => "ChecksumCRC32C",
        ChecksumAlgorithm::Crc64Nvme => "ChecksumCRC64NVME",
        ChecksumAlgorithm::Sha1 => "ChecksumSHA1",
        ChecksumAlgorithm::Sha256 => "ChecksumSHA256",
    }
}

/// `FULL_OBJECT` or `COMPOSITE`
pub(crate) fn kind_name(kind: ChecksumKind) -> &'static str {
    match kind {
        ChecksumKind::FullObject => "FULL_OBJECT",
        ChecksumKind::Composite => "COMPOSITE",
    }
}

/// Reads `CRC32` and its like in any case.
pub(crate) fn parse_name(text: &str) -> Option<ChecksumAlgorithm> {
    ALL.into_iter().find(|&algorithm| name(algorithm).eq_ignore_ascii_case(text))
}

/// Reads `FULL_OBJECT` or `COMPOSITE`.
pub(crate) fn parse_kind(text: &str) -> Option<ChecksumKind> {
    [ChecksumKind::FullObject, ChecksumKind::Composite].into_iter().find(|&kind| kind_name(kind) == text)
}

fn length(algorithm: ChecksumAlgorithm) -> usize {
    match algorithm {
        ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c => 4,
        ChecksumAlgorithm::Crc64Nvme => 8,
        ChecksumAlgorithm::Sha1 => 20,
        ChecksumAlgorithm::Sha256 => 32,
    }
}

/// The bytes of a checksum written in base64; `None` where it has not the algorithm's length.
pub(crate) fn parse_value(algorithm: ChecksumAlgorithm, text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok().filter(|value| value.len() == length(algorithm))
}

/// A checksum as text: base64, for a composite one with `-` and the number of parts.
pub(crate) fn text(checksum: &Checksum, parts: usize) -> String {
    let mut text = STANDARD.encode(&checksum.value);
    if checksum.kind == ChecksumKind::Composite {
        text.push('-');
        text.push_str(&parts.to_string());
    }
    text
}

/// Adds `x-amz-checksum-*` and `x-amz-checksum-type`.
pub(crate) fn put_headers(headers: &mut HeaderMap, checksum: &Checksum, parts: usize) {
    // Base64, '-' and digits are always a header value.
    if let Ok(value) = HeaderValue::try_from(text(checksum, parts)) {
        headers.insert(header(checksum.algorithm), value);
        headers.insert(headers::CHECKSUM_TYPE, HeaderValue::from_static(kind_name(checksum.kind)));
    }
}

/// Adds `<ChecksumCRC32>` and, when asked, `<ChecksumType>`.
pub(crate) fn put_elements(writer: &mut Writer, checksum: &Checksum, parts: usize) {
    writer.element(element(checksum.algorithm), &text(checksum, parts));
    writer.element("ChecksumType", kind_name(checksum.kind));
}

/// What a client says about the checksum of the body it sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nothing.
    None,
    /// The value, in a header.
    Value(ChecksumAlgorithm, Vec<u8>),
    /// The value comes in a trailer.
    Trailer(ChecksumAlgorithm),
}

impl Claim {
    /// The algorithm, where one is named.
    pub(crate) fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        match self {
            Claim::None => None,
            Claim::Value(algorithm, _) | Claim::Trailer(algorithm) => Some(*algorithm),
        }
    }

    /// Reads `x-amz-checksum-*`, `x-amz-trailer` and `x-amz-sdk-checksum-algorithm`.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Self, S3Error> {
        let mut claim = Self::from_header(headers)?;
        for trailer in headers.get_all(headers::TRAILER) {
            let names = trailer.to_str().map_err(|_| invalid(headers::TRAILER.as_str()))?;
            for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let known = ALL.into_iter().find(|&known| header_name(known).eq_ignore_ascii_case(name));
                let Some(algorithm) = known else { return Err(invalid(headers::TRAILER.as_str())) };
                claim = match claim {
                    Claim::None => Claim::Trailer(algorithm),
                    Claim::Value(..) | Claim::Trailer(_) => return Err(several()),
                };
            }
        }
        claim.check_announced(headers)?;
        Ok(claim)
    }

    fn from_header(headers: &HeaderMap) -> Result<Self, S3Error> {
        let mut claim = Claim::None;
        for algorithm in ALL {
            for value in headers.get_all(header_name(algorithm)) {
                let value = value.to_str().ok().and_then(|text| parse_value(algorithm, text));
                let value = value.ok_or_else(|| invalid(header_name(algorithm)))?;
                if claim != Claim::None {
                    return Err(several());
                }
                claim = Claim::Value(algorithm, value);
            }
        }
        Ok(claim)
    }

    /// The SDKs say beside the checksum which algorithm they use.
    fn check_announced(&self, headers: &HeaderMap) -> Result<(), S3Error> {
        let Some(announced) = headers.get(headers::SDK_CHECKSUM_ALGORITHM) else { return Ok(()) };
        let announced = announced.to_str().ok().and_then(parse_name);
        let announced = announced.ok_or_else(|| invalid(headers::SDK_CHECKSUM_ALGORITHM.as_str()))?;
        match self.algorithm() {
            Some(algorithm) if algorithm == announced => Ok(()),
            Some(_) => Err(invalid(headers::SDK_CHECKSUM_ALGORITHM.as_str())),
            None => Err(S3Error::request(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
                 x-amz-trailer headers were found.",
            )),
        }
    }
}

fn several() -> S3Error {
    S3Error::request("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
}

fn invalid(header: &str) -> S3Error {
    S3Error::request(format!("Value for {header} header is invalid."))
}

/// Reads `Content-MD5`.
pub(crate) fn content_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, S3Error> {
    let Some(value) = headers.get(headers::CONTENT_MD5) else { return Ok(None) };
    let decoded = value.to_str().ok().and_then(|text| STANDARD.decode(text.trim()).ok());
    match decoded.map(<[u8; 16]>::try_from) {
        Some(Ok(md5)) => Ok(Some(md5)),
        Some(Err(_)) | None => {
            Err(S3Error::new(Code::InvalidDigest, "The Content-MD5 you specified is not valid."))
        }
    }
}

/// A checksum under way.
pub(crate) enum Hasher {
    /// A CRC of 32 bits.
    Crc32(ChecksumAlgorithm, Crc),
    /// CRC-64/NVME.
    Crc64(Crc),
    /// SHA-1.
    Sha1(Box<Sha1>),
    /// SHA-256.
    Sha256(Box<Sha256>),
}

impl Hasher {
    /// A hasher that saw nothing yet.
    pub(crate) fn new(algorithm: ChecksumAlgorithm) -> Self {
        match algorithm {
            ChecksumAlgorithm::Crc32 => Self::Crc32(algorithm, Crc::new(CrcAlgorithm::Crc32IsoHdlc)),
            ChecksumAlgorithm::Crc32c => Self::Crc32(algorithm, Crc::new(CrcAlgorithm::Crc32Iscsi)),
            ChecksumAlgorithm::Crc64Nvme => Self::Crc64(Crc::new(CrcAlgorithm::Crc64Nvme)),
            ChecksumAlgorithm::Sha1 => Self::Sha1(Box::new(Sha1::new())),
            ChecksumAlgorithm::Sha256 => Self::Sha256(Box::new(Sha256::new())),
        }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(_, crc) | Self::Crc64(crc) => crc.update(bytes),
            Self::Sha1(sha) => sha.update(bytes),
            Self::Sha256(sha) => sha.update(bytes),
        }
    }

    /// The checksum over all bytes taken.
    pub(crate) fn finish(self) -> Checksum {
        let (algorithm, value) = match self {
            // The low half of a 32-bit CRC's u64 is the CRC.
            Self::Crc32(algorithm, crc) => (algorithm, (crc.finalize() as u32).to_be_bytes().to_vec()),
            Self::Crc64(crc) => (ChecksumAlgorithm::Crc64Nvme, crc.finalize().to_be_bytes().to_vec()),
            Self::Sha1(sha) => (ChecksumAlgorithm::Sha1, sha.finalize().to_vec()),
            Self::Sha256(sha) => (ChecksumAlgorithm::Sha256, sha.finalize().to_vec()),
        };
        Checksum { algorithm, kind: ChecksumKind::FullObject, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(pairs: &[(&'static str, &'static str)]) -> Result<Claim, Code> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Claim::parse(&headers).map_err(|error| error.code)
    }

    #[test]
    fn checksums_of_nine_digits_are_the_published_ones() {
        let of = |algorithm| {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(b"1234");
            hasher.update(b"56789");
            hex::encode(hasher.finish().value)
        };
        assert_eq!(of(ChecksumAlgorithm::Crc32), "cbf43926");
        assert_eq!(of(ChecksumAlgorithm::Crc32c), "e3069283");
        assert_eq!(of(ChecksumAlgorithm::Crc64Nvme), "ae8b14860a799888");
        assert_eq!(of(ChecksumAlgorithm::Sha1), "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
        assert_eq!(
            of(ChecksumAlgorithm::Sha256),
            "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"
        );
    }

    #[test]
    fn a_claim_is_one_header_or_one_trailer() {
        assert_eq!(claim(&[]), Ok(Claim::None));
        let crc = Ok(Claim::Value(ChecksumAlgorithm::Crc32, vec![0, 0, 0, 0]));
        assert_eq!(claim(&[("x-amz-checksum-crc32", "AAAAAA==")]), crc);
        assert_eq!(
            claim(&[("x-amz-sdk-checksum-algorithm", "CRC32"), ("x-amz-checksum-crc32", "AAAAAA==")]),
            crc
        );
        assert_eq!(
            claim(&[("x-amz-trailer", "X-Amz-Checksum-Sha256")]),
            Ok(Claim::Trailer(ChecksumAlgorithm::Sha256))
        );
        for bad in [
            &[("x-amz-checksum-crc32", "AAAA")][..],
            &[("x-amz-checksum-crc32", "!")],
            &[("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-crc32c", "AAAAAA==")],
            &[("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-trailer", "x-amz-checksum-crc32")],
            &[("x-amz-trailer", "x-amz-checksum-crc32, x-amz-checksum-sha1")],
            &[("x-amz-trailer", "x-amz-meta-a")],
            &[("x-amz-sdk-checksum-algorithm", "CRC32")],
            &[("x-amz-sdk-checksum-algorithm", "MD6"), ("x-amz-checksum-crc32", "AAAAAA==")],
            &[("x-amz-sdk-checksum-algorithm", "SHA1"), ("x-amz-checksum-crc32", "AAAAAA==")],
        ] {
            assert_eq!(claim(bad), Err(Code::InvalidRequest), "{bad:?}");
        }
    }

    #[test]
    fn a_composite_checksum_tells_its_parts() {
        let value = vec![0; 4];
        let composite =
            Checksum { algorithm: ChecksumAlgorithm::Crc32, kind: ChecksumKind::Composite, value };
        assert_eq!(text(&composite, 3), "AAAAAA==-3");
        assert_eq!(text(&Checksum { kind: ChecksumKind::FullObject, ..composite }, 3), "AAAAAA==");
    }
}
