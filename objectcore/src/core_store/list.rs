//! Listing a bucket as paths.

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, Result};

use super::CoreStore;
use super::convert::{meta_at, path_of, read_error};
use crate::types::{ListOptions, ListPage};

/// Entries in a page.
const PAGE: usize = 1000;

impl CoreStore {
    /// All objects under `prefix` behind `start_after`.
    pub(super) fn list_from(
        &self,
        prefix: Option<&Path>,
        start_after: Option<String>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let options = ListOptions { prefix: under(prefix), start_after, delimiter: None, limit: PAGE };
        let pages = stream::try_unfold((self.clone(), Some(options)), |(store, options)| async move {
            let Some(mut options) = options else { return Ok::<_, object_store::Error>(None) };
            let page = store.page(&options).await?;
            let objects: Vec<Result<ObjectMeta>> = objects(&page).map(Ok).collect();
            let next = page.next_start_after.map(|next| {
                options.start_after = Some(next);
                options
            });
            Ok(Some((stream::iter(objects), (store, next))))
        });
        pages.try_flatten().boxed()
    }

    /// The objects and common prefixes one level below `prefix`.
    pub(super) async fn list_level(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let delimiter = Some("/".to_owned());
        let mut options = ListOptions { prefix: under(prefix), start_after: None, delimiter, limit: PAGE };
        let mut listed = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
        loop {
            let page = self.page(&options).await?;
            listed.objects.extend(objects(&page));
            listed.common_prefixes.extend(prefixes(&page));
            match page.next_start_after {
                Some(next) => options.start_after = Some(next),
                None => return Ok(listed),
            }
        }
    }

    async fn page(&self, options: &ListOptions) -> Result<ListPage> {
        let listed = self.core.list(&self.bucket, options).await;
        listed.map_err(|error| read_error(error, &Path::from(options.prefix.as_str())))
    }
}

#[async_trait]
impl PaginatedListStore for CoreStore {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        opts: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let options = ListOptions {
            prefix: prefix.unwrap_or_default().to_owned(),
            start_after: opts.page_token.or(opts.offset),
            delimiter: opts.delimiter.map(|delimiter| delimiter.into_owned()),
            limit: opts.max_keys.unwrap_or(PAGE).min(PAGE),
        };
        let page = self.page(&options).await?;
        let result =
            ListResult { common_prefixes: prefixes(&page).collect(), objects: objects(&page).collect() };
        Ok(PaginatedListResult { result, page_token: page.next_start_after })
    }
}

/// Paths are matched by whole segments.
fn under(prefix: Option<&Path>) -> String {
    match prefix.map(Path::as_ref) {
        None | Some("") => String::new(),
        Some(prefix) => format!("{prefix}/"),
    }
}

fn objects(page: &ListPage) -> impl Iterator<Item = ObjectMeta> {
    page.objects.iter().filter_map(|info| Some(meta_at(path_of(info.key.as_str())?, info)))
}

fn prefixes(page: &ListPage) -> impl Iterator<Item = Path> {
    page.common_prefixes.iter().filter_map(|prefix| path_of(prefix.strip_suffix('/').unwrap_or(prefix)))
}
