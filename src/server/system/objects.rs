//! `objects` and `versions`: one bucket after the other.

use std::collections::VecDeque;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tarn_inventory::scan::{Depth, Scan, ScanError, ScanOptions};
use tarn_sql::system::{Wanted, objects_batch};

use super::{Outcome, Reading, Walk, failed};

/// Columns that a listing does not tell.
const ATTRIBUTES: [&str; 2] = ["content_type", "user_metadata"];

pub(super) struct ObjectRows {
    reading: Reading,
    /// What is scanned next: a bucket, and what of it.
    next: VecDeque<(String, ScanOptions)>,
    scanning: Option<(String, Box<dyn Scan>)>,
}

impl ObjectRows {
    pub(super) fn new(reading: Reading) -> Self {
        let (buckets, keys) =
            (Wanted::of("bucket", &reading.scan.filters), Wanted::of("key", &reading.scan.filters));
        let names = reading.state.core.buckets().into_iter().map(|info| info.name.as_str().to_owned());
        let parts = parts(&keys);
        let mut next = VecDeque::new();
        for bucket in names.filter(|name| buckets.admits(name)) {
            // Whoever may list some prefix only sees that when it is asked for (Y1).
            let allowed = parts.iter().filter(|part| reading.may_list(&bucket, &part.prefix));
            next.extend(allowed.map(|part| (bucket.clone(), part.clone())));
        }
        let fields = reading.table.fields;
        let deep = reading.scan.projection.iter().any(|at| ATTRIBUTES.contains(&fields[*at].name));
        if deep {
            next.iter_mut().for_each(|(_, options)| options.depth = Depth::Attributes);
        }
        Self { reading, next, scanning: None }
    }
}

/// What of each bucket is scanned: single keys that are asked for, else all with a beginning.
fn parts(keys: &Wanted) -> Vec<ScanOptions> {
    /// More single keys than these are found by a scan of all.
    const SINGLE_MAX: usize = 100;
    let of = |prefix: &str, through: Option<&str>| ScanOptions {
        prefix: prefix.to_owned(),
        through: through.map(str::to_owned),
        ..ScanOptions::default()
    };
    match &keys.values {
        Some(values) if values.len() <= SINGLE_MAX => {
            let wanted = values.iter().filter(|value| keys.admits(value));
            wanted.map(|value| of(value, Some(value))).collect()
        }
        Some(_) | None => vec![of(&keys.prefix, None)],
    }
}

#[async_trait]
impl Walk for ObjectRows {
    async fn next(&mut self) -> Outcome<Option<RecordBatch>> {
        loop {
            let Some((bucket, scan)) = &mut self.scanning else {
                let Some((bucket, options)) = self.next.pop_front() else { return Ok(None) };
                match self.reading.state.scan.scan(&bucket, &options).await {
                    Ok(scan) => self.scanning = Some((bucket, scan)),
                    // It was deleted a moment ago.
                    Err(ScanError::NoSuchBucket(_)) => {}
                    Err(error) => return Err(failed(error)),
                }
                continue;
            };
            match scan.next().await {
                Ok(Some(objects)) => {
                    let asked = &self.reading.scan;
                    return Ok(Some(objects_batch(
                        bucket,
                        &objects,
                        &asked.projection,
                        asked.schema.clone(),
                    )?));
                }
                Ok(None) | Err(ScanError::NoSuchBucket(_)) => self.scanning = None,
                Err(error) => return Err(failed(error)),
            }
        }
    }
}
