//! What the metadata files of a snapshot that is being made are called.
//!
//! The names follow from what a checkpoint keeps before the first of them is written: after a kill those of a snapshot that
//! was not made are found again, and taken away.
//!
//! Whether it was made is known then: an attempt begins behind a write to the log of the catalog, and that takes none before
//! the outcome of the one before is settled.

use object_store::path::Path;
use uuid::Uuid;

use super::TRIES;
use crate::report::checkpoint::{Checkpoint, Role, Target};
use crate::report::error::RunError;
use crate::report::target::Stores;

/// Manifests that a snapshot has at most: of what it adds, and of the rows and deletions that go.
const MANIFESTS: usize = 3;

/// One try to make the snapshot of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft {
    pub(super) token: Uuid,
    /// The number of the try, below [`TRIES`].
    pub(super) number: u32,
}

impl Draft {
    /// The id of the snapshot.
    pub(super) fn id(self) -> i64 {
        (self.token.as_u128() >> 65) as i64 ^ i64::from(self.number)
    }

    /// A manifest, below the table's location.
    pub(super) fn manifest(self, index: usize) -> String {
        assert!(index < MANIFESTS, "a manifest that nobody would take away");
        format!("metadata/{}-{}-m{index}.avro", self.token, self.number)
    }

    /// The manifest list, below the table's location.
    pub(super) fn list(self) -> String {
        format!("metadata/snap-{}-{}-{}.avro", self.id(), self.number, self.token)
    }

    /// Takes away what was written of a snapshot that was not made.
    pub(super) async fn remove(self, stores: &Stores, table: &Target) -> Result<(), RunError> {
        let location = table.below.strip_suffix("data/").unwrap_or(&table.below);
        let manifests = (0..MANIFESTS).map(|index| self.manifest(index));
        for name in manifests.chain([self.list()]) {
            let key = Path::from(format!("{location}{name}"));
            if stores.is_there(&table.bucket, &key).await? {
                stores.delete(&table.bucket, &key).await?;
            }
        }
        Ok(())
    }
}

/// Takes away what a run wrote of a snapshot that was not made.
pub(in crate::report) async fn remove_drafts(stores: &Stores, state: &Checkpoint) -> Result<(), RunError> {
    let Some(token) = state.draft else { return Ok(()) };
    for table in state.targets.iter().filter(|target| target.role == Role::Table) {
        for number in 0..TRIES {
            Draft { token, number }.remove(stores, table).await?;
        }
    }
    Ok(())
}
