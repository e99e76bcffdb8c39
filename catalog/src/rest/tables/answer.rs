//! What is answered for a table: `LoadTableResult`, kept as bytes under a name that never changes
//! its meaning: metadata location, snapshots mode, encoding. A load is then a lookup and a copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::delegate::Delegated;
use crate::cache::ByteCache;
use crate::files::{blocking, compress};
use crate::metadata::TableMetadata;
use crate::rest::ScanPlanning;
use crate::state::keep_ms_of;

/// Shorter answers are sent as they are.
const GZIP_BYTES_MIN: usize = 16 << 10;
/// Tables with more snapshots are written on a thread of their own; a hop costs more than a small one.
const IN_PLACE_SNAPSHOTS_MAX: usize = 64;

/// Which snapshots an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SnapshotMode {
    All,
    Refs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    Plain,
    Gzip,
}

/// The key of a table's config, and of its properties, that says who plans its scans.
const SCAN_PLANNING_MODE: &str = "scan-planning-mode";
/// The key of a table's config that keeps clients from deleting files.
const DELETE_ENABLED: &str = "s3.delete-enabled";

impl ScanPlanning {
    /// What a client is told; it plans itself when it is told nothing.
    fn told(self) -> Option<&'static str> {
        match self {
            ScanPlanning::Client => None,
            ScanPlanning::Server => Some("server"),
        }
    }
}

/// What an answer of a table is made for, beside its encoding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shown {
    pub(crate) metadata_location: Arc<str>,
    pub(crate) mode: SnapshotMode,
    /// What holds where the table's properties do not say.
    pub(crate) deletes: Deletes,
}

/// Whether clients may delete files of the table themselves. They may not where a dropped table is kept: an engine
/// that drops with purge would delete the files at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Deletes {
    Allowed,
    Refused,
}

impl Deletes {
    pub(crate) fn of(keep_ms: i64) -> Self {
        if keep_ms > 0 { Self::Refused } else { Self::Allowed }
    }

    /// What holds for a table with these properties.
    fn within(self, metadata: &TableMetadata) -> Self {
        // What is no number is refused when the table is dropped, so files must not go before.
        keep_ms_of(metadata.properties()).map_or(Self::Refused, |keep_ms| keep_ms.map_or(self, Self::of))
    }
}

type Key = (Shown, Encoding);

/// Makes and keeps table answers.
pub(crate) struct TableAnswers {
    /// What a client is told about the objects: only what is true without credentials.
    config: BTreeMap<&'static str, String>,
    /// Who plans the scans of tables that do not say it themselves.
    planning: ScanPlanning,
    /// The config of such tables: part of every ETag.
    config_json: String,
    cache: ByteCache<Key, Bytes>,
}

impl TableAnswers {
    pub(crate) fn new(
        region: &str,
        s3_endpoint: Option<&str>,
        planning: ScanPlanning,
        bytes_max: usize,
    ) -> Self {
        let mut config = BTreeMap::from([
            ("client.region", region.to_owned()),
            ("s3.region", region.to_owned()),
            ("s3.path-style-access", "true".to_owned()),
        ]);
        if let Some(endpoint) = s3_endpoint {
            config.insert("s3.endpoint", endpoint.to_owned());
        }
        let mut answers =
            Self { config, planning, config_json: String::new(), cache: ByteCache::new(bytes_max) };
        answers.config_json = serde_json::json!(answers.defaults()).to_string();
        answers
    }

