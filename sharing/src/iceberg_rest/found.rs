//! What a reader finds: shares, and tables all of which it may read.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::de::DeserializeOwned;
use tarn_catalog::state::{Namespace, TableIdent};

use super::answer::{Failure, Kind};
use super::{Caller, IcebergFront};
use crate::access::audit::{Call, Trail};
use crate::access::{Granted, Reader, Ticket};
use crate::directory::{Grant, SharedSchema, SharedTable, Source};

/// What stands for itself in a segment of a path.
pub(super) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The names in a path, decoded; the first is the share's.
pub(super) struct Names<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Names<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let names = Path::<T>::from_request_parts(parts, state).await;
        names
            .map(|Path(names)| Self(names))
            .map_err(|_| Failure::new(Kind::BadRequest, "the path cannot be read"))
    }
}

/// A table that is shared, all of it.
pub(super) struct Found {
    pub(super) table: SharedTable,
    pub(super) ident: TableIdent,
    pub(super) ticket: Ticket,
    /// The names of share, schema and table as they were given.
    pub(super) names: [String; 3],
    /// What becomes of the call.
    pub(super) trail: Trail,
}

impl IcebergFront {
    /// The share of this name; some clients send it with all of the prefix.
    pub(super) fn granted(&self, reader: &Reader, share: &str) -> Result<Granted, Failure> {
        let name = share.strip_prefix("shares/").unwrap_or(share);
        let granted = self.access.share(reader, name);
        granted.ok_or_else(|| Failure::new(Kind::NoSuchShare, format!("share '{name}' does not exist")))
    }

    /// The table of these names (C1, C2), if whoever shared it may read it (D4).
    pub(super) fn found(
        &self,
        caller: &Caller,
        call: Call,
        (share, namespace, name): (String, String, String),
    ) -> Result<Found, Failure> {
        let trail = Trail::begin(&caller.reader, call, [&share, &namespace, &name]);
        let granted = self.granted(&caller.reader, &share)?;
        let (schema_key, schema) = schema(&granted, &namespace)?;
        let missing =
            || Failure::new(Kind::NoSuchTable, format!("table '{namespace}.{name}' does not exist"));
        let table = schema.tables.get(&name.to_lowercase()).ok_or_else(missing)?;
        let ident = ident(&table.source).ok_or_else(missing)?;
        let refused =
            |why: &str| Failure::new(Kind::Forbidden, format!("{why}; please contact your share provider"));
        if !is_whole(&granted.grant, &schema_key, table) {
            return Err(refused(
                "the table is not shared with its whole history and all rows, so it is told by Delta Sharing only",
            ));
        }
        if !self.sharers.may_read(&table.by, &table.source) {
            return Err(refused("whoever shared the table may not read it any more"));
        }
        Ok(Found {
            ticket: caller.reader.ticket(&granted.grant, table),
            names: [granted.share.name.clone(), schema.name.clone(), table.name.clone()],
            table: table.clone(),
            ident,
            trail,
        })
    }

    /// What clients are told of the objects.
    pub(super) fn client_config(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("client.region", self.region.to_string()),
            ("s3.region", self.region.to_string()),
            ("s3.endpoint", self.s3_endpoint.to_string()),
            ("s3.path-style-access", "true".to_owned()),
        ])
    }
}

/// The schema of this name, and its key in the share.
pub(super) fn schema<'a>(
    granted: &'a Granted,
    namespace: &str,
) -> Result<(String, &'a SharedSchema), Failure> {
    let key = namespace.to_lowercase();
    let missing = || Failure::new(Kind::NoSuchNamespace, format!("namespace '{namespace}' does not exist"));
    let schema = granted.share.schemas.get(&key).ok_or_else(missing)?;
    Ok((key, schema))
}

/// The tables of a schema that are here.
pub(super) fn here<'a>(
    granted: &'a Granted,
    schema_key: &'a str,
    schema: &'a SharedSchema,
) -> impl Iterator<Item = &'a SharedTable> {
    let all = schema.tables.values();
    all.filter(move |table| ident(&table.source).is_some() && is_whole(&granted.grant, schema_key, table))
}

/// The table of the catalog.
fn ident(source: &Source) -> Option<TableIdent> {
    match source {
        Source::Iceberg { warehouse, namespace, table } => {
            TableIdent::new(&**warehouse, Namespace::new(namespace.clone()).ok()?, &**table).ok()
        }
        Source::Delta { .. } => None,
    }
}

/// Whether every version and every row of a table is shared (C2).
fn is_whole(grant: &Grant, schema_key: &str, table: &SharedTable) -> bool {
    let filters = grant.filters.get(&format!("{schema_key}.{}", table.name.to_lowercase()));
    table.is_whole(filters.map_or(&[], Vec::as_slice))
}
