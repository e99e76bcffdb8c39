//! The settings of SQL.

use std::path::PathBuf;
use std::time::Duration;

use tarn_sql::Limits;

use super::keys;
use super::layers::{ConfigError, Layers};
use super::settings::{at_once, mebibytes, positive, required, seconds};

/// What queries may take.
#[derive(Debug, Clone)]
pub struct SqlSettings {
    /// What an answer may take where the query does not say.
    pub limits: Limits,
    /// The longest time that a query may ask for.
    pub time_max: Duration,
    /// Memory of one query, in bytes; `None`: by what bodies may hold.
    pub memory_bytes: Option<usize>,
    /// What one query may spill, in bytes.
    pub spill_bytes: u64,
    /// Where to; `None`: the system's directory for temporary files.
    pub spill_dir: Option<PathBuf>,
    /// Queries that run at a time.
    pub queries_at_once: usize,
    /// Those of one key or person.
    pub queries_of_one: usize,
}

impl SqlSettings {
    pub(super) fn read(layers: &Layers) -> Result<Self, ConfigError> {
        let limits = Limits {
            rows: required(layers, keys::SQL_ROWS, positive)? as u64,
            bytes: required(layers, keys::SQL_ANSWER_MIB, mebibytes)?,
            time: seconds(layers, keys::SQL_SECONDS)?,
        };
        let time_max = seconds(layers, keys::SQL_SECONDS_MAX)?;
        if time_max < limits.time {
            let (name, from) = (keys::SQL_SECONDS_MAX, layers.list(keys::SQL_SECONDS_MAX).0);
            let reason = format!("it is less than {}", keys::SQL_SECONDS);
            return Err(ConfigError::Invalid { name, from, reason });
        }
        Ok(Self {
            limits,
            time_max,
            memory_bytes: layers.one(keys::SQL_MEMORY_MIB, memory)?,
            spill_bytes: required(layers, keys::SQL_SPILL_MIB, mebibytes)?,
            spill_dir: layers.one(keys::SQL_SPILL_DIR, directory)?,
            queries_at_once: required(layers, keys::SQL_QUERIES, at_once)?,
            queries_of_one: required(layers, keys::SQL_QUERIES_OF_ONE, at_once)?,
        })
    }
}

/// In bytes: less than 16 MiB is too little for a sort.
fn memory(text: &str) -> Result<usize, &'static str> {
    let mebibytes = positive(text)?;
    let bytes = mebibytes.checked_mul(1 << 20).filter(|_| mebibytes >= 16);
    bytes.ok_or("a number of MiB from 16 on is expected")
}

fn directory(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err("a directory that is there is expected") }
}
