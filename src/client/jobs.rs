//! Jobs of a server and their runs.

use std::time::Duration;

use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use uuid::Uuid;

use super::output::{Table, bytes, line, text, time};
use super::{ClientError, Connection, path_segment};

const JOBS: &str = "/_admin/v1/jobs";
/// The longest line of a stream, in bytes.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Between two looks at whether a run began.
const LOOK: Duration = Duration::from_millis(100);
/// Before a stream that broke is opened again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often it is tried in a row.
const AGAIN_MAX: u32 = 60;

pub(crate) async fn list(connection: &Connection) -> Result<Value, ClientError> {
    connection.get(JOBS).await
}

pub(crate) async fn show(connection: &Connection, name: &str) -> Result<Value, ClientError> {
    connection.get(&of_job(name)).await
}

pub(crate) async fn put(
    connection: &Connection,
    name: &str,
    definition: &Value,
    mode: Option<&str>,
) -> Result<Value, ClientError> {
    let mode = mode.map(|mode| format!("?mode={mode}")).unwrap_or_default();
    connection.put(&format!("{}{mode}", of_job(name)), definition).await
}

pub(crate) async fn delete(connection: &Connection, name: &str) -> Result<Value, ClientError> {
    connection.delete(&of_job(name)).await
}

pub(crate) async fn run(connection: &Connection, name: &str) -> Result<Value, ClientError> {
    connection.post(&format!("{}/run", of_job(name)), &json!({})).await
}

/// Runs, the newest first; of a job, a kind, a state.
pub(crate) async fn runs(
    connection: &Connection,
    asked: &[(&str, Option<&str>)],
) -> Result<Value, ClientError> {
    let given = asked.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let given: Vec<String> = given.map(|(name, value)| format!("{name}={}", path_segment(value))).collect();
    connection.get(&format!("{JOBS}/runs?{}", given.join("&"))).await
}

/// The run that is meant by its id, or by the name of its job: the last one.
pub(crate) async fn find_run(connection: &Connection, named: &str) -> Result<String, ClientError> {
    if Uuid::parse_str(named).is_ok() {
        return Ok(named.to_owned());
    }
    let job = show(connection, named).await?;
    let missing = || ClientError::NotFound { message: format!("job '{named}' has no run") };
    job["last_run"]["id"].as_str().map(str::to_owned).ok_or_else(missing)
}

/// The first run of a job that was put just now.
pub(crate) async fn begun(connection: &Connection, name: &str) -> Result<String, ClientError> {
    loop {
        match find_run(connection, name).await {
            Err(ClientError::NotFound { .. }) => tokio::time::sleep(LOOK).await,
            found => return found,
        }
    }
}

pub(crate) async fn show_run(connection: &Connection, id: &str) -> Result<Value, ClientError> {
    connection.get(&of_run(id)).await
}

pub(crate) async fn report(connection: &Connection, id: &str) -> Result<Value, ClientError> {
    connection.get(&format!("{}/report", of_run(id))).await
}

/// Suspends, resumes or cancels a run.
pub(crate) async fn change(connection: &Connection, id: &str, verb: &str) -> Result<Value, ClientError> {
    connection.post(&format!("{}/{verb}", of_run(id)), &json!({})).await
}

fn of_job(name: &str) -> String {
    format!("{JOBS}/{}", path_segment(name))
}

fn of_run(id: &str) -> String {
    format!("{JOBS}/runs/{}", path_segment(id))
}

