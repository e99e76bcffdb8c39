//! What a table is: its version, its schema.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use serde::Serialize;
use uuid::Uuid;

use super::SharingFront;
use super::answer::{Coding, Told, json, lines, number};
use super::call::{Caller, Client, Names};
use super::rows::Rows;
use super::shared::{Opened, TableNames};
use crate::access::audit::Call;
use crate::directory::{History, Source};
use crate::protocol::{Failure, Form, Head, MetadataParams, VersionParams, metadata_line, protocol_line};
use crate::table::TableVersion;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TableAnswer<'a> {
    name: &'a str,
    schema: &'a str,
    share: &'a str,
    share_id: Uuid,
    id: Uuid,
    format: &'static str,
}

/// What a table is, of OpenSharing.
pub(super) async fn table(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    Names(names): Names<TableNames>,
) -> Result<Response, Failure> {
    let mut shared = front.shared(&caller, Call::Table, names)?;
    shared.told(None);
    let as_iceberg = front.access.endpoints().iceberg.is_some();
    let format = match shared.table.source {
        Source::Iceberg { .. } if as_iceberg && shared.table.is_whole(&shared.filters) => "delta,iceberg",
        Source::Iceberg { .. } | Source::Delta { .. } => "delta",
    };
    Ok(json(&TableAnswer {
        name: &shared.table.name,
        schema: &shared.schema,
        share: &shared.granted.share.name,
        share_id: shared.granted.share.id,
        id: shared.table.id,
        format,
    }))
}

/// The version of a table.
pub(super) async fn version(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    Names(names): Names<TableNames>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let params = VersionParams::parse(query.as_deref())?;
    let mut opened = front.open(&caller, Call::Version, names).await?;
    let Some((written, timestamp_ms)) = params.starting else {
        let version = opened.resolve(None, caller.now_ms).await?;
        opened.shared.told(Some(version));
        return Ok(number(version));
    };
    let start = opened.shared.history()?;
    let version = opened.from(timestamp_ms).await?;
    if version < start {
        return Err(Failure::invalid(format!(
            "You can only query table data since version {start}.\
             The provided timestamp({written}) corresponds to {version}."
        )));
    }
    opened.shared.told(Some(version));
    Ok(number(version))
}

/// The same as old clients ask for it. An answer to HEAD has no body, whatever it says.
pub(super) async fn version_of_old(
    caller: Result<Caller, Failure>,
    State(front): State<Arc<SharingFront>>,
    Names(names): Names<TableNames>,
) -> Response {
    let version = async {
        let caller = caller?;
        let mut opened = front.open(&caller, Call::Version, names).await?;
        let version = opened.resolve(None, caller.now_ms).await?;
        opened.shared.told(Some(version));
        Ok::<_, Failure>(version)
    };
    match version.await {
        Ok(version) => number(version),
        Err(failure) => {
            let mut response = failure.into_response();
            *response.body_mut() = Body::empty();
            response
        }
    }
}

/// What a table is at a version: two lines.
pub(super) async fn metadata(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    Names(names): Names<TableNames>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let params = MetadataParams::parse(query.as_deref())?;
    let client = Client::of(&headers)?;
    let mut opened = front.open(&caller, Call::Metadata, names).await?;
    let version = opened.resolve(params.at.as_ref(), caller.now_ms).await?;
    let found = opened.metadata(version).await?;
    Rows::of(&opened.shared.filters, &caller.reader.recipient, &found.metadata)?;
    let form = form_of(&client, &found)?;
    let stamp = params.at.map(|_| version);
    let location = front.directory(&opened, version).await?;
    let head = Head { version: stamp, size: None, location: location.as_deref(), ..opened.head() };
    let mut body = String::new();
    protocol_line(&form, &found.metadata, None, &mut body);
    metadata_line(&form, &found.metadata, head, &mut body);
    opened.shared.told(Some(version));
    let told = Told { version, format: form.format, end_line: false, ids: client.ids, ignored: Vec::new() };
    Ok(lines(&told, Coding::Identity, body.into()))
}

/// The form in which a client is told a version.
pub(super) fn form_of(client: &Client, version: &TableVersion) -> Result<Form, Failure> {
    let plain = version.plain.as_ref().map(|&()| ()).map_err(String::as_str);
    Form::choose(&client.capabilities, &version.features, plain)
}

impl Opened {
    /// The head of every answer about it.
    pub(super) fn head<'a>(&self) -> Head<'a> {
        let changes = match self.shared.table.history {
            History::Shared { .. } => true,
            History::Latest => false,
        };
        Head { changes, ..Head::default() }
    }
}
