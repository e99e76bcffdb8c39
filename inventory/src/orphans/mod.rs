//! Removal of unreferenced files: what lies below a table's location and nothing of the table names.
//!
//! - O1: live is everything that any snapshot of the current metadata reaches, the metadata files of its log and
//!   those the catalog remembers. When the table moves on during a run, what it came to name is added before
//!   anything more is deleted.
//! - O2: a file younger than the age stays: a writer may be about to commit it. The age is a day at least.
//! - O3: a run ends while the outcome of an append to the catalog log is not known.
//! - R3: nothing goes while readers were promised files that the table's metadata does not name.
//! - O4: names that begin with `_` or `.`, and `version-hint.text`, belong to others and stay.
//!
//! Places that properties send files to outside of the location are not listed: other tables may share them.

mod metadata_files;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt as _;
use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};
use tarn_catalog::metadata::TableMetadata;
use tarn_catalog::state::{TableEntry, TableIdent};
use tarn_catalog::{Catalog, LoadError, LoadedTable, Standing};

use crate::Settings;
use crate::digest::{Digest, Part};
use crate::expire::may_collect;
use crate::files::{FileError, Files, split};
use crate::place::{Overlap, Places};
use crate::reach::{Live, Reach, ReachError, Stays};
use crate::readers::{Held, Readers};
use crate::removal::{Kind, Mode, Removal, Removed};
use crate::runs::Progress;

/// Files are looked at again before so many of them are deleted.
const BATCH_FILES: usize = 1000;

/// How old a file must be to count as left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    ms: i64,
}

/// An age that would delete what writers are about to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unreferenced files are kept for {} hours at least", Age::FLOOR_MS / 3_600_000)]
pub struct TooYoung;

impl Age {
    /// The least, in milliseconds.
    pub const FLOOR_MS: i64 = 24 * 60 * 60 * 1000;

    /// An age in milliseconds, of a day at least.
    pub fn new(ms: i64) -> Result<Self, TooYoung> {
        if ms < Self::FLOOR_MS { Err(TooYoung) } else { Ok(Self { ms }) }
    }

    /// None: files that were written a moment ago go too. Unsafe while anybody writes the table.
    pub(crate) fn waived() -> Self {
        Self { ms: 0 }
    }

    /// An age in days; none counts as one.
    pub(crate) fn of_days(days: u32) -> Self {
        Self { ms: i64::from(days.max(1)) * Self::FLOOR_MS }
    }
}

/// What a removal of unreferenced files did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreferenced {
    /// Files found below the table's location.
    pub looked_at: u64,
    /// Files that nothing names.
    pub removed: Removed,
    /// Metadata files of a table that wants old ones deleted. A dry run may count one twice, here and above.
    pub old_metadata: Removed,
}

/// A removal ended early. What it deleted nothing named.
#[derive(Debug, thiserror::Error)]
pub enum OrphanError {
    /// There is no such table, or another took its name.
    #[error("table '{0}' does not exist")]
    NoSuchTable(TableIdent),
    /// The table does not want its files removed.
    #[error("the table's property gc.enabled is false")]
    Disabled,
    /// Readers were promised files that the table's metadata no longer names, or may have been.
    #[error("readers were promised files that the table does not name any more")]
    Promised,
    /// Other tables' files may lie there.
    #[error(transparent)]
    Overlap(#[from] Overlap),
    /// It is not known which commits are done.
    #[error("the catalog waits to learn the outcome of an append")]
    Unsettled,
    /// The table's metadata could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What is reached could not be found out.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// A file could not be listed or deleted.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Removes unreferenced files of one table.
pub(crate) struct Orphans<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) files: &'a Files,
    pub(crate) settings: &'a Settings,
    pub(crate) readers: &'a dyn Readers,
    pub(crate) mode: Mode,
    pub(crate) progress: &'a Progress,
}

/// What is looked for.
struct Asked<'a> {
    ident: &'a TableIdent,
    now_ms: i64,
    /// Files from then on are too young.
    before_ms: i64,
}

/// What is known as live, and of which metadata.
struct Known {
    live: Live,
    table: LoadedTable,
}

