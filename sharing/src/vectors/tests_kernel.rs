//! Packs as the Delta kernel reads them.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use delta_kernel::actions::deletion_vector::{DeletionVectorDescriptor, DeletionVectorStorageType};
use delta_kernel::{DeltaResult, DeltaResultIteratorStatic, Error, FileMeta, FileSlice, StorageHandler};
use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use roaring::RoaringTreemap;
use serde_json::json;
use url::Url;

use super::Limits;
use super::testing::{Data, World, now_ms, table};
use crate::directory::EqualityDeletes;

/// Files by their URL, to be read and nothing else.
struct Files(HashMap<Url, Bytes>);

impl StorageHandler for Files {
    fn list_from(&self, _path: &Url) -> DeltaResult<DeltaResultIteratorStatic<FileMeta>> {
        Err(Error::generic("not asked for"))
    }

    fn read_files(&self, files: Vec<FileSlice>) -> DeltaResult<DeltaResultIteratorStatic<Bytes>> {
        let read: Vec<_> = files.iter().map(|(url, _range)| Ok(self.0[url].clone())).collect();
        Ok(Box::new(read.into_iter()))
    }

    fn copy_atomic(&self, _from: &Url, _to: &Url) -> DeltaResult<()> {
        Err(Error::generic("not asked for"))
    }

    fn put(&self, _path: &Url, _data: Bytes, _overwrite: bool) -> DeltaResult<()> {
        Err(Error::generic("not asked for"))
    }

    fn head(&self, _path: &Url) -> DeltaResult<FileMeta> {
        Err(Error::generic("not asked for"))
    }

    fn delete(&self, _path: &Url) -> DeltaResult<()> {
        Err(Error::generic("not asked for"))
    }
}

#[tokio::test]
async fn the_kernel_reads_every_vector_of_a_pack() {
    let world = World::new(Limits::default());
    let metadata = table(&json!([]));
    let names: Vec<String> = (0..40).map(|number| format!("data-{number}")).collect();
    let rows_of = |at: usize| (0..=at as i64).map(move |row| row * (1 + 97 * at as i64));
    let rows: Vec<(&str, i64)> = names
        .iter()
        .enumerate()
        .flat_map(|(at, name)| rows_of(at).map(move |row| (name.as_str(), row)))
        .collect();
    let deletes = world.positions("t/d", 5, &rows).await;
    let deletes = world.snapshot(&metadata, [deletes], EqualityDeletes::Error);
    let files: Vec<Data<'_>> = names.iter().map(|name| Data::new(name, 1_000_000, 1)).collect();
    let list = world.assemble(&deletes, &files, now_ms()).await.unwrap();

    let mut packs = HashMap::new();
    let all: Vec<_> = world.own.list(None).try_collect().await.unwrap();
    for pack in all {
        let content = world.own.get(&pack.location).await.unwrap().bytes().await.unwrap();
        packs.insert(Url::parse(&format!("https://gateway/{}", pack.location)).unwrap(), content);
    }
    let storage: Arc<dyn StorageHandler> = Arc::new(Files(packs));
    let mut read = 0;
    list.try_for_each(|file| {
        let vector = file.deletes.unwrap();
        let descriptor = DeletionVectorDescriptor::try_new(
            DeletionVectorStorageType::PersistedAbsolute,
            format!("https://gateway/{}", vector.at.key),
            Some(vector.offset as i32),
            vector.size as i32,
            vector.cardinality as i64,
        );
        let parent = Url::parse("https://gateway/t/").unwrap();
        let found = descriptor.unwrap().read(storage.clone(), &parent).unwrap();
        let at: usize = file.at.key.strip_prefix("t/data-").unwrap().parse().unwrap();
        assert_eq!(found, rows_of(at).map(|row| row as u64).collect::<RoaringTreemap>());
        read += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(read, names.len());
}
