//! `objects` and `versions`: one bucket after the other.

use std::collections::VecDeque;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tarn_inventory::scan::{Depth, Objects, Scan, ScanError, ScanOptions};
use tarn_openapi::access::{Action, Resource};
use tarn_sql::system::{Wanted, objects_batch};

use super::{Outcome, Reading, Walk, failed};

/// Columns that a listing does not tell.
const ATTRIBUTES: [&str; 3] = ["content_type", "user_metadata", "tags"];

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

/// Takes away what clients said of objects that may not be read, and tags that may not (Y1).
fn hide(reading: &Reading, bucket: &str, objects: &mut Objects) {
    for row in 0..objects.attributes.len() {
        let of = Resource::Object(bucket, objects.key(row));
        let is_tagged = !objects.attributes[row].tags.is_empty();
        let hides_tags = is_tagged && !reading.may(Action::GetObjectTagging, of);
        let hides_others = !reading.may(Action::GetObject, of);
        let attributes = &mut objects.attributes[row];
        if hides_tags {
            attributes.tags.clear();
        }
        if hides_others {
            attributes.content_type = None;
            attributes.user_metadata.clear();
        }
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
                Ok(Some(mut objects)) => {
                    hide(&self.reading, bucket, &mut objects);
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
