//! What a client is given to reach a table's files itself: temporary credentials, or a signer of its requests.
//!
//! - AF1: it reaches the table's places (`state/places.rs`), nothing else, and these are checked before anything
//!   is made.
//! - AF2: it may read when the caller may read the table's data, and write when the caller may write it, at each request.
//! - AF3: what holds credentials is kept nowhere, and is not called unchanged when those that the client has are
//!   past half of their time.
//!
//! A table that cannot be delegated is answered as to a client that did not ask: it may have keys of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tarn_openapi::access::{Action, Prefix, PrefixAccess, Presence, TableFiles};
use tarn_openapi::vend::{Credentials, VendError};

use crate::metadata::TableMetadata;
use crate::rest::Front;
use crate::rest::access::Caller;
use crate::rest::error::{Failure, Kind};
use crate::rest::idents;
use crate::rest::path::{Place, SEPARATOR};
use crate::rest::seen::{Ground, Reads};
use crate::rest::tables::Deletes;
use crate::state::Conflict;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How files are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    Credentials,
    Signing,
}

/// What `X-Iceberg-Access-Delegation` asks for. Credentials where both are: they cost no round trip a file.
pub(crate) fn asked(headers: &HeaderMap) -> Option<Means> {
    let values = headers.get_all("x-iceberg-access-delegation").iter();
    let named: Vec<&str> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let asks = |means: &str| named.iter().any(|named| named.eq_ignore_ascii_case(means));
    match (asks("vended-credentials"), asks("remote-signing")) {
        (true, _) => Some(Means::Credentials),
        (false, true) => Some(Means::Signing),
        (false, false) => None,
    }
}

/// Which files of a table a caller reaches (AF1, AF2).
pub(crate) struct Reach {
    pub(crate) files: Arc<TableFiles>,
    /// The table's location.
    pub(crate) location: String,
}

/// What is added to a table's answer.
pub(crate) struct Delegated {
    /// The members of `LoadTableResult` beside the metadata, `"config":...` on.
    pub(crate) members: String,
    pub(crate) tag: Option<String>,
    /// When access ends, in milliseconds since 1970; `None` when each request is asked for.
    pub(crate) until: Option<i64>,
}

impl Front {
    /// What the caller reaches of the table.
    pub(crate) fn reach(
        &self,
        caller: &Caller,
        place: &Place,
        ground: &Ground<'_>,
        metadata: &TableMetadata,
    ) -> Result<Reach, Failure> {
        self.allow_table(caller, Action::GetTableData, place)?;
        let mut named = ground.names.iter().map(|name| self.allow_table(caller, Action::GetTableData, name));
        if let Some(Err(refused)) = named.next()
            && !named.any(|allowed| allowed.is_ok())
        {
            return Err(refused);
        }
        let writes = match ground.reads {
            Reads::AndWrites => self.allow_table(caller, Action::PutTableData, place).is_ok(),
            Reads::Only => false,
        };
        let access = if writes { PrefixAccess::ReadWrite } else { PrefixAccess::Read };
        let places = ground
            .state
            .places_of(&idents::table(place)?, ground.entry, metadata, None)
            .map_err(misplaced)?;
        let bucket = format!("s3://{}/", place.warehouse);
        let prefix =
            |place_of: &String| Prefix::new(&place.warehouse, place_of.strip_prefix(&bucket)?, access);
        let prefixes: Option<Vec<Prefix>> = places.iter().map(prefix).collect();
        let prefixes =
            prefixes.ok_or_else(|| Failure::new(Kind::Forbidden, "the table has no place of its own"))?;
        let uuid = ground.entry.map(|entry| entry.uuid).or(metadata.uuid()).unwrap_or_default();
        let named = ground.named.as_ref().unwrap_or(place);
        let files = TableFiles {
            prefixes: prefixes.into(),
            warehouse: (*named.warehouse).into(),
            levels: named.levels.as_slice().into(),
            name: named.name.as_str().into(),
            uuid: uuid.as_u128(),
            presence: match (ground.entry, ground.reads) {
                (None, Reads::AndWrites) => Presence::Staged,
                (Some(_), _) | (None, Reads::Only) => Presence::There,
            },
        };
        Ok(Reach { files: Arc::new(files), location: metadata.location().to_owned() })
    }

    /// Credentials for what is reached.
    pub(crate) fn credentials(
        &self,
        caller: &Caller,
        reach: &Reach,
        now: i64,
    ) -> Result<Credentials, Failure> {
        let vend = self.vend.as_ref().ok_or_else(|| Failure::new(Kind::Forbidden, NO_VENDOR))?;
        vend.vend(&caller.principal, reach.files.clone(), now).map_err(not_vended)
    }

