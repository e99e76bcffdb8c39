//! Where one answer is worked out: a thread that may block, with the store and the engine of the table.

use std::sync::Arc;

use delta_kernel::Error;
use object_store::ObjectStore;
use tokio::runtime::Handle;

use super::engine::LogEngine;
use super::limits::Limits;
use super::path::Root;
use super::store::{TableStore, Watch};
use crate::table::TableError;
use crate::vectors::Vectors;

/// Where a table lies, and how it is read.
#[derive(Clone)]
pub(super) struct Place {
    /// The store of its bucket.
    pub(super) store: Arc<dyn ObjectStore>,
    /// Keeps deletion vectors without files of their own.
    pub(super) vectors: Arc<Vectors>,
    pub(super) root: Root,
    pub(super) limits: Limits,
}

/// What works out an answer.
pub(super) struct Bench {
    pub(super) root: Root,
    pub(super) limits: Limits,
    pub(super) vectors: Arc<Vectors>,
    /// When the answer was asked for, in milliseconds since 1970.
    pub(super) now_ms: i64,
    pub(super) store: TableStore,
    pub(super) engine: LogEngine,
    handle: Handle,
}

impl Bench {
    /// Waits, on a thread that may block.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }
}

/// Ends the work when nobody waits for it any more.
struct StopOnDrop(Arc<Watch>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Does `work` on a thread that may block. A panic there is an answer too: the kernel reads what others wrote.
pub(super) async fn run<T: Send + 'static>(
    place: Place,
    work: impl FnOnce(&Bench) -> Result<T, TableError> + Send + 'static,
) -> Result<T, TableError> {
    let Place { store, vectors, root, limits } = place;
    let watch = Arc::new(Watch::new(limits.clone()));
    let _stop = StopOnDrop(Arc::clone(&watch));
    let store = TableStore::new(store, root.prefix(), Arc::clone(&watch));
    let handle = Handle::current();
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let worked = tokio::task::spawn_blocking(move || {
        let engine = LogEngine::new(store.clone(), root.clone(), Arc::clone(&watch), handle.clone());
        let bench = Bench { root, limits, vectors, now_ms, store, engine, handle };
        work(&bench).map_err(|why| watch.take_refusal().unwrap_or(why))
    });
    match worked.await {
        Ok(done) => done,
        Err(error) if error.is_panic() => Err(TableError::Invalid(
            "its log cannot be read: reading it came to an end nobody foresaw".into(),
        )),
        Err(error) => Err(TableError::Store(Box::new(error))),
    }
}

/// What the kernel's error says of the table.
pub(super) fn kernel_error(error: Error) -> TableError {
    match error {
        Error::Backtraced { source, .. } => kernel_error(*source),
        Error::EmptyLog => TableError::NoSuchTable,
        Error::Unsupported(what) => TableError::Unsupported(format!("the table cannot be read: {what}")),
        Error::MaxCatalogVersion(_) => {
            TableError::Unsupported("the table is managed by another catalog (catalogManaged)".into())
        }
        Error::ObjectStore(_) | Error::IOError(_) | Error::JoinFailure(_) | Error::Cancelled => {
            TableError::Store(Box::new(error))
        }
        error => TableError::Invalid(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use futures::poll;
    use object_store::ObjectStoreExt as _;
    use object_store::path::Path;

    use super::super::tests::place;
    use super::*;

    #[tokio::test]
    async fn a_panic_while_a_log_is_read_is_an_error() {
        let worked = run(place(), |_| -> Result<(), TableError> { panic!("what nobody foresaw") }).await;
        assert!(matches!(worked, Err(TableError::Invalid(_))), "{worked:?}");
    }

    #[tokio::test]
    async fn nothing_is_read_any_more_for_whoever_went_away() {
        let (go, wait) = channel::<()>();
        let (tell, told) = tokio::sync::oneshot::channel();
        let mut work = Box::pin(run(place(), move |bench| {
            wait.recv().expect("the test goes on");
            let read = bench.wait(bench.store.get(&Path::from("a")));
            tell.send(read.map(|_| ()).map_err(|error| error.to_string())).expect("the test waits");
            Ok(())
        }));
        assert!(poll!(&mut work).is_pending());
        drop(work);
        go.send(()).unwrap();
        let read = told.await.unwrap();
        assert!(read.as_ref().is_err_and(|error| error.contains("nobody waits")), "{read:?}");
    }
}
