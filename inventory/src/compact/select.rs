//! Which files are rewritten together.

use std::collections::{BTreeMap, HashMap, HashSet};

use iceberg::spec::{DataFileFormat, ManifestContentType, ManifestFile};

use super::deletes::Deletes;
use super::head::Head;
use super::live::{DeleteKey, Live, Partition};
use super::positions::Positions;
use super::{Compact, CompactError, FILES_MAX, GROUP_FILES_MIN};
use crate::place::Places;

const ELSEWHERE: &str = "outside the table's own places";

/// Which files a run looks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The size of files to make.
    pub(super) bytes: u64,
    /// Files that are not in this sort order, too.
    pub(super) not_in_order: Option<i32>,
}

/// Files of one partition that are rewritten together.
pub(super) struct Group {
    pub(super) partition: Partition,
    pub(super) files: Vec<Selected>,
    /// Equality deletes that apply to some of them.
    pub(super) equality: Vec<Live>,
}

/// A file to rewrite.
pub(super) struct Selected {
    pub(super) live: Live,
    /// Positions of deleted rows, ascending, each once.
    pub(super) deleted: Vec<u64>,
    pub(super) vector: Option<Live>,
    /// The files that tell its deleted rows by position.
    pub(super) told_by: Vec<Live>,
    /// Whether equality deletes apply.
    is_under_equality: bool,
}

/// The groups of a run, and the delete files that its snapshot has.
pub(super) struct Selection {
    pub(super) groups: Vec<Group>,
    pub(super) deletes: HashSet<DeleteKey>,
}

impl Group {
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.live.file().file_size_in_bytes()).sum()
    }
}

impl Selected {
    fn is_forced(&self, wanted: Wanted) -> bool {
        let unsorted =
            wanted.not_in_order.is_some_and(|order| self.live.file().sort_order_id() != Some(order));
        unsorted || self.vector.is_some() || self.is_under_equality || !self.deleted.is_empty()
    }
}

impl Compact<'_> {
    /// What is to be rewritten.
    pub(super) async fn select(
        &self,
        head: &Head,
        wanted: Wanted,
        skipped: &mut BTreeMap<String, u64>,
    ) -> Result<Selection, CompactError> {
        let own = Places::of(&head.table.metadata);
        let mut deletes = Deletes::default();
        for manifest in head.manifests.iter().filter(|manifest| holds_deletes(manifest)) {
            for live in self.live(manifest).await?.0 {
                if !own.hold(live.path()) {
                    return Err(CompactError::Unfit(format!("{} is a delete file {ELSEWHERE}", live.path())));
                }
                deletes.add(head, live);
            }
        }
        let mut candidates = Vec::new();
        for manifest in head.manifests.iter().filter(|manifest| !holds_deletes(manifest)) {
            for live in self.live(manifest).await?.0 {
                let reason = match unfit(&live, &own) {
                    None if !is_candidate(&live, &deletes, wanted) => continue,
                    None if candidates.len() >= FILES_MAX => Some("left to the next run"),
                    reason => reason,
                };
                match reason {
                    Some(reason) => *skipped.entry(reason.into()).or_default() += 1,
                    None => candidates.push(live),
                }
            }
        }
        let positions = self.position_deletes(&candidates, &deletes).await?;
        let groups = pack(candidates, &deletes, positions, wanted);
        Ok(Selection { groups, deletes: deletes.keys() })
    }

    async fn position_deletes(
        &self,
        candidates: &[Live],
        deletes: &Deletes,
    ) -> Result<Positions, CompactError> {
        let (mut files, mut wanted) = (HashMap::new(), HashMap::new());
        for candidate in candidates {
            let applying = deletes.positions(candidate);
            if applying.is_empty() {
                continue;
            }
            let keys: HashSet<DeleteKey> = applying.iter().map(|delete| delete.delete_key()).collect();
            wanted.insert(candidate.path().to_owned(), keys);
            files.extend(applying.into_iter().map(|delete| (delete.delete_key(), delete.clone())));
        }
        self.positions(&wanted, &files).await
    }
}

