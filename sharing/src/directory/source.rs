//! Whether what is to be shared is there.

use futures::TryStreamExt as _;
use object_store::path::Path;
use tarn_catalog::WarehouseError;
use tarn_catalog::state::{Namespace, TableIdent};

use super::limits::PREFIX_BYTES_MAX;
use super::{Directory, DirectoryError, Source};

/// Where a Delta table keeps its log, below its prefix.
const LOG: &str = "_delta_log";

impl Source {
    /// A Delta table below a prefix of a bucket; the `/` at the prefix's end may lack.
    pub fn delta(bucket: &str, prefix: &str) -> Result<Self, DirectoryError> {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let invalid = |why: &str| DirectoryError::Invalid(format!("a Delta table lies below a prefix {why}"));
        if prefix.is_empty() {
            return Err(invalid("of its bucket, never in the whole of it"));
        }
        if prefix.len() >= PREFIX_BYTES_MAX {
            return Err(invalid(&format!("of at most {PREFIX_BYTES_MAX} bytes")));
        }
        if prefix.split('/').any(|part| matches!(part, "" | "." | ".." | LOG)) || Path::parse(prefix).is_err()
        {
            return Err(invalid("whose parts are names"));
        }
        Ok(Self::Delta { bucket: bucket.into(), prefix: format!("{prefix}/") })
    }
}

impl Directory {
    /// Refuses a source that is not there.
    pub async fn expect_source(&self, source: &Source) -> Result<(), DirectoryError> {
        match source {
            Source::Iceberg { warehouse, namespace, table } => {
                let there = ident(warehouse, namespace, table)
                    .is_some_and(|ident| self.catalog.snapshot().table(&ident).is_some());
                let named = || format!("{warehouse}.{}.{table}", namespace.join("."));
                there.then_some(()).ok_or_else(|| {
                    DirectoryError::NoSource(format!("there is no table {:?} in the catalog", named()))
                })
            }
            Source::Delta { bucket, prefix } => self.expect_delta(bucket, prefix).await,
        }
    }

    async fn expect_delta(&self, bucket: &str, prefix: &str) -> Result<(), DirectoryError> {
        let none = || DirectoryError::NoSource(format!("there is no bucket {bucket:?}"));
        // Names with a dot before them are the system's own.
        if bucket.starts_with('.') {
            return Err(none());
        }
        match self.stores.exists(bucket).await {
            Ok(true) => {}
            Ok(false) | Err(WarehouseError::Name(_) | WarehouseError::Missing) => return Err(none()),
            Err(error) => return Err(DirectoryError::Bucket(error)),
        }
        let lacks = || {
            let message = format!("there is no Delta table at s3://{bucket}/{prefix}: it has no {LOG}/");
            DirectoryError::NoSource(message)
        };
        // Not made of parts: that would write some characters in another way than the keys have them.
        let log = Path::parse(format!("{prefix}{LOG}")).map_err(|_| lacks())?;
        let store = self.stores.store(bucket);
        let first = store.list(Some(&log)).try_next().await.map_err(DirectoryError::Listing)?;
        first.map(|_| ()).ok_or_else(lacks)
    }
}

impl Directory {
    /// The tables of the catalog that shares name, some more than once.
    pub(crate) fn iceberg_tables(&self) -> impl Iterator<Item = TableIdent> {
        let shares = self.shares(None, usize::MAX).into_iter();
        let tables =
            shares.flat_map(|share| share.schemas.into_values()).flat_map(|one| one.tables.into_values());
        tables.filter_map(|table| match table.source {
            Source::Iceberg { warehouse, namespace, table } => ident(&warehouse, &namespace, &table),
            Source::Delta { .. } => None,
        })
    }
}

fn ident(warehouse: &str, namespace: &[String], table: &str) -> Option<TableIdent> {
    let namespace = Namespace::new(namespace.to_vec()).ok()?;
    TableIdent::new(warehouse, namespace, table).ok()
}
