//! Tidying up after the groups: delete files that apply to no live data file leave the metadata, and small manifests
//! become fewer.
//!
//! - T1: a delete file goes only if, in the head that is committed on, no data file is that it applies to.
//! - T2: a manifest made of others says of every file what those said, and assigns no row ids.

use std::collections::{HashMap, HashSet};

use iceberg::spec::{DataContentType, DataFileFormat, FormatVersion, ManifestContentType, ManifestFile};
use tarn_catalog::CommitError;
use tarn_catalog::state::{Conflict, Request, TableIdent};
use uuid::Uuid;

use super::commit::{Numbers, change};
use super::deletes::is_everywhere;
use super::head::Head;
use super::live::{DeleteKey, Live, Partition, Shape};
use super::manifests::Draft;
use super::select::holds_deletes;
use super::{Compact, CompactError};

/// How often it is tried on a newer head.
const TRIES: u32 = 3;
/// So many small manifests are merged at least.
const MANIFESTS_MIN: usize = 10;
/// Data files that delete files name, at a time; deletes of more stay.
const REFERENCED_MAX: usize = 1_000_000;
/// Partitions of data files known at a time; deletes in others stay.
const PARTITIONS_KNOWN_MAX: usize = 1_000_000;

/// What was tidied.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tidied {
    pub(super) deletes: u64,
    pub(super) manifests_before: u64,
    pub(super) manifests_after: u64,
}

/// The data files of a snapshot, as far as deletes ask for them.
#[derive(Default)]
struct Data {
    /// The lowest sequence number of a partition's files.
    oldest: HashMap<Partition, i64>,
    oldest_of_all: Option<i64>,
    /// Files that deletes name, with their sequence numbers.
    referenced: HashMap<String, i64>,
}

/// The data files that each file of position deletes names.
type Named = HashMap<DeleteKey, HashSet<String>>;

/// A manifest to merge, with its live files.
type Member = (ManifestFile, Vec<Live>);

/// The manifests of the next snapshot.
struct Tidy {
    manifests: Vec<ManifestFile>,
    numbers: Numbers,
}

