//! Queries.

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use http::header;
use serde_json::Value;

use super::{ClientError, Connection};

const PATH: &str = "/_admin/v1/sql";

/// Asks; answers the bytes of the answer in the form asked for.
pub(crate) async fn ask(
    connection: &Connection,
    query: &Value,
    media_type: &'static str,
) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + Send + use<>, ClientError> {
    let response = connection.post_for(PATH, query, (header::ACCEPT, media_type)).await?;
    Ok(response.bytes_stream().map_err(|_broken| ClientError::BrokenOff))
}
