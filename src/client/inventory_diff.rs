//! What changed between two runs of an inventory: their files are fetched, one of each run at a time, and compared here.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::sync::Arc;

use serde_json::Value;
use tarn_inventory::report::compare::{self, CompareError, Difference, Report};
use tokio::runtime::Handle;

use super::inventory::At;
use super::output::{count, line, text};
use super::{ClientError, Connection, path_segment};

/// Why two runs were not compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiffError {
    /// The server did not give what is needed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The runs cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// There are not two.
    #[error("two completed runs are needed; there are {0}")]
    TooFew(usize),
    /// It wrote no files.
    #[error(
        "run {0} has no manifest: it did not complete, or wrote only a table, whose snapshots SQL compares"
    )]
    NoManifest(String),
    /// A file could not be kept while it is compared.
    #[error("a file cannot be kept")]
    Local(#[from] io::Error),
    /// The comparison panicked.
    #[error("the comparison failed")]
    Task(#[from] tokio::task::JoinError),
}

/// A run with the place of its files.
struct Told {
    run: String,
    bucket: String,
    report: Report,
}

/// What two runs told, and what changed.
pub(crate) struct Diff {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) difference: Difference,
}

/// Compares two runs by their ids: the last one with the one before, where none are given.
pub(crate) async fn diff(
    connection: Connection,
    at: &At<'_>,
    (from, to): (Option<&str>, Option<&str>),
) -> Result<Diff, DiffError> {
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (from.to_owned(), to.to_owned()),
        (from, to) => {
            let (before, last) = last_two(&connection, at).await?;
            (from.map_or(before, str::to_owned), to.map_or(last, str::to_owned))
        }
    };
    let (from, to) = (told(&connection, from).await?, told(&connection, to).await?);
    let (runs, handle) = ((from.run.clone(), to.run.clone()), Handle::current());
    let connection = Arc::new(connection);
    let compared = tokio::task::spawn_blocking(move || {
        // Runs of one inventory may lie in two buckets, when its definition changed; their keys then differ too.
        let bucket = |key: &str| if from.report.has(key) { &from.bucket } else { &to.bucket };
        compare::compare(&from.report, &to.report, |key| {
            let fetched = handle.block_on(fetch(&connection, bucket(key), key));
            fetched.map_err(io::Error::other)
        })
    });
    let difference = compared.await??;
    Ok(Diff { from: runs.0, to: runs.1, difference })
}

/// The ids of the last two completed runs.
async fn last_two(connection: &Connection, at: &At<'_>) -> Result<(String, String), DiffError> {
    let job = path_segment(&format!("{}/{}", at.bucket, at.id));
    let path = format!("/_admin/v1/jobs/runs?job={job}&state=completed&limit=2");
    let answer = connection.get(&path).await?;
    let ids = answer["runs"].as_array().into_iter().flatten().filter_map(|run| run["id"].as_str());
    let ids: Vec<&str> = ids.collect();
    match ids[..] {
        [last, before] => Ok((before.to_owned(), last.to_owned())),
        _ => Err(DiffError::TooFew(ids.len())),
    }
}

async fn told(connection: &Connection, run: String) -> Result<Told, DiffError> {
    let answer = connection.get(&format!("/_admin/v1/jobs/runs/{}", path_segment(&run))).await?;
    let manifest = answer["outcome"]["manifest"].as_str().and_then(|at| at.strip_prefix("s3://"));
    let Some((bucket, key)) = manifest.and_then(|at| at.split_once('/')) else {
        return Err(DiffError::NoManifest(run));
    };
    let text = io::read_to_string(fetch(connection, bucket, key).await?)?;
    Ok(Told { run, bucket: bucket.to_owned(), report: Report::read(text.as_bytes())? })
}

/// An object as a file without a name: it is gone with the last who reads it.
async fn fetch(connection: &Connection, bucket: &str, key: &str) -> Result<File, DiffError> {
    let path = std::env::temp_dir().join(format!("tarn-{}", uuid::Uuid::new_v4()));
    let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)?;
    let mut object = connection.object(bucket, key).await?;
    while let Some(chunk) = object.chunk().await.map_err(|source| connection.unreachable(source))? {
        file.write_all(&chunk)?;
    }
    file.rewind()?;
    Ok(file)
}

pub(crate) fn print(diff: &Diff) {
    let Difference { from_rows, to_rows, added, removed, changed } = &diff.difference;
    let rows = |number: &u64| count(&Value::from(*number), "row");
    line(&format!("from     {}, {}", text(&diff.from.as_str().into()), rows(from_rows)));
    line(&format!("to       {}, {}", text(&diff.to.as_str().into()), rows(to_rows)));
    for (label, mark, keys) in [("added", '+', added), ("removed", '-', removed), ("changed", '~', changed)] {
        line(&format!("{label:<9}{}", keys.count));
        keys.keys.iter().for_each(|key| line(&format!("  {mark} {}", text(&key.as_str().into()))));
        let more = keys.count - keys.keys.len() as u64;
        if more > 0 {
            line(&format!("  and {more} more"));
        }
    }
}
