//! [`DeltaTable`]: a Delta table as a source of versions.
//!
//! - A1: a version belongs to the log it was read from. A log put in the place of another, even a copy that carries its
//!   id, is seen by the last commit known, and gives the table another identity.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use delta_kernel::snapshot::{Snapshot, SnapshotRef};

use super::bench::{Bench, Place, kernel_error, run};
use super::changes;
use super::definition::{Definition, Vectors};
use super::engine::TABLE;
use super::log::{self, Stamp, Tail};
use super::scan;
use super::times::{Times, moved_on};
use crate::table::{FileList, HoldTime, TableError, TableSource, TableVersion, VersionChanges, Versions};

/// A Delta table below a prefix of a bucket. [`DeltaTables`](super::DeltaTables) keeps it: what it knows of the log makes
/// the next look at it cheap.
pub struct DeltaTable {
    place: Place,
    known: Mutex<Known>,
    /// Whether files of a version have deletion vectors, by generation and version: finding out takes a replay.
    vectors: Mutex<BTreeMap<(u64, i64), Vectors>>,
}

/// Versions of which it is remembered whether their files have deletion vectors.
const REMEMBERED_MAX: usize = 256;

/// What is known of the log.
#[derive(Clone)]
struct Known {
    /// Counts logs seen in this place, from what it was opened with (A1).
    generation: u64,
    snapshot: SnapshotRef,
    /// The file that tells its version.
    stamp: Stamp,
    earliest: i64,
    /// Versions in order, with the times of their files.
    times: Arc<[(i64, i64)]>,
    /// Says which log this is (A1).
    identity: Arc<str>,
}

impl fmt::Debug for DeltaTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DeltaTable").field("root", &self.place.root).finish_non_exhaustive()
    }
}

impl DeltaTable {
    /// The table whose log lies in `_delta_log/` below `prefix`. `store` is that of the bucket.
    pub(super) async fn open(place: Place, generation: u64) -> Result<Self, TableError> {
        let known = run(place.clone(), move |bench| look_anew(bench, generation)).await?;
        Ok(Self { place, known: Mutex::new(known), vectors: Mutex::default() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change of it is one assignment: it is whole whatever became of a thread.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, version: &(u64, i64)) -> Option<Vectors> {
        self.vectors.lock().unwrap_or_else(PoisonError::into_inner).get(version).copied()
    }

    fn remember(&self, version: (u64, i64), vectors: Vectors) {
        let mut remembered = self.vectors.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.insert(version, vectors);
        if remembered.len() > REMEMBERED_MAX {
            remembered.pop_first();
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Bench) -> Result<T, TableError> + Send + 'static,
    ) -> Result<T, TableError> {
        run(self.place.clone(), work).await
    }

    /// Looks at the log: what is new in it, or that another lies there.
    async fn refresh(&self) -> Result<Known, TableError> {
        let before = self.known().clone();
        let now = self.run(move |bench| look(bench, before)).await?;
        let mut known = self.known();
        // Two may look at once; what the slower one saw may be older.
        if now.age() >= known.age() {
            *known = now.clone();
        }
        Ok(now)
    }

    /// What is known, of a log that has a version.
    async fn knowing(&self, version: i64) -> Result<Known, TableError> {
        let known = self.refresh().await?;
        known.must_have(version)?;
        Ok(known)
    }
}

impl Known {
    /// Greater for what was seen later.
    fn age(&self) -> (u64, u64) {
        (self.generation, self.snapshot.version())
    }

    /// When versions were committed. What the table is now says how that is told: so all answers agree.
    fn times<'a>(&self, bench: &'a Bench) -> Result<Times<'a>, TableError> {
        Ok(Times::new(bench, Definition::of(&self.snapshot)?.times, Arc::clone(&self.times)))
    }

