//! The objects of a bucket elsewhere that rules let through.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};

use super::bucket::{compiled, depth, selected};
use super::{Chunk, Position, Task, fatal};
use crate::batch::bulk::ItemError;
use crate::batch::outside::{Listed, Remote};
use crate::batch::spec::Spec;
use crate::jobs::{Context, Progress, WorkError};
use crate::report::filter::CompiledFilter;
use crate::scan::{Depth, ETag, ObjectAttributes, Objects};

/// Objects whose attributes are asked for at a time.
const AT_ONCE: usize = 8;

/// The objects of a bucket elsewhere.
pub(in crate::batch) struct InRemote {
    remote: Arc<dyn Remote>,
    rules: Vec<CompiledFilter>,
    asks_attributes: bool,
    /// The last key that was looked at.
    last: Option<String>,
}

impl InRemote {
    pub(super) fn open(
        spec: &Spec,
        remote: Arc<dyn Remote>,
        at: Option<&Position>,
        started_ms: i64,
    ) -> Result<Self, WorkError> {
        let last = match at {
            Some(Position::After(key)) => Some(key.clone()),
            Some(Position::Line { .. }) | None => None,
        };
        let rules = compiled(spec, started_ms)?;
        Ok(Self { remote, rules, asks_attributes: depth(spec) == Depth::Attributes, last })
    }

    pub(super) async fn next(
        &mut self,
        max: usize,
        spec: &Spec,
        context: &Context,
    ) -> Result<Chunk, WorkError> {
        let (mut tasks, mut is_last) = (Vec::new(), false);
        while tasks.len() < max && !is_last {
            context.pace(1, 0).await?;
            let page = self.remote.list(&spec.bucket, &spec.prefix, self.last.as_deref()).await;
            let page = page.map_err(failed)?;
            if page.objects.is_empty() && !page.is_last {
                return Err(fatal("the endpoint tells pages without objects".into()));
            }
            // What does not fit is listed again with the next part.
            let taken = page.objects.len().min(max - tasks.len());
            is_last = page.is_last && taken == page.objects.len();
            let listed = &page.objects[..taken];
            Progress::add(&context.progress.scanned, listed.len() as u64);
            let objects = self.objects(spec, listed).await?;
            let chosen = listed.iter().zip(selected(&self.rules, &objects)).filter(|(_, chosen)| *chosen);
            tasks.extend(chosen.map(|(object, _)| Task {
                bucket: spec.bucket.clone(),
                key: object.key.clone(),
                etag: Some(object.etag.clone()),
                size: object.size,
            }));
            self.last = listed.last().map(|object| object.key.clone()).or(self.last.take());
        }
        Ok(Chunk { tasks, end: self.last.clone().map(Position::After), is_last })
    }

    /// As rules look at objects. They do not look at entity tags, and those of others need not be as ours are.
    async fn objects(&self, spec: &Spec, listed: &[Listed]) -> Result<Objects, WorkError> {
        let attributes = match self.asks_attributes {
            true => {
                let asked: Vec<_> =
                    listed.iter().map(|object| self.remote.attributes(&spec.bucket, &object.key)).collect();
                let told = futures::stream::iter(asked).buffered(AT_ONCE);
                told.try_collect::<Vec<ObjectAttributes>>().await.map_err(failed)?
            }
            false => Vec::new(),
        };
        let mut objects = Objects { attributes, ..Objects::default() };
        for object in listed {
            objects.keys.push_str(&object.key);
            objects.key_ends.push(objects.keys.len() as u32);
            objects.sizes.push(object.size);
            objects.modified_ms.push(object.modified_ms);
            objects.etags.push(ETag { digest: [0; 16], parts: None, is_multipart: false });
            objects.checksums.push(None);
        }
        Ok(objects)
    }
}

fn failed(error: ItemError) -> WorkError {
    match error.may_work_later {
        true => WorkError::Retry("the bucket elsewhere could not be listed".into(), Some(Box::new(error))),
        false => WorkError::Fatal("the bucket elsewhere cannot be listed".into(), Some(Box::new(error))),
    }
}
