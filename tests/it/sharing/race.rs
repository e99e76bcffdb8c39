//! Readers that read all the time while something is taken back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::sync::watch;

use super::lake::{LARGE_BYTES, Lake, ORDERS, content, parsed, urls};

const READERS: usize = 32;
/// Successful reads of each kind before anything is taken back.
const READS_BEFORE: u64 = 64;
/// Reads of each kind and reader that begin after it was.
const READS_AFTER: usize = 2;

/// Time for one read of any of them.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file that readers lose.
const LOST: &str = "region%3Deu/a.parquet";

/// How reads are refused that begin after something was taken back.
#[derive(Clone, Copy)]
pub struct After {
    /// Of queries; `OK` where the query is answered, without the file that is lost.
    pub query: StatusCode,
    /// Of files.
    pub file: StatusCode,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Query,
    File,
}

/// What readers share.
struct Readers {
    http: Client,
    token: String,
    query: String,
    /// The file's URL that was given out last.
    url: Mutex<String>,
    /// Successes of queries and of files.
    served: [AtomicU64; 2],
    progress: watch::Sender<()>,
    /// When the answer came that it is taken back.
    gone: OnceLock<Instant>,
    after: After,
}

/// What came of a read.
enum Outcome {
    Served,
    Refused(StatusCode),
    /// Too many requests, or a connection that broke: it says nothing.
    Nothing,
}

/// 32 readers read until `take_back` is done, and go on. No read that begins later is served, and a download that runs
/// does not come to its end.
pub async fn race(lake: &Lake, after: After, take_back: impl AsyncFnOnce(&Lake)) {
    let readers = Arc::new(Readers::of(lake, after).await);
    let large = lake.file("large.parquet").await;
    let mut download = lake.http.get(large).send().await.unwrap().bytes_stream();
    let mut downloaded = download.next().await.unwrap().unwrap().len();

    let mut progress = readers.progress.subscribe();
    let tasks: Vec<_> = (0..READERS).map(|_| tokio::spawn(readers.clone().run())).collect();
    let few = || readers.served.iter().any(|served| served.load(Ordering::SeqCst) < READS_BEFORE);
    while few() {
        let more = tokio::time::timeout(PATIENCE, progress.changed()).await;
        more.expect("readers read").unwrap();
    }
    take_back(lake).await;
    readers.gone.set(Instant::now()).unwrap();
    for task in tasks {
        task.await.unwrap();
    }

    let broken = loop {
        match download.next().await {
            Some(Ok(piece)) => downloaded += piece.len(),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken && downloaded < LARGE_BYTES, "a download went on: {downloaded} bytes");
}

impl Readers {
    async fn of(lake: &Lake, after: After) -> Self {
        Self {
            http: lake.http.clone(),
            token: lake.token.clone(),
            query: lake.url(&format!("{ORDERS}/query")),
            url: Mutex::new(lake.file(LOST).await),
            served: [AtomicU64::new(0), AtomicU64::new(0)],
            progress: watch::Sender::new(()),
            gone: OnceLock::new(),
            after,
        }
    }

    async fn run(self: Arc<Self>) {
        for kind in [Kind::Query, Kind::File] {
            self.read(kind).await;
        }
        let mut late = [0; 2];
        while late.iter().any(|&reads| reads < READS_AFTER) {
            for kind in [Kind::Query, Kind::File] {
                late[kind as usize] += usize::from(self.read(kind).await);
            }
        }
    }

    /// Reads once. Whether it began after all was gone, and was answered.
    async fn read(&self, kind: Kind) -> bool {
        let began = Instant::now();
        let outcome = match kind {
            Kind::Query => self.ask().await,
            Kind::File => self.fetch().await,
        };
        let late = self.gone.get().is_some_and(|gone| began > *gone);
        let wanted = match kind {
            Kind::Query => self.after.query,
            Kind::File => self.after.file,
        };
        match outcome {
            Outcome::Served => {
                assert!(!late, "a {kind:?} was served that began after all was taken back");
                self.served[kind as usize].fetch_add(1, Ordering::SeqCst);
                self.progress.send_replace(());
                false
            }
            Outcome::Refused(status) => {
                assert_eq!(status, wanted, "of a {kind:?}");
                late
            }
            Outcome::Nothing => false,
        }
    }

    async fn ask(&self) -> Outcome {
        let request = self.http.post(&self.query).bearer_auth(&self.token).json(&json!({}));
        let Ok(answer) = request.send().await else { return Outcome::Nothing };
        match answer.status() {
            StatusCode::OK => {
                // One that was being answered breaks off.
                let Ok(text) = answer.text().await else { return Outcome::Nothing };
                let told = parsed(&text);
                let Some(url) = urls(&told).into_iter().find(|url| url.contains(LOST)) else {
                    return Outcome::Refused(StatusCode::OK);
                };
                *self.url.lock().unwrap() = url;
                Outcome::Served
            }
            StatusCode::TOO_MANY_REQUESTS => Outcome::Nothing,
            status => Outcome::Refused(status),
        }
    }

    async fn fetch(&self) -> Outcome {
        let url = self.url.lock().unwrap().clone();
        let Ok(answer) = self.http.get(url).send().await else { return Outcome::Nothing };
        let (status, bytes) = (answer.status(), answer.bytes().await);
        match (status, bytes) {
            (StatusCode::OK, Ok(bytes)) => {
                assert_eq!(bytes, content("eu"));
                Outcome::Served
            }
            (StatusCode::OK, Err(_)) => Outcome::Nothing,
            (status, _) => Outcome::Refused(status),
        }
    }
}
