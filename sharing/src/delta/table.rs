//! [`DeltaTable`]: a Delta table as a source of versions.
//!
//! - A1: a version belongs to the log it was read from. A log put in the place of another, even a copy that carries its
//!   id, is seen by the last commit known. A table's identity names a commit's file that the log had: no other log has it.

use std::fmt;
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use delta_kernel::snapshot::{Snapshot, SnapshotRef};
use object_store::ObjectStore;

use super::bench::{Bench, kernel_error, run};
use super::changes;
use super::definition::{Definition, Vectors};
use super::engine::TABLE;
use super::limits::Limits;
use super::log::{self, Kind, Stamp};
use super::path::Root;
use super::scan;
use super::times::Times;
use crate::table::{TableError, TableSource, TableVersion, VersionChanges, Versions};

/// A Delta table below a prefix of a bucket. Meant to be kept: what it knows of the log makes the next look at it cheap,
/// and a table opened anew may have another identity.
pub struct DeltaTable {
    store: Arc<dyn ObjectStore>,
    root: Root,
    limits: Limits,
    known: Mutex<Known>,
}

/// What is known of the log.
#[derive(Clone)]
struct Known {
    snapshot: SnapshotRef,
    /// The file of the latest commit.
    latest: Stamp,
    earliest: i64,
    /// Says which log this is (A1).
    identity: Arc<str>,
}

impl fmt::Debug for DeltaTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DeltaTable").field("root", &self.root).finish_non_exhaustive()
    }
}

impl DeltaTable {
    /// The table whose log lies in `_delta_log/` below `prefix`. `store` is that of the bucket.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        bucket: &str,
        prefix: &str,
        limits: Limits,
    ) -> Result<Self, TableError> {
        let root = Root::new(bucket, prefix)?;
        let known = run(Arc::clone(&store), root.clone(), limits.clone(), |bench| look(bench, None)).await?;
        Ok(Self { store, root, limits, known: Mutex::new(known) })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change of it is one assignment: it is whole whatever became of a thread.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Bench) -> Result<T, TableError> + Send + 'static,
    ) -> Result<T, TableError> {
        run(Arc::clone(&self.store), self.root.clone(), self.limits.clone(), work).await
    }

    /// Looks at the log: what is new in it, or that another lies there.
    async fn refresh(&self) -> Result<Known, TableError> {
        let before = self.known().clone();
        let now = self.run(move |bench| look(bench, Some(before))).await?;
        let mut known = self.known();
        // Two may look at once; of the same log, what the slower one saw may be older.
        if now.identity != known.identity || now.snapshot.version() >= known.snapshot.version() {
            *known = now.clone();
        }
        Ok(now)
    }

    /// Works on a version that is there, and on when it was committed.
    async fn at<T: Send + 'static>(
        &self,
        version: i64,
        work: impl FnOnce(&Bench, SnapshotRef, i64) -> Result<T, TableError> + Send + 'static,
    ) -> Result<T, TableError> {
        let known = self.refresh().await?;
        known.must_have(version)?;
        self.run(move |bench| {
            let timestamp_ms = times(bench, &known.snapshot, version)?.of(version)?;
            work(bench, snapshot_at(bench, &known.snapshot, version)?, timestamp_ms)
        })
        .await
    }
}

impl Known {
    fn versions(&self) -> Result<Versions, TableError> {
        Ok(Versions { earliest: self.earliest, latest: version_of(&self.snapshot)? })
    }

    fn must_have(&self, version: i64) -> Result<(), TableError> {
        let Versions { earliest, latest } = self.versions()?;
        if (earliest..=latest).contains(&version) {
            return Ok(());
        }
        Err(TableError::NoSuchVersion { version, earliest, latest })
    }
}

/// What the log says now. Reads only what came after `before`, as long as that is still there (A1).
fn look(bench: &Bench, before: Option<Known>) -> Result<Known, TableError> {
    let earliest = log::earliest(bench)?.ok_or(TableError::NoSuchTable)?;
    let Some(before) = before else { return look_anew(bench, earliest) };
    let (stamp, newest) = tail(bench, version_of(&before.snapshot)?)?;
    if stamp.as_ref() != Some(&before.latest) {
        return look_anew(bench, earliest);
    }
    match newest {
        Newest::This => Ok(Known { earliest, ..before }),
        Newest::Other => {
            let builder = Snapshot::builder_from(Arc::clone(&before.snapshot));
            let snapshot = builder.build(&bench.engine).map_err(kernel_error)?;
            let latest = stamp_of(bench, version_of(&snapshot)?)?;
            Ok(Known { snapshot, latest, earliest, identity: before.identity })
        }
    }
}