impl Compact<'_> {
    /// Commits what there is to tidy; `None` when there is nothing, or other commits were quicker.
    pub(super) async fn tidy(&self, ident: &TableIdent) -> Result<Option<Tidied>, CompactError> {
        for _ in 0..TRIES {
            let Some(head) = self.head(ident).await? else { return Ok(None) };
            let id = (Uuid::new_v4().as_u128() >> 65) as i64;
            let Some(tidy) = self.tidied(&head, id).await? else { return Ok(None) };
            let done = Tidied {
                deletes: tidy.numbers.deletes(),
                manifests_before: head.manifests.len() as u64,
                manifests_after: tidy.manifests.len() as u64,
            };
            let list = self.list(&head, id, tidy.manifests).await?;
            let change = change(ident, &head, id, &list, &tidy.numbers)?;
            match self.catalog.commit(Request::CommitTables(vec![change])).await {
                Ok(_) => return Ok(Some(done)),
                Err(CommitError::Conflict(Conflict::Requirement { .. } | Conflict::Stale { .. })) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    async fn tidied(&self, head: &Head, id: i64) -> Result<Option<Tidy>, CompactError> {
        let mut tidy = Tidy { manifests: Vec::new(), numbers: Numbers::default() };
        for manifest in self.without_dangling(head, id, &mut tidy.numbers).await? {
            // One of deleted files alone tells nothing any more.
            if manifest.has_added_files() || manifest.has_existing_files() || manifest.added_snapshot_id == id
            {
                tidy.manifests.push(manifest);
            }
        }
        tidy.manifests = self.merged(head, id, tidy.manifests).await?;
        let is_other = tidy.numbers.deletes() > 0 || tidy.manifests.len() < head.manifests.len();
        Ok(is_other.then_some(tidy))
    }

    /// The manifests of the head without delete files that apply to nothing (T1).
    async fn without_dangling(
        &self,
        head: &Head,
        id: i64,
        numbers: &mut Numbers,
    ) -> Result<Vec<ManifestFile>, CompactError> {
        let mut deletes = Vec::new();
        for manifest in head.manifests.iter().filter(|manifest| holds_deletes(manifest)) {
            deletes.push((manifest, self.live(manifest).await?));
        }
        let files: Vec<&Live> = deletes.iter().flat_map(|(_, (files, _))| files).collect();
        if files.is_empty() {
            return Ok(head.manifests.clone());
        }
        let Some(named) = self.named(&files).await? else { return Ok(head.manifests.clone()) };
        let referenced: HashSet<&str> = named.values().flatten().map(String::as_str).collect();
        let Some(data) = self.data(head, &referenced).await? else { return Ok(head.manifests.clone()) };
        let data_manifests = head.manifests.iter().filter(|manifest| !holds_deletes(manifest));
        let mut manifests: Vec<ManifestFile> = data_manifests.cloned().collect();
        for (manifest, (files, shape)) in deletes {
            if !files.iter().any(|file| data.is_dangling(head, file, &named)) {
                manifests.push(manifest.clone());
                continue;
            }
            let mut draft = Draft::new(head, id, &shape, ManifestContentType::Deletes)?;
            for file in &files {
                if data.is_dangling(head, file, &named) {
                    draft.delete(file)?;
                    numbers.remove(file.file());
                } else {
                    draft.keep(file)?;
                }
            }
            manifests.push(self.store(draft).await?);
        }
        Ok(manifests)
    }

    /// `None` when there are too many to know.
    async fn named(&self, deletes: &[&Live]) -> Result<Option<Named>, CompactError> {
        let (mut named, mut count) = (Named::new(), 0);
        let positions =
            deletes.iter().filter(|one| one.file().content_type() == DataContentType::PositionDeletes);
        for delete in positions {
            let paths = match delete.referenced() {
                Some(path) => HashSet::from([path]),
                None if delete.file().file_format() != DataFileFormat::Parquet => continue,
                None => self.paths(delete).await?,
            };
            count += paths.len();
            if count > REFERENCED_MAX {
                return Ok(None);
            }
            named.insert(delete.delete_key(), paths);
        }
        Ok(Some(named))
    }

    /// `None` when there are too many partitions to know.
    async fn data(&self, head: &Head, referenced: &HashSet<&str>) -> Result<Option<Data>, CompactError> {
        let mut data = Data::default();
        for manifest in head.manifests.iter().filter(|manifest| !holds_deletes(manifest)) {
            for live in self.live(manifest).await?.0 {
                let sequence = live.sequence_number;
                if referenced.contains(live.path()) {
                    data.referenced.insert(live.path().to_owned(), sequence);
                }
                let oldest = data.oldest.entry(live.partition()).or_insert(sequence);
                *oldest = sequence.min(*oldest);
                data.oldest_of_all = Some(data.oldest_of_all.map_or(sequence, |oldest| oldest.min(sequence)));
                if data.oldest.len() > PARTITIONS_KNOWN_MAX {
                    return Ok(None);
                }
            }
        }
        Ok(Some(data))
    }

    /// Small manifests of one content and spec in fewer ones (T2).
    async fn merged(
        &self,
        head: &Head,
        id: i64,
        manifests: Vec<ManifestFile>,
    ) -> Result<Vec<ManifestFile>, CompactError> {
        let bytes_max = target_bytes(head);
        let (mut next, mut bins) = (Vec::new(), Vec::<Vec<ManifestFile>>::new());
        for manifest in manifests {
            if !is_small(head, id, &manifest, bytes_max) {
                next.push(manifest);
                continue;
            }
            let fits = |bin: &&mut Vec<ManifestFile>| {
                let bytes: i64 = bin.iter().map(|one| one.manifest_length).sum();
                bin.first().is_some_and(|first| is_alike(first, &manifest))
                    && bytes + manifest.manifest_length <= bytes_max
            };
            match bins.iter_mut().find(fits) {
                Some(bin) => bin.push(manifest),
                None => bins.push(vec![manifest]),
            }
        }
        for bin in bins {
            if bin.len() < MANIFESTS_MIN {
                next.extend(bin);
            } else {
                next.extend(self.merge(head, id, bin).await?);
            }
        }
        Ok(next)
    }

    async fn merge(
        &self,
        head: &Head,
        id: i64,
        bin: Vec<ManifestFile>,
    ) -> Result<Vec<ManifestFile>, CompactError> {
        let mut by_shape: Vec<(Shape, Vec<Member>)> = Vec::new();
        for manifest in bin {
            let (files, shape) = self.live(&manifest).await?;
            match by_shape.iter_mut().find(|(known, _)| *known == shape) {
                Some((_, members)) => members.push((manifest, files)),
                None => by_shape.push((shape, vec![(manifest, files)])),
            }
        }
        let mut next = Vec::new();
        for (shape, members) in by_shape {
            let Some((first, _)) = members.first().filter(|_| members.len() >= MANIFESTS_MIN) else {
                next.extend(members.into_iter().map(|(manifest, _)| manifest));
                continue;
            };
            let (content, first_row_id) = (first.content, first.first_row_id);
            let mut draft = Draft::new(head, id, &shape, content)?;
            for file in members.iter().flat_map(|(_, files)| files) {
                draft.keep(file)?;
            }
            let mut merged = self.store(draft).await?;
            merged.first_row_id = first_row_id;
            next.push(merged);
        }
        Ok(next)
    }
}

impl Data {
    fn is_dangling(&self, head: &Head, delete: &Live, named: &Named) -> bool {
        let sequence = delete.sequence_number;
        match delete.file().content_type() {
            DataContentType::Data => false,
            DataContentType::PositionDeletes => {
                let gone =
                    |path: &String| self.referenced.get(path).is_none_or(|&of_file| of_file > sequence);
                named.get(&delete.delete_key()).is_some_and(|paths| paths.iter().all(gone))
            }
            DataContentType::EqualityDeletes if is_everywhere(head, delete) => {
                self.oldest_of_all.is_none_or(|oldest| oldest >= sequence)
            }
            DataContentType::EqualityDeletes => {
                self.oldest.get(&delete.partition()).is_none_or(|&oldest| oldest >= sequence)
            }
        }
    }
}

/// How long a manifest should be.
fn target_bytes(head: &Head) -> i64 {
    const DEFAULT: i64 = 8 << 20;
    let property = head.table.metadata.properties().get("commit.manifest.target-size-bytes");
    property.and_then(|value| value.trim().parse().ok()).filter(|&bytes| bytes > 0).unwrap_or(DEFAULT)
}

/// Whether a manifest may be merged. One of this snapshot tells what it deletes, one without row ids would get some.
fn is_small(head: &Head, id: i64, manifest: &ManifestFile, bytes_max: i64) -> bool {
    let has_row_ids = manifest.content == ManifestContentType::Deletes || manifest.first_row_id.is_some();
    manifest.manifest_length < bytes_max
        && manifest.added_snapshot_id != id
        && (head.version() != FormatVersion::V3 || has_row_ids)
}

fn is_alike(one: &ManifestFile, other: &ManifestFile) -> bool {
    one.content == other.content && one.partition_spec_id == other.partition_spec_id
}
