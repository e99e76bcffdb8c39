//! What a run would do, from a look at the first objects of a bucket: they are filtered and encoded as a run does it, and
//! the bytes are thrown away.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tokio::task::spawn_blocking;

use super::check::check;
use super::columns::depth;
use super::encoder::{EncodeError, Kind};
use super::filter::{CompiledFilter, ranges};
use super::segment::Segment;
use super::spec::Spec;
use crate::scan::{ObjectScan, Objects, Point, ScanError, ScanOptions};

/// Objects that are looked at.
const OBJECTS_MAX: u64 = 200_000;
/// Keys that are told.
const SAMPLE: usize = 10;

/// What a run would do.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Objects looked at.
    pub scanned: u64,
    /// Those of them that would be told.
    pub matched: u64,
    /// Whether these are all there are: else a run does more of everything.
    pub complete: bool,
    /// Bytes of the files that tell them. Those of a table are not counted.
    pub output_bytes: u64,
    /// Objects looked at, and written where they match, per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects_per_second: Option<f64>,
    /// The first keys that would be told.
    pub sample: Vec<String>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The specification cannot be.
    #[error("{0}")]
    Invalid(String),
    /// There is no such bucket.
    #[error("there is no bucket {0}")]
    NoSuchBucket(String),
    /// It cannot be made now.
    #[error("the bucket could not be looked at")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// What a run that began at `now_ms` would do.
pub async fn plan(scans: &dyn ObjectScan, spec: &Spec, now_ms: i64) -> Result<Plan, PlanError> {
    check(spec).map_err(|error| PlanError::Invalid(error.to_string()))?;
    let filter =
        CompiledFilter::new(&spec.filter, now_ms).map_err(|error| PlanError::Invalid(error.to_string()))?;
    let filter = Arc::new(filter);
    let began = Instant::now();
    let mut plan = Plan::default();
    if filter.matches_nothing() {
        plan.complete = true;
        return Ok(plan);
    }
    let files = spec.destination.as_ref().map(|to| Kind::report(spec, to)).transpose()?;
    let mut segment = Segment::new(files.into_iter().collect(), Arc::clone(&filter));
    plan.complete = true;
    for prefix in ranges(&spec.filter.prefixes) {
        let options =
            ScanOptions { prefix, after: None, through: None, point: Point::Running, depth: depth(spec) };
        let mut scan = scans.scan(&spec.bucket, &options).await?;
        while plan.complete
            && let Some(objects) = scan.next().await?
        {
            plan.scanned += objects.len() as u64;
            plan.complete = plan.scanned < OBJECTS_MAX;
            let (left, looked) = look(segment, objects, SAMPLE - plan.sample.len(), &filter).await?;
            segment = left;
            plan.matched += looked.matched;
            plan.output_bytes += looked.bytes;
            plan.sample.extend(looked.sample);
        }
    }
    let ended = segment.end()?;
    plan.output_bytes += ended.chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
    let seconds = began.elapsed().as_secs_f64();
    plan.objects_per_second = (plan.scanned > 0 && seconds > 0.0).then(|| plan.scanned as f64 / seconds);
    Ok(plan)
}

/// What a batch brought.
struct Looked {
    matched: u64,
    bytes: u64,
    sample: Vec<String>,
}

/// Encodes away from the threads that serve requests.
async fn look(
    mut segment: Segment,
    objects: Objects,
    keys: usize,
    filter: &Arc<CompiledFilter>,
) -> Result<(Segment, Looked), PlanError> {
    let filter = Arc::clone(filter);
    let work = spawn_blocking(move || {
        let step = segment.add(&objects)?;
        let mut selected = Vec::new();
        if keys > 0 {
            filter.select(&objects, &mut selected);
        }
        let sample = selected.iter().take(keys).map(|&row| objects.key(row as usize).to_owned()).collect();
        let bytes = step.chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Ok::<_, EncodeError>((segment, Looked { matched: step.matched, bytes, sample }))
    });
    Ok(work.await.map_err(|error| PlanError::Failed(error.into()))??)
}

impl From<ScanError> for PlanError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::NoSuchBucket(bucket) => Self::NoSuchBucket(bucket),
            error @ ScanError::Store(_) => Self::Failed(error.into()),
        }
    }
}

impl From<EncodeError> for PlanError {
    fn from(error: EncodeError) -> Self {
        Self::Failed(error.into())
    }
}
