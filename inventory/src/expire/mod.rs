//! Snapshot expiry: the snapshots that retention no longer keeps are taken out of a table's metadata, then the files
//! that only they reached are deleted.
//!
//! What readers were promised stays (R2).
//!
//! The commit requires every reference to be as it was planned with, and none to be there beside them, so neither a
//! branch nor a tag loses a snapshot that it came to name meanwhile.

mod plan;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tarn_catalog::manifests::Content;
use tarn_catalog::metadata::{Snapshot, TableMetadata, TableRequirement, TableUpdate};
use tarn_catalog::state::{Conflict, Request, TableChange, TableEntry, TableIdent};
use tarn_catalog::{Catalog, CommitError, LoadError, LoadedTable};

pub use self::plan::{Expiry, InvalidProperty, Retention, plan};
use crate::Settings;
use crate::digest::{Digest, Part};
use crate::files::{FileError, Files};
use crate::place::Places;
use crate::reach::{Live, Reach, ReachError, Stays, statistics};
use crate::readers::{Held, Readers};
use crate::removal::{Kind, Mode, Removal, Removed};
use crate::runs::Progress;

/// How often a plan that another commit overtook is made again.
const TRIES: u32 = 5;

/// What an expiry did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// Snapshots taken out of the metadata.
    pub snapshots: u64,
    /// References taken out.
    pub refs: Vec<String>,
    /// Files that only those reached.
    pub removed: Removed,
    /// Why no files were removed though snapshots expired.
    pub files_kept: Option<String>,
}

/// An expiry ended early. What it took out of the metadata stays out; files left are found by the removal of
/// unreferenced files.
#[derive(Debug, thiserror::Error)]
pub enum ExpireError {
    /// There is no such table.
    #[error("table '{0}' does not exist")]
    NoSuchTable(TableIdent),
    /// The table does not want its files removed.
    #[error("the table's property gc.enabled is false")]
    Disabled,
    /// A property of the table makes no sense.
    #[error(transparent)]
    Property(#[from] InvalidProperty),
    /// The table's metadata could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The commit was not done, or it is not known whether it was. Nothing was deleted.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// What is still reached could not be found out.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// A file could not be deleted.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Expires snapshots of one table.
pub(crate) struct Expire<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) files: &'a Files,
    pub(crate) settings: &'a Settings,
    pub(crate) readers: &'a dyn Readers,
    pub(crate) mode: Mode,
    pub(crate) progress: &'a Progress,
}

impl Expire<'_> {
    pub(crate) async fn run(
        &self,
        ident: &TableIdent,
        retention: &Retention,
        now_ms: i64,
    ) -> Result<Expired, ExpireError> {
        for _ in 1..TRIES {
            match self.once(ident, retention, now_ms).await {
                Err(ExpireError::Commit(CommitError::Conflict(Conflict::Requirement { .. }))) => {}
                outcome => return outcome,
            }
        }
        self.once(ident, retention, now_ms).await
    }

    async fn once(
        &self,
        ident: &TableIdent,
        retention: &Retention,
        now_ms: i64,
    ) -> Result<Expired, ExpireError> {
        let LoadedTable { entry, metadata } = self.load(ident).await?;
        if !may_collect(&metadata) {
            return Err(ExpireError::Disabled);
        }
        let retention = retention.of_table(metadata.properties())?;
        let mut expiry = plan(&metadata, &retention, now_ms);
        // R2.
        let held = self.held(ident, &entry, now_ms);
        expiry.snapshots.retain(|id| !held.holds(*id));
        let mut outcome = Expired {
            snapshots: expiry.snapshots.len() as u64,
            refs: expiry.refs.clone(),
            ..Expired::default()
        };
        if expiry.is_empty() {
            return Ok(outcome);
        }
        match self.mode {
            Mode::DryRun => {}
            // X1: behind this line the metadata that no longer names the snapshots is durable.
            Mode::Apply => {
                let change = change(ident, entry.uuid, &metadata, &expiry);
                self.catalog.commit(Request::CommitTables(vec![change])).await?;
            }
        }
        let places = Places::of(&metadata);
        if let Some(overlap) = places.overlap(&self.catalog.snapshot(), ident) {
            outcome.files_kept = Some(overlap.to_string());
            return Ok(outcome);
        }
        let now = self.load(ident).await?;
        if now.entry.uuid != entry.uuid {
            outcome.files_kept = Some("the table was replaced".into());
            return Ok(outcome);
        }
        let held = self.held(ident, &now.entry, now_ms);
        if expiry.snapshots.iter().any(|id| held.holds(*id)) {
            outcome.files_kept = Some("readers were promised files of what expired".into());
            return Ok(outcome);
        }
        let gone = Gone::of(&metadata, &expiry);
        // Of a dry run the snapshots are still in the newest metadata.
        let stays = Stays { metadata: &now.metadata, but: &expiry.snapshots };
        outcome.removed = self.remove(&gone, &stays, &places).await?;
        Ok(outcome)
    }

    fn held(&self, ident: &TableIdent, entry: &TableEntry, now_ms: i64) -> Held {
        Held::new(self.readers.promised(ident, entry, now_ms), entry)
    }

    async fn load(&self, ident: &TableIdent) -> Result<LoadedTable, ExpireError> {
        self.catalog.load(ident).await?.ok_or_else(|| ExpireError::NoSuchTable(ident.clone()))
    }

    /// Removes what `gone` reaches and `stays` does not, in as many passes as memory asks for.
    async fn remove(&self, gone: &Gone, stays: &Stays<'_>, places: &Places) -> Result<Removed, ExpireError> {
        let reach = Reach { files: self.files, settings: self.settings };
        let listed_max = self.settings.listed_files_max;
        let mut removal = Removal {
            files: self.files,
            places,
            mode: self.mode,
            listed_max,
            progress: self.progress,
            removed: Removed::default(),
        };
        let mut of = 1;
        loop {
            match parts(&reach, gone, stays, of, &mut removal).await {
                Err(ExpireError::Reach(ReachError::Overflow)) => of = reach.finer(of)?,
                done => break done?,
            }
        }
        // The manifests were read in every pass, so they go last; few enough to be known whole.
        lists(&reach, gone, stays, &mut removal).await?;
        Ok(removal.removed)
    }
}