    /// What a client is told before it loads a table.
    pub(crate) fn defaults(&self) -> BTreeMap<&'static str, String> {
        self.config_with(self.planning.told())
    }

    /// What a client is told of one table, whose own word on who plans its scans comes first.
    /// `deletes` holds where it does not say whether it is kept when it is dropped.
    pub(crate) fn config_of(
        &self,
        metadata: &TableMetadata,
        deletes: Deletes,
    ) -> BTreeMap<&'static str, String> {
        let named = metadata.properties().get(SCAN_PLANNING_MODE).map(|mode| mode.to_ascii_lowercase());
        let mut config = match named.as_deref() {
            Some("server") => self.config_with(Some("server")),
            Some("client") => self.config_with(Some("client")),
            Some(_) | None => self.defaults(),
        };
        match deletes.within(metadata) {
            Deletes::Allowed => {}
            Deletes::Refused => {
                config.insert(DELETE_ENABLED, "false".to_owned());
            }
        }
        config
    }

    fn config_with(&self, mode: Option<&str>) -> BTreeMap<&'static str, String> {
        let mut config = self.config.clone();
        config.extend(mode.map(|mode| (SCAN_PLANNING_MODE, mode.to_owned())));
        config
    }

    fn config_json_of(&self, metadata: &TableMetadata, deletes: Deletes) -> String {
        serde_json::json!(self.config_of(metadata, deletes)).to_string()
    }

    pub(crate) fn client_config(&self) -> &BTreeMap<&'static str, String> {
        &self.config
    }

    /// The ETag of a table's answer. Weak, because gzip and plain share it.
    pub(crate) fn etag(&self, shown: &Shown) -> String {
        let Shown { metadata_location, mode, deletes } = shown;
        let mode = match mode {
            SnapshotMode::All => "all",
            SnapshotMode::Refs => "refs",
        };
        let mut hash = Sha256::new();
        hash.update(&self.config_json);
        hash.update([match deletes {
            Deletes::Allowed => 0,
            Deletes::Refused => 1,
        }]);
        hash.update(metadata_location.as_bytes());
        format!("W/\"{}-{mode}\"", hex::encode(&hash.finalize()[..12]))
    }

    /// The answer from memory, if it is there.
    pub(crate) fn kept(&self, shown: &Shown, encoding: Encoding) -> Option<Response> {
        let bytes = self.cache.get(&(shown.clone(), encoding)).or_else(|| {
            // Too short to be worth gzip: only the plain form is kept.
            let plain = self.cache.get(&(shown.clone(), Encoding::Plain))?;
            (plain.len() < GZIP_BYTES_MIN).then_some(plain)
        })?;
        Some(self.respond(shown, bytes))
    }

    /// The answer made from `metadata`.
    pub(crate) async fn make(
        &self,
        shown: &Shown,
        metadata: Arc<TableMetadata>,
        encoding: Encoding,
    ) -> Response {
        let (named, mode) = (shown.metadata_location.clone(), shown.mode);
        let config = self.config_json_of(&metadata, shown.deletes);
        let in_place = metadata.snapshots().len() <= IN_PLACE_SNAPSHOTS_MAX;
        let write = move || write(&named, &metadata, mode, encoding, &config);
        let (plain, gzip) = if in_place { write() } else { blocking(write).await };
        let (encoding, bytes) = match gzip {
            Some(bytes) => (Encoding::Gzip, bytes),
            None => (Encoding::Plain, plain),
        };
        self.cache.insert((shown.clone(), encoding), bytes.clone(), bytes.len());
        self.respond(shown, bytes)
    }

    /// The answer with what is `delegated` to one caller. Only the part that is everybody's is kept.
    pub(crate) async fn make_delegated(
        &self,
        shown: &Shown,
        metadata: Arc<TableMetadata>,
        encoding: Encoding,
        delegated: Delegated,
    ) -> Response {
        let key = (shown.clone(), Encoding::Plain);
        let config = self.config_json_of(&metadata, shown.deletes);
        let end_bytes = config_member(&config).len();
        let shared = match self.cache.get(&key) {
            Some(kept) => kept,
            None => {
                let (named, mode) = (shown.metadata_location.clone(), shown.mode);
                let in_place = metadata.snapshots().len() <= IN_PLACE_SNAPSHOTS_MAX;
                let write = move || write(&named, &metadata, mode, Encoding::Plain, &config).0;
                let plain = if in_place { write() } else { blocking(write).await };
                self.cache.insert(key, plain.clone(), plain.len());
                plain
            }
        };
        let end = shared.len() - end_bytes;
        let plain = [&shared[..end], b",", delegated.members.as_bytes(), b"}"].concat();
        let bytes: Bytes = if encoding == Encoding::Gzip && plain.len() >= GZIP_BYTES_MIN {
            blocking(move || compress(&plain)).await
        } else {
            plain.into()
        };
        let mut response = coded_response(bytes);
        if let Some(tag) = &delegated.tag {
            set_etag(&mut response, &self.delegated_etag(shown, tag));
        }
        for_one_caller(&mut response);
        response
    }

    /// The ETag of an answer with what is delegated under `tag`.
    pub(crate) fn delegated_etag(&self, shown: &Shown, tag: &str) -> String {
        let shared = self.etag(shown);
        format!("{}-{tag}\"", shared.trim_end_matches('"'))
    }

    /// The answer of a staged create: no metadata location, no ETag, kept nowhere.
    pub(crate) fn staged(
        &self,
        metadata: &TableMetadata,
        deletes: Deletes,
        delegated: Option<Delegated>,
    ) -> Response {
        let config = self.config_json_of(metadata, deletes);
        let shared = body(None, &metadata.to_json(), &config);
        let Some(delegated) = delegated else { return json_response(shared) };
        let end = shared.len() - config_member(&config).len();
        let plain = [&shared[..end], b",", delegated.members.as_bytes(), b"}"].concat();
        let mut response = json_response(plain.into());
        for_one_caller(&mut response);
        response
    }

    pub(crate) fn not_modified(&self, etag: &str) -> Response {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        set_etag(&mut response, etag);
        response
    }

    fn respond(&self, shown: &Shown, bytes: Bytes) -> Response {
        let mut response = coded_response(bytes);
        set_etag(&mut response, &self.etag(shown));
        response
    }
}

