//! Removing files and telling what was removed: the one place of this crate that deletes.

use serde::{Deserialize, Serialize};

use crate::files::{FileError, Files};
use crate::place::Places;
use crate::runs::Progress;

/// Whether a run changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It tells what it would do.
    DryRun,
    /// It does it.
    Apply,
}

/// Whether a run leaves alone what others may be using.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// Snapshots that were current an hour ago, files of the last day and what readers were promised stay.
    Kept,
    /// They do not. Unsafe while anybody reads or writes the table.
    Waived,
}

/// What a file was for the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Deletes,
    Manifest,
    ManifestList,
    Statistics,
    Metadata,
    Unknown,
}

/// Files removed, or that would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// All of them.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Data files.
    pub data_files: u64,
    /// Files of position or equality deletes, and deletion vectors.
    pub delete_files: u64,
    /// Manifests.
    pub manifests: u64,
    /// Manifest lists.
    pub manifest_lists: u64,
    /// Statistics files.
    pub statistics: u64,
    /// Metadata files.
    pub metadata_files: u64,
    /// Files of no known purpose.
    pub others: u64,
    /// Files that nothing needs but that do not lie in the table's places: they stay.
    pub kept_elsewhere: u64,
    /// The names of the first of them, for people.
    pub listed: Vec<String>,
}

/// Removes files of one table.
pub(crate) struct Removal<'a> {
    pub(crate) files: &'a Files,
    pub(crate) places: &'a Places,
    pub(crate) mode: Mode,
    pub(crate) listed_max: usize,
    pub(crate) progress: &'a Progress,
    pub(crate) removed: Removed,
}

impl Removal<'_> {
    /// Removes a file whose size is not known; one that is gone already does not count.
    pub(crate) async fn remove(&mut self, kind: Kind, location: &str) -> Result<(), FileError> {
        if !self.places.hold(location) {
            self.removed.kept_elsewhere += 1;
            return Ok(());
        }
        match self.files.size(location).await {
            Ok(Some(bytes)) => self.remove_sized(kind, location, bytes).await,
            Ok(None) => Ok(()),
            // A name that is no path names nothing that could be deleted by it.
            Err(FileError::Location(_)) => {
                self.removed.kept_elsewhere += 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Removes a file that is there.
    pub(crate) async fn remove_sized(
        &mut self,
        kind: Kind,
        location: &str,
        bytes: u64,
    ) -> Result<(), FileError> {
        if !self.places.hold(location) {
            self.removed.kept_elsewhere += 1;
            return Ok(());
        }
        match self.mode {
            Mode::DryRun => {}
            Mode::Apply => self.files.delete(location).await?,
        }
        self.progress.add(bytes);
        self.removed.count(kind, location, bytes, self.listed_max);
        Ok(())
    }
}

impl Removed {
    fn count(&mut self, kind: Kind, location: &str, bytes: u64, listed_max: usize) {
        self.files += 1;
        self.bytes += bytes;
        let counter = match kind {
            Kind::Data => &mut self.data_files,
            Kind::Deletes => &mut self.delete_files,
            Kind::Manifest => &mut self.manifests,
            Kind::ManifestList => &mut self.manifest_lists,
            Kind::Statistics => &mut self.statistics,
            Kind::Metadata => &mut self.metadata_files,
            Kind::Unknown => &mut self.others,
        };
        *counter += 1;
        if self.listed.len() < listed_max {
            self.listed.push(location.to_owned());
        }
    }
}
