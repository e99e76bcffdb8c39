//! Versions of Iceberg tables whose files readers may still ask for, by URLs that were given out.
//!
//! - H1: a version is held from before it is looked up a last time to give out URLs of its files, until the last of these
//!   ends. Whoever removes files of old snapshots asks after they are out of the table's metadata: either it sees the hold, or the lookup
//!   did not find the version.
//! - H2: what was given out before a start is not known. Until all that has ended, every version of a shared table is held.
//!
//! What is held is memory of this process, with no more than [`VERSIONS_MAX`] versions of a table; above that all are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::table::HoldTime;

/// Versions of one table that are held one by one. The catalog knows no more revisions of one.
const VERSIONS_MAX: usize = 1000;

/// Versions that are held.
#[derive(Debug)]
pub struct Holds {
    /// Until then what was given out before the start may count, in milliseconds since 1970.
    unknown_until_ms: i64,
    tables: Mutex<HashMap<Uuid, Held>>,
}

#[derive(Debug, Default)]
struct Held {
    /// Until when each version is, in milliseconds since 1970.
    versions: BTreeMap<i64, i64>,
    /// Until when all are.
    all_until_ms: i64,
}

/// What of a table readers may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldVersions {
    /// These versions.
    These(BTreeSet<i64>),
    /// Any.
    All,
}

impl Holds {
    /// Holds of a server that started at `now_ms` and whose URLs count for `url_age_max_ms` at most.
    pub fn new(now_ms: i64, url_age_max_ms: i64) -> Self {
        Self { unknown_until_ms: now_ms.saturating_add(url_age_max_ms), tables: Mutex::default() }
    }

    /// Holds versions of the table with this UUID, which are there; to be called before they are looked up a last time (H1).
    pub fn hold(&self, table: Uuid, versions: RangeInclusive<i64>, time: HoldTime) {
        let HoldTime { now_ms, until_ms } = time;
        let mut tables = self.lock();
        let held = tables.entry(table).or_default();
        let count = versions.end().saturating_sub(*versions.start()).saturating_add(1);
        if usize::try_from(count).is_ok_and(|count| count <= VERSIONS_MAX) {
            for version in versions {
                let until = held.versions.entry(version).or_insert(until_ms);
                *until = until_ms.max(*until);
            }
        } else {
            held.all_until_ms = until_ms.max(held.all_until_ms);
        }
        if held.versions.len() > VERSIONS_MAX {
            held.forget(now_ms);
        }
        if held.versions.len() > VERSIONS_MAX {
            let latest = held.versions.values().copied().max().unwrap_or(until_ms);
            held.all_until_ms = latest.max(held.all_until_ms);
            held.versions.clear();
        }
    }

    /// What is held of the table with this UUID. `is_shared` tells whether some share has it now.
    pub fn held(&self, table: Uuid, is_shared: impl FnOnce() -> bool, now_ms: i64) -> HeldVersions {
        // H2.
        if now_ms <= self.unknown_until_ms && is_shared() {
            return HeldVersions::All;
        }
        let mut tables = self.lock();
        let Some(held) = tables.get_mut(&table) else { return HeldVersions::These(BTreeSet::new()) };
        held.forget(now_ms);
        if held.all_until_ms >= now_ms {
            return HeldVersions::All;
        }
        let these: BTreeSet<i64> = held.versions.keys().copied().collect();
        if these.is_empty() {
            tables.remove(&table);
        }
        HeldVersions::These(these)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Held>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn forget(&mut self, now_ms: i64) {
        self.versions.retain(|_, until_ms| *until_ms >= now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Uuid = Uuid::from_u128(1);

    fn from(now_ms: i64, until_ms: i64) -> HoldTime {
        HoldTime { now_ms, until_ms }
    }

    fn these(versions: impl IntoIterator<Item = i64>) -> HeldVersions {
        HeldVersions::These(versions.into_iter().collect())
    }

    #[test]
    fn a_version_is_held_until_its_last_url_ends() {
        let holds = Holds::new(0, 10);
        holds.hold(T, 3..=3, from(20, 30));
        holds.hold(T, 3..=5, from(20, 40));
        holds.hold(T, 5..=5, from(20, 25));
        assert_eq!(holds.held(T, || true, 25), these([3, 4, 5]));
        assert_eq!(holds.held(T, || true, 40), these([3, 4, 5]));
        assert_eq!(holds.held(T, || true, 41), these([]));
        assert_eq!(holds.held(Uuid::from_u128(2), || true, 25), these([]));
        assert!(holds.lock().is_empty(), "what is not held any more takes no memory");
    }

    #[test]
    fn after_a_start_all_of_a_shared_table_is_held_for_the_life_of_a_url() {
        let holds = Holds::new(100, 10);
        assert_eq!(holds.held(T, || true, 110), HeldVersions::All);
        assert_eq!(holds.held(T, || false, 110), these([]));
        assert_eq!(holds.held(T, || true, 111), these([]));
        holds.hold(T, 1..=1, from(105, 200));
        assert_eq!(holds.held(T, || true, 110), HeldVersions::All);
        assert_eq!(holds.held(T, || false, 110), these([1]));
    }

    #[test]
    fn more_versions_than_are_counted_hold_the_whole_table() {
        let holds = Holds::new(0, 0);
        holds.hold(T, 0..=i64::MAX, from(10, 20));
        assert_eq!(holds.held(T, || true, 20), HeldVersions::All);
        assert_eq!(holds.held(T, || true, 21), these([]));
        for version in 0..=VERSIONS_MAX as i64 {
            holds.hold(T, version..=version, from(30, 40));
        }
        assert_eq!(holds.held(T, || true, 40), HeldVersions::All);
        assert_eq!(holds.held(T, || true, 41), these([]));
        // Those that ended make room.
        (0..VERSIONS_MAX as i64).for_each(|version| holds.hold(T, version..=version, from(50, 60)));
        holds.hold(T, 5000..=5000, from(70, 80));
        assert_eq!(holds.held(T, || true, 75), these([5000]));
    }
}
