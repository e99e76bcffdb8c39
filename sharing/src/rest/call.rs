//! A request before it is answered: who sent it, to what, and what it can read.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tarn_openapi::access::Sender;

use super::SharingFront;
use super::answer::Coding;
use crate::access::{Reader, bearer};
use crate::protocol::{BODY_BYTES_MAX, Capabilities, Failure, FileIds, Kind};

/// Who asks. Taken before anything else of a request (F1).
pub(super) struct Caller {
    pub(super) reader: Reader,
    /// When it asked, in milliseconds since 1970.
    pub(super) now_ms: i64,
}

impl FromRequestParts<Arc<SharingFront>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, front: &Arc<SharingFront>) -> Result<Self, Failure> {
        let now_ms = Timestamp::now().as_millisecond();
        let unknown = Sender::default();
        let sender = parts.extensions.get::<Sender>().unwrap_or(&unknown);
        let reader = front.access.reader(bearer(&parts.headers), sender, now_ms).await?;
        Ok(Self { reader, now_ms })
    }
}

/// The names in a path, decoded.
pub(super) struct Names<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<SharingFront>> for Names<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, front: &Arc<SharingFront>) -> Result<Self, Failure> {
        let Path(names) = Path::<T>::from_request_parts(parts, front)
            .await
            .map_err(|_| Failure::malformed("the path cannot be read"))?;
        Ok(Self(names))
    }
}

/// What a client can read and take, as its headers say.
pub(super) struct Client {
    pub(super) capabilities: Capabilities,
    pub(super) ids: Option<FileIds>,
    pub(super) coding: Coding,
}

impl Client {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let listed: Vec<&str> = headers
            .get_all("delta-sharing-capabilities")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let ids = headers.get("fileidhash").map(|value| value.to_str().unwrap_or_default());
        Ok(Self {
            capabilities: Capabilities::parse(Some(&listed.join(";")))?,
            ids: FileIds::parse(ids)?,
            coding: coding(headers),
        })
    }
}

/// Whether a client takes gzip.
pub(crate) fn coding(headers: &HeaderMap) -> Coding {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let takes = |listed: &str| {
        let (name, rest) = listed.split_once(';').unwrap_or((listed, ""));
        let weight = rest.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        matches!(name.trim(), "gzip" | "x-gzip") && weight.is_ok_and(|weight| weight > 0.0)
    };
    let gzip = accepted.flat_map(|value| value.split(',')).any(|listed| takes(&listed.to_ascii_lowercase()));
    if gzip { Coding::Gzip } else { Coding::Identity }
}

/// A body, up to [`BODY_BYTES_MAX`].
pub(super) async fn body(body: Body) -> Result<Vec<u8>, Failure> {
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Failure::new(Kind::TooLarge, format!("the body is longer than {BODY_BYTES_MAX} bytes")))
        }
        Err(_) => Err(Failure::malformed("the body could not be read to its end")),
    }
}
