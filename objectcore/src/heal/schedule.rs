//! When a set is scrubbed, and how far it is.
//!
//! - S1: a pass begins one interval after the last one finished, a little later for each set after the first. A store
//!   that was never scrubbed counts from its first bucket.
//! - S2: the position is kept in the set's own log ([`Note`]): after a restart the pass goes on.
//! - S3: what a scrub reads each second is limited; what it makes again is not.

use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Pace;
use super::scrub::ScrubReport;
use crate::bucket::unreadable;
use crate::core::{ObjectCore, Set, now};
use crate::object::value;
use crate::set::{Draft, Op, Space};
use crate::status::ScrubStatus;
use crate::types::{Millis, StorageError};

/// Where a set keeps its note, in the space of its own.
const KEY: &[u8] = b"scrub";
const PAGE: usize = 1000;
/// How often the position is kept while a pass goes on.
const KEEP_EVERY: Duration = Duration::from_secs(60);
/// The longest sleep before the clock is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// The pause after a pass that could not go on.
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// All sets begin within this part of the interval.
const SPREAD_PART: u32 = 10;

/// When and how fast sets are scrubbed.
#[derive(Debug, Clone)]
pub struct ScrubSettings {
    /// From the end of a pass to the beginning of the next.
    pub interval: Duration,
    /// The most bytes a pass reads each second.
    pub bytes_per_second: u64,
}

impl Default for ScrubSettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(7 * 24 * 3600), bytes_per_second: 32 << 20 }
    }
}

/// What a set remembers of its scrubs (`docs/FORMAT.md`, section 5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// When the last whole pass ended, and what it found.
    finished: Option<(Millis, ScrubReport)>,
    /// The pass under way.
    pass: Option<Pass>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pass {
    began: Millis,
    /// The space being scrubbed, as a place in `Space::ALL`, and the last key looked at in it.
    space: u8,
    after: Option<Vec<u8>>,
    report: ScrubReport,
}

impl Pass {
    fn begin(began: Millis) -> Self {
        Self { began, space: 0, after: None, report: ScrubReport::default() }
    }
}

/// When the next pass begins (S1). `first` is when the store began.
fn due(note: &Note, first: Millis, interval: Duration, (set, sets): (usize, usize)) -> Millis {
    if let Some(pass) = &note.pass {
        return pass.began;
    }
    let since = note.finished.map_or(first, |(at, _)| at);
    let spread = interval / SPREAD_PART * set as u32 / sets.max(1) as u32;
    let wait = u64::try_from((interval + spread).as_millis()).unwrap_or(u64::MAX);
    Millis(since.0.saturating_add(wait))
}

/// How the scrubs of all sets stand.
#[derive(Default)]
pub(crate) struct Scrubs(Mutex<Vec<ScrubStatus>>);

impl Scrubs {
    fn lock(&self) -> MutexGuard<'_, Vec<ScrubStatus>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self) -> Vec<ScrubStatus> {
        self.lock().clone()
    }

    fn tell(&self, set: usize, note: &Note) {
        let status = ScrubStatus {
            set,
            under_way: note.pass.as_ref().map(|pass| pass.report),
            began_ms: note.pass.as_ref().map(|pass| pass.began.0),
            finished_ms: note.finished.map(|(at, _)| at.0),
            found: note.finished.map(|(_, report)| report),
        };
        let mut all = self.lock();
        match all.iter_mut().find(|other| other.set == set) {
            Some(other) => *other = status,
            None => all.push(status),
        }
    }
}

