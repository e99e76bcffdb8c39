//! Speed of a set on real drives. Not run by default:
//! `cargo test --release -p tarn-objectcore --lib set::tests::bench -- --ignored --nocapture`

use std::time::Instant;

use super::{Arc, Bound, Bytes, Draft, Drive, ErasureSet, FileDrive, Op, SetSettings, Space, open_sets};

fn files(folder: &std::path::Path, count: usize) -> Vec<Arc<dyn Drive>> {
    let drive = |number| FileDrive::open(&folder.join(format!("d{number}"))).unwrap();
    (0..count).map(|number| Arc::new(drive(number)) as Arc<dyn Drive>).collect()
}

fn object(key: String, shard_bytes: usize, slots: usize) -> Draft {
    let op = Op::Put { space: Space::Object, key: Bytes::from(key), value: Bytes::from(vec![7; 150]) };
    let shards = (0..slots).map(|_| Bytes::from(vec![1; shard_bytes])).collect();
    Draft { ops: vec![op], expect: Vec::new(), inline: Some(shards) }
}

fn put_all(set: &ErasureSet, clients: usize, each: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let began = Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..clients)
            .map(|client| {
                let set = set.clone();
                tokio::spawn(async move {
                    for number in 0..each {
                        let key = format!("bucket/{client:03}/{number:08}");
                        set.commit(object(key, 2080, 4)).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    (clients * each) as f64 / began.elapsed().as_secs_f64()
}

fn resident_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS unknown").to_owned()
}

#[test]
#[ignore = "a benchmark"]
fn durable_puts_scan_and_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SetSettings::default();
    let set = open_sets(&settings, None, files(folder.path(), 4)).unwrap().sets[0].clone();
    println!("idle: {}", resident_kib());
    let whole = "1x500 16x500 64x1000 256x500".to_owned();
    let load = std::env::var("TARN_BENCH_LOAD").unwrap_or(whole);
    let pairs = load.split(' ').filter_map(|pair| pair.split_once('x'));
    for (clients, each) in pairs.map(|(clients, each)| (clients.parse().unwrap(), each.parse().unwrap())) {
        let before = Instant::now();
        let rate = put_all(&set, clients, each);
        println!("{clients} clients: {rate:.0} durable 4 KiB puts/s ({:?})", before.elapsed());
    }
    let began = Instant::now();
    let (mut after, mut count) = (Bound::Unbounded, 0);
    loop {
        let rows = set.scan(Space::Object, after, 1000).unwrap();
        count += rows.len();
        match rows.last() {
            Some((key, _)) if rows.len() == 1000 => after = Bound::Excluded(key.clone()),
            Some(_) | None => break,
        }
    }
    println!("scan: {:.0} entries/s", f64::from(count as u32) / began.elapsed().as_secs_f64());
    let began = Instant::now();
    for number in 0..32_000 {
        set.get(Space::Object, format!("bucket/{:03}/{:08}", number % 64, number / 64).as_bytes()).unwrap();
    }
    println!("get: {:.0}/s; {}", 32_000.0 / began.elapsed().as_secs_f64(), resident_kib());
    set.close();
    drop(set);
    let began = Instant::now();
    let drives = files(folder.path(), 4);
    let opened = began.elapsed();
    let set = open_sets(&settings, None, drives).unwrap().sets[0].clone();
    println!("restart: {:?}, of which drives {opened:?}", began.elapsed());
    set.close();
    drop(set);
    for number in 0..4 {
        std::fs::remove_dir_all(folder.path().join(format!("d{number}/index"))).unwrap();
    }
    let began = Instant::now();
    let set = open_sets(&settings, None, files(folder.path(), 4)).unwrap().sets[0].clone();
    println!("restart with {count} entries and no index: {:?}; {}", began.elapsed(), resident_kib());
    set.close();
}
