//! A store whose every operation is numbered and can fail, for the tests of this crate.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::store::Store;
use super::{Patience, PutId};

/// What happens to one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It works.
    None,
    /// It fails and nothing happened.
    Lost,
    /// It happens and the answer is lost.
    ReplyLost,
    /// It works, after so long.
    Slow(Duration),
    /// Its answer is lost, and a put happens only when the store is told to `release` it.
    Late,
}

/// Decides by the operation's number, from 0.
pub(crate) type Schedule = Arc<dyn Fn(u64) -> Fault + Send + Sync>;

/// A store that fails as its schedule says.
#[derive(Clone)]
pub(crate) struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    schedule: Schedule,
    ops: Arc<AtomicU64>,
    late: Arc<Mutex<Vec<(Path, PutPayload, PutOptions)>>>,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, schedule: Schedule) -> Self {
        Self { inner, schedule, ops: Arc::default(), late: Arc::default() }
    }

    /// Operations so far.
    pub(crate) fn ops(&self) -> u64 {
        self.ops.load(Ordering::SeqCst)
    }

    /// Lets every put happen that is late; those refused by now are.
    pub(crate) async fn release(&self) {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        for (at, payload, options) in late {
            let _refused = self.inner.put_opts(&at, payload, options).await;
        }
    }

    async fn next(&self) -> Fault {
        let fault = (self.schedule)(self.ops.fetch_add(1, Ordering::SeqCst));
        if let Fault::Slow(time) = fault {
            tokio::time::sleep(time).await;
        }
        fault
    }
}

/// The fault of one operation: `fault` at `at`, and `after` for every one behind it.
pub(crate) fn fault_at(at: u64, fault: Fault, after: Fault) -> Schedule {
    Arc::new(move |op| match op.cmp(&at) {
        std::cmp::Ordering::Less => Fault::None,
        std::cmp::Ordering::Equal => fault,
        std::cmp::Ordering::Greater => after,
    })
}

fn injected() -> Error {
    Error::Generic { store: "faulty", source: "injected".into() }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FaultyStore")
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FaultyStore")
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let fault = self.next().await;
        if fault == Fault::Late {
            self.late.lock().unwrap().push((at.clone(), payload, options));
            return Err(injected());
        }
        if fault == Fault::Lost {
            return Err(injected());
        }
        let result = self.inner.put_opts(at, payload, options).await;
        if fault == Fault::ReplyLost { Err(injected()) } else { result }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        match self.next().await {
            Fault::None | Fault::Slow(_) => self.inner.get_opts(at, options).await,
            Fault::Lost | Fault::ReplyLost | Fault::Late => Err(injected()),
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        locations
            .and_then(move |path| {
                let this = this.clone();
                async move {
                    let fault = this.next().await;
                    if matches!(fault, Fault::Lost | Fault::Late) {
                        return Err(injected());
                    }
                    let one = futures::stream::iter([Ok(path.clone())]).boxed();
                    let done: Result<Vec<Path>> = this.inner.delete_stream(one).try_collect().await;
                    if fault == Fault::ReplyLost { Err(injected()) } else { done.map(|_| path) }
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, prefix) = (self.clone(), prefix.cloned());
        let listing = async move {
            match this.next().await {
                Fault::None | Fault::Slow(_) => this.inner.list(prefix.as_ref()),
                Fault::Lost | Fault::ReplyLost | Fault::Late => {
                    futures::stream::iter([Err(injected())]).boxed()
                }
            }
        };
        futures::stream::once(listing).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// The log's view of `inner`, below the root `catalog`.
pub(crate) fn store_over(inner: Arc<dyn ObjectStore>) -> Store {
    Store::new(inner, Path::from("catalog"), Arc::new(|_| false), Duration::from_secs(5))
}

pub(crate) fn memory_store() -> Store {
    store_over(Arc::new(InMemory::new()))
}

/// Two tries, then `Unknown`.
pub(crate) fn impatient() -> Patience {
    Patience { deadline: Duration::ZERO, backoff: Duration::ZERO }
}

pub(crate) fn put_id(number: u128) -> PutId {
    PutId(uuid::Uuid::from_u128(number))
}
