//! What a run prints: one JSON line with rates and latency percentiles.

use std::time::Duration;

use serde::Serialize;

/// The figures of one run. Latencies in microseconds, measured by the client per request.
#[derive(Serialize)]
pub struct Report {
    pub name: String,
    pub clients: usize,
    pub operations: u64,
    pub seconds: f64,
    pub operations_per_second: f64,
    pub mebibytes_per_second: f64,
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
    pub conflicts: u64,
    /// Operations given up after their last retry.
    pub gave_up: u64,
    /// Operations of the client with the fewest, and of the one with the most.
    pub fewest: usize,
    pub most: usize,
}

/// What one client counted.
#[derive(Default)]
pub struct Tally {
    pub latencies: Vec<Duration>,
    pub bytes: u64,
    pub conflicts: u64,
    pub gave_up: u64,
}

impl Report {
    pub fn new(name: &str, tallies: Vec<Tally>, elapsed: Duration) -> Self {
        let clients = tallies.len();
        let bytes: u64 = tallies.iter().map(|tally| tally.bytes).sum();
        let conflicts = tallies.iter().map(|tally| tally.conflicts).sum();
        let gave_up = tallies.iter().map(|tally| tally.gave_up).sum();
        let done = || tallies.iter().map(|tally| tally.latencies.len());
        let (fewest, most) = (done().min().unwrap_or(0), done().max().unwrap_or(0));
        let mut latencies: Vec<u64> = tallies
            .iter()
            .flat_map(|tally| &tally.latencies)
            .map(|latency| latency.as_micros() as u64)
            .collect();
        latencies.sort_unstable();
        let at =
            |share: f64| latencies.get(((latencies.len() as f64 - 1.0).max(0.0) * share) as usize).copied();
        let seconds = elapsed.as_secs_f64();
        Self {
            name: name.into(),
            clients,
            operations: latencies.len() as u64,
            seconds,
            operations_per_second: latencies.len() as f64 / seconds,
            mebibytes_per_second: bytes as f64 / 1_048_576.0 / seconds,
            p50_us: at(0.50).unwrap_or(0),
            p99_us: at(0.99).unwrap_or(0),
            max_us: at(1.0).unwrap_or(0),
            conflicts,
            gave_up,
            fewest,
            most,
        }
    }

    pub fn print(&self) {
        println!("{}", serde_json::to_string(self).expect("a report is plain data"));
    }
}
