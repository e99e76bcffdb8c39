//! Versions of tables, kept.
//!
//! - C1: the key is the table's identity, how it is told, and the version's number: what it names never changes, so nothing
//!   kept is ever stale.
//! - C2: a version that several ask for at once is read once. A failure is told to all who waited and not kept.
//! - C3: what is kept has a limit in bytes; what was asked for longest ago goes first. Nothing is kept longer than
//!   [`KEPT_MAX`]: deletion vectors made for a version live a day longer than that.
//! - C4: few tables are read at a time, for each may take hundreds of megabytes. Who waits has its turn, or is told to come
//!   again.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::table::{TableError, TableSource, TableVersion};

/// The longest a version is kept.
pub const KEPT_MAX: Duration = Duration::from_hours(6 * 24);

/// Tables that are read at a time.
const READS_MAX: usize = 4;
/// How long a turn is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// After how many seconds who got no turn may come again.
const RETRY_S: u64 = 5;

/// The table's identity and the version.
type Key = (Arc<str>, i64);

/// Versions that were read.
pub struct VersionCache {
    versions: Cache<Key, Arc<TableVersion>>,
    turns: Semaphore,
    patience: Duration,
}

impl VersionCache {
    /// Keeps up to `bytes` bytes.
    pub fn new(bytes: u64) -> Self {
        let weight =
            |_: &Key, version: &Arc<TableVersion>| u32::try_from(weight(version)).unwrap_or(u32::MAX);
        let versions = Cache::builder().max_capacity(bytes).weigher(weight).time_to_live(KEPT_MAX).build();
        Self { versions, turns: Semaphore::new(READS_MAX), patience: PATIENCE }
    }

    /// With another patience with those that read before.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// A turn to read a table (C4).
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, TableError> {
        match tokio::time::timeout(self.patience, self.turns.acquire()).await {
            // The semaphore is never closed.
            Ok(turn) => Ok(turn.expect("turns are never closed")),
            Err(_) => Err(TableError::Busy { retry_after_s: RETRY_S }),
        }
    }

    /// A version, read if it is not kept.
    pub async fn get(
        &self,
        table: &Arc<dyn TableSource>,
        version: i64,
    ) -> Result<Arc<TableVersion>, Arc<TableError>> {
        let load = async || {
            let _turn = self.turn().await?;
            let began = std::time::Instant::now();
            let loaded = table.load(version).await?;
            metrics::histogram!("tarn_sharing_version_load_seconds").record(began.elapsed().as_secs_f64());
            Ok(Arc::new(loaded))
        };
        self.versions.try_get_with((table.identity(), version), load()).await
    }
}

/// About how many bytes a version takes.
fn weight(version: &TableVersion) -> usize {
    const REST: usize = 16 << 10;
    REST + version.files.memory_bytes() + 200 * version.metadata.schema.fields.len()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::ops::RangeInclusive;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::table::{FileList, HoldTime, Metadata, Schema, VersionChanges, Versions};

    struct Counting {
        loads: AtomicUsize,
        go: Semaphore,
    }

    #[async_trait]
    impl TableSource for Counting {
        fn identity(&self) -> Arc<str> {
            "t".into()
        }
        async fn versions(&self) -> Result<Versions, TableError> {
            Ok(Versions { earliest: 0, latest: 9 })
        }
        async fn version_until(&self, _: i64) -> Result<Option<i64>, TableError> {
            Ok(None)
        }
        async fn version_from(&self, _: i64) -> Result<Option<i64>, TableError> {
            Ok(None)
        }
        async fn load(&self, version: i64) -> Result<TableVersion, TableError> {
            self.loads.fetch_add(1, Ordering::SeqCst);
            self.go.acquire().await.unwrap().forget();
            if version < 0 {
                return Err(TableError::NoSuchTable);
            }
            let metadata = Metadata {
                id: "t".into(),
                description: None,
                schema: Schema { fields: Vec::new() },
                partition_columns: Vec::new(),
                configuration: BTreeMap::new(),
                created_ms: None,
            };
            Ok(TableVersion {
                version,
                timestamp_ms: 0,
                metadata: Arc::new(metadata),
                features: BTreeSet::new(),
                plain: Ok(()),
                hidden: [].into(),
                files: FileList::default(),
            })
        }
        async fn metadata(&self, version: i64) -> Result<TableVersion, TableError> {
            self.load(version).await
        }
        async fn changes(&self, _: RangeInclusive<i64>) -> Result<Vec<VersionChanges>, TableError> {
            Ok(Vec::new())
        }

        async fn hold(&self, _versions: RangeInclusive<i64>, _time: HoldTime) -> Result<(), TableError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_version_that_many_ask_for_is_read_once_and_a_failure_is_not_kept() {
        let cache = VersionCache::new(1 << 20);
        let counting = Arc::new(Counting { loads: AtomicUsize::new(0), go: Semaphore::new(0) });
        let table: Arc<dyn TableSource> = counting.clone();
        let asked = join_all((0..32).map(|_| cache.get(&table, 3)));
        let (found, ()) = tokio::join!(asked, async { counting.go.add_permits(1) });
        assert!(found.iter().all(|found| found.as_ref().unwrap().version == 3));
        assert_eq!(counting.loads.load(Ordering::SeqCst), 1);
        counting.go.add_permits(3);
        for _ in 0..2 {
            assert!(matches!(*cache.get(&table, -1).await.unwrap_err(), TableError::NoSuchTable));
        }
        cache.get(&table, 4).await.unwrap();
        assert_eq!(counting.loads.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn few_tables_are_read_at_a_time_and_who_waits_has_its_turn_or_is_told_to_come_again() {
        let cache = VersionCache::new(1 << 20);
        let counting = Arc::new(Counting { loads: AtomicUsize::new(0), go: Semaphore::new(0) });
        let table: Arc<dyn TableSource> = counting.clone();
        let waiting = join_all((0..6).map(|version| cache.get(&table, version)));
        let freed = async {
            tokio::task::yield_now().await;
            assert_eq!(counting.loads.load(Ordering::SeqCst), READS_MAX);
            counting.go.add_permits(6);
        };
        let (found, ()) = tokio::join!(waiting, freed);
        assert!(found.iter().all(Result::is_ok));

        let cache = cache.with_patience(Duration::ZERO);
        let _all = cache.turns.acquire_many(READS_MAX as u32).await.unwrap();
        assert!(matches!(*cache.get(&table, 7).await.unwrap_err(), TableError::Busy { retry_after_s: 5 }));
        assert_eq!(cache.get(&table, 3).await.unwrap().version, 3, "what is kept takes no turn");
    }
}
