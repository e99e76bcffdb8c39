//! Committing a group: a `replace` snapshot of main.

pub(crate) mod snapshot;

use std::collections::HashSet;

use iceberg::spec::{DataContentType, ManifestContentType, ManifestFile};
use tarn_catalog::CommitError;
use tarn_catalog::state::{Conflict, Request, TableChange, TableIdent};
use uuid::Uuid;

pub(super) use self::snapshot::{Numbers, change};
use super::head::Head;
use super::live::{DeleteKey, Live, Partition, Shape};
use super::manifests::Draft;
use super::rewrite::Rewritten;
use super::select::{Group, holds_deletes};
use super::{Compact, CompactError};

/// How often a group is tried on a newer head.
const TRIES: u32 = 5;

/// A group, what replaces it, and what was known when it was read.
pub(super) struct Replacement<'a> {
    pub(super) read: &'a Head,
    /// The delete files of the snapshot that was read.
    pub(super) known_deletes: &'a HashSet<DeleteKey>,
    pub(super) group: &'a Group,
    pub(super) made: &'a Rewritten,
}

/// The manifests of the next snapshot.
struct Manifests {
    files: Vec<ManifestFile>,
    numbers: Numbers,
}

impl Compact<'_> {
    /// Commits; how many delete files went with the group. `None` when other commits came in the way (K2).
    pub(super) async fn commit(
        &self,
        ident: &TableIdent,
        one: &Replacement<'_>,
    ) -> Result<Option<u64>, CompactError> {
        for _ in 0..TRIES {
            let Some(head) = self.head(ident).await? else { return Ok(None) };
            if !is_of_same_shape(one.read, &head) {
                return Ok(None);
            }
            let Some((change, deletes)) = self.change(ident, one, &head).await? else { return Ok(None) };
            match self.catalog.commit(Request::CommitTables(vec![change])).await {
                Ok(_) => return Ok(Some(deletes)),
                Err(CommitError::Conflict(Conflict::Requirement { .. } | Conflict::Stale { .. })) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// The new snapshot on top of `head`, and how many delete files it takes out; `None` when the group does not fit
    /// it any more.
    async fn change(
        &self,
        ident: &TableIdent,
        one: &Replacement<'_>,
        head: &Head,
    ) -> Result<Option<(TableChange, u64)>, CompactError> {
        let id = (Uuid::new_v4().as_u128() >> 65) as i64;
        let Some(mut manifests) = self.carry(one, head, id).await? else { return Ok(None) };
        if !one.made.files.is_empty() {
            let spec = head.parsed.default_partition_spec().as_ref().clone();
            let shape = Shape { schema: head.parsed.current_schema().clone(), spec };
            let mut draft = Draft::new(head, id, &shape, ManifestContentType::Data)?;
            for file in &one.made.files {
                // K3.
                draft.writer.add_file(file.clone(), one.read.sequence_number)?;
                manifests.numbers.add(file);
            }
            manifests.files.push(self.store(draft).await?);
        }
        let list = self.list(head, id, manifests.files).await?;
        Ok(Some((change(ident, head, id, &list, &manifests.numbers)?, manifests.numbers.deletes())))
    }

    /// The manifests of `head` without what the group replaces; `None` when it does not fit (K2).
    async fn carry(
        &self,
        one: &Replacement<'_>,
        head: &Head,
        id: i64,
    ) -> Result<Option<Manifests>, CompactError> {
        let group = Expected::new(one);
        let was: HashSet<&str> = one.read.manifests.iter().map(|manifest| &*manifest.manifest_path).collect();
        let mut next = Manifests { files: Vec::new(), numbers: Numbers::default() };
        let (mut replaced, mut applied) = (0, HashSet::new());
        for manifest in &head.manifests {
            let path = &*manifest.manifest_path;
            if was.contains(path) && !group.manifests.contains(path) {
                next.files.push(manifest.clone());
                continue;
            }
            let (files, shape) = self.live(manifest).await?;
            if holds_deletes(manifest) {
                if !files.iter().all(|delete| group.allows(one, delete)) {
                    return Ok(None);
                }
                let keys = files.iter().map(Live::delete_key);
                applied.extend(keys.filter(|key| one.made.applied.contains(key)));
            }
            let goes: Vec<bool> = files.iter().map(|file| group.replaces(file)).collect();
            replaced += goes.iter().zip(&files).filter(|(goes, file)| **goes && is_data(file)).count();
            if !goes.contains(&true) {
                next.files.push(manifest.clone());
                continue;
            }
            let mut draft = Draft::new(head, id, &shape, manifest.content)?;
            for (file, goes) in files.iter().zip(goes) {
                if goes {
                    draft.delete(file)?;
                    next.numbers.remove(file.file());
                } else {
                    draft.keep(file)?;
                }
            }
            let mut rewritten = self.store(draft).await?;
            // The row ids of its files are written out, so it assigns none.
            rewritten.first_row_id = manifest.first_row_id;
            next.files.push(rewritten);
        }
        let fits =
            replaced == one.group.files.len() && one.made.applied.iter().all(|key| applied.contains(key));
        Ok(fits.then_some(next))
    }
}

/// What a group expects of the head that it is committed on.
struct Expected<'a> {
    paths: HashSet<&'a str>,
    /// The manifests of the files and of the deletes applied to them, when they were read.
    manifests: HashSet<&'a str>,
    partition: &'a Partition,
}

impl<'a> Expected<'a> {
    fn new(one: &Replacement<'a>) -> Self {
        let files = &one.group.files;
        let data = files.iter().map(|file| &*file.live.manifest);
        let deletes = files.iter().flat_map(|file| &file.told_by).map(|told_by| &*told_by.manifest);
        let equality = one.group.equality.iter().map(|delete| &*delete.manifest);
        Self {
            paths: files.iter().map(|file| file.live.path()).collect(),
            manifests: data.chain(deletes).chain(equality).collect(),
            partition: &one.group.partition,
        }
    }

    /// Whether a file goes with the group: its data files, and deletes of rows of one of them.
    fn replaces(&self, file: &Live) -> bool {
        match file.referenced() {
            Some(data) => self.paths.contains(&*data),
            None => is_data(file) && self.paths.contains(file.path()),
        }
    }

    /// Whether a delete file was known, or does not apply to what was read, or applies to what is made as well (K3).
    fn allows(&self, one: &Replacement<'_>, delete: &Live) -> bool {
        let known = one.known_deletes.contains(&delete.delete_key());
        known
            || match (delete.file().content_type(), delete.referenced()) {
                (DataContentType::Data, _) => true,
                (DataContentType::EqualityDeletes, _) => delete.sequence_number > one.read.sequence_number,
                (DataContentType::PositionDeletes, Some(data)) => !self.paths.contains(&*data),
                (DataContentType::PositionDeletes, None) => delete.partition() != *self.partition,
            }
    }
}

fn is_data(file: &Live) -> bool {
    file.file().content_type() == DataContentType::Data
}

/// Whether the table has still the shape that files were made for.
fn is_of_same_shape(read: &Head, head: &Head) -> bool {
    let (was, is) = (&read.table.metadata, &head.table.metadata);
    read.table.entry.uuid == head.table.entry.uuid
        && was.location() == is.location()
        && was.format_version() == is.format_version()
        && was.current_schema_id() == is.current_schema_id()
        && was.default_spec_id() == is.default_spec_id()
        && was.default_sort_order_id() == is.default_sort_order_id()
}