/// Why a file is not rewritten (K4, K7).
fn unfit(live: &Live, own: &Places) -> Option<&'static str> {
    let file = live.file();
    if !own.hold(live.path()) {
        Some(ELSEWHERE)
    } else if file.file_format() != DataFileFormat::Parquet {
        Some("not Parquet")
    } else if file.key_metadata().is_some() {
        Some("encrypted")
    } else {
        None
    }
}

fn is_candidate(live: &Live, deletes: &Deletes, wanted: Wanted) -> bool {
    let file = live.file();
    is_small(file.file_size_in_bytes(), wanted)
        || wanted.not_in_order.is_some_and(|order| file.sort_order_id() != Some(order))
        || deletes.may_touch(live)
}

fn is_small(bytes: u64, wanted: Wanted) -> bool {
    bytes < wanted.bytes / 4 * 3
}

/// Files by partition, packed into groups of up to the size wanted.
fn pack(candidates: Vec<Live>, deletes: &Deletes, mut positions: Positions, wanted: Wanted) -> Vec<Group> {
    let mut candidates = candidates;
    // By age, so that rows keep about their order.
    candidates
        .sort_by(|one, other| (one.sequence_number, one.path()).cmp(&(other.sequence_number, other.path())));
    let mut partitions: Vec<Group> = Vec::new();
    let mut places: HashMap<Partition, usize> = HashMap::new();
    for live in candidates {
        let partition = live.partition();
        let selected = Selected {
            deleted: positions.rows.remove(live.path()).unwrap_or_default(),
            told_by: told_by(&live, deletes, &mut positions),
            vector: deletes.vector(&live).cloned(),
            is_under_equality: deletes
                .equality(&partition)
                .any(|one| one.sequence_number > live.sequence_number),
            live,
        };
        if !is_small(selected.live.file().file_size_in_bytes(), wanted) && !selected.is_forced(wanted) {
            continue;
        }
        let at = *places.entry(partition.clone()).or_insert_with(|| {
            partitions.push(Group { partition, files: Vec::new(), equality: Vec::new() });
            partitions.len() - 1
        });
        partitions[at].files.push(selected);
    }
    let mut groups: Vec<Group> = partitions.into_iter().flat_map(|group| divide(group, wanted)).collect();
    groups.retain(|group| {
        group.files.len() >= GROUP_FILES_MIN || group.files.iter().any(|file| file.is_forced(wanted))
    });
    for group in &mut groups {
        let oldest = group.files.iter().map(|file| file.live.sequence_number).min();
        let applying = deletes.equality(&group.partition);
        group.equality = applying.filter(|one| Some(one.sequence_number) > oldest).cloned().collect();
    }
    groups
}

/// The files of deletes by position that tell rows of a file.
fn told_by(live: &Live, deletes: &Deletes, positions: &mut Positions) -> Vec<Live> {
    let keys = positions.told_by.remove(live.path()).unwrap_or_default();
    let files = deletes.positions(live).into_iter().filter(|delete| keys.contains(&delete.delete_key()));
    files.chain(deletes.vector(live)).cloned().collect()
}

/// The files of a partition in groups of up to the size wanted; a file that is longer is a group of its own.
fn divide(partition: Group, wanted: Wanted) -> Vec<Group> {
    let of = partition.partition;
    let empty = || Group { partition: of.clone(), files: Vec::new(), equality: Vec::new() };
    let mut groups = vec![empty()];
    for file in partition.files {
        let bytes = file.live.file().file_size_in_bytes();
        match groups.last_mut() {
            Some(last) if last.files.is_empty() || last.bytes() + bytes <= wanted.bytes => {
                last.files.push(file)
            }
            Some(_) | None => groups.push(Group { files: vec![file], ..empty() }),
        }
    }
    groups
}

/// Whether a manifest holds deletes.
pub(super) fn holds_deletes(manifest: &ManifestFile) -> bool {
    manifest.content == ManifestContentType::Deletes
}
