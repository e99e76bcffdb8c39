//! The objects of a bucket that rules let through.

use std::collections::VecDeque;

use super::{Chunk, Position, Task, fatal};
use crate::batch::spec::Spec;
use crate::jobs::{Context, Progress, WorkError};
use crate::report::filter::CompiledFilter;
use crate::scan::{Depth, ObjectScan, Objects, Scan, ScanError, ScanOptions};

/// Objects that are looked at before it is written down how far they are.
const SCANNED_MAX: u64 = 1_000_000;

/// Objects that are counted before a run, to tell how long it takes. Of more nobody knows.
const COUNTED_MAX: u64 = 2_000_000;

/// About how many objects a batch of a bucket looks at.
pub(in crate::batch) async fn count(
    spec: &Spec,
    scans: &dyn ObjectScan,
    context: &Context,
) -> Result<Option<u64>, WorkError> {
    let options = ScanOptions { prefix: spec.prefix.clone(), ..ScanOptions::default() };
    let mut scan = scans.scan(&spec.bucket, &options).await.map_err(scan_error)?;
    let mut count = 0;
    while let Some(objects) = scan.next().await.map_err(scan_error)? {
        context.pace(0, 0).await?;
        count += objects.len() as u64;
        if count > COUNTED_MAX {
            return Ok(None);
        }
    }
    Ok(Some(count))
}

/// The objects of a bucket.
pub(in crate::batch) struct InBucket {
    scan: Box<dyn Scan>,
    rules: Vec<CompiledFilter>,
    found: VecDeque<Task>,
    /// The last key of those in `found`, or behind them.
    last: Option<String>,
}

/// The rules of a batch, of a run that began at `started_ms`.
pub(super) fn compiled(spec: &Spec, started_ms: i64) -> Result<Vec<CompiledFilter>, WorkError> {
    let rules = spec.rules.iter().map(|rule| CompiledFilter::new(rule, started_ms));
    rules.collect::<Result<_, _>>().map_err(|error| fatal(error.to_string()))
}

/// How much of each object the rules of a batch look at.
pub(super) fn depth(spec: &Spec) -> Depth {
    match spec.rules.iter().any(|rule| rule.depth() == Depth::Attributes) {
        true => Depth::Attributes,
        false => Depth::Listing,
    }
}

/// Rows that no rules stand against or that one of them lets through.
pub(super) fn selected(rules: &[CompiledFilter], objects: &Objects) -> Vec<bool> {
    let mut is_selected = vec![rules.is_empty(); objects.len()];
    let mut rows = Vec::new();
    for rule in rules {
        rule.select(objects, &mut rows);
        rows.iter().for_each(|row| is_selected[*row as usize] = true);
    }
    is_selected
}

impl InBucket {
    pub(super) async fn open(
        spec: &Spec,
        scans: &dyn ObjectScan,
        at: Option<&Position>,
        started_ms: i64,
    ) -> Result<Self, WorkError> {
        let after = match at {
            Some(Position::After(key)) => Some(key.clone()),
            Some(Position::Line { .. }) | None => None,
        };
        let options = ScanOptions {
            prefix: spec.prefix.clone(),
            after: after.clone(),
            depth: depth(spec),
            ..ScanOptions::default()
        };
        let scan = scans.scan(&spec.bucket, &options).await.map_err(scan_error)?;
        Ok(Self { scan, rules: compiled(spec, started_ms)?, found: VecDeque::new(), last: after })
    }

    pub(super) async fn next(
        &mut self,
        max: usize,
        spec: &Spec,
        context: &Context,
    ) -> Result<Chunk, WorkError> {
        let (mut scanned, mut is_over) = (0, false);
        while self.found.len() < max && scanned < SCANNED_MAX {
            let Some(objects) = self.scan.next().await.map_err(scan_error)? else {
                is_over = true;
                break;
            };
            let count = objects.len() as u64;
            scanned += count;
            context.pace(count, 0).await?;
            Progress::add(&context.progress.scanned, count);
            self.select(&objects, spec);
        }
        let tasks: Vec<Task> = self.found.drain(..max.min(self.found.len())).collect();
        // What is left of the last batch of the scan is not done yet.
        let end = match self.found.is_empty() {
            true => self.last.clone(),
            false => tasks.last().map(|task| task.key.clone()),
        };
        let is_last = is_over && self.found.is_empty();
        Ok(Chunk { tasks, end: end.map(Position::After), is_last })
    }

    fn select(&mut self, objects: &Objects, spec: &Spec) {
        let is_selected = selected(&self.rules, objects);
        for row in (0..objects.len()).filter(|row| is_selected[*row]) {
            let key = objects.key(row);
            if spec.is_report(&spec.bucket, key) {
                continue;
            }
            let (etag, size) = (Some(objects.etags[row].to_string()), objects.sizes[row]);
            self.found.push_back(Task { bucket: spec.bucket.clone(), key: key.to_owned(), etag, size });
        }
        if !objects.is_empty() {
            self.last = Some(objects.key(objects.len() - 1).to_owned());
        }
    }
}

fn scan_error(error: ScanError) -> WorkError {
    match error {
        ScanError::NoSuchBucket(_) => fatal(error.to_string()),
        ScanError::Store(_) => {
            WorkError::Retry("the bucket could not be scanned".into(), Some(Box::new(error)))
        }
    }
}
