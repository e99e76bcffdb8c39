//! Which delete files apply to which data files (table spec, "Scan Planning").

use std::collections::{HashMap, HashSet};

use iceberg::spec::DataContentType;

use super::head::Head;
use super::live::{DeleteKey, Live, Partition};

/// The delete files of a snapshot.
#[derive(Default)]
pub(super) struct Deletes {
    files: Vec<Live>,
    /// Deletion vectors by their data file.
    vectors: HashMap<String, usize>,
    /// Position deletes that name one data file, by it.
    by_path: HashMap<String, Vec<usize>>,
    positions: HashMap<Partition, Vec<usize>>,
    equality: HashMap<Partition, Vec<usize>>,
    /// Equality deletes of unpartitioned specs.
    everywhere: Vec<usize>,
}

impl Deletes {
    pub(super) fn add(&mut self, head: &Head, delete: Live) {
        let at = self.files.len();
        match (delete.file().content_type(), delete.referenced()) {
            (DataContentType::Data, _) => return,
            (DataContentType::PositionDeletes, Some(path)) if delete.is_vector() => {
                self.vectors.insert(path, at);
            }
            (DataContentType::PositionDeletes, Some(path)) => self.by_path.entry(path).or_default().push(at),
            (DataContentType::PositionDeletes, None) => {
                self.positions.entry(delete.partition()).or_default().push(at);
            }
            (DataContentType::EqualityDeletes, _) if is_everywhere(head, &delete) => self.everywhere.push(at),
            (DataContentType::EqualityDeletes, _) => {
                self.equality.entry(delete.partition()).or_default().push(at);
            }
        }
        self.files.push(delete);
    }

    /// Whether deletes may apply to a data file.
    pub(super) fn may_touch(&self, data: &Live) -> bool {
        self.vector(data).is_some()
            || !self.positions(data).is_empty()
            || self.equality(&data.partition()).any(|delete| delete.sequence_number > data.sequence_number)
    }

    /// The deletion vector of a data file.
    pub(super) fn vector(&self, data: &Live) -> Option<&Live> {
        let vector = self.vectors.get(data.path()).map(|&at| &self.files[at]);
        vector.filter(|vector| vector.sequence_number >= data.sequence_number)
    }

    /// Files of position deletes that may tell rows of a data file; none where a deletion vector does.
    pub(super) fn positions(&self, data: &Live) -> Vec<&Live> {
        if self.vector(data).is_some() {
            return Vec::new();
        }
        let by_path = self.by_path.get(data.path()).into_iter().flatten();
        let all = by_path.chain(self.positions.get(&data.partition()).into_iter().flatten());
        all.map(|&at| &self.files[at])
            .filter(|delete| delete.sequence_number >= data.sequence_number)
            .collect()
    }

    /// The equality deletes that apply to older files of a partition.
    pub(super) fn equality(&self, partition: &Partition) -> impl Iterator<Item = &Live> {
        let own = self.equality.get(partition).into_iter().flatten();
        own.chain(&self.everywhere).map(|&at| &self.files[at])
    }

    pub(super) fn keys(&self) -> HashSet<DeleteKey> {
        self.files.iter().map(Live::delete_key).collect()
    }
}

/// Whether an equality delete applies to files of every partition.
pub(super) fn is_everywhere(head: &Head, delete: &Live) -> bool {
    head.spec(delete.spec_id).is_some_and(|spec| spec.is_unpartitioned())
}