/// Gives each line of a run's stream to `each` until it has ended, or is suspended; the last one. A stream that breaks
/// is opened again.
pub(crate) async fn follow(
    connection: &Connection,
    id: &str,
    mut each: impl FnMut(&Value),
) -> Result<Value, ClientError> {
    let path = format!("{}/events", of_run(id));
    let mut failures = 0;
    loop {
        match connection.stream(&path, None).await {
            Ok(response) => {
                let (mut parts, mut left) = (response.bytes_stream(), Vec::new());
                while let Some(Ok(chunk)) = parts.next().await {
                    failures = 0;
                    left.extend_from_slice(&chunk);
                    if let Some(last) = lines(&mut left, &path, &mut each)? {
                        return Ok(last);
                    }
                }
            }
            Err(ClientError::Unreachable { .. }) if failures > 0 && failures < AGAIN_MAX => {}
            Err(ClientError::Refused { status, .. })
                if failures < AGAIN_MAX && status == http::StatusCode::SERVICE_UNAVAILABLE => {}
            Err(error) => return Err(error),
        }
        failures += 1;
        tokio::time::sleep(AGAIN).await;
    }
}

/// The whole lines of what is read; the last of the stream.
fn lines(
    left: &mut Vec<u8>,
    path: &str,
    each: &mut impl FnMut(&Value),
) -> Result<Option<Value>, ClientError> {
    let wrong = || ClientError::Answer { path: path.to_owned() };
    while let Some(end) = left.iter().position(|byte| *byte == b'\n') {
        let run: Value = serde_json::from_slice(&left[..end]).map_err(|_| wrong())?;
        left.drain(..=end);
        each(&run);
        if matches!(run["state"].as_str(), Some("completed" | "canceled" | "failed" | "suspended")) {
            return Ok(Some(run));
        }
    }
    if left.len() > LINE_BYTES_MAX { Err(wrong()) } else { Ok(None) }
}

/// Shows how far a run is, on a terminal.
pub(crate) struct Bar {
    bar: ProgressBar,
    is_bounded: bool,
}

