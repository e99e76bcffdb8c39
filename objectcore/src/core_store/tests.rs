//! The conformance suite of `object_store`, over simulated drives.

use object_store::integration;

use super::CoreStore;
use crate::core::ObjectCore;
use crate::name::BucketName;

async fn store() -> CoreStore {
    let core = ObjectCore::in_memory(4).await;
    let bucket = BucketName::new("conformance").unwrap();
    core.create_bucket(&bucket).await.unwrap();
    CoreStore::new(core, bucket)
}

#[tokio::test]
async fn put_get_delete_list() {
    integration::put_get_delete_list(&store().await).await;
}

#[tokio::test]
async fn put_get_attributes() {
    integration::put_get_attributes(&store().await).await;
}

#[tokio::test]
async fn get_opts() {
    integration::get_opts(&store().await).await;
}

#[tokio::test]
async fn put_opts() {
    integration::put_opts(&store().await, true).await;
}

#[tokio::test]
async fn stream_get() {
    integration::stream_get(&store().await).await;
}

#[tokio::test]
async fn listing() {
    let store = store().await;
    integration::list_uses_directories_correctly(&store).await;
    integration::list_with_delimiter(&store).await;
    integration::list_with_offset_exclusivity(&store).await;
    integration::list_paginated(&store, &store).await;
}

#[tokio::test]
async fn copying() {
    let store = store().await;
    integration::rename_and_copy(&store).await;
    integration::copy_if_not_exists(&store).await;
    integration::copy_rename_nonexistent_object(&store).await;
    assert!(integration::get_nonexistent_object(&store, None).await.is_err());
}

#[tokio::test]
async fn multipart() {
    let store = store().await;
    integration::multipart(&store, &store).await;
    integration::multipart_out_of_order(&store).await;
}

#[tokio::test]
async fn multipart_race_condition() {
    integration::multipart_race_condition(&store().await, true).await;
}