impl Orphans<'_> {
    pub(crate) async fn run(
        &self,
        ident: &TableIdent,
        age: Age,
        now_ms: i64,
    ) -> Result<Unreferenced, OrphanError> {
        let reach = Reach { files: self.files, settings: self.settings };
        let asked = Asked { ident, now_ms, before_ms: now_ms.saturating_sub(age.ms) };
        let mut outcome = Unreferenced::default();
        let mut of = 1;
        loop {
            if self.mode == Mode::DryRun {
                outcome.removed = Removed::default();
            }
            match self.parts(&reach, &asked, of, &mut outcome).await {
                Err(OrphanError::Reach(ReachError::Overflow)) => of = reach.finer(of)?,
                done => return done.map(|()| outcome),
            }
        }
    }

    async fn parts(
        &self,
        reach: &Reach<'_>,
        asked: &Asked<'_>,
        of: u32,
        outcome: &mut Unreferenced,
    ) -> Result<(), OrphanError> {
        for number in 0..of {
            let table = self.load(asked.ident, asked.now_ms).await?;
            let places = Places::location_of(&table.metadata);
            let live = reach.live(&all(&table.metadata), Part { number, of }).await?;
            let mut known = Known { live, table };
            known.add_metadata_files()?;
            let listed_max = self.settings.listed_files_max;
            let removed = std::mem::take(&mut outcome.removed);
            let mut removal = Removal {
                files: self.files,
                places: &places,
                mode: self.mode,
                listed_max,
                progress: self.progress,
                removed,
            };
            let looked_at = self.part(reach, asked, &mut known, &mut removal).await;
            outcome.removed = removal.removed;
            outcome.looked_at = looked_at?;
        }
        Ok(())
    }

    /// Lists the location and removes what is of the part and not live; how many files there are.
    async fn part(
        &self,
        reach: &Reach<'_>,
        asked: &Asked<'_>,
        known: &mut Known,
        removal: &mut Removal<'_>,
    ) -> Result<u64, OrphanError> {
        let location = known.table.metadata.location().to_owned();
        let (warehouse, place) = split(&location).ok_or(FileError::Location(location.clone()))?;
        let mut listed = self.files.list(warehouse, &place);
        let (mut looked_at, mut batch) = (0, Vec::new());
        while let Some(file) = listed.next().await {
            let file = file.map_err(|source| FileError::Store { location: location.clone(), source })?;
            looked_at += 1;
            let key = file.location.as_ref();
            let digest = Digest::of_object(warehouse, key);
            let is_old = file.last_modified.timestamp_millis() < asked.before_ms;
            let below = key.strip_prefix(place.as_ref()).unwrap_or(key);
            if is_old && known.live.part.holds(digest) && !known.live.holds(digest) && is_ours(below) {
                batch.push(file);
            }
            if batch.len() >= BATCH_FILES {
                self.sweep(reach, asked, known, std::mem::take(&mut batch), removal).await?;
            }
        }
        self.sweep(reach, asked, known, batch, removal).await?;
        Ok(looked_at)
    }

    /// Removes files that are still not live (O1, O3, R3).
    async fn sweep(
        &self,
        reach: &Reach<'_>,
        asked: &Asked<'_>,
        known: &mut Known,
        files: Vec<ObjectMeta>,
        removal: &mut Removal<'_>,
    ) -> Result<(), OrphanError> {
        if files.is_empty() {
            return Ok(());
        }
        let ident = asked.ident;
        let now = self.load(ident, asked.now_ms).await?;
        let before = &known.table;
        if now.entry.uuid != before.entry.uuid || now.metadata.location() != before.metadata.location() {
            return Err(OrphanError::NoSuchTable(ident.clone()));
        }
        if now.entry.metadata_location != before.entry.metadata_location {
            reach.extend(&mut known.live, &all(&now.metadata)).await?;
            known.table = now;
            known.add_metadata_files()?;
        }
        for file in files {
            let key = file.location.as_ref();
            if known.live.holds(Digest::of_object(&ident.warehouse, key)) {
                continue;
            }
            let location = format!("s3://{}/{key}", ident.warehouse);
            removal.remove_sized(kind(key), &location, file.size).await?;
        }
        Ok(())
    }

    /// The table as it is, if its files may be removed.
    async fn load(&self, ident: &TableIdent, now_ms: i64) -> Result<LoadedTable, OrphanError> {
        match self.catalog.standing() {
            Standing::Ready => {}
            Standing::Unsettled | Standing::Fenced => return Err(OrphanError::Unsettled),
        }
        let table = self.catalog.load(ident).await?;
        let table = table.ok_or_else(|| OrphanError::NoSuchTable(ident.clone()))?;
        if !may_collect(&table.metadata) {
            return Err(OrphanError::Disabled);
        }
        let promised = self.readers.promised(ident, &table.entry, now_ms);
        if !Held::new(promised, &table.entry).is_within(&table.metadata) {
            return Err(OrphanError::Promised);
        }
        let places = Places::location_of(&table.metadata);
        match places.overlap(&self.catalog.snapshot(), ident) {
            Some(overlap) => Err(overlap.into()),
            None => Ok(table),
        }
    }
}

impl Known {
    fn add_metadata_files(&mut self) -> Result<(), ReachError> {
        let LoadedTable { entry, metadata } = &self.table;
        for location in metadata_files(metadata, entry) {
            self.live.insert(&location)?;
        }
        Ok(())
    }
}

/// The metadata files that a table or the catalog still names.
fn metadata_files(metadata: &TableMetadata, entry: &TableEntry) -> Vec<Arc<str>> {
    let log = metadata.metadata_log().map(|entry| Arc::from(&*entry.metadata_file));
    let remembered = entry.revisions.iter().map(|revision| revision.metadata_location.clone());
    log.chain(remembered).chain([entry.metadata_location.clone()]).collect()
}

fn all(metadata: &TableMetadata) -> Stays<'_> {
    const NONE: &BTreeSet<i64> = &BTreeSet::new();
    Stays { metadata, but: NONE }
}

/// O4.
fn is_ours(below_location: &str) -> bool {
    let mut parts = below_location.split('/').filter(|part| !part.is_empty());
    let hidden = |part: &str| (part.starts_with('_') || part.starts_with('.')) && !part.contains('=');
    parts.all(|part| !hidden(part) && part != "version-hint.text")
}

/// What a file was, as its name tells.
fn kind(key: &str) -> Kind {
    let name = key.rsplit('/').next().unwrap_or(key);
    let in_metadata = key.contains("/metadata/");
    if name.ends_with(".metadata.json") {
        Kind::Metadata
    } else if in_metadata && name.starts_with("snap-") && name.ends_with(".avro") {
        Kind::ManifestList
    } else if in_metadata && name.ends_with(".avro") {
        Kind::Manifest
    } else if name.ends_with(".stats") {
        Kind::Statistics
    } else if [".parquet", ".orc", ".avro"].iter().any(|suffix| name.ends_with(suffix)) {
        Kind::Data
    } else {
        Kind::Unknown
    }
}