impl Bar {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}  {elapsed}") {
            bar.set_style(style);
        }
        Self { bar, is_bounded: false }
    }

    pub(crate) fn show(&mut self, run: &Value) {
        let counts = &run["counts"];
        let expected = counts["expected"].as_u64().unwrap_or(0);
        let scanned = counts["scanned"].as_u64().unwrap_or(0);
        if expected > 0 && !self.is_bounded {
            self.is_bounded = true;
            if let Ok(style) = ProgressStyle::with_template("  [{bar:30}]  {msg}  {elapsed}") {
                self.bar.set_style(style);
            }
        }
        if self.is_bounded {
            self.bar.set_length(expected.max(scanned));
            self.bar.set_position(scanned);
        }
        self.bar.set_message(progress(run));
        self.bar.tick();
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// How far a run is, in a few words.
pub(crate) fn progress(run: &Value) -> String {
    let counts = &run["counts"];
    let mut words = vec![text(&run["state"]), scanned(counts)];
    if counts["written"] != 0 {
        words.push(format!("{} written", text(&counts["written"])));
    }
    if counts["failed"].as_u64().is_some_and(|failed| failed > 0) {
        words.push(format!("{} failed", text(&counts["failed"])));
    }
    if let Some(rate) = run["items_per_second"].as_f64() {
        words.push(format!("{rate:.0}/s"));
    }
    if let Some(seconds) = run["remaining_seconds"].as_f64() {
        words.push(format!("{} left", duration(seconds)));
    }
    words.join(", ")
}

/// How many were looked at; of how many, where somebody knows.
fn scanned(counts: &Value) -> String {
    let told = format!("{} scanned", text(&counts["scanned"]));
    match (counts["scanned"].as_u64(), counts["expected"].as_u64()) {
        // What is expected is an estimate: a run is not done before it ends.
        (Some(scanned), Some(expected @ 1..)) => {
            let percent = (u128::from(scanned) * 100 / u128::from(expected)).min(99);
            format!("{told} ({percent} % of about {expected})")
        }
        _ => told,
    }
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

pub(crate) fn print_jobs(answer: &Value) {
    let mut rows =
        Table::new(&["JOB", "KIND", "SCHEDULE", "NEXT (UTC)", "LAST RUN (UTC)", "STATE", "SCANNED"]);
    for job in answer["jobs"].as_array().into_iter().flatten() {
        let run = &job["last_run"];
        rows.row([
            text(&job["name"]),
            text(&job["kind"]),
            schedule(job),
            moment(&job["next_ms"]),
            moment(&run["created_ms"]),
            text(&run["state"]),
            text(&run["counts"]["scanned"]),
        ]);
    }
    rows.print();
}

fn schedule(job: &Value) -> String {
    if job["enabled"] == false {
        return "off".into();
    }
    match job["schedule"]["cron"].as_str() {
        Some(expression) => text(&expression.into()),
        None => text(&job["schedule"]),
    }
}

pub(crate) fn print_runs(answer: &Value) {
    let heads = ["RUN", "JOB", "KIND", "STATE", "STARTED (UTC)", "SCANNED", "WRITTEN", "FAILED", "ERROR"];
    let mut rows = Table::new(&heads);
    for run in answer["runs"].as_array().into_iter().flatten() {
        let counts = &run["counts"];
        rows.row([
            text(&run["id"]),
            text(&run["job"]),
            text(&run["kind"]),
            text(&run["state"]),
            moment(&run["started_ms"]),
            text(&counts["scanned"]),
            text(&counts["written"]),
            text(&counts["failed"]),
            text(&run["last_error"]),
        ]);
    }
    rows.print();
}

/// A job or a run, field by field; what is nothing is left out.
pub(crate) fn print_one(value: &Value) {
    let fields: Vec<_> =
        value.as_object().into_iter().flatten().filter(|(_, value)| !is_nothing(value)).collect();
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in fields {
        let told = match name.as_str() {
            name if name.ends_with("_ms") => moment(value),
            "items_per_second" => value.as_f64().map_or_else(|| text(value), |rate| format!("{rate:.0}")),
            "remaining_seconds" => value.as_f64().map_or_else(|| text(value), duration),
            "counts" => counts(value),
            "last_run" => format!("{} {}", text(&value["id"]), text(&value["state"])),
            _ => text(value),
        };
        let label = name.strip_suffix("_ms").unwrap_or(name).replace('_', " ");
        line(&format!("{label:<width$}  {told}"));
    }
}

fn counts(value: &Value) -> String {
    let told = value.as_object().into_iter().flatten().filter(|(_, count)| count.as_u64() != Some(0));
    let told = told.map(|(name, count)| match (name.as_str(), count.as_u64()) {
        ("bytes", Some(size)) => format!("{} written", bytes(size)),
        (name, _) => format!("{} {name}", text(count)),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

fn moment(value: &Value) -> String {
    value.as_i64().map_or_else(|| "-".into(), time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_however_the_bytes_are_cut_and_an_end_ends_them() {
        let stream = b"{\"state\":\"running\"}\n{\"state\":\"completed\"}\n";
        for cut in 0..stream.len() {
            let (mut left, mut told) = (Vec::new(), 0);
            let mut each = |_: &Value| told += 1;
            left.extend_from_slice(&stream[..cut]);
            assert!(lines(&mut left, "/", &mut each).unwrap().is_none());
            left.extend_from_slice(&stream[cut..]);
            let last = lines(&mut left, "/", &mut each).unwrap().unwrap();
            assert_eq!((last["state"].as_str(), told), (Some("completed"), 2));
        }
        assert!(lines(&mut b"no\n".to_vec(), "/", &mut |_| {}).is_err());
    }

    #[test]
    fn progress_is_told_in_a_few_words() {
        let run = json!({"state": "running", "items_per_second": 1000.4, "remaining_seconds": 61.0,
            "counts": {"scanned": 5, "written": 3, "failed": 1}});
        assert_eq!(progress(&run), "running, 5 scanned, 3 written, 1 failed, 1000/s, 1 min 1 s left");
        let known = json!({"state": "running", "counts": {"scanned": 50, "written": 0, "expected": 200}});
        assert_eq!(progress(&known), "running, 50 scanned (25 % of about 200)");
        let more = json!({"state": "running", "counts": {"scanned": 300, "written": 0, "expected": 200}});
        assert_eq!(progress(&more), "running, 300 scanned (99 % of about 200)");
        assert_eq!(duration(7260.0), "2 h 1 min");
    }
}