/// `UnregisterTableResult`.
pub(crate) fn unregistered(location: &str, metadata: &TableMetadata) -> Response {
    let location = serde_json::json!(location).to_string();
    let metadata = metadata.to_json();
    let parts: [&[u8]; 5] =
        [br#"{"metadata-location":"#, location.as_bytes(), br#","metadata":"#, &metadata, b"}"];
    json_response(parts.concat().into())
}

/// The bytes, which say themselves whether they are compressed.
fn coded_response(bytes: Bytes) -> Response {
    let gzip = bytes.starts_with(&[0x1f, 0x8b]);
    let mut response = json_response(bytes);
    let headers = response.headers_mut();
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, x-iceberg-access-delegation"));
    response
}

/// No cache on the way may give it to another.
fn for_one_caller(response: &mut Response) {
    let value = HeaderValue::from_static("private, no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
}

fn set_etag(response: &mut Response, etag: &str) {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

fn json_response(bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
}

/// The plain bytes, and the compressed ones where they are asked for and worth it.
fn write(
    location: &str,
    metadata: &TableMetadata,
    mode: SnapshotMode,
    encoding: Encoding,
    config: &str,
) -> (Bytes, Option<Bytes>) {
    let json = match mode {
        SnapshotMode::All => metadata.to_json(),
        SnapshotMode::Refs => metadata.to_json_refs(),
    };
    let plain = body(Some(location), &json, config);
    let gzip = (encoding == Encoding::Gzip && plain.len() >= GZIP_BYTES_MIN).then(|| compress(&plain));
    (plain, gzip)
}

/// `LoadTableResult`. Without credentials there are no `storage-credentials`.
fn body(location: Option<&str>, metadata: &[u8], config: &str) -> Bytes {
    let location = serde_json::json!(location).to_string();
    let mut bytes = Vec::with_capacity(metadata.len() + location.len() + config.len() + 64);
    bytes.extend_from_slice(br#"{"metadata-location":"#);
    bytes.extend_from_slice(location.as_bytes());
    bytes.extend_from_slice(br#","metadata":"#);
    bytes.extend_from_slice(metadata);
    bytes.extend_from_slice(config_member(config).as_bytes());
    bytes.into()
}

/// The end of every shared body.
fn config_member(config: &str) -> String {
    format!(r#","config":{config}}}"#)
}

/// Does the client take gzip?
pub(crate) fn encoding(headers: &HeaderMap) -> Encoding {
    let takes_gzip = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|coding| coding.trim().split_once(';').unwrap_or((coding.trim(), "")))
        .any(|(coding, weight)| coding.eq_ignore_ascii_case("gzip") && !is_zero(weight));
    if takes_gzip { Encoding::Gzip } else { Encoding::Plain }
}

/// `q=0`, `q=0.0` and the like: "not this one".
fn is_zero(weight: &str) -> bool {
    weight.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse::<f32>() == Ok(0.0))
}

/// Does `If-None-Match` name this ETag? Compared weakly, as RFC 9110 asks.
pub(crate) fn matches(headers: &HeaderMap, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || bare(tag) == bare(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_is_sent_only_to_clients_that_take_it() {
        for (value, expected) in [
            ("gzip", Encoding::Gzip),
            ("gzip, x-gzip, deflate", Encoding::Gzip),
            ("identity;q=1, *;q=0.5", Encoding::Plain),
            ("br, gzip;q=0.5", Encoding::Gzip),
            ("gzip;q=0", Encoding::Plain),
            ("identity", Encoding::Plain),
        ] {
            assert_eq!(encoding(&headers(header::ACCEPT_ENCODING, value)), expected, "{value}");
        }
        assert_eq!(encoding(&HeaderMap::new()), Encoding::Plain);
    }

    #[test]
    fn an_etag_names_location_mode_and_config() {
        let one = TableAnswers::new("us-east-1", None, ScanPlanning::Client, 0);
        let other = TableAnswers::new("us-east-1", Some("http://127.0.0.1:9000"), ScanPlanning::Client, 0);
        let shown =
            |location: &str, mode, deletes| Shown { metadata_location: location.into(), mode, deletes };
        let tags = [
            one.etag(&shown("s3://a/1", SnapshotMode::All, Deletes::Allowed)),
            one.etag(&shown("s3://a/1", SnapshotMode::Refs, Deletes::Allowed)),
            one.etag(&shown("s3://a/2", SnapshotMode::All, Deletes::Allowed)),
            one.etag(&shown("s3://a/1", SnapshotMode::All, Deletes::Refused)),
            other.etag(&shown("s3://a/1", SnapshotMode::All, Deletes::Allowed)),
        ];
        for (at, tag) in tags.iter().enumerate() {
            assert!(!tags[at + 1..].contains(tag), "{tag}");
        }
    }

    #[test]
    fn if_none_match_is_compared_weakly() {
        for (value, expected) in
            [("W/\"a\"", true), ("\"a\"", true), ("\"b\", W/\"a\"", true), ("*", true), ("\"b\"", false)]
        {
            assert_eq!(matches(&headers(header::IF_NONE_MATCH, value), "W/\"a\""), expected, "{value}");
        }
    }
}
