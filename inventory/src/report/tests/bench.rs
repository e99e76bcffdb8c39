//! Large reports. The large ones are ignored; run them in a release build, alone:
//! `cargo test --release -p tarn-inventory report::tests::bench -- --ignored --nocapture --test-threads 1`.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::read::manifest;
use super::store::{Buckets, Fate};
use super::world::{Row, World, rows, spec};
use crate::jobs::Work as _;
use crate::report::Inventory;
use crate::report::encoder::Kind;
use crate::report::filter::CompiledFilter;
use crate::report::segment::Segment;
use crate::scan::{ObjectScan, Objects, Scan, ScanError, ScanOptions};

/// Rows of a batch.
const BATCH: u64 = 8192;

/// Objects that are made while they are scanned.
struct Made {
    count: u64,
}

struct MadeScan {
    next: u64,
    count: u64,
}

fn batch(from: u64, to: u64) -> Objects {
    let mut objects = Objects::default();
    for number in from..to {
        use std::fmt::Write as _;
        write!(
            objects.keys,
            "warehouse/sales/orders/data/day={:05}/part-{number:012}.parquet",
            number / 1000
        )
        .unwrap();
        objects.key_ends.push(objects.keys.len() as u32);
        let Row { size, modified_ms, etag, checksum, .. } = Row::numbered(number);
        objects.sizes.push(size);
        objects.modified_ms.push(modified_ms);
        objects.etags.push(etag);
        objects.checksums.push(checksum);
    }
    objects
}

#[async_trait]
impl ObjectScan for Made {
    async fn scan(&self, _: &str, options: &ScanOptions) -> Result<Box<dyn Scan>, ScanError> {
        assert_eq!(options.after, None);
        Ok(Box::new(MadeScan { next: 0, count: self.count }))
    }
}

#[async_trait]
impl Scan for MadeScan {
    async fn next(&mut self) -> Result<Option<Objects>, ScanError> {
        let from = self.next;
        self.next = (from + BATCH).min(self.count);
        Ok((from < self.count).then(|| batch(from, self.next)))
    }

    fn began_ms(&self) -> i64 {
        super::world::STARTED_MS
    }
}

/// Kilobytes of memory that the process has, or had at most.
fn memory_kb(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn large(count: u64, format: &str) -> u64 {
    let world = World::new(rows(0)).await;
    let stores = Arc::new(Buckets { disks: world.disks.clone(), fate: Fate::never() });
    let inventory =
        Inventory::new(Arc::new(Made { count }), stores, world.catalog.clone(), world.rights.clone());
    let mut spec = spec(format, "zstd", "aws");
    spec.destination.as_mut().unwrap().file_bytes_hint = 16 << 20;
    let began = Instant::now();
    let outcome = inventory.run(&world.context(&spec, &Fate::never())).await.unwrap();
    assert_eq!(outcome["matched"], count);
    let manifest = manifest(&world).await;
    let bytes: u64 =
        manifest["files"].as_array().unwrap().iter().map(|file| file["size"].as_u64().unwrap()).sum();
    println!(
        "{format}: {count} objects in {:.1} s, {bytes} bytes in {} files, memory at most {} MB",
        began.elapsed().as_secs_f64(),
        manifest["files"].as_array().unwrap().len(),
        memory_kb("VmHWM") / 1024,
    );
    bytes
}

#[tokio::test]
async fn a_report_of_100_000_objects_has_them_all() {
    large(100_000, "parquet").await;
}

/// The stores hold what is written in memory: that is allowed beside the bound.
#[tokio::test]
#[ignore = "takes long without a release build, and measures the memory of the whole process"]
async fn memory_does_not_grow_with_the_bucket() {
    for format in ["csv", "parquet"] {
        let before = memory_kb("VmRSS");
        let written = large(10_000_000, format).await / 1024;
        // Written bytes are twice there while the manifest is checked, file by file.
        assert!(memory_kb("VmHWM") < before + written + 256 * 1024);
    }
}

#[test]
#[ignore = "a benchmark"]
fn objects_a_second_of_one_core() {
    const COUNT: u64 = 1_000_000;
    let made: Vec<Objects> =
        (0..COUNT / BATCH).map(|number| batch(number * BATCH, (number + 1) * BATCH)).collect();
    let count: usize = made.iter().map(Objects::len).sum();
    for (format, compression) in [
        ("parquet", "zstd"),
        ("parquet", "none"),
        ("csv", "none"),
        ("csv", "gzip"),
        ("csv", "zstd"),
        ("json", "zstd"),
    ] {
        let spec = spec(format, compression, "aws");
        let kind = Kind::report(&spec, spec.destination.as_ref().unwrap()).unwrap();
        let filter = CompiledFilter::new(&spec.filter, 0).unwrap();
        let mut segment = Segment::new([kind].into(), Arc::new(filter));
        let began = Instant::now();
        for objects in &made {
            segment.add(objects).unwrap();
        }
        let ended = segment.end().unwrap();
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{format} {compression}: {:.0} objects a second, {:.1} bytes an object",
            count as f64 / seconds,
            ended.set.files[0].0 as f64 / count as f64,
        );
    }
}
