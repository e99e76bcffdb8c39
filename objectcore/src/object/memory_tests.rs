//! The budget of memory, as requests meet it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::watch;

use crate::core::ObjectCore;
use crate::drive::{Drive, SimDrive};
use crate::settings::Settings;
use crate::testing::{MIB, at, body, bucket, bytes, get, put};
use crate::types::{Body, CopyOptions, PutOptions, ReadError, StorageError, WriteError, Written};

/// A core on four drives whose bodies may hold `mebibytes`.
async fn core(mebibytes: u64, wait: Duration) -> ObjectCore {
    let drives = (0..4).map(|number| Arc::new(SimDrive::new(&format!("{number}"))) as Arc<dyn Drive>);
    let settings = Settings { memory_bytes: mebibytes << 20, memory_wait: wait, ..Settings::default() };
    let core = ObjectCore::open(settings, drives.collect()).await.unwrap();
    core.create_bucket(&bucket("bucket")).await.unwrap();
    core
}

fn sized(bytes: &Bytes) -> PutOptions {
    PutOptions { size: Some(bytes.len() as u64), ..PutOptions::default() }
}

/// Puts `bytes` in two halves; the second comes when `open` says so. `begun` counts the bodies that were asked for.
async fn put_slowly(
    core: ObjectCore,
    key: String,
    bytes: Bytes,
    (mut open, begun): (watch::Receiver<bool>, Arc<AtomicUsize>),
) -> Result<Written, WriteError> {
    let (first, second) = (bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..));
    let head = stream::once(async move {
        begun.fetch_add(1, Ordering::SeqCst);
        Ok(first)
    });
    let tail = stream::once(async move {
        open.wait_for(|open| *open).await.unwrap();
        Ok(second)
    });
    let body = Body { chunks: head.chain(tail).boxed(), seal: Box::new(|| Ok(None)) };
    core.put(&at(&key), body, sized(&bytes)).await
}

#[tokio::test]
async fn of_many_large_puts_at_once_only_as_many_begin_as_the_memory_holds() {
    let core = core(32, Duration::from_millis(50)).await;
    let bytes = bytes(3 * MIB, 1);
    let ((open, gate), begun) = (watch::channel(false), Arc::new(AtomicUsize::new(0)));
    let puts: Vec<_> = (0..40)
        .map(|number| {
            let (core, bytes, with) = (core.clone(), bytes.clone(), (gate.clone(), begun.clone()));
            tokio::spawn(put_slowly(core, format!("k{number}"), bytes, with))
        })
        .collect();
    let mut puts: futures::stream::FuturesUnordered<_> = puts.into_iter().collect();
    // Those that found no room are refused while the others wait for their bodies; they were never read.
    let most =
        (32 << 20) / crate::memory::write_bytes(&core.inner.sets[0].empty_blob().coding, Some(3 << 20), None);
    for _ in 0..40 - most {
        let refused = puts.next().await.unwrap().unwrap().unwrap_err();
        assert!(matches!(refused, WriteError::Storage(StorageError::Busy)), "{refused}");
    }
    assert_eq!(begun.load(Ordering::SeqCst) as u64, most);
    open.send_replace(true);
    let written: Vec<_> = puts.map(Result::unwrap).try_collect().await.unwrap();
    assert_eq!(written.len() as u64, most);
    assert_eq!(core.memory().free_bytes(), 32 << 20);
}

#[tokio::test]
async fn a_read_that_is_not_taken_holds_its_share_until_it_is_dropped() {
    let core = core(10, Duration::ZERO).await;
    let content = bytes(8 * MIB, 2);
    put(&core, "k", &content).await;
    let first = core.get(&at("k"), None).await.unwrap();
    let second = core.get(&at("k"), None).await.unwrap();
    let refused = core.get(&at("k"), None).await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, ReadError::Storage(StorageError::Busy)));
    drop(first);
    assert_eq!(get(&core, "k").await.unwrap(), content);
    drop(second);
    assert_eq!(core.memory().free_bytes(), 10 << 20);
}

#[tokio::test]
async fn copies_at_once_do_not_wait_for_each_other_for_ever() {
    let core = core(10, Duration::from_secs(60)).await;
    let content = bytes(2 * MIB, 3);
    put(&core, "from", &content).await;
    let copies = (0..16).map(|number| {
        let (core, to) = (core.clone(), at(&format!("to{number}")));
        async move { core.copy(&at("from"), None, &to, CopyOptions::default()).await }
    });
    for copied in join_all(copies).await {
        copied.unwrap();
    }
    assert_eq!(get(&core, "to15").await.unwrap(), content);
    assert_eq!(core.memory().free_bytes(), 10 << 20);
}

#[tokio::test]
async fn one_request_runs_however_small_the_budget() {
    let core = core(1, Duration::ZERO).await;
    let content = bytes(5 * MIB, 4);
    core.put(&at("k"), body(&content), sized(&content)).await.unwrap();
    assert_eq!(get(&core, "k").await.unwrap(), content);
}
