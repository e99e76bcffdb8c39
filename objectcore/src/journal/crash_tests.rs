//! A reader of changes, crashes at any point, drives that are lost, and compaction: what was told is what took effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use super::{Change, Changed};
use crate::core::ObjectCore;
use crate::drive::{Drive, Fault, Kept, SimDrive};
use crate::scan::ScanTag;
use crate::settings::Settings;
use crate::testing::{KIB, at, body, bucket, bytes};
use crate::types::{
    Attributes, CompletePart, ListOptions, PutIf, PutOptions, StorageError, UploadError, WriteError,
};

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// Of so many bytes.
    Put(u8, usize),
    Delete(u8),
    /// An object of two parts.
    Parts(u8, usize),
    /// The reader takes so many changes.
    Read(usize),
    /// What the reader took is forgotten.
    Forget,
    /// A drive's log is compacted.
    Compact(usize),
    Restart,
    /// Power is lost after so many operations of each drive.
    Crash(u64),
    /// A drive comes back blank and is filled.
    Replace(usize),
}

/// A store, who reads its changes, and what was acknowledged.
struct World {
    drives: Vec<Arc<SimDrive>>,
    core: ObjectCore,
    /// What the reader took, in order.
    read: Vec<Change>,
    /// Key and size, `None` of a deletion: what was acknowledged, in order.
    acknowledged: Vec<(String, Option<u64>)>,
    /// What was sent last and not answered.
    unknown: Option<(String, Option<u64>)>,
    /// Power will be lost, or is.
    failing: bool,
}

async fn open(drives: &[Arc<SimDrive>]) -> ObjectCore {
    let mut settings = Settings { part_bytes_min: 1, ..Settings::default() };
    settings.set.reserve_bytes = 0;
    settings.set.segment_bytes = 8_000;
    settings.set.compact_in_background = false;
    let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    ObjectCore::open(settings, drives).await.unwrap()
}

impl World {
    async fn new(drives: usize) -> Self {
        let drives: Vec<_> =
            (0..drives).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
        let core = open(&drives).await;
        core.create_bucket(&bucket("bucket")).await.unwrap();
        core.watch(&bucket("bucket"), true).await.unwrap();
        Self { drives, core, read: Vec::new(), acknowledged: Vec::new(), unknown: None, failing: false }
    }

    fn cursor(&self) -> u64 {
        self.read.last().map_or(0, |change| change.sequence)
    }

    async fn take(&mut self, limit: usize) -> Result<(), StorageError> {
        let told = self.core.changes(0, self.cursor(), limit).await?;
        assert!(told.len() <= limit.max(1), "one draft has one change");
        self.read.extend(told);
        Ok(())
    }

    /// Does a step; when the store does not go on, power comes back.
    async fn step(&mut self, number: usize, step: &Step) {
        let opens = matches!(step, Step::Restart | Step::Replace(_) | Step::Crash(_));
        if (opens && self.failing) || !self.go_on(step).await {
            assert!(self.failing, "{step:?} failed without a fault");
            self.recover(number).await;
        }
    }

    /// Answers whether the store went on.
    async fn go_on(&mut self, step: &Step) -> bool {
        match step {
            Step::Put(key, size) => self.put(*key, *size).await,
            Step::Parts(key, size) => self.parts(*key, *size).await,
            Step::Delete(key) => self.delete(*key).await,
            Step::Read(limit) => self.take(*limit).await.is_ok(),
            Step::Forget => self.core.forget_changes(0, self.cursor()).await.is_ok(),
            Step::Compact(slot) => {
                let (set, slot) = (self.core.inner.sets[0].log.clone(), slot % self.drives.len());
                tokio::task::spawn_blocking(move || set.compact(slot)).await.unwrap().is_ok()
            }
            Step::Restart => {
                self.reopen().await;
                true
            }
            Step::Replace(slot) => {
                let slot = slot % self.drives.len();
                if self.drives.len() > 1 {
                    self.core.close().await;
                    self.drives[slot].wipe();
                    self.core = open(&self.drives).await;
                    self.heal().await;
                }
                true
            }
            Step::Crash(operations) => {
                self.fail_after(*operations);
                true
            }
        }
    }

    fn fail_after(&mut self, operations: u64) {
        self.failing = true;
        for drive in &self.drives {
            drive.plan(drive.operations() + operations, Fault::Die);
        }
    }

    async fn put(&mut self, key: u8, size: usize) -> bool {
        let name = format!("k{key}");
        let content = bytes(size, u64::from(key) + size as u64);
        let put = self.core.put(&at(&name), body(&content), PutOptions::default()).await;
        self.note((name, Some(size as u64)), put.map(|_| true).map_err(UploadError::Write))
    }

    async fn delete(&mut self, key: u8) -> bool {
        let name = format!("k{key}");
        let deleted = self.core.delete(&at(&name), PutIf::Always).await;
        self.note((name, None), deleted.map(|deleted| deleted.existed).map_err(UploadError::Write))
    }

    async fn parts(&mut self, key: u8, size: usize) -> bool {
        let name = format!("k{key}");
        let done = async {
            let upload = self.core.create_upload(&at(&name), Attributes::default(), None).await?;
            let mut named = Vec::new();
            for number in 1..=2 {
                let content = body(&bytes(size, u64::from(number)));
                let options = PutOptions::default();
                let part = self.core.put_part(&at(&name), &upload, number, content, options).await?;
                named.push(CompletePart { number, etag: part.etag, checksum: None });
            }
            self.core.complete_upload(&at(&name), &upload, &named, Default::default()).await?;
            Ok(true)
        };
        let done = done.await;
        self.note((name, Some(2 * size as u64)), done)
    }

