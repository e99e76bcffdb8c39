//! The store of a warehouse whose name no bucket can have: everything is missing.

use std::fmt;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

#[derive(Debug)]
pub(super) struct Nowhere;

fn missing<T>(path: &str) -> Result<T> {
    Err(Error::NotFound { path: path.into(), source: "no bucket can have this warehouse's name".into() })
}

impl fmt::Display for Nowhere {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Nowhere")
    }
}

#[async_trait]
impl ObjectStore for Nowhere {
    async fn put_opts(&self, location: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        missing(location.as_ref())
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        missing(location.as_ref())
    }

    async fn get_opts(&self, location: &Path, _: GetOptions) -> Result<GetResult> {
        missing(location.as_ref())
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        locations.map(|location| missing(location?.as_ref())).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::once(async { missing("") }).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        missing("")
    }

    async fn copy_opts(&self, from: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        missing(from.as_ref())
    }
}
