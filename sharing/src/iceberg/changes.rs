//! What versions changed.
//!
//! Files are told as added or removed where two snapshots differ in them, and as both where the same file has other
//! deleted rows. Manifests that both snapshots name are not read, unless their delete files differ.
//!
//! Readers may take all files of an answer as files of its last version. One that lacks a value of that version's
//! partition columns would be read wrong, and is refused (I6).

use std::collections::{BTreeSet, HashSet};
use std::ops::RangeInclusive;

use futures::TryStreamExt as _;
use tarn_catalog::manifests::{ManifestContent, ManifestFile};
use tarn_catalog::metadata::Snapshot;

use super::lineage::{Difference, difference};
use super::reading::{List, Reading, Turn, within};
use super::shape::{Shape, live};
use super::versions::{Readable, ReadableVersion};
use crate::table::{FileList, TableError, VersionChanges};
use crate::vectors::{Assembly, SnapshotDeletes};

/// Files that the versions of one answer may have changed.
const CHANGED_FILES_MAX: u64 = 500_000;

/// What each version of a range changed.
pub(super) async fn changes(
    reading: &Reading<'_>,
    readable: &Readable<'_>,
    versions: RangeInclusive<i64>,
) -> Result<Vec<VersionChanges>, TableError> {
    let mut all: Vec<VersionChanges> = Vec::new();
    let mut partitioned = Vec::new();
    let mut before = match reading.version(readable, versions.start().saturating_sub(1)).await {
        Ok(version) => Some(Told::new(reading, version).await?),
        Err(TableError::NoSuchVersion { .. }) => None,
        Err(error) => return Err(error),
    };
    for number in versions {
        let version = reading.version(readable, number).await?;
        if before.as_ref().is_some_and(|before| before.is_of(&version)) {
            continue;
        }
        let told = Told::new(reading, version).await?;
        let (added, removed) = difference_of(reading, readable, &told).await?;
        let files = all.iter().map(|one| one.added.len() + one.removed.len()).sum::<u64>();
        within(files + added.len() + removed.len(), CHANGED_FILES_MAX)?;
        let is_other = before.as_ref().is_none_or(|before| told.shape.differs(&before.shape));
        if !added.is_empty() || !removed.is_empty() {
            partitioned.push((number, told.shape.partitioning.ids()));
        }
        if is_other || !added.is_empty() || !removed.is_empty() {
            all.push(told.changes(is_other, added, removed));
        }
        before = Some(told);
    }
    if let Some(last) = before {
        check_partitions(&last.shape, &partitioned)?;
    }
    Ok(all)
}

/// Refuses files that do not have the partition columns of the last version.
fn check_partitions(last: &Shape, partitioned: &[(i64, BTreeSet<i32>)]) -> Result<(), TableError> {
    let ids = last.partitioning.ids();
    match partitioned.iter().find(|(_, of_files)| !ids.is_subset(of_files)) {
        None => Ok(()),
        Some((number, _)) => Err(TableError::Unsupported(format!(
            "version {number} changed files that lack partition columns the table has since; changes up to that version \
             and after it can be read apart"
        ))),
    }
}

/// A version as readers are told it, its files aside.
struct Told<'a> {
    version: ReadableVersion<'a>,
    shape: Shape,
}

impl<'a> Told<'a> {
    async fn new(reading: &Reading<'_>, version: ReadableVersion<'a>) -> Result<Self, TableError> {
        let list = reading.list(version.snapshot).await?;
        Ok(Self { shape: reading.shape(&version, &list)?, version })
    }

    fn changes(&self, is_other: bool, added: FileList, removed: FileList) -> VersionChanges {
        VersionChanges {
            version: self.version.number,
            timestamp_ms: self.shape.timestamp_ms,
            metadata: is_other.then(|| self.shape.metadata.clone()),
            features: if is_other { self.shape.features.clone() } else { BTreeSet::new() },
            added,
            removed,
            changed: FileList::default(),
        }
    }

    /// Whether a version has the same rows and columns.
    fn is_of(&self, other: &ReadableVersion<'_>) -> bool {
        let snapshot = |version: &ReadableVersion<'_>| version.snapshot.map(Snapshot::id);
        snapshot(&self.version) == snapshot(other) && self.version.schema.columns() == other.schema.columns()
    }
}

/// The files that a version added and removed.
async fn difference_of(
    reading: &Reading<'_>,
    readable: &Readable<'_>,
    told: &Told<'_>,
) -> Result<(FileList, FileList), TableError> {
    let unknown = || -> Result<TableError, TableError> {
        let versions = readable.range()?;
        let earliest = told.version.number.saturating_add(1).min(versions.latest);
        let (version, latest) = (told.version.number, versions.latest);
        Ok(TableError::NoSuchVersion { version, earliest, latest })
    };
    let Some(base) = readable.base(told.version.number) else { return Err(unknown()?) };
    match difference(reading.metadata, base, told.version.snapshot) {
        Difference::None => Ok(Default::default()),
        Difference::Unknown => Err(unknown()?),
        Difference::Between(from, to) => {
            let (from, to) = (reading.list(from).await?, reading.list(to).await?);
            let (was, is) =
                (reading.deletes(&told.shape, &from).await?, reading.deletes(&told.shape, &to).await?);
            let sides = Sides { reading, shape: &told.shape, from, to };
            let (mut added, mut removed) = (reading.assemble(&is), reading.assemble(&was));
            sides.compare((&was, &is), (&mut added, &mut removed)).await?;
            Ok((added.finish().await?, removed.finish().await?))
        }
    }
}