    /// A version, what the table was, and when it was committed.
    fn at(&self, bench: &Bench, version: i64) -> Result<(SnapshotRef, Definition, i64), TableError> {
        let timestamp_ms = self.times(bench)?.of(version)?;
        let snapshot = snapshot_at(bench, &self.snapshot, version)?;
        let definition = Definition::of(&snapshot)?;
        Ok((snapshot, definition, timestamp_ms))
    }

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
fn look(bench: &Bench, before: Known) -> Result<Known, TableError> {
    let known = version_of(&before.snapshot)?;
    let Tail { versions, first, last } = log::tail(bench, known)?;
    let (Some((latest, _)), Some(stamp), true) =
        (versions.last(), last, first.as_ref() == Some(&before.stamp))
    else {
        return look_anew(bench, before.generation + 1);
    };
    let earliest = log::earliest(bench)?.ok_or(TableError::NoSuchTable)?;
    if *latest == known {
        return Ok(Known { earliest, ..before });
    }
    let builder = Snapshot::builder_from(Arc::clone(&before.snapshot)).at_version(number_of(*latest)?);
    let snapshot = builder.build(&bench.engine).map_err(kernel_error)?;
    let times = moved_on(&before.times, &versions[1..]);
    Ok(Known { snapshot, stamp, earliest, times, ..before })
}

fn look_anew(bench: &Bench, generation: u64) -> Result<Known, TableError> {
    let earliest = log::earliest(bench)?.ok_or(TableError::NoSuchTable)?;
    let Tail { versions, last, .. } = log::tail(bench, 0)?;
    // A log that is being taken away.
    let (Some((latest, _)), Some(stamp)) = (versions.last(), last) else {
        return Err(TableError::NoSuchTable);
    };
    let builder = Snapshot::builder_for(TABLE).at_version(number_of(*latest)?);
    let snapshot = builder.build(&bench.engine).map_err(kernel_error)?;
    let id = &Definition::of(&snapshot)?.metadata.id;
    let (bucket, prefix) = (bench.root.bucket(), bench.root.prefix());
    let identity = format!("delta:{bucket}/{prefix}:{id}:{generation}").into();
    Ok(Known { generation, snapshot, stamp, earliest, times: moved_on(&[], &versions), identity })
}

fn version_of(snapshot: &Snapshot) -> Result<i64, TableError> {
    i64::try_from(snapshot.version()).map_err(|_| TableError::Invalid("its version is too high".into()))
}

fn number_of(version: i64) -> Result<u64, TableError> {
    u64::try_from(version).map_err(|_| TableError::Invalid("a version is below zero".into()))
}

/// The table as it was at a version.
fn snapshot_at(bench: &Bench, known: &SnapshotRef, version: i64) -> Result<SnapshotRef, TableError> {
    let number = number_of(version)?;
    if known.version() == number {
        return Ok(Arc::clone(known));
    }
    Snapshot::builder_for(TABLE).at_version(number).build(&bench.engine).map_err(kernel_error)
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
        self.run(move |bench| known.times(bench)?.until(timestamp_ms, known.earliest)).await
    }

    async fn version_from(&self, timestamp_ms: i64) -> Result<Option<i64>, TableError> {
        let known = self.refresh().await?;
        self.run(move |bench| known.times(bench)?.from(timestamp_ms, known.earliest)).await
    }

    async fn load(&self, version: i64) -> Result<TableVersion, TableError> {
        let known = self.knowing(version).await?;
        let key = (known.generation, version);
        let (loaded, vectors) = self
            .run(move |bench| {
                let (snapshot, definition, timestamp_ms) = known.at(bench, version)?;
                let (files, vectors) = scan::files(bench, snapshot, &definition)?;
                Ok((definition.version(version, timestamp_ms, vectors, files), vectors))
            })
            .await?;
        self.remember(key, vectors);
        Ok(loaded)
    }

    async fn metadata(&self, version: i64) -> Result<TableVersion, TableError> {
        let known = self.knowing(version).await?;
        let key = (known.generation, version);
        let remembered = self.remembered(&key);
        let (told, vectors) = self
            .run(move |bench| {
                let (snapshot, definition, timestamp_ms) = known.at(bench, version)?;
                let vectors = match remembered {
                    Some(vectors) => vectors,
                    None if definition.may_have_vectors => scan::vectors(bench, snapshot)?,
                    None => Vectors::None,
                };
                Ok((definition.version(version, timestamp_ms, vectors, FileList::default()), vectors))
            })
            .await?;
        self.remember(key, vectors);
        Ok(told)
    }

    async fn changes(&self, versions: RangeInclusive<i64>) -> Result<Vec<VersionChanges>, TableError> {
        let (start, end) = versions.into_inner();
        if start > end {
            return Ok(Vec::new());
        }
        let known = self.knowing(start).await?;
        known.must_have(end)?;
        self.run(move |bench| {
            let versions = changes::checked(bench, start, end)?;
            let first = snapshot_at(bench, &known.snapshot, start)?;
            let times = known.times(bench)?;
            let mut reader = changes::Reader::new(bench, Definition::of(&first)?, times, known.versions()?);
            versions.map(|version| reader.read(version)).collect()
        })
        .await
    }

    /// No file of a Delta table is removed here.
    async fn hold(&self, _versions: RangeInclusive<i64>, _time: HoldTime) -> Result<(), TableError> {
        Ok(())
    }
}
