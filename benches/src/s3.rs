//! PUT, GET and LIST over S3.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;

use crate::client::{Keep, Target};
use crate::report::{Report, Tally};

/// What the clients do.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Operation {
    Put,
    Get,
}

#[derive(clap::Args)]
pub struct ObjectRun {
    /// What the clients do.
    pub operation: Operation,
    /// Bytes per object.
    #[arg(long)]
    pub size: usize,
    #[arg(long, default_value_t = 1)]
    pub clients: usize,
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    #[arg(long, default_value = "bench")]
    pub bucket: String,
    /// Objects that GET reads from, put before the clock starts.
    #[arg(long, default_value_t = 64)]
    pub objects: usize,
    /// Where GET finds its object instead (no object is put first): for handlers that are no S3.
    #[arg(long)]
    pub path: Option<String>,
}

/// Bytes that no compression shortens.
fn payload(size: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

pub async fn make_bucket(target: &Target, bucket: &str) -> Result<()> {
    let answer =
        target.connect().await?.send("PUT", &format!("/{bucket}"), "", Bytes::new(), Keep::Nothing).await?;
    anyhow::ensure!(
        answer.status.is_success() || answer.status == 409,
        "create the bucket: {} {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    );
    Ok(())
}

pub async fn run(target: &Target, run: &ObjectRun) -> Result<()> {
    let body = payload(run.size);
    if run.path.is_none() {
        make_bucket(target, &run.bucket).await?;
        if matches!(run.operation, Operation::Get) {
            let mut connection = target.connect().await?;
            for number in 0..run.objects {
                let path = format!("/{}/get-{}-{number}", run.bucket, run.size);
                connection.expect("PUT", &path, "", body.clone(), Keep::Nothing).await?;
            }
        }
    }
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let deadline = started + Duration::from_secs_f64(run.seconds);
    let mut clients = Vec::new();
    for _ in 0..run.clients {
        let (target, next, body) = (target.clone(), Arc::clone(&next), body.clone());
        let (bucket, path, operation, size) = (run.bucket.clone(), run.path.clone(), run.operation, run.size);
        let objects = run.objects as u64;
        clients.push(tokio::spawn(async move {
            let mut connection = target.connect().await?;
            let mut tally = Tally::default();
            while Instant::now() < deadline {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let begun = Instant::now();
                match operation {
                    Operation::Put => {
                        let key = format!("/{bucket}/put-{size}-{}-{number}", started.elapsed().as_nanos());
                        connection.expect("PUT", &key, "", body.clone(), Keep::Nothing).await?;
                        tally.bytes += size as u64;
                    }
                    Operation::Get => {
                        let key = path
                            .clone()
                            .unwrap_or_else(|| format!("/{bucket}/get-{size}-{}", number % objects));
                        let answer = connection.expect("GET", &key, "", Bytes::new(), Keep::Nothing).await?;
                        anyhow::ensure!(
                            answer.bytes == size as u64,
                            "short body: {} of {size}",
                            answer.bytes
                        );
                        tally.bytes += answer.bytes;
                    }
                }
                tally.latencies.push(begun.elapsed());
            }
            anyhow::Ok(tally)
        }));
    }
    let mut tallies = Vec::new();
    for client in clients {
        tallies.push(client.await??);
    }
    let name = match run.operation {
        Operation::Put => format!("put {} B", run.size),
        Operation::Get => format!("get {} B", run.size),
    };
    Report::new(&name, tallies, started.elapsed()).print();
    Ok(())
}

#[derive(clap::Args)]
pub struct ListRun {
    /// How many keys the bucket holds; missing ones are put first.
    #[arg(long, default_value_t = 1_000_000)]
    pub keys: usize,
    #[arg(long, default_value = "bench-list")]
    pub bucket: String,
    /// Connections that put the keys.
    #[arg(long, default_value_t = 256)]
    pub clients: usize,
}

/// Lists the bucket once from beginning to end, 1,000 keys a page.
async fn list_all(target: &Target, bucket: &str) -> Result<(u64, Tally)> {
    let mut connection = target.connect().await?;
    let (mut tally, mut keys, mut token) = (Tally::default(), 0, None::<String>);
    loop {
        let query = match &token {
            None => "list-type=2&max-keys=1000".to_owned(),
            Some(token) => format!("continuation-token={}&list-type=2&max-keys=1000", encode(token)),
        };
        let begun = Instant::now();
        let answer =
            connection.expect("GET", &format!("/{bucket}"), &query, Bytes::new(), Keep::Body).await?;
        tally.latencies.push(begun.elapsed());
        tally.bytes += answer.bytes;
        let text = std::str::from_utf8(&answer.body)?;
        keys += text.matches("<Key>").count() as u64;
        token = match text.split_once("<NextContinuationToken>") {
            Some((_, rest)) => {
                let (token, _) = rest.split_once('<').context("a token ends")?;
                Some(quick_xml::escape::unescape(token)?.into_owned())
            }
            None => return Ok((keys, tally)),
        };
    }
}

pub fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte as char);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

pub async fn list(target: &Target, run: &ListRun) -> Result<()> {
    make_bucket(target, &run.bucket).await?;
    let (present, _) = list_all(target, &run.bucket).await?;
    let next = Arc::new(AtomicU64::new(present));
    let mut clients = Vec::new();
    for _ in 0..run.clients {
        let (target, next, bucket, keys) =
            (target.clone(), Arc::clone(&next), run.bucket.clone(), run.keys as u64);
        clients.push(tokio::spawn(async move {
            let mut connection = target.connect().await?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= keys {
                    return anyhow::Ok(());
                }
                let key = format!("/{bucket}/year={}/part-{number:09}.parquet", 2000 + number % 26);
                connection.expect("PUT", &key, "", Bytes::from_static(b"x"), Keep::Nothing).await?;
            }
        }));
    }
    for client in clients {
        client.await??;
    }
    let started = Instant::now();
    let (keys, tally) = list_all(target, &run.bucket).await?;
    let elapsed = started.elapsed();
    let mut report = Report::new(&format!("list {keys} keys, pages of 1000"), vec![tally], elapsed);
    report.operations = keys;
    report.operations_per_second = keys as f64 / elapsed.as_secs_f64();
    report.print();
    Ok(())
}
