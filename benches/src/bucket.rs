//! Buckets of many objects without HTTP: the object core is opened here, on directories that no server uses. A server
//! that is started on them afterwards has the objects.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tarn_objectcore::drive::{Drive, FileDrive};
use tarn_objectcore::name::{BucketName, ObjectKey, ObjectName};
use tarn_objectcore::types::{Attributes, Body, BucketError, PutOptions};
use tarn_objectcore::{ObjectCore, ScanDepth, ScanOptions, Settings};

/// Puts under way at once: a batch of the log takes up to 1,024.
const PUTS: usize = 4096;

/// Where a bucket is.
#[derive(clap::Args)]
struct Place {
    /// The directories of the drives, in the order a server is given them.
    #[arg(required = true)]
    drives: Vec<PathBuf>,
    #[arg(long, default_value = "objects")]
    bucket: String,
}

#[derive(clap::Args)]
pub struct FillRun {
    #[command(flatten)]
    place: Place,
    /// How many objects.
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
    /// The number of the first: what has a number has the same key each time.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// The size of each in bytes.
    #[arg(long, default_value_t = 0)]
    size: usize,
}

#[derive(clap::Args)]
pub struct ScanRun {
    #[command(flatten)]
    place: Place,
    #[arg(long, default_value_t = 3)]
    times: usize,
    /// Read attributes too.
    #[arg(long)]
    attributes: bool,
    /// All as of one moment.
    #[arg(long)]
    moment: bool,
}

impl Place {
    async fn open(&self) -> Result<(ObjectCore, BucketName)> {
        let drive = |path: &PathBuf| -> Result<Arc<dyn Drive>> {
            let opened = FileDrive::open(path);
            Ok(Arc::new(opened.with_context(|| format!("drive {} cannot be opened", path.display()))?))
        };
        let drives = self.drives.iter().map(drive).collect::<Result<_>>()?;
        Ok((ObjectCore::open(Settings::default(), drives).await?, BucketName::new(&self.bucket)?))
    }
}

/// A number that looks random, another for each number.
fn scatter(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A key as lakes, logs and applications have them, and the type of what is there.
fn key(number: u64) -> (String, &'static str) {
    let bits = scatter(number);
    let (month, day) = (1 + bits % 12, 1 + (bits >> 8) % 28);
    match number % 4 {
        0 | 1 => {
            let table = ["orders", "lineitem", "customers", "clicks"][(bits >> 16) as usize % 4];
            let part = (bits >> 24) % 200;
            let key =
                format!("lake/{table}/dt=2026-{month:02}-{day:02}/part-{part:05}-{bits:016x}.zstd.parquet");
            (key, "application/vnd.apache.parquet")
        }
        2 => {
            let host = (bits >> 16) % 500;
            (format!("logs/host-{host:03}/2026/{month:02}/{day:02}/{bits:016x}.json.gz"), "application/gzip")
        }
        _ => {
            let user = (bits >> 16) % 20_000;
            (format!("photos/user-{user:05}/IMG_{number:010}.jpg"), "image/jpeg")
        }
    }
}

/// Puts the objects of some numbers, each whole and durable as any other.
pub async fn fill(run: &FillRun) -> Result<()> {
    let (core, bucket) = run.place.open().await?;
    match core.create_bucket(&bucket).await {
        Ok(_) | Err(BucketError::Exists) => {}
        Err(error) => return Err(error.into()),
    }
    let body = Bytes::from(vec![b'x'; run.size]);
    let put = |number| {
        let (core, bucket, body) = (core.clone(), bucket.clone(), body.clone());
        async move {
            let (key, of) = key(number);
            let at = ObjectName { bucket, key: ObjectKey::new(&key)? };
            let attributes = Attributes { content_type: Some(of.to_owned()), ..Attributes::default() };
            let options = PutOptions { attributes, size: Some(body.len() as u64), ..PutOptions::default() };
            core.put(&at, Body::from_bytes(body), options).await?;
            anyhow::Ok(())
        }
    };
    let begun = Instant::now();
    let numbers = run.from..run.from + run.count;
    // In tasks, so that every worker thread puts.
    let puts = stream::iter(numbers).map(|number| {
        let put = put(number);
        async move { tokio::spawn(put).await? }
    });
    puts.buffer_unordered(PUTS).try_for_each(|()| async { Ok(()) }).await?;
    let seconds = begun.elapsed().as_secs_f64();
    core.close().await;
    let per_second = run.count as f64 / seconds;
    println!(
        "{}",
        json!({"name": "fill", "operations": run.count, "seconds": seconds, "operations_per_second": per_second})
    );
    Ok(())
}

/// The processor time of this process so far, in seconds.
fn processor_seconds() -> Result<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("the process has a name")?;
    let ticks = |at: usize| -> Result<f64> {
        Ok(fields.split_whitespace().nth(at).context("fields are missing")?.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// The most memory this process held so far, in MiB.
fn peak_mebibytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? >> 10)
}

/// Scans the bucket and throws away what is told.
pub async fn scan(run: &ScanRun) -> Result<()> {
    let (core, bucket) = run.place.open().await?;
    for _ in 0..run.times {
        let (begun, used) = (Instant::now(), processor_seconds()?);
        let moment = if run.moment { Some(Arc::new(core.moment().await?)) } else { None };
        let moment_ms = begun.elapsed().as_secs_f64() * 1e3;
        let depth = if run.attributes { ScanDepth::Attributes } else { ScanDepth::Listing };
        let mut scan = core.scan(&bucket, &ScanOptions { moment, depth, ..ScanOptions::default() })?;
        let (mut objects, mut bytes, mut last) = (0, 0, String::new());
        while let Some(rows) = scan.next().await? {
            ensure!(rows.key(0) > &last[..], "{} comes behind {last}", rows.key(0));
            rows.key(rows.len() - 1).clone_into(&mut last);
            objects += rows.len();
            bytes += rows.keys.len();
        }
        let (seconds, used) = (begun.elapsed().as_secs_f64(), processor_seconds()? - used);
        println!(
            "{}",
            json!({
                "name": "scan", "operations": objects, "key_bytes": bytes, "seconds": seconds,
                "processor_seconds": used, "operations_per_second": objects as f64 / seconds,
                "operations_per_second_and_core": objects as f64 / used, "moment_ms": moment_ms,
                "peak_mebibytes": peak_mebibytes()?,
            })
        );
    }
    core.close().await;
    Ok(())
}