/// Scrubs a set whenever it is due, until it is dropped.
pub(crate) async fn run(core: ObjectCore, set: Arc<Set>) {
    loop {
        if let Err(error) = scrub_when_due(&core, &set).await {
            tracing::warn!(set.number = set.number, %error, "a scrub stopped; it goes on later");
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }
}

async fn scrub_when_due(core: &ObjectCore, set: &Arc<Set>) -> Result<(), StorageError> {
    let interval = core.inner.settings.scrub.interval;
    let mut note = load(set).await?;
    core.inner.scrubs.tell(set.number, &note);
    loop {
        let place = (set.number, core.inner.sets.len());
        let first = core.buckets().iter().map(|bucket| bucket.created).min_by_key(|at| at.0);
        let left = match first {
            Some(first) => {
                Duration::from_millis(due(&note, first, interval, place).0.saturating_sub(now().0))
            }
            None => LOOK_EVERY,
        };
        if left.is_zero() {
            break;
        }
        tokio::time::sleep(left.min(LOOK_EVERY)).await;
    }
    let pass = note.pass.take().unwrap_or_else(|| Pass::begin(now()));
    pass_on(core, set, note, pass).await
}

/// Does the rest of a pass.
async fn pass_on(
    core: &ObjectCore,
    set: &Arc<Set>,
    mut note: Note,
    mut pass: Pass,
) -> Result<(), StorageError> {
    let pace = Pace::Gentle { bytes_per_second: core.inner.settings.scrub.bytes_per_second };
    let mut kept = Instant::now();
    while let Some(space) = Space::ALL.get(usize::from(pass.space)) {
        let from = pass.after.take().map_or(Bound::Unbounded, |key| Bound::Excluded(Bytes::from(key)));
        let page = set.log.entries(*space, from, PAGE).await?;
        let Some((last, _)) = page.last() else {
            pass.space += 1;
            continue;
        };
        let last = last.to_vec();
        for (key, _) in page {
            core.scrub_entry(set, (*space, &key), pace, &mut pass.report).await;
            if kept.elapsed() >= KEEP_EVERY {
                kept = Instant::now();
                note.pass = Some(Pass { after: Some(key.to_vec()), ..pass.clone() });
                keep(core, set, &note).await?;
            }
        }
        pass.after = Some(last);
        note.pass = Some(pass.clone());
        core.inner.scrubs.tell(set.number, &note);
    }
    note = Note { finished: Some((now(), pass.report)), pass: None };
    metrics::gauge!("tarn_scrub_finished_seconds", "set" => set.number.to_string())
        .set(now().0 as f64 / 1000.0);
    tracing::info!(
        set.number = set.number,
        entries = pass.report.entries,
        repaired = pass.report.repaired,
        failed = pass.report.failed,
        "scrubbed"
    );
    keep(core, set, &note).await
}

async fn load(set: &Set) -> Result<Note, StorageError> {
    match set.log.entry(Space::System, &Bytes::from_static(KEY)).await? {
        Some(entry) => value::decode(&entry.value).map_err(unreadable),
        None => Ok(Note::default()),
    }
}

async fn keep(core: &ObjectCore, set: &Set, note: &Note) -> Result<(), StorageError> {
    core.inner.scrubs.tell(set.number, note);
    let value = value::encode(note).into();
    let put = Op::Put { space: Space::System, key: Bytes::from_static(KEY), value };
    match set.log.commit(Draft { ops: vec![put], expect: Vec::new(), inline: None }).await {
        Ok(_) | Err(crate::set::CommitError::Changed { .. }) => Ok(()),
        Err(crate::set::CommitError::Storage(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::{Drive, SimDrive};
    use crate::settings::Settings;
    use crate::testing::{KIB, bucket, bytes, get, put};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn a_pass_is_due_an_interval_after_the_last_one_and_later_for_later_sets() {
        let mut note = Note::default();
        let day = DAY.as_millis() as u64;
        assert_eq!(due(&note, Millis(5), DAY, (0, 4)).0, 5 + day);
        assert_eq!(due(&note, Millis(5), DAY, (2, 4)).0, 5 + day + day / 20);
        note.finished = Some((Millis(100), ScrubReport::default()));
        assert_eq!(due(&note, Millis(5), DAY, (0, 4)).0, 100 + day);
        note.pass = Some(Pass::begin(Millis(7)));
        assert_eq!(due(&note, Millis(5), DAY, (0, 4)).0, 7);
    }

    #[test]
    fn a_note_comes_back_as_it_was_and_its_bytes_never_change() {
        let report = ScrubReport { entries: 1, repaired: 2, failed: 3 };
        let pass = Pass { began: Millis(4), space: 1, after: Some(b"ab".to_vec()), report };
        let note = Note { finished: Some((Millis(5), report)), pass: Some(pass) };
        let bytes = value::encode(&note);
        assert_eq!(hex::encode(&bytes), "01010501020301040101026162010203");
        assert_eq!(value::decode::<Note>(&bytes).unwrap(), note);
    }

    async fn open(drives: &[Arc<SimDrive>], interval: Duration) -> ObjectCore {
        let scrub = ScrubSettings { interval, bytes_per_second: 1 << 40 };
        let settings = Settings { scrub, ..Settings::default() };
        let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
        ObjectCore::open(settings, drives).await.unwrap()
    }

    #[tokio::test]
    async fn a_pass_goes_on_after_a_restart_where_it_was_and_repairs_what_is_bad() {
        let drives: Vec<Arc<SimDrive>> =
            (0..4).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
        let core = open(&drives, DAY).await;
        core.create_bucket(&bucket("bucket")).await.unwrap();
        for key in ["a", "b", "c"] {
            put(&core, key, &bytes(300 * KIB, 1)).await;
        }
        let set = Arc::clone(&core.inner.sets[0]);
        // A pass that had looked at "a".
        let after = crate::object::key::object(&crate::testing::at("a")).to_vec();
        let space = Space::ALL.iter().position(|space| *space == Space::Object).unwrap() as u8;
        let begun = Pass { space, after: Some(after), ..Pass::begin(Millis(7)) };
        keep(&core, &set, &Note { finished: None, pass: Some(begun) }).await.unwrap();
        core.close().await;
        for (file, (name, length)) in drives[3].files().into_iter().enumerate() {
            if name.starts_with("Shard(") {
                drives[3].flip(file, length / 2, 1);
            }
        }
        let core = open(&drives, DAY).await;
        let status = loop {
            let status = core.status().heal.scrubs;
            match status.first() {
                Some(one) if one.finished_ms.is_some() => break one.clone(),
                Some(_) | None => tokio::task::yield_now().await,
            }
        };
        let found = status.found.unwrap();
        assert_eq!((found.repaired, found.failed), (2, 0), "{found:?}");
        assert!(status.under_way.is_none());
        // What it did not look at again is still to be repaired.
        let mut rest = ScrubReport::default();
        for key in ["a", "b", "c"] {
            let key = crate::object::key::object(&crate::testing::at(key));
            core.scrub_entry(&core.inner.sets[0], (Space::Object, &key), Pace::Full, &mut rest).await;
        }
        assert_eq!(rest.repaired, 1);
        assert!(get(&core, "a").await.is_ok());
        core.close().await;
    }
}
