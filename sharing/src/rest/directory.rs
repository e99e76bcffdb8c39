//! Tables as directories: where a client that reads files itself finds a log of Delta.
//!
//! A Delta table is a directory as it lies. An Iceberg table has one for each version, whose log is written when credentials
//! for it are asked for (`logs`).

use std::sync::Arc;

use tarn_openapi::access::TableFiles;
use uuid::Uuid;

use super::shared::Opened;
use super::{SharingFront, TableCredentials};
use crate::directory::{RowFilter, SharedTable};
use crate::logs::LogPlace;
use crate::protocol::Failure;

/// An Iceberg table that may be read as directories.
pub(super) struct Logged {
    pub(super) place: LogPlace,
    /// Its files.
    pub(super) files: TableFiles,
}

impl SharingFront {
    /// The root of a table that is a directory by itself, where it may be read as one. Not past filters (F5), and not with a
    /// history that is not shared: files of former versions lie there too.
    pub(super) fn own_directory(&self, table: &SharedTable, filters: &[RowFilter]) -> Option<String> {
        self.vendor(table, filters)?.location(table)
    }

    /// What makes credentials for the whole of a table; `None` where not all of it may be read.
    pub(super) fn vendor(
        &self,
        table: &SharedTable,
        filters: &[RowFilter],
    ) -> Option<&Arc<dyn TableCredentials>> {
        self.credentials.as_ref().filter(|_| table.is_whole(filters))
    }

    /// The root of a version, where it may be read as a directory.
    pub(super) async fn directory(&self, opened: &Opened, version: i64) -> Result<Option<String>, Failure> {
        let shared = &opened.shared;
        if let Some(root) = self.own_directory(&shared.table, &shared.filters) {
            return Ok(Some(root));
        }
        Ok(self.logged(opened).await?.map(|logged| logged.place.root(version)))
    }

    /// The table, if it is none by itself and may be read as directories.
    pub(super) async fn logged(&self, opened: &Opened) -> Result<Option<Logged>, Failure> {
        let shared = &opened.shared;
        if self.vendor(&shared.table, &shared.filters).is_none() {
            return Ok(None);
        }
        let files = self.tables.files(&shared.table).await.map_err(|error| shared.untold(&error))?;
        Ok(files.map(|files| {
            let place = LogPlace::new(Uuid::from_u128(files.uuid), &opened.source.identity());
            Logged { place, files }
        }))
    }
}
