//! Delta Sharing: queries of a table of many files, as a recipient sends them. The table is that of the plan runs.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use serde_json::json;

use crate::client::{Connection, Keep, Target};
use crate::report::{Report, Tally};

#[derive(clap::Args)]
pub struct SharingRun {
    /// The recipient's bearer token.
    #[arg(long, env = "TARN_BENCH_TOKEN", hide_env_values = true)]
    token: String,
    /// `share/schema/table`.
    #[arg(long)]
    table: String,
    /// What is asked for.
    #[arg(long, value_enum)]
    ask: Ask,
    /// Files the answer must have.
    #[arg(long)]
    files: u64,
    #[arg(long, default_value_t = 3)]
    times: usize,
}

/// What is asked for.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Ask {
    /// Every file.
    All,
    /// Every file, compressed.
    Gzip,
    /// The files of one day, by a predicate on the partition column.
    Day,
    /// A hundredth of the files of each day, by a predicate on the statistics.
    Hundredth,
    /// The version.
    Version,
}

pub async fn run(target: &Target, run: &SharingRun) -> Result<()> {
    let mut parts = run.table.split('/');
    let mut part = || parts.next().unwrap_or_default().to_owned();
    let path = format!("/_delta-sharing/v1/shares/{}/schemas/{}/tables/{}", part(), part(), part());
    let mut target = target.clone();
    target.signer = None;
    target.headers.push(("authorization", format!("Bearer {}", run.token)));
    let hints = match run.ask {
        Ask::All | Ask::Gzip | Ask::Version => json!({}),
        Ask::Day => json!({"predicateHints": ["day = DATE '1970-01-01'"]}),
        Ask::Hundredth => json!({"predicateHints": ["c2 < 5000"]}),
    };
    if matches!(run.ask, Ask::Gzip) {
        target.headers.push(("accept-encoding", "gzip".into()));
    }
    let mut connection = target.connect().await?;
    let (mut whole, mut first) = (Tally::default(), Tally::default());
    let started = Instant::now();
    for _ in 0..run.times {
        match run.ask {
            Ask::Version => {
                let begun = Instant::now();
                connection.expect("GET", &format!("{path}/version"), "", Bytes::new(), Keep::Nothing).await?;
                whole.latencies.push(begun.elapsed());
                // A recipient has a rate.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ask::All | Ask::Gzip | Ask::Day | Ask::Hundredth => {
                let body = hints.to_string();
                let told = query(&mut connection, &path, body).await?;
                // Compressed, lines cannot be counted.
                let counts = !matches!(run.ask, Ask::Gzip);
                ensure!(
                    !counts || told.lines == run.files + 2,
                    "{} lines for {} files",
                    told.lines,
                    run.files
                );
                whole.latencies.push(told.whole);
                whole.bytes += told.bytes;
                first.latencies.push(told.first);
            }
        }
    }
    let elapsed = started.elapsed();
    Report::new("whole answers", vec![whole], elapsed).print();
    Report::new("first bytes", vec![first], elapsed).print();
    Ok(())
}

struct Told {
    first: Duration,
    whole: Duration,
    lines: u64,
    bytes: u64,
}

async fn query(connection: &mut Connection, path: &str, body: String) -> Result<Told> {
    let begun = Instant::now();
    let (mut first, mut lines) = (None, 0);
    let path = format!("{path}/query");
    let answer = connection.pieces("POST", &path, body.into(), |piece| {
        first.get_or_insert_with(|| begun.elapsed());
        lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
    });
    let answer = answer.await?;
    ensure!(answer.status.is_success(), "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(Told { first: first.unwrap_or_default(), whole: begun.elapsed(), lines, bytes: answer.bytes })
}
