//! What `x-amz-content-sha256` says about the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::error::AuthError;

/// SHA-256 of no bytes, in hex.
pub(crate) const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The body is not covered by the signature.
pub(crate) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// How the body is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Its SHA-256 is signed.
    Sha256([u8; 32]),
    /// Not at all.
    Unsigned,
    /// It is in `aws-chunked` framing.
    Chunked(Chunked),
    /// Nothing is said: the hash of the body itself was signed (not S3).
    Unstated,
}

/// A kind of `aws-chunked` framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// Every chunk signed, no trailers.
    Signed,
    /// Every chunk and the trailers signed.
    SignedTrailer,
    /// Nothing signed but the headers; trailers follow.
    UnsignedTrailer,
}

impl Chunked {
    pub(crate) fn signed(self) -> bool {
        match self {
            Self::Signed | Self::SignedTrailer => true,
            Self::UnsignedTrailer => false,
        }
    }

    pub(crate) fn has_trailer(self) -> bool {
        match self {
            Self::SignedTrailer | Self::UnsignedTrailer => true,
            Self::Signed => false,
        }
    }
}

/// Reads the header's value; the text is what stands in the canonical request.
///
/// The Java Iceberg client sends the hash in base64 and signs it in hex.
pub(crate) fn parse(value: &str) -> Result<(Payload, String), AuthError> {
    let payload = match value {
        UNSIGNED => Payload::Unsigned,
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Payload::Chunked(Chunked::Signed),
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Payload::Chunked(Chunked::SignedTrailer),
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Payload::Chunked(Chunked::UnsignedTrailer),
        _ => return parse_sha256(value),
    };
    Ok((payload, value.into()))
}

fn parse_sha256(value: &str) -> Result<(Payload, String), AuthError> {
    let mut hash = [0; 32];
    if value.len() == 64 {
        hex::decode_to_slice(value, &mut hash).map_err(|_| AuthError::InvalidContentSha256)?;
        return Ok((Payload::Sha256(hash), value.into()));
    }
    let decoded = STANDARD.decode(value).map_err(|_| AuthError::InvalidContentSha256)?;
    hash = decoded.try_into().map_err(|_| AuthError::InvalidContentSha256)?;
    Ok((Payload::Sha256(hash), hex::encode(hash)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_in_base64_is_signed_in_hex() {
        let (payload, text) = parse("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=").unwrap();
        assert_eq!(text, EMPTY_SHA256);
        assert_eq!(parse(EMPTY_SHA256).unwrap(), (payload, text));
    }

    #[test]
    fn an_unknown_value_is_refused() {
        for bad in ["", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "abcd", &"z".repeat(64)] {
            assert_eq!(parse(bad), Err(AuthError::InvalidContentSha256), "{bad}");
        }
    }
}