fn look_anew(bench: &Bench, earliest: i64) -> Result<Known, TableError> {
    let snapshot = Snapshot::builder_for(TABLE).build(&bench.engine).map_err(kernel_error)?;
    let version = version_of(&snapshot)?;
    let latest = stamp_of(bench, version)?;
    let id = &Definition::of(&snapshot)?.metadata.id;
    let (bucket, prefix) = (bench.root.bucket(), bench.root.prefix());
    let identity = format!("delta:{bucket}/{prefix}:{id}:{version}:{latest}").into();
    Ok(Known { snapshot, latest, earliest, identity })
}

/// Whether a log ends with a version.
enum Newest {
    This,
    Other,
}

/// The file that tells a version, and what comes behind it: the commit's, or a checkpoint's where that is gone.
fn tail(bench: &Bench, version: i64) -> Result<(Option<Stamp>, Newest), TableError> {
    let (mut commit, mut checkpoint, mut newest) = (None, None, Newest::This);
    log::walk(bench, version, |file| {
        if file.version > version {
            newest = Newest::Other;
            return ControlFlow::Break(());
        }
        match file.kind {
            Kind::Commit => commit = Some(file.stamp),
            Kind::Checkpoint { .. } => checkpoint = Some(file.stamp),
        }
        ControlFlow::Continue(())
    })?;
    Ok((commit.or(checkpoint), newest))
}

fn stamp_of(bench: &Bench, version: i64) -> Result<Stamp, TableError> {
    let (stamp, _) = tail(bench, version)?;
    // A log that is being taken away.
    stamp.ok_or(TableError::NoSuchTable)
}

fn version_of(snapshot: &Snapshot) -> Result<i64, TableError> {
    i64::try_from(snapshot.version()).map_err(|_| TableError::Invalid("its version is too high".into()))
}

/// The table as it was at a version.
pub(super) fn snapshot_at(
    bench: &Bench,
    known: &SnapshotRef,
    version: i64,
) -> Result<SnapshotRef, TableError> {
    let number = u64::try_from(version).map_err(|_| TableError::Invalid("a version is below zero".into()))?;
    if known.version() == number {
        return Ok(Arc::clone(known));
    }
    Snapshot::builder_for(TABLE).at_version(number).build(&bench.engine).map_err(kernel_error)
}

/// When the versions up to `latest` were committed. What the table is now says how: so all answers agree.
fn times<'a>(bench: &'a Bench, known: &SnapshotRef, latest: i64) -> Result<Times<'a>, TableError> {
    Times::read(bench, Definition::of(known)?.times, latest)
}

#[async_trait]
impl TableSource for DeltaTable {
    fn identity(&self) -> Arc<str> {
        Arc::clone(&self.known().identity)
    }

    async fn versions(&self) -> Result<Versions, TableError> {
        self.refresh().await?.versions()
    }

    async fn version_until(&self, timestamp_ms: i64) -> Result<Option<i64>, TableError> {
        let known = self.refresh().await?;
        self.run(move |bench| {
            let Versions { earliest, latest } = known.versions()?;
            times(bench, &known.snapshot, latest)?.until(timestamp_ms, earliest)
        })
        .await
    }

    async fn version_from(&self, timestamp_ms: i64) -> Result<Option<i64>, TableError> {
        let known = self.refresh().await?;
        self.run(move |bench| {
            let Versions { earliest, latest } = known.versions()?;
            times(bench, &known.snapshot, latest)?.from(timestamp_ms, earliest)
        })
        .await
    }

    async fn load(&self, version: i64) -> Result<TableVersion, TableError> {
        self.at(version, move |bench, snapshot, timestamp_ms| {
            let definition = Definition::of(&snapshot)?;
            let (files, vectors) = scan::files(bench, snapshot, &definition)?;
            Ok(definition.version(version, timestamp_ms, vectors, files))
        })
        .await
    }

    async fn metadata(&self, version: i64) -> Result<TableVersion, TableError> {
        self.at(version, move |bench, snapshot, timestamp_ms| {
            let definition = Definition::of(&snapshot)?;
            let vectors =
                if definition.may_have_vectors { scan::vectors(bench, snapshot)? } else { Vectors::None };
            Ok(definition.version(version, timestamp_ms, vectors, Default::default()))
        })
        .await
    }

    async fn changes(&self, versions: RangeInclusive<i64>) -> Result<Vec<VersionChanges>, TableError> {
        let (start, end) = versions.into_inner();
        if start > end {
            return Ok(Vec::new());
        }
        let known = self.refresh().await?;
        known.must_have(start)?;
        known.must_have(end)?;
        self.run(move |bench| {
            let versions = changes::checked(bench, start, end)?;
            let first = snapshot_at(bench, &known.snapshot, start)?;
            let times = times(bench, &known.snapshot, end)?;
            let mut reader = changes::Reader::new(bench, Definition::of(&first)?, times, known.versions()?);
            versions.map(|version| reader.read(version)).collect()
        })
        .await
    }
}
