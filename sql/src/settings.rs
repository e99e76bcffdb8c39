//! What is asked, and how much it may take. Every limit has a unit.

use std::path::PathBuf;
use std::time::Duration;

/// What all queries together may take. `Default` suits a small machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads that queries compute on.
    pub threads: usize,
    /// Queries that run at a time.
    pub queries_at_once: usize,
    /// Queries of one reader that run at a time.
    pub queries_of_one: usize,
    /// How long one more waits for its turn.
    pub turn_wait: Duration,
    /// Memory of one query, in bytes.
    pub memory_bytes: usize,
    /// Bytes that one query may spill to disk.
    pub spill_bytes: u64,
    /// Where it spills to.
    pub spill_dir: PathBuf,
    /// The longest text of a query, in bytes.
    pub text_bytes_max: usize,
    /// The most words, numbers and signs of a query.
    pub tokens_max: usize,
    /// The most operators of a query: a chain of them costs the square of its length to plan.
    pub operators_max: usize,
    /// Levels that a query may nest.
    pub depth_max: usize,
    /// Data files of one table that a query may read.
    pub files_max: usize,
    /// Operators and expressions of a query's plan, with those of the views in it.
    pub plan_parts_max: usize,
    /// How much an answer may take where the question does not say.
    pub limits: Limits,
    /// The longest time that a question may ask for.
    pub time_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            queries_at_once: 4,
            queries_of_one: 3,
            turn_wait: Duration::from_secs(5),
            memory_bytes: 512 << 20,
            spill_bytes: 4 << 30,
            spill_dir: std::env::temp_dir(),
            text_bytes_max: 256 << 10,
            tokens_max: 20_000,
            operators_max: 1_000,
            depth_max: 50,
            files_max: 200_000,
            plan_parts_max: 200_000,
            limits: Limits::default(),
            time_max: Duration::from_secs(3600),
        }
    }
}

/// How much one answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows of the answer.
    pub rows: u64,
    /// Bytes of the answer, as Arrow holds them.
    pub bytes: u64,
    /// From the question to the end of the answer.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 10_000_000, bytes: 8 << 30, time: Duration::from_secs(300) }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// One statement.
    pub sql: String,
    /// The warehouse of names that give none.
    pub warehouse: String,
    /// The namespace of names that give none, its levels separated by dots.
    pub namespace: Option<String>,
    /// How much the answer may take.
    pub limits: Limits,
}

impl Question {
    /// With the usual limits.
    pub fn new(sql: impl Into<String>, warehouse: impl Into<String>) -> Self {
        Self { sql: sql.into(), warehouse: warehouse.into(), namespace: None, limits: Limits::default() }
    }
}
