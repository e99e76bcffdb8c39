//! Definitions of jobs: documents of the catalog's log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schedule::Schedule;

/// What is to be done, when, and for whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name among all jobs: 1 to 255 characters. Of an inventory `<bucket>/<id>`.
    pub name: String,
    /// The kind of work.
    pub kind: String,
    /// What that kind does, in its full form.
    pub spec: Value,
    /// When it runs.
    pub schedule: Schedule,
    /// Whether the schedule holds. Runs can be asked for all the same.
    pub enabled: bool,
    /// Whose rights it has.
    pub author: Author,
    /// Which goes first when several wait.
    #[serde(default)]
    pub priority: Priority,
    /// Items it looks at per second at most; `None`: as the server allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_per_second_max: Option<u64>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed.
    pub changed_ms: i64,
}

/// Who made a job: it runs with the rights its author has then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The access key; `None` is root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What tells the key from another of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Which job goes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// When nothing else waits.
    Low,
    /// As most.
    #[default]
    Normal,
    /// Before others.
    High,
}