/// Whether the table's owner lets files be removed.
pub(crate) fn may_collect(metadata: &TableMetadata) -> bool {
    metadata.properties().get("gc.enabled").is_none_or(|value| !value.trim().eq_ignore_ascii_case("false"))
}

fn change(ident: &TableIdent, uuid: uuid::Uuid, metadata: &TableMetadata, expiry: &Expiry) -> TableChange {
    let mut requirements = Vec::new();
    if metadata.uuid().is_some() {
        requirements.push(TableRequirement::Uuid(uuid));
    }
    requirements.push(TableRequirement::RefNames(metadata.refs().keys().cloned().collect()));
    requirements.extend(metadata.refs().iter().map(|(name, reference)| TableRequirement::RefSnapshotId {
        name: name.clone(),
        snapshot_id: Some(reference.snapshot_id),
    }));
    let mut updates: Vec<TableUpdate> =
        expiry.refs.iter().cloned().map(TableUpdate::RemoveSnapshotRef).collect();
    if !expiry.snapshots.is_empty() {
        updates.push(TableUpdate::RemoveSnapshots(expiry.snapshots.iter().copied().collect()));
    }
    TableChange { ident: ident.clone(), requirements, updates }
}

/// What expired.
struct Gone {
    snapshots: Vec<Arc<Snapshot>>,
    statistics: Vec<String>,
}

impl Gone {
    fn of(metadata: &TableMetadata, expiry: &Expiry) -> Self {
        let expired = |id: i64| expiry.snapshots.contains(&id);
        Self {
            snapshots: metadata.snapshots().filter(|one| expired(one.id())).cloned().collect(),
            statistics: statistics(metadata, expired).map(str::to_owned).collect(),
        }
    }
}

/// Removes the data and delete files, part by part.
async fn parts(
    reach: &Reach<'_>,
    gone: &Gone,
    stays: &Stays<'_>,
    of: u32,
    removal: &mut Removal<'_>,
) -> Result<(), ExpireError> {
    if removal.mode == Mode::DryRun {
        // What an earlier division counted is all there still.
        removal.removed = Removed::default();
    }
    for number in 0..of {
        let live = reach.live(stays, Part { number, of }).await?;
        content(reach, gone, &live, removal).await?;
    }
    Ok(())
}

/// Removes the data and delete files of one part.
async fn content(
    reach: &Reach<'_>,
    gone: &Gone,
    live: &Live,
    removal: &mut Removal<'_>,
) -> Result<(), ExpireError> {
    let mut seen = HashSet::new();
    for snapshot in &gone.snapshots {
        for manifest in found(reach.manifests(snapshot).await)?.unwrap_or_default() {
            // What a manifest that stays names is live.
            if live.holds_manifest(&manifest) || !seen.insert(Digest::of(&manifest)) {
                continue;
            }
            reach.check_manifests(seen.len())?;
            for (content, location) in found(reach.content(&manifest).await)?.unwrap_or_default() {
                let digest = Digest::of(&location);
                if live.part.holds(digest) && !live.holds(digest) {
                    removal.remove(kind(content), &location).await?;
                }
            }
        }
    }
    Ok(())
}

/// Removes manifests, manifest lists and statistics.
async fn lists(
    reach: &Reach<'_>,
    gone: &Gone,
    stays: &Stays<'_>,
    removal: &mut Removal<'_>,
) -> Result<(), ExpireError> {
    let mut live = HashSet::new();
    let mut live_lists = HashSet::new();
    for snapshot in stays.snapshots() {
        live_lists.extend(snapshot.manifest_list().map(Digest::of));
        live.extend(reach.manifests(snapshot).await?.iter().map(|manifest| Digest::of(manifest)));
    }
    for snapshot in &gone.snapshots {
        for manifest in found(reach.manifests(snapshot).await)?.unwrap_or_default() {
            if live.insert(Digest::of(&manifest)) {
                removal.remove(Kind::Manifest, &manifest).await?;
            }
        }
        let list = snapshot.manifest_list().filter(|list| live_lists.insert(Digest::of(list)));
        if let Some(list) = list {
            removal.remove(Kind::ManifestList, list).await?;
        }
    }
    let mut live: HashSet<Digest> = stays.statistics().map(Digest::of).collect();
    for location in &gone.statistics {
        if live.insert(Digest::of(location)) {
            removal.remove(Kind::Statistics, location).await?;
        }
    }
    Ok(())
}

/// A file of an expired snapshot that is gone already has nothing left to remove.
fn found<T>(outcome: Result<T, FileError>) -> Result<Option<T>, FileError> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(FileError::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn kind(content: Content) -> Kind {
    match content {
        Content::Data => Kind::Data,
        Content::PositionDeletes | Content::EqualityDeletes => Kind::Deletes,
    }
}
