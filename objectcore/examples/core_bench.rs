//! Times the object core alone, without HTTP: `core_bench DIRECTORY [KEYS]`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tarn_objectcore::drive::{Drive, FileDrive};
use tarn_objectcore::name::{BucketName, ObjectKey, ObjectName};
use tarn_objectcore::types::{Body, ListOptions, PutOptions};
use tarn_objectcore::{ObjectCore, Settings};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let mut arguments = std::env::args().skip(1);
    let root = PathBuf::from(arguments.next().expect("a directory"));
    let keys: usize = arguments.next().map_or(1_000_000, |keys| keys.parse().expect("a number"));
    let mut settings = Settings::default();
    settings.set.reserve_bytes = 0;
    let drives: Vec<Arc<dyn Drive>> = (1..=4)
        .map(|number| {
            Arc::new(FileDrive::open(&root.join(format!("d{number}"))).expect("a drive")) as Arc<dyn Drive>
        })
        .collect();
    let began = Instant::now();
    let core = ObjectCore::open(settings, drives).await.expect("drives");
    println!("open {:?}", began.elapsed());
    let bucket = BucketName::new("bench").expect("a name");
    let fresh = core.create_bucket(&bucket).await.is_ok();
    let at = |key: String| ObjectName { bucket: bucket.clone(), key: ObjectKey::new(&key).expect("a key") };
    let large = Bytes::from(vec![7u8; 64 << 20]);
    for round in 0..3 {
        let began = Instant::now();
        let put = core.put(&at(format!("large{round}")), chunks(&large), PutOptions::default()).await;
        put.expect("put");
        println!("put 64 MiB {:?}", began.elapsed());
    }
    for round in 0..6 {
        let began = Instant::now();
        let mut body = core.get(&at(format!("large{}", round % 3)), None).await.expect("get").chunks;
        let mut read = 0;
        while let Some(chunk) = body.try_next().await.expect("bytes") {
            read += chunk.len();
        }
        let took = began.elapsed();
        println!("get 64 MiB {took:?} {:.2} GiB/s", read as f64 / took.as_secs_f64() / (1u64 << 30) as f64);
    }
    if fresh {
        let small = Bytes::from(vec![7u8; 16]);
        let began = Instant::now();
        futures::stream::iter(0..keys)
            .for_each_concurrent(512, |number| {
                let (core, at, small) =
                    (&core, at(format!("dir{:03}/key{number:09}", number % 500)), small.clone());
                async move {
                    core.put(&at, Body::from_bytes(small), PutOptions::default()).await.expect("put");
                }
            })
            .await;
        let took = began.elapsed();
        println!("put {keys} keys {took:?} {:.0}/s", keys as f64 / took.as_secs_f64());
    }
    let small = Bytes::from(vec![7u8; 4096]);
    for clients in [1, 64] {
        let began = Instant::now();
        let count = if clients == 1 { 500 } else { 20_000 };
        futures::stream::iter(0..count)
            .for_each_concurrent(clients, |number| {
                let (core, at, small) = (&core, at(format!("small/{number:09}")), small.clone());
                async move {
                    core.put(&at, Body::from_bytes(small), PutOptions::default()).await.expect("put");
                }
            })
            .await;
        let took = began.elapsed();
        println!("put 4 KiB x{clients} {:.0}/s", f64::from(count) / took.as_secs_f64());
    }
    let began = Instant::now();
    for number in 0..20_000 {
        let body = core.get(&at(format!("small/{number:09}")), None).await.expect("get");
        let _: Vec<Bytes> = body.chunks.try_collect().await.expect("bytes");
    }
    println!("get 4 KiB x1 {:.0}/s", 20_000.0 / began.elapsed().as_secs_f64());
    for round in 0..3 {
        let mut options = ListOptions { limit: 1000, ..ListOptions::default() };
        let (began, mut listed) = (Instant::now(), 0);
        loop {
            let page = core.list(&bucket, &options).await.expect("list");
            listed += page.objects.len();
            match page.next_start_after {
                Some(next) => options.start_after = Some(next),
                None => break,
            }
        }
        let took = began.elapsed();
        println!("list {round}: {listed} keys {took:?} {:.0}/s", listed as f64 / took.as_secs_f64());
    }
    let options = ListOptions { delimiter: Some("/".to_owned()), limit: 1000, ..ListOptions::default() };
    let began = Instant::now();
    let page = core.list(&bucket, &options).await.expect("list");
    println!("list by delimiter: {} prefixes {:?}", page.common_prefixes.len(), began.elapsed());
    core.close().await;
}

fn chunks(bytes: &Bytes) -> Body {
    let chunks: Vec<_> = bytes.chunks(256 << 10).map(|chunk| Ok(bytes.slice_ref(chunk))).collect();
    Body { chunks: futures::stream::iter(chunks).boxed(), seal: Box::new(|| Ok(None)) }
}