    /// Notes what was told of a write; answers whether the store takes more.
    fn note(&mut self, write: (String, Option<u64>), outcome: Result<bool, UploadError>) -> bool {
        match outcome {
            Ok(true) => self.acknowledged.push(write),
            Ok(false) => {}
            Err(UploadError::Write(WriteError::Storage(_)) | UploadError::NoSuchUpload) => {
                self.unknown = Some(write);
                return false;
            }
            Err(other) => panic!("{other:?}"),
        }
        true
    }

    async fn reopen(&mut self) {
        self.core.close().await;
        self.core = open(&self.drives).await;
        self.heal().await;
    }

    /// Makes all shards whole. A write that was not acknowledged and is there after a crash may have too few to lose
    /// a drive.
    async fn heal(&self) {
        self.core.inner.fills.settle().await;
        assert_eq!(self.core.scrub().await.unwrap().failed, 0);
    }

    /// The power is back: of what was not synced some is there.
    async fn recover(&mut self, variant: usize) {
        self.core.close().await;
        for (number, drive) in self.drives.iter().enumerate() {
            drive.crash(|at| match (at + number + variant) % 3 {
                0 => Kept::Nothing,
                1 => Kept::Part(7),
                _ => Kept::Whole,
            });
        }
        self.failing = false;
        self.core = open(&self.drives).await;
        self.heal().await;
        self.check().await;
    }

    /// What was read and what is still told are the writes that took effect, in order, and make the bucket what it is.
    async fn check(&mut self) {
        let waiting = self.core.changes(0, self.cursor(), usize::MAX).await.unwrap();
        let told: Vec<&Change> = self.read.iter().chain(&waiting).collect();
        assert!(told.is_sorted_by(|a, b| a.sequence < b.sequence), "{told:?}");
        let writes: Vec<_> = told.iter().map(|change| brief(change)).collect();
        let more = self.unknown.take().filter(|_| writes.len() > self.acknowledged.len());
        self.acknowledged.extend(more);
        assert_eq!(writes, self.acknowledged);
        let mut bucket_now: BTreeMap<&str, (u64, ScanTag)> = BTreeMap::new();
        for change in told {
            match &change.changed {
                Changed::Created(state) | Changed::Updated(state) => {
                    bucket_now.insert(&change.key, (state.size, state.tag));
                }
                Changed::Deleted => {
                    bucket_now.remove(&*change.key);
                }
            }
        }
        let options = ListOptions { limit: 1000, ..ListOptions::default() };
        let page = self.core.list(&bucket("bucket"), &options).await.unwrap();
        let listed: Vec<_> =
            page.objects.iter().map(|one| (one.key.as_str(), one.size, one.etag.0.clone())).collect();
        let tag = |tag: &ScanTag| {
            let digest = hex::encode(tag.digest);
            tag.parts.map_or(digest.clone(), |parts| format!("{digest}-{parts}"))
        };
        let made: Vec<_> = bucket_now.iter().map(|(key, (size, made))| (*key, *size, tag(made))).collect();
        assert_eq!(made, listed);
    }
}

fn brief(change: &Change) -> (String, Option<u64>) {
    let size = match &change.changed {
        Changed::Created(state) | Changed::Updated(state) => Some(state.size),
        Changed::Deleted => None,
    };
    (change.key.clone(), size)
}

/// Runs a history; power that is lost in it comes back once a step notices.
async fn run(drives: usize, steps: &[Step]) {
    let mut world = World::new(drives).await;
    for (number, step) in steps.iter().enumerate() {
        world.step(number, step).await;
    }
    if world.failing {
        world.recover(0).await;
    }
    world.check().await;
    world.heal().await;
    world.take(usize::MAX).await.unwrap();
    world.core.forget_changes(0, world.cursor()).await.unwrap();
    world.check().await;
    assert_eq!(world.core.changes(0, 0, 1).await.unwrap(), []);
    world.core.close().await;
}

#[tokio::test]
async fn power_lost_at_any_operation_tells_what_took_effect_and_nothing_else() {
    let steps = [
        Step::Put(1, 1000),
        Step::Put(2, 150 * KIB),
        Step::Read(1),
        Step::Put(1, 2000),
        Step::Parts(3, 10),
        Step::Read(2),
        Step::Forget,
        Step::Delete(2),
        Step::Compact(0),
        Step::Put(4, 20),
        Step::Delete(1),
    ];
    for count in [1, 4] {
        let mut cuts = 0;
        for operation in 0.. {
            let mut world = World::new(count).await;
            world.fail_after(operation);
            let mut lost = false;
            for (number, step) in steps.iter().enumerate() {
                world.step(number, step).await;
                lost = !world.failing;
                if lost {
                    break;
                }
            }
            world.failing = false;
            world.check().await;
            world.core.close().await;
            cuts += usize::from(lost);
            if !lost {
                break;
            }
        }
        assert!(cuts > 20, "{cuts} cuts");
    }
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![4 => 0_usize..3000, 1 => Just(140 * KIB)];
    prop_oneof![
        8 => (0_u8..6, size).prop_map(|(key, size)| Step::Put(key, size)),
        4 => (0_u8..6).prop_map(Step::Delete),
        1 => (0_u8..6, 1_usize..500).prop_map(|(key, size)| Step::Parts(key, size)),
        3 => (1_usize..9).prop_map(Step::Read),
        2 => Just(Step::Forget),
        2 => any::<usize>().prop_map(Step::Compact),
        1 => Just(Step::Restart),
        1 => (0_u64..40).prop_map(Step::Crash),
        1 => any::<usize>().prop_map(Step::Replace),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_changes_that_were_told_make_the_bucket_what_it_is(
        drives in prop_oneof![Just(1_usize), Just(4)],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(run(drives, &steps));
    }
}
