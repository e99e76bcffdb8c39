//! What the store does, and what the client is told: done, not done, unknown.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use futures::stream::BoxStream;
use http::header;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use serde_json::json;

use super::{Rules, Server, answer, append, error};
use crate::rest::{RestFront, ScanPlanning, router};
use crate::testing::{MemoryWarehouses, catalog_over, settings};

/// How puts below `log/` end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// Nothing is done and the error does not say so.
    Fails,
    /// Nothing is done and the error says so.
    Refuses,
    /// It is done and the answer is lost.
    Forgets,
    /// No answer ever.
    Stalls,
}

/// A store in memory that is well until it is told not to be.
#[derive(Debug)]
struct MoodyStore {
    inner: InMemory,
    mood: Mood,
    unwell: Arc<AtomicBool>,
}

impl fmt::Display for MoodyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MoodyStore")
    }
}

#[async_trait]
impl ObjectStore for MoodyStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if !self.unwell.load(Ordering::SeqCst) {
            return self.inner.put_opts(at, payload, options).await;
        }
        let failed = || object_store::Error::Generic { store: "moody", source: "failed".into() };
        match self.mood {
            Mood::Fails => Err(failed()),
            Mood::Refuses => {
                Err(object_store::Error::PermissionDenied { path: at.to_string(), source: "no".into() })
            }
            Mood::Forgets => {
                self.inner.put_opts(at, payload, options).await?;
                Err(failed())
            }
            Mood::Stalls => std::future::pending().await,
        }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

const ORDERS: &str = "/v1/main/namespaces/sales/tables/orders";

/// A server whose log's store falls into `mood` after `sales.orders` was created.
async fn server(mood: Mood) -> (Server, Arc<AtomicBool>) {
    let unwell = Arc::new(AtomicBool::new(false));
    let log = MoodyStore { inner: InMemory::new(), mood, unwell: unwell.clone() };
    let warehouses = Arc::new(MemoryWarehouses::default());
    let catalog = catalog_over(Arc::new(log), warehouses.clone(), settings()).await;
    let router = router(RestFront {
        catalog: catalog.clone(),
        authorize: Arc::new(Rules),
        vend: None,
        uri: None,
        default_warehouse: None,
        region: "us-east-1".into(),
        s3_endpoint: None,
        scan_planning: ScanPlanning::Client,
    });
    let server = Server { router, catalog, warehouses };
    server.create_table("orders").await;
    unwell.store(true, Ordering::SeqCst);
    (server, unwell)
}

async fn commit(server: &Server, id: i64, parent: Option<i64>) -> (super::Answer, Option<String>) {
    let body = append(id, parent, id).to_string();
    let (answer, headers) = server.as_root("POST", ORDERS, Body::from(body)).await;
    let retry_after = headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
    (answer, retry_after)
}

async fn snapshots(server: &Server) -> usize {
    server.get(ORDERS).await.body["metadata"]["snapshots"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_refused_record_is_503_with_retry_after_and_not_done() {
    let (server, unwell) = server(Mood::Refuses).await;
    let (refused, retry_after) = commit(&server, 1, None).await;
    assert_eq!(refused, error(503, "ServiceUnavailableException", "the catalog is busy"));
    assert_eq!(retry_after.as_deref(), Some("1"));
    unwell.store(false, Ordering::SeqCst);
    assert_eq!(snapshots(&server).await, 0);
    assert_eq!(commit(&server, 1, None).await.0.status, 200);
}

#[tokio::test]
async fn a_record_without_an_answer_is_unknown_and_later_commits_wait_for_it() {
    let (server, unwell) = server(Mood::Fails).await;
    let (unknown, _) = commit(&server, 1, None).await;
    assert_eq!(unknown.status, 500);
    assert_eq!(unknown.body["error"]["type"], "CommitStateUnknownException");
    let (busy, retry_after) = commit(&server, 2, None).await;
    assert_eq!((busy.status.as_u16(), retry_after.as_deref()), (503, Some("1")));
    // The store is well again: the unknown commit is settled first, as done.
    unwell.store(false, Ordering::SeqCst);
    let (conflict, _) = commit(&server, 2, None).await;
    assert_eq!(conflict.body["error"]["type"], "CommitFailedException", "{conflict:?}");
    assert_eq!(commit(&server, 2, Some(1)).await.0.status, 200);
    assert_eq!(snapshots(&server).await, 2);
}

#[tokio::test]
async fn a_lost_answer_is_found_by_the_put_id() {
    let (server, _) = server(Mood::Forgets).await;
    let (unknown, _) = commit(&server, 1, None).await;
    assert_eq!(unknown.body["error"]["type"], "CommitStateUnknownException");
    let (done, _) = commit(&server, 2, Some(1)).await;
    assert_eq!(done.body["error"]["type"], "CommitStateUnknownException");
    assert_eq!(snapshots(&server).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_in_time_is_504() {
    let (server, _) = server(Mood::Stalls).await;
    let (unknown, _) = commit(&server, 1, None).await;
    assert_eq!(unknown.status, 504);
    assert_eq!(unknown.body["error"]["type"], "CommitStateUnknownException");
}

#[tokio::test]
async fn reads_go_on_while_the_log_is_unwell() {
    let (server, _) = server(Mood::Fails).await;
    commit(&server, 1, None).await;
    assert_eq!(server.get(ORDERS).await.status, 200);
    let name = json!({"namespace": ["sales"], "name": "orders"});
    let listed = json!({"next-page-token": null, "identifiers": [name]});
    assert_eq!(server.get("/v1/main/namespaces/sales/tables").await, answer(200, listed));
}
