//! Old metadata files, for tables with `write.metadata.delete-after-commit.enabled`.
//!
//! Metadata files that the table's log no longer names go, those of failed commits included, without waiting for the
//! age of unreferenced files: only the catalog writes them, and it knows within seconds what it committed. The
//! catalog's memory of older revisions loses their files; the table's owner asked for it.

use std::collections::HashSet;
use std::iter::once;

use futures::StreamExt as _;
use tarn_catalog::metadata::TableMetadata;
use tarn_catalog::state::TableIdent;

use super::{OrphanError, Orphans};
use crate::digest::Digest;
use crate::files::{FileError, split};
use crate::place::Places;
use crate::removal::{Kind, Removal, Removed};

/// Younger ones stay: a commit under way is much shorter. In milliseconds.
const AGE_MS: i64 = 60 * 60 * 1000;

impl Orphans<'_> {
    /// Removes metadata files that the table's log no longer names, if the table wants it.
    pub(crate) async fn old_metadata(&self, ident: &TableIdent, now_ms: i64) -> Result<Removed, OrphanError> {
        let table = self.load(ident, now_ms).await?;
        let metadata = &table.metadata;
        let places = Places::location_of(metadata);
        let listed_max = self.settings.listed_files_max;
        let mut removal = Removal {
            files: self.files,
            places: &places,
            mode: self.mode,
            listed_max,
            progress: self.progress,
            removed: Removed::default(),
        };
        if !wanted(metadata) {
            return Ok(removal.removed);
        }
        let log = metadata.metadata_log().map(|entry| Digest::of(&entry.metadata_file));
        let named: HashSet<Digest> = log.chain(once(Digest::of(&table.entry.metadata_location))).collect();
        let directory = format!("{}/metadata", metadata.location());
        let (warehouse, place) = split(&directory).ok_or_else(|| FileError::Location(directory.clone()))?;
        let mut listed = self.files.list(warehouse, &place);
        while let Some(file) = listed.next().await {
            let file = file.map_err(|source| FileError::Store { location: directory.clone(), source })?;
            let key = file.location.as_ref();
            let is_old = file.last_modified.timestamp_millis() < now_ms.saturating_sub(AGE_MS);
            let is_named = named.contains(&Digest::of_object(warehouse, key));
            if key.ends_with(".metadata.json") && is_old && !is_named {
                let location = format!("s3://{warehouse}/{key}");
                removal.remove_sized(Kind::Metadata, &location, file.size).await?;
            }
        }
        Ok(removal.removed)
    }
}

fn wanted(metadata: &TableMetadata) -> bool {
    let property = metadata.properties().get("write.metadata.delete-after-commit.enabled");
    property.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}
