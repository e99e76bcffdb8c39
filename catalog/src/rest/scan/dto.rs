//! The JSON of scan planning, field names as the specification has them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::rest::error::Failure;
use crate::scan::{Case, Expr, ScanRequest, SchemaChoice, SnapshotRange, parse_filter};

/// Names of a `select` or of `stats-fields`.
const NAMES_MAX: usize = 10_000;

/// A scan to plan: of one snapshot, or of what was appended between two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PlanTableScanRequest {
    /// Absent: the current snapshot.
    snapshot_id: Option<i64>,
    #[serde(default)]
    select: Option<Vec<String>>,
    /// A predicate, in the old form or the new.
    #[serde(default)]
    #[schema(value_type = Object)]
    filter: Option<Value>,
    /// A hint that is not used: a client may have more conditions than it sends.
    #[serde(default)]
    #[expect(dead_code, reason = "only its type is checked")]
    min_rows_requested: Option<i64>,
    #[serde(default)]
    case_sensitive: Option<bool>,
    #[serde(default)]
    use_snapshot_schema: Option<bool>,
    /// Exclusive.
    start_snapshot_id: Option<i64>,
    /// Inclusive.
    end_snapshot_id: Option<i64>,
    /// Fields whose metrics are answered; absent: none.
    #[serde(default)]
    stats_fields: Option<Vec<String>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct FetchScanTasksRequest {
    pub(crate) plan_task: String,
}

/// The schema of a plan's answer, which is written as bytes (`answer.rs`).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PlanTableScanResult {
    /// Always `completed`: large scans are answered with plan tasks at once.
    status: String,
    plan_id: String,
    #[serde(flatten)]
    tasks: FetchScanTasksResult,
}

/// The schema of a task's answer, which is written as bytes (`answer.rs`).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct FetchScanTasksResult {
    #[schema(value_type = Vec<Object>)]
    file_scan_tasks: Vec<Value>,
    #[schema(value_type = Vec<Object>)]
    delete_files: Vec<Value>,
    plan_tasks: Vec<String>,
}

impl PlanTableScanRequest {
    /// The request in the words of the domain, and the bytes that keeping it takes.
    pub(crate) fn into_scan(self) -> Result<(ScanRequest, usize), Failure> {
        let range = match (self.snapshot_id, self.start_snapshot_id, self.end_snapshot_id) {
            (None, None, None) => SnapshotRange::Current,
            (Some(id), None, None) => SnapshotRange::At(id),
            (None, Some(after), Some(through)) => SnapshotRange::Appended { after, through },
            (None, Some(_), None) | (None, None, Some(_)) => {
                return Err(Failure::bad_request("start-snapshot-id and end-snapshot-id come together"));
            }
            (Some(_), _, _) => {
                return Err(Failure::bad_request("snapshot-id does not go with a range of snapshots"));
            }
        };
        let (select, stats_fields) = (self.select.unwrap_or_default(), self.stats_fields.unwrap_or_default());
        if select.len().max(stats_fields.len()) > NAMES_MAX {
            return Err(Failure::bad_request(format!("more than {NAMES_MAX} fields are named")));
        }
        let filter = match &self.filter {
            None | Some(Value::Null) => Expr::True,
            Some(json) => parse_filter(json).map_err(|error| Failure::bad_request(error.to_string()))?,
        };
        // A bound filter is about as long as its JSON, once more for the specs it is projected on.
        let bytes = 1024 + 4 * self.filter.map_or(0, |json| json.to_string().len());
        let request = ScanRequest {
            range,
            select,
            filter,
            case: if self.case_sensitive == Some(false) { Case::Insensitive } else { Case::Sensitive },
            schema: if self.use_snapshot_schema == Some(true) {
                SchemaChoice::Snapshot
            } else {
                SchemaChoice::Table
            },
            stats_fields,
        };
        Ok((request, bytes))
    }
}
