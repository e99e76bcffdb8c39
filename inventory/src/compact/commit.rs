//! Committing a group: a `replace` snapshot of main.

use std::collections::{BTreeMap, HashSet};

use iceberg::io::FileIO;
use iceberg::spec::{ManifestFile, ManifestListWriter, ManifestWriter, ManifestWriterBuilder};
use serde_json::json;
use tarn_catalog::CommitError;
use tarn_catalog::metadata::{TableRequirement, TableUpdate};
use tarn_catalog::state::{Conflict, Request, TableChange, TableIdent};
use uuid::Uuid;

use super::rewrite::Rewritten;
use super::select::{Group, holds_deletes};
use super::{Compact, CompactError, Head};

/// How often a group is tried on a newer head.
const TRIES: u32 = 5;

impl Compact<'_> {
    /// Commits; whether it was done. Not, when other commits came in the way (K2).
    pub(super) async fn commit(
        &self,
        ident: &TableIdent,
        read: &Head,
        group: &Group,
        made: &Rewritten,
    ) -> Result<bool, CompactError> {
        for _ in 0..TRIES {
            let Some(head) = self.head(ident).await? else { return Ok(false) };
            if !still_fits(read, &head) {
                return Ok(false);
            }
            let Some(change) = self.change(ident, read, &head, group, made).await? else { return Ok(false) };
            match self.catalog.commit(Request::CommitTables(vec![change])).await {
                Ok(_) => return Ok(true),
                Err(CommitError::Conflict(Conflict::Requirement { .. } | Conflict::Stale { .. })) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// The new snapshot on top of `head`; `None` when a file to replace is not live in it any more.
    async fn change(
        &self,
        ident: &TableIdent,
        read: &Head,
        head: &Head,
        group: &Group,
        made: &Rewritten,
    ) -> Result<Option<TableChange>, CompactError> {
        let id = (Uuid::new_v4().as_u128() >> 65) as i64;
        let replaced: HashSet<&str> = group.files.iter().map(|file| file.entry.file_path()).collect();
        let (mut manifests, mut found) = (Vec::new(), 0);
        for manifest in head.list.entries() {
            let rewritten = match holds_deletes(manifest) {
                true => None,
                false => self.without(head, id, manifest, &replaced).await?,
            };
            match rewritten {
                Some((rewritten, count)) => {
                    manifests.push(rewritten);
                    found += count;
                }
                None => manifests.push(manifest.clone()),
            }
        }
        if found != replaced.len() {
            return Ok(None);
        }
        if let Some(file) = &made.file {
            let (io, location, mut writer) = self.manifest(head, id)?;
            // K3.
            writer.add_file(file.clone(), read.sequence_number)?;
            manifests.push(self.store(&io, &location, writer).await?);
        }
        let sequence_number = head.table.metadata.last_sequence_number() + 1;
        let list = self.list(head, id, sequence_number, manifests).await?;
        let snapshot = json!({
            "snapshot-id": id,
            "parent-snapshot-id": head.snapshot_id,
            "sequence-number": sequence_number,
            "timestamp-ms": jiff::Timestamp::now().as_millisecond().max(head.table.metadata.last_updated_ms()),
            "manifest-list": list,
            "summary": summary(head, group, made),
            "schema-id": head.table.metadata.current_schema_id(),
        });
        Ok(Some(change(ident, head, id, &snapshot)?))
    }

    /// The manifest with its replaced files marked as deleted, and how many they are; `None` when it has none.
    async fn without(
        &self,
        head: &Head,
        id: i64,
        manifest: &ManifestFile,
        replaced: &HashSet<&str>,
    ) -> Result<Option<(ManifestFile, usize)>, CompactError> {
        let live = self.live(manifest).await?;
        let count = live.iter().filter(|live| replaced.contains(live.entry.file_path())).count();
        if count == 0 {
            return Ok(None);
        }
        if manifest.partition_spec_id != head.parsed.default_partition_spec_id() {
            // Files of older specs are never selected.
            return Err(CompactError::Unfit(format!("{} changed its spec", manifest.manifest_path)));
        }
        let (io, location, mut writer) = self.manifest(head, id)?;
        for live in live {
            let (file, sequence) = (live.entry.data_file().clone(), live.sequence_number);
            if replaced.contains(file.file_path()) {
                writer.add_delete_file(file, sequence, Some(live.file_sequence_number))?;
            } else {
                writer.add_existing_file(
                    file,
                    live.snapshot_id,
                    sequence,
                    Some(live.file_sequence_number),
                )?;
            }
        }
        Ok(Some((self.store(&io, &location, writer).await?, count)))
    }

    fn manifest(&self, head: &Head, id: i64) -> Result<(FileIO, String, ManifestWriter), CompactError> {
        let io = FileIO::new_with_memory();
        let location = Self::location(head, &format!("metadata/{}-m.avro", Uuid::now_v7()))?;
        let (schema, spec) = (head.parsed.current_schema(), head.parsed.default_partition_spec());
        let output = io.new_output(&location)?;
        let builder = ManifestWriterBuilder::new(output, Some(id), schema.clone(), spec.as_ref().clone());
        Ok((io, location, builder.build_v2_data()))
    }

    async fn store(
        &self,
        io: &FileIO,
        location: &str,
        writer: ManifestWriter,
    ) -> Result<ManifestFile, CompactError> {
        let manifest = writer.write_manifest_file().await?;
        self.files.create(location, io.new_input(location)?.read().await?).await?;
        Ok(manifest)
    }

    async fn list(
        &self,
        head: &Head,
        id: i64,
        sequence_number: i64,
        manifests: Vec<ManifestFile>,
    ) -> Result<String, CompactError> {
        let io = FileIO::new_with_memory();
        let location = Self::location(head, &format!("metadata/snap-{id}-1-{}.avro", Uuid::now_v7()))?;
        let output = io.new_output(&location)?.writer().await?;
        let mut writer = ManifestListWriter::v2(output, id, Some(head.snapshot_id), sequence_number);
        writer.add_manifests(manifests.into_iter())?;
        writer.close().await?;
        self.files.create(&location, io.new_input(&location)?.read().await?).await?;
        Ok(location)
    }
}

/// K2: no deletes came, and the table is of the same shape.
fn still_fits(read: &Head, head: &Head) -> bool {
    let known: HashSet<&str> = read.list.entries().iter().map(|manifest| &*manifest.manifest_path).collect();
    let (was, is) = (&read.table.metadata, &head.table.metadata);
    let new_deletes = head
        .list
        .entries()
        .iter()
        .any(|manifest| holds_deletes(manifest) && !known.contains(&*manifest.manifest_path));
    !new_deletes
        && read.table.entry.uuid == head.table.entry.uuid
        && was.location() == is.location()
        && was.current_schema_id() == is.current_schema_id()
        && was.default_spec_id() == is.default_spec_id()
}

fn change(
    ident: &TableIdent,
    head: &Head,
    id: i64,
    snapshot: &serde_json::Value,
) -> Result<TableChange, CompactError> {
    let metadata = &head.table.metadata;
    let mut reference =
        json!({ "action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id });
    // The branch keeps its retention.
    if let Some(main) = metadata.refs().get("main") {
        for (name, value) in [
            ("min-snapshots-to-keep", main.min_snapshots_to_keep.map(i64::from)),
            ("max-snapshot-age-ms", main.max_snapshot_age_ms),
            ("max-ref-age-ms", main.max_ref_age_ms),
        ] {
            if let Some(value) = value {
                reference[name] = json!(value);
            }
        }
    }
    let updates = [json!({ "action": "add-snapshot", "snapshot": snapshot }), reference];
    let invalid = |error: tarn_catalog::metadata::InvalidMetadata| CompactError::Unfit(error.to_string());
    let updates = updates.into_iter().map(TableUpdate::from_json).collect::<Result<Vec<_>, _>>();
    let mut requirements = vec![
        TableRequirement::RefSnapshotId { name: "main".into(), snapshot_id: Some(head.snapshot_id) },
        TableRequirement::CurrentSchemaId(metadata.current_schema_id()),
        TableRequirement::DefaultSpecId(metadata.default_spec_id()),
    ];
    requirements.extend(metadata.uuid().map(TableRequirement::Uuid));
    Ok(TableChange { ident: ident.clone(), requirements, updates: updates.map_err(invalid)? })
}

/// The numbers of the snapshot, and the totals where the one before has them.
fn summary(head: &Head, group: &Group, made: &Rewritten) -> BTreeMap<String, String> {
    let before = head.table.metadata.current_snapshot().map(|one| one.summary()).unwrap_or_default();
    let removed_rows: u64 = group.files.iter().map(|file| file.entry.record_count()).sum();
    let added_rows = made.file.as_ref().map_or(0, |file| file.record_count());
    let (added, removed) = (u64::from(made.file.is_some()), group.files.len() as u64);
    let mut summary = BTreeMap::from([("operation".to_owned(), "replace".to_owned())]);
    for (name, count) in [
        ("added-data-files", added),
        ("deleted-data-files", removed),
        ("added-records", added_rows),
        ("deleted-records", removed_rows),
        ("added-files-size", made.bytes),
        ("removed-files-size", group.bytes()),
    ] {
        summary.insert(name.to_owned(), count.to_string());
    }
    for (name, plus, minus) in [
        ("total-data-files", added, removed),
        ("total-records", added_rows, removed_rows),
        ("total-files-size", made.bytes, group.bytes()),
        ("total-delete-files", 0, 0),
        ("total-position-deletes", 0, 0),
        ("total-equality-deletes", 0, 0),
    ] {
        let total = before.get(name).and_then(|total| total.parse::<u64>().ok());
        if let Some(total) = total.and_then(|total| (total + plus).checked_sub(minus)) {
            summary.insert(name.to_owned(), total.to_string());
        }
    }
    summary
}