/// Two snapshots that are compared.
struct Sides<'a> {
    reading: &'a Reading<'a>,
    /// How files of both are told.
    shape: &'a Shape,
    from: List,
    to: List,
}

impl Sides<'_> {
    async fn compare(
        &self,
        (was, is): (&SnapshotDeletes<'_>, &SnapshotDeletes<'_>),
        (added, removed): (&mut Assembly<'_>, &mut Assembly<'_>),
    ) -> Result<(), TableError> {
        let mut turn = Turn::default();
        let only_from = only(&self.from, &self.to, ManifestContent::Data);
        let only_to = only(&self.to, &self.from, ManifestContent::Data);
        let other_deletes = !only(&self.from, &self.to, ManifestContent::Deletes).is_empty()
            || !only(&self.to, &self.from, ManifestContent::Deletes).is_empty();
        let mut gone = self.paths(&only_from, &mut turn).await?;
        let mut count = 0;
        let mut read = self.reading.manifests(only_to.iter().copied());
        while let Some((listed, manifest)) = read.try_next().await? {
            let telling = self.reading.telling(self.shape, (listed, &manifest))?;
            for entry in manifest.entries.iter().filter(|entry| entry.is_live()) {
                turn.pass().await;
                if !gone.remove(&entry.file.path) {
                    telling.push(entry, added).await?;
                } else if other_deletes
                    && is.differ(was, &telling.data(entry, &telling.told(entry)?)?).await?
                {
                    telling.push(entry, removed).await?;
                    telling.push(entry, added).await?;
                } else {
                    continue;
                }
                count += 1;
                within(count, CHANGED_FILES_MAX)?;
            }
        }
        drop(read);
        self.push_gone(&only_from, &gone, removed, &mut turn).await?;
        if other_deletes {
            self.push_deleted((was, is), (added, removed), &mut turn).await?;
        }
        Ok(())
    }

    /// The paths of the live files of manifests.
    async fn paths(
        &self,
        manifests: &[&ManifestFile],
        turn: &mut Turn,
    ) -> Result<HashSet<Box<str>>, TableError> {
        let mut paths = HashSet::new();
        let mut read = self.reading.manifests(manifests.iter().copied());
        while let Some((_, manifest)) = read.try_next().await? {
            for entry in manifest.entries.iter().filter(|entry| entry.is_live()) {
                turn.pass().await;
                paths.insert(entry.file.path.clone());
            }
            within(paths.len() as u64, CHANGED_FILES_MAX)?;
        }
        Ok(paths)
    }

    /// Tells the files that went.
    async fn push_gone(
        &self,
        manifests: &[&ManifestFile],
        gone: &HashSet<Box<str>>,
        removed: &mut Assembly<'_>,
        turn: &mut Turn,
    ) -> Result<(), TableError> {
        if gone.is_empty() {
            return Ok(());
        }
        let mut read = self.reading.manifests(manifests.iter().copied());
        while let Some((listed, manifest)) = read.try_next().await? {
            let telling = self.reading.telling(self.shape, (listed, &manifest))?;
            let live = manifest.entries.iter().filter(|entry| entry.is_live());
            for entry in live.filter(|entry| gone.contains(&entry.file.path)) {
                turn.pass().await;
                telling.push(entry, removed).await?;
            }
        }
        Ok(())
    }

    /// Tells the files of manifests that both have whose deleted rows are others.
    async fn push_deleted(
        &self,
        (was, is): (&SnapshotDeletes<'_>, &SnapshotDeletes<'_>),
        (added, removed): (&mut Assembly<'_>, &mut Assembly<'_>),
        turn: &mut Turn,
    ) -> Result<(), TableError> {
        let of_from: HashSet<&str> = self.from.iter().map(|manifest| &*manifest.path).collect();
        let both = live(&self.to, ManifestContent::Data).filter(|manifest| of_from.contains(&*manifest.path));
        let both: Vec<&ManifestFile> = both.collect();
        let (mut count, mut read) = (0, self.reading.manifests(both.iter().copied()));
        while let Some((listed, manifest)) = read.try_next().await? {
            let telling = self.reading.telling(self.shape, (listed, &manifest))?;
            for entry in manifest.entries.iter().filter(|entry| entry.is_live()) {
                turn.pass().await;
                if is.differ(was, &telling.data(entry, &telling.told(entry)?)?).await? {
                    telling.push(entry, removed).await?;
                    telling.push(entry, added).await?;
                    count += 1;
                    within(count, CHANGED_FILES_MAX)?;
                }
            }
        }
        Ok(())
    }
}

/// The live manifests of this content that `these` has and `those` has not.
fn only<'a>(these: &'a List, those: &List, content: ManifestContent) -> Vec<&'a ManifestFile> {
    let those: HashSet<&str> = those.iter().map(|manifest| &*manifest.path).collect();
    live(these, content).filter(|manifest| !those.contains(&*manifest.path)).collect()
}
