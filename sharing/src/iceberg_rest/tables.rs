//! The tables: their metadata as it is in the catalog, and credentials for their files.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use serde_json::json;
use tarn_catalog::LoadedTable;
use tarn_openapi::access::TableFiles;

use super::answer::{Failure, Kind, no_store};
use super::found::{Found, Names, SEGMENT, here, schema};
use super::fresh::{coded, etag, is_had, not_modified};
use super::{Caller, IcebergFront};
use crate::access::audit::Call;
use crate::iceberg::files_of;
use crate::rest::coding;

type TableNames = (String, String, String);

#[derive(Deserialize)]
pub(super) struct Asked {
    /// `refs`: snapshots that branches and tags name only. Otherwise all.
    snapshots: Option<String>,
}

pub(super) async fn list(
    caller: Caller,
    State(front): State<Arc<IcebergFront>>,
    Names((share, namespace)): Names<(String, String)>,
) -> Result<Response, Failure> {
    let granted = front.granted(&caller.reader, &share)?;
    let (key, schema) = schema(&granted, &namespace)?;
    let named =
        here(&granted, &key, schema).map(|table| json!({"namespace": [schema.name], "name": table.name}));
    let identifiers: Vec<_> = named.collect();
    Ok(no_store(Json(json!({"identifiers": identifiers, "next-page-token": null}))))
}

pub(super) async fn exists(
    caller: Caller,
    State(front): State<Arc<IcebergFront>>,
    Names(names): Names<TableNames>,
) -> Result<Response, Failure> {
    let mut found = front.found(&caller, Call::Table, names)?;
    front.catalog.snapshot().table(&found.ident).ok_or_else(|| found.gone())?;
    found.trail.whole();
    Ok(no_store(StatusCode::NO_CONTENT))
}

pub(super) async fn load(
    caller: Caller,
    State(front): State<Arc<IcebergFront>>,
    Names(names): Names<TableNames>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let asked = asked.map_err(|_| Failure::new(Kind::BadRequest, "the query cannot be read"))?.0;
    let mut found = front.found(&caller, Call::Credentials, names)?;
    let loaded = front.loaded(&found).await?;
    let files = front.files(&found, &loaded)?;
    found.trail.tells(i64::try_from(loaded.entry.revision).ok());
    let etag = front.etag(&caller, &found, &loaded, asked.snapshots.as_deref());
    if is_had(&headers, &etag) {
        found.trail.whole();
        return Ok(not_modified(&etag));
    }
    let vended = front.vended(&caller, &found, files).await?;
    let location = json!(&*loaded.entry.metadata_location).to_string();
    let storage = json!([{"prefix": loaded.metadata.location(), "config": vended}]).to_string();
    let metadata = match asked.snapshots.as_deref() {
        Some("refs") => loaded.metadata.to_json_refs(),
        Some(_) | None => loaded.metadata.to_json(),
    };
    let mut config = vended;
    config.insert("s3.delete-enabled", "false".to_owned());
    let config = json!(config).to_string();
    let parts: [&[u8]; 9] = [
        br#"{"metadata-location":"#,
        location.as_bytes(),
        br#","metadata":"#,
        &metadata,
        br#","config":"#,
        config.as_bytes(),
        br#","storage-credentials":"#,
        storage.as_bytes(),
        b"}",
    ];
    found.trail.whole();
    coded(parts.concat(), coding(&headers), &etag).await
}

/// New credentials for a table that was loaded before.
pub(super) async fn credentials(
    caller: Caller,
    State(front): State<Arc<IcebergFront>>,
    Names(names): Names<TableNames>,
) -> Result<Response, Failure> {
    let mut found = front.found(&caller, Call::Credentials, names)?;
    let loaded = front.loaded(&found).await?;
    let files = front.files(&found, &loaded)?;
    let vended = front.vended(&caller, &found, files).await?;
    found.trail.whole();
    let storage = json!([{"prefix": loaded.metadata.location(), "config": vended}]);
    Ok(no_store(Json(json!({ "storage-credentials": storage }))))
}

/// What a client measured is accepted and not kept: partners' queries are no business of whoever shares.
pub(super) async fn metrics(
    caller: Caller,
    State(front): State<Arc<IcebergFront>>,
    Names(names): Names<TableNames>,
) -> Result<Response, Failure> {
    let mut found = front.found(&caller, Call::Table, names)?;
    found.trail.whole();
    Ok(no_store(StatusCode::NO_CONTENT))
}

impl IcebergFront {
    async fn loaded(&self, found: &Found) -> Result<LoadedTable, Failure> {
        self.catalog.load(&found.ident).await?.ok_or_else(|| found.gone())
    }

    /// What a client reads credentials from (C3).
    async fn vended(
        &self,
        caller: &Caller,
        found: &Found,
        files: TableFiles,
    ) -> Result<BTreeMap<&'static str, String>, Failure> {
        let lifetime_ms = self.lifetime_s.saturating_mul(1000);
        let expires_ms = caller.now_ms.saturating_add(lifetime_ms).min(caller.reader.token_expires_ms);
        let made = self.credentials.vend_files(&found.ticket, &found.table, files, expires_ms).await?;
        let mut config = self.client_config();
        config.extend([
            ("region", self.region.to_string()),
            ("s3.access-key-id", made.access_key_id),
            ("s3.secret-access-key", made.secret_access_key),
            ("s3.session-token", made.session_token),
            ("s3.session-token-expires-at-ms", made.expires_ms.to_string()),
            ("client.refresh-credentials-endpoint", found.refresh_route()),
        ]);
        Ok(config)
    }

    /// The tag of what a caller is answered now: another one when the table, what is told of it, or the half of the
    /// credentials' lifetime is another.
    fn etag(&self, caller: &Caller, found: &Found, loaded: &LoadedTable, snapshots: Option<&str>) -> String {
        let half_ms = self.lifetime_s.saturating_mul(500).max(1);
        let half = caller.now_ms.div_euclid(half_ms).to_be_bytes();
        let [share, schema, table] = found.names.each_ref().map(String::as_bytes);
        let snapshots = snapshots.unwrap_or_default().as_bytes();
        let (location, ticket) = (loaded.entry.metadata_location.as_bytes(), found.ticket.to_bytes());
        let client = [self.s3_endpoint.as_bytes(), self.region.as_bytes()];
        etag(&[location, snapshots, &ticket, &half, share, schema, table, client[0], client[1]])
    }

    /// Which files are the table's.
    fn files(&self, found: &Found, loaded: &LoadedTable) -> Result<TableFiles, Failure> {
        files_of(&self.catalog.snapshot(), &found.ident, loaded).ok_or_else(|| {
            Failure::new(Kind::Forbidden, "the table's files lie where no credentials are for")
        })
    }
}

impl Found {
    /// It is shared, and not there.
    fn gone(&self) -> Failure {
        let [_, schema, table] = &self.names;
        Failure::new(Kind::NoSuchTable, format!("table '{schema}.{table}' does not exist"))
    }

    /// Where credentials are renewed, relative to the catalog's URI.
    fn refresh_route(&self) -> String {
        let [share, schema, table] =
            self.names.each_ref().map(|name| utf8_percent_encode(name, SEGMENT).to_string());
        format!("v1/shares/{share}/namespaces/{schema}/tables/{table}/credentials")
    }
}
