//! What snapshots reach.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use serde_json::Value;
use tarn_catalog::manifests::{self, Content, InvalidManifest};
use tarn_catalog::metadata::{Snapshot, TableMetadata};

use crate::Settings;
use crate::digest::{Digest, Digests, Full, Part};
use crate::files::{FileError, Files};

/// Parts that digests are divided into at most.
const PARTS_MAX: u32 = 1024;

/// What the snapshots of a table reach could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The table has more manifests than are handled.
    #[error("the table has more than {manifests_max} manifests")]
    TooManyManifests {
        /// The limit.
        manifests_max: usize,
    },
    /// The table has more files than are handled.
    #[error("the table has more than {files_max} files")]
    TooManyFiles {
        /// The limit.
        files_max: usize,
    },
    /// More digests than fit; to be tried again in more parts. Never told outside.
    #[error("the table's files do not fit into one pass")]
    Overflow,
}

impl From<Full> for ReachError {
    fn from(Full: Full) -> Self {
        Self::Overflow
    }
}

/// What is live: everything that the snapshots of some metadata reach, of one part, and all their manifests.
pub(crate) struct Live {
    pub(crate) part: Part,
    files: Digests,
    manifests: HashSet<Digest>,
}

/// Reads what snapshots name.
#[derive(Clone, Copy)]
pub(crate) struct Reach<'a> {
    pub(crate) files: &'a Files,
    pub(crate) settings: &'a Settings,
}

impl Reach<'_> {
    /// The manifests of a snapshot. Some V1 snapshots name them in the metadata, without a list.
    pub(crate) async fn manifests(&self, snapshot: &Snapshot) -> Result<Vec<String>, FileError> {
        let Some(location) = snapshot.manifest_list() else {
            let json: Value = serde_json::from_str(snapshot.json()).unwrap_or_default();
            let named = json["manifests"].as_array().into_iter().flatten();
            return Ok(named.filter_map(|name| name.as_str().map(str::to_owned)).collect());
        };
        let bytes = self.files.read(location).await?;
        let unpacked_bytes_max = self.settings.manifest_unpacked_bytes_max;
        parse(location, move || manifests::manifests(&bytes, unpacked_bytes_max)).await
    }

    /// The live files of a manifest.
    pub(crate) async fn content(&self, manifest: &str) -> Result<Vec<(Content, String)>, FileError> {
        let bytes = self.files.read(manifest).await?;
        let unpacked_bytes_max = self.settings.manifest_unpacked_bytes_max;
        parse(manifest, move || manifests::live_files(&bytes, unpacked_bytes_max)).await
    }

    /// Everything that belongs to `part` and is live in what stays.
    pub(crate) async fn live(&self, stays: &Stays<'_>, part: Part) -> Result<Live, ReachError> {
        let files = Digests::new(part, self.settings.digests_max);
        let mut live = Live { part, files, manifests: HashSet::new() };
        self.extend(&mut live, stays).await?;
        Ok(live)
    }

    /// Adds what is live in newer metadata of the same table.
    pub(crate) async fn extend(&self, live: &mut Live, stays: &Stays<'_>) -> Result<(), ReachError> {
        for location in stays.statistics() {
            live.files.insert(Digest::of(location))?;
        }
        for snapshot in stays.snapshots() {
            if let Some(list) = snapshot.manifest_list() {
                live.files.insert(Digest::of(list))?;
            }
            for manifest in self.manifests(snapshot).await? {
                self.extend_by(live, &manifest).await?;
            }
        }
        Ok(())
    }

    async fn extend_by(&self, live: &mut Live, manifest: &str) -> Result<(), ReachError> {
        let digest = Digest::of(manifest);
        if live.manifests.contains(&digest) {
            return Ok(());
        }
        self.check_manifests(live.manifests.len())?;
        live.files.insert(digest)?;
        for (_, location) in self.content(manifest).await? {
            live.files.insert(Digest::of(&location))?;
        }
        // Only now: a manifest counts as read when all of it is in.
        live.manifests.insert(digest);
        Ok(())
    }

    /// Refuses one manifest more than are handled.
    pub(crate) fn check_manifests(&self, held: usize) -> Result<(), ReachError> {
        let manifests_max = self.settings.manifests_max;
        if held >= manifests_max { Err(ReachError::TooManyManifests { manifests_max }) } else { Ok(()) }
    }

    /// The next division when one into `of` parts has more digests in a part than fit.
    pub(crate) fn finer(&self, of: u32) -> Result<u32, ReachError> {
        if of >= PARTS_MAX {
            let files_max = self.settings.digests_max.saturating_mul(PARTS_MAX as usize);
            return Err(ReachError::TooManyFiles { files_max });
        }
        Ok(of * 4)
    }
}

impl Live {
    pub(crate) fn holds(&self, digest: Digest) -> bool {
        self.files.contains(digest)
    }

    pub(crate) fn holds_manifest(&self, manifest: &str) -> bool {
        self.manifests.contains(&Digest::of(manifest))
    }

    /// Adds a file that is live for another reason.
    pub(crate) fn insert(&mut self, location: &str) -> Result<(), ReachError> {
        self.files.insert(Digest::of(location))?;
        Ok(())
    }
}

/// The part of a table's metadata that stays.
pub(crate) struct Stays<'a> {
    pub(crate) metadata: &'a TableMetadata,
    /// Snapshots that go.
    pub(crate) but: &'a BTreeSet<i64>,
}

impl<'a> Stays<'a> {
    pub(crate) fn snapshots(&self) -> impl Iterator<Item = &'a Arc<Snapshot>> {
        let but = self.but;
        self.metadata.snapshots().filter(|snapshot| !but.contains(&snapshot.id()))
    }

    pub(crate) fn statistics(&self) -> impl Iterator<Item = &'a str> {
        let but = self.but;
        statistics(self.metadata, |id| !but.contains(&id))
    }
}

/// The statistics files of some snapshots.
pub(crate) fn statistics(metadata: &TableMetadata, of: impl Fn(i64) -> bool) -> impl Iterator<Item = &str> {
    let files = metadata.statistics().chain(metadata.partition_statistics());
    files.filter(move |file| of(file.snapshot_id)).filter_map(|file| file.json()["statistics-path"].as_str())
}

/// Parsing computes for long: it has a thread of its own.
async fn parse<T: Send + 'static>(
    location: &str,
    work: impl FnOnce() -> Result<T, InvalidManifest> + Send + 'static,
) -> Result<T, FileError> {
    let invalid = |message: String| FileError::Invalid { location: location.to_owned(), message };
    match tokio::task::spawn_blocking(work).await {
        Ok(parsed) => parsed.map_err(|error| invalid(error.to_string())),
        Err(_panic) => Err(invalid("the reader panicked".into())),
    }
}