    /// What is added to the answer of the table by `means`; `None` when the table is answered without.
    pub(crate) fn delegate(
        &self,
        caller: &Caller,
        place: &Place,
        (ground, metadata): (&Ground<'_>, &TableMetadata),
        means: Means,
    ) -> Option<Delegated> {
        let now = jiff::Timestamp::now().as_second();
        let vend = self.vend.as_ref()?;
        let found = self.reach(caller, place, ground, metadata);
        let delegated = found.and_then(|reach| {
            let deletes = match ground.reads {
                Reads::AndWrites => self.deletes(ground.state, &place.warehouse),
                Reads::Only => Deletes::Refused,
            };
            let mut config = self.answers.config_of(metadata, deletes);
            let mut until = None;
            let members = match means {
                Means::Credentials => {
                    let credentials = self.credentials(caller, &reach, now)?;
                    until = Some(credentials.expires_ms);
                    let mut vended = self.credential_config(place, credentials);
                    if ground.entry.is_none() && ground.reads == Reads::AndWrites {
                        // A staged table has no route to renew them at.
                        vended.remove(REFRESH);
                    }
                    config.extend(vended.clone());
                    let storage = json!([{"prefix": reach.location, "config": vended}]);
                    format!(r#""config":{},"storage-credentials":{storage}"#, json!(config))
                }
                Means::Signing => {
                    config.extend(self.signer_config(place));
                    let signing = json!({"properties": {}, "headers": {}});
                    format!(r#""config":{},"remote-signing-config":{signing}"#, json!(config))
                }
            };
            let epoch = vend.epoch(&caller.principal, now);
            Ok(Delegated { members, tag: epoch.map(|epoch| tag(means, &reach, &epoch)), until })
        });
        delegated
            .inspect_err(
                |refused| tracing::info!(table = %place.name, reason = refused.message, "not delegated"),
            )
            .ok()
    }

    /// `storage-credentials` of a plan, where they are asked for and may be given.
    pub(crate) fn storage_for(
        &self,
        caller: &Caller,
        place: &Place,
        (ground, metadata): (&Ground<'_>, &TableMetadata),
        headers: &HeaderMap,
    ) -> Option<serde_json::Value> {
        match asked(headers) {
            Some(Means::Credentials) => {}
            Some(Means::Signing) | None => return None,
        }
        let reach = self.reach(caller, place, ground, metadata).ok()?;
        let credentials = self.credentials(caller, &reach, jiff::Timestamp::now().as_second()).ok()?;
        let config = self.credential_config(place, credentials);
        Some(json!([{"prefix": reach.location, "config": config}]))
    }

    /// What clients read credentials from; the newest of them look into `storage-credentials`, the others into
    /// `config`.
    pub(crate) fn credential_config(
        &self,
        place: &Place,
        credentials: Credentials,
    ) -> BTreeMap<&'static str, String> {
        let mut config = self.answers.client_config().clone();
        if let Some(region) = config.get("s3.region").cloned() {
            config.insert("region", region);
        }
        config.extend([
            ("s3.access-key-id", credentials.id),
            ("s3.secret-access-key", credentials.secret),
            ("s3.session-token", credentials.token),
            ("s3.session-token-expires-at-ms", credentials.expires_ms.to_string()),
            (REFRESH, route(place, "credentials")),
        ]);
        config
    }

    /// What makes clients send each request to be signed first. Without the URI of a signer they take the
    /// catalog's, which is the one.
    fn signer_config(&self, place: &Place) -> BTreeMap<&'static str, String> {
        let endpoint = route(place, "sign");
        let mut config = BTreeMap::from([
            ("s3.remote-signing-enabled", "true".to_owned()),
            ("signer.endpoint", endpoint.clone()),
            ("s3.signer", "S3V4RestSigner".to_owned()),
            ("s3.signer.endpoint", endpoint),
            // PyIceberg's other file system has no signer.
            ("py-io-impl", "pyiceberg.io.fsspec.FsspecFileIO".to_owned()),
        ]);
        if let Some(uri) = &self.uri {
            config.extend([("signer.uri", uri.clone()), ("s3.signer.uri", uri.clone())]);
        }
        config
    }
}

const REFRESH: &str = "client.refresh-credentials-endpoint";
const NO_VENDOR: &str = "this server gives no access to files";

/// A route of the table, relative to the catalog's URI.
fn route(place: &Place, verb: &str) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, SEGMENT).to_string();
    let namespace = encoded(&place.levels.join(&SEPARATOR.to_string()));
    format!("v1/{}/namespaces/{namespace}/tables/{}/{verb}", encoded(&place.prefix()), encoded(&place.name))
}

/// Names all that the added members follow from, but for the credentials themselves.
fn tag(means: Means, reach: &Reach, epoch: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(match means {
        Means::Credentials => "credentials",
        Means::Signing => "signing",
    });
    for prefix in reach.files.prefixes.iter() {
        let access = match prefix.access() {
            PrefixAccess::Read => "\0r",
            PrefixAccess::ReadWrite => "\0w",
        };
        hash.update(access);
        hash.update(prefix.prefix());
    }
    hash.update([0]);
    hash.update(epoch);
    hex::encode(&hash.finalize()[..12])
}

fn misplaced(conflict: Conflict) -> Failure {
    Failure::new(Kind::Forbidden, conflict.to_string())
}

pub(crate) fn not_vended(error: VendError) -> Failure {
    let kind = match error {
        VendError::NoKey | VendError::TooLong => Kind::Forbidden,
        VendError::Unsignable => Kind::BadRequest,
        VendError::Failed => Kind::Internal,
    };
    Failure::new(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn credentials_go_before_signing_and_other_words_are_passed_over() {
        for (value, expected) in [
            ("vended-credentials", Some(Means::Credentials)),
            ("remote-signing", Some(Means::Signing)),
            ("remote-signing, Vended-Credentials", Some(Means::Credentials)),
            ("something", None),
            ("", None),
        ] {
            let name = http::HeaderName::from_static("x-iceberg-access-delegation");
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
            assert_eq!(asked(&headers), expected, "{value}");
        }
        assert_eq!(asked(&HeaderMap::new()), None);
    }

    #[test]
    fn a_route_is_encoded_as_clients_send_it() {
        let levels = vec!["a b".to_owned(), "c/d".to_owned()];
        let place = Place { warehouse: "main".into(), at: None, levels, name: "t*?".into() };
        assert_eq!(route(&place, "sign"), "v1/main/namespaces/a%20b%1Fc%2Fd/tables/t%2A%3F/sign");
    }
}
