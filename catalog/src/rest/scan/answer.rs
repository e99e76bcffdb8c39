//! Plans as bytes.
//!
//! Bounds are the hexadecimal of their binary form, not JSON values as the specification has them:
//! it is what released clients read (docs/API-QUIRKS.md).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, header};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value as Json;

use crate::files::blocking;
use crate::scan::{
    Content, ContentFile, Group, Page, Partition, Planned, TaskId, filter_to_json, write_literal,
};

/// Answers of more files are written on a thread of their own; a hop costs more than a small one.
const IN_PLACE_FILES_MAX: usize = 64;

/// The answer to a plan.
pub(crate) async fn completed(planned: Planned, storage_credentials: Option<Json>) -> Response {
    let is_secret = storage_credentials.is_some();
    let mut response = respond(planned, Form::Plan { storage_credentials }).await;
    if is_secret {
        let value = HeaderValue::from_static("private, no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    response
}

/// The answer to a plan task.
pub(crate) async fn tasks(planned: Planned) -> Response {
    respond(planned, Form::Tasks).await
}

enum Form {
    Plan { storage_credentials: Option<Json> },
    Tasks,
}

async fn respond(planned: Planned, form: Form) -> Response {
    let in_place = planned.page.tasks.len() <= IN_PLACE_FILES_MAX;
    let bytes =
        if in_place { write(&planned, &form) } else { blocking(move || write(&planned, &form)).await };
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
}

fn write(planned: &Planned, form: &Form) -> Bytes {
    let answer = Answer { planned, form };
    // Strings and numbers are all there is; writing them to memory does not fail.
    serde_json::to_vec(&answer).unwrap_or_default().into()
}

struct Answer<'a> {
    planned: &'a Planned,
    form: &'a Form,
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Planned { id, scan, page } = self.planned;
        let mut map = serializer.serialize_map(None)?;
        match self.form {
            Form::Plan { storage_credentials } => {
                map.serialize_entry("status", "completed")?;
                map.serialize_entry("plan-id", &id.simple().to_string())?;
                if let Some(storage) = storage_credentials {
                    map.serialize_entry("storage-credentials", storage)?;
                }
            }
            Form::Tasks => {}
        }
        // Clients take neither delete files without data files nor an empty list of tasks for none.
        if !page.rest.is_empty() {
            let task = |range| TaskId { plan: *id, range }.to_string();
            let tasks: Vec<String> = page.rest.iter().cloned().map(task).collect();
            map.serialize_entry("plan-tasks", &tasks)?;
        }
        let deletes = Deletes::of(page);
        if !deletes.files.is_empty() {
            map.serialize_entry(
                "delete-files",
                &List(|| deletes.files.iter().map(|at| deletes.json(page, *at))),
            )?;
        }
        let groups = Groups::default();
        let stats = &scan.stats;
        let tasks = List(|| {
            page.tasks.iter().map(|task| {
                let (partition, residual) = groups.json(&task.group);
                let first_row_id = task.first_row_id;
                let file = FileJson {
                    file: task.file(),
                    spec_id: task.group.partition.spec_id,
                    partition,
                    first_row_id,
                    stats,
                };
                TaskJson { file, deletes: deletes.positions(&task.deletes), residual }
            })
        });
        map.serialize_entry("file-scan-tasks", &tasks)?;
        map.end()
    }
}

/// A list that is made as it is written.
struct List<F>(F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for List<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// The delete files of a page, each once.
struct Deletes {
    files: Vec<u32>,
    places: HashMap<u32, usize>,
}

impl Deletes {
    fn of(page: &Page) -> Self {
        let mut deletes = Self { files: Vec::new(), places: HashMap::new() };
        for at in page.tasks.iter().flat_map(|task| &task.deletes) {
            deletes.places.entry(*at).or_insert_with(|| {
                deletes.files.push(*at);
                deletes.files.len() - 1
            });
        }
        deletes
    }

    fn positions(&self, files: &[u32]) -> Vec<usize> {
        files.iter().filter_map(|at| self.places.get(at).copied()).collect()
    }

    fn json<'a>(&self, page: &'a Page, at: u32) -> FileJson<'a> {
        let delete = page.deletes.file(at);
        FileJson {
            file: delete.file(),
            spec_id: delete.partition.spec_id,
            partition: partition_json(&delete.partition),
            first_row_id: None,
            stats: const { &BTreeSet::new() },
        }
    }
}

/// The JSON of a group: it is the same for all files of a partition.
type GroupJson = (Arc<Vec<Json>>, Arc<Json>);

/// The group written last, and its JSON.
#[derive(Default)]
struct Groups(std::cell::RefCell<Option<(*const Group, GroupJson)>>);

impl Groups {
    fn json(&self, group: &Arc<Group>) -> GroupJson {
        let address = Arc::as_ptr(group);
        let mut last = self.0.borrow_mut();
        match &*last {
            Some((known, json)) if *known == address => json.clone(),
            Some(_) | None => {
                let json = (partition_json(&group.partition), Arc::new(filter_to_json(&group.residual)));
                *last = Some((address, json.clone()));
                json
            }
        }
    }
}

fn partition_json(partition: &Partition) -> Arc<Vec<Json>> {
    let value = |(of, value): &_| match value {
        Some(value) => write_literal(of, value),
        None => Json::Null,
    };
    Arc::new(partition.values.iter().map(value).collect())
}

struct TaskJson<'a> {
    file: FileJson<'a>,
    deletes: Vec<usize>,
    residual: Arc<Json>,
}

impl Serialize for TaskJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("data-file", &self.file)?;
        if !self.deletes.is_empty() {
            map.serialize_entry("delete-file-references", &self.deletes)?;
        }
        map.serialize_entry("residual-filter", &*self.residual)?;
        map.end()
    }
}

struct FileJson<'a> {
    file: &'a ContentFile,
    spec_id: i32,
    partition: Arc<Vec<Json>>,
    first_row_id: Option<i64>,
    stats: &'a BTreeSet<i32>,
}

impl Serialize for FileJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let file = self.file;
        let content = match file.content {
            Content::Data => "data",
            Content::PositionDeletes => "position-deletes",
            Content::EqualityDeletes => "equality-deletes",
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("spec-id", &self.spec_id)?;
        map.serialize_entry("content", content)?;
        map.serialize_entry("file-path", &file.path)?;
        map.serialize_entry("file-format", &file.format)?;
        map.serialize_entry("partition", &*self.partition)?;
        map.serialize_entry("file-size-in-bytes", &file.size_bytes)?;
        map.serialize_entry("record-count", &file.record_count)?;
        if !self.stats.is_empty() {
            let number = |value: &i64| Json::from(*value);
            map.serialize_entry("column-sizes", &by_field(&file.column_sizes, self.stats, number))?;
            map.serialize_entry("value-counts", &by_field(&file.value_counts, self.stats, number))?;
            map.serialize_entry("null-value-counts", &by_field(&file.null_counts, self.stats, number))?;
            map.serialize_entry("nan-value-counts", &by_field(&file.nan_counts, self.stats, number))?;
            map.serialize_entry("lower-bounds", &by_field(&file.lower_bounds, self.stats, hexadecimal))?;
            map.serialize_entry("upper-bounds", &by_field(&file.upper_bounds, self.stats, hexadecimal))?;
        }
        if let Some(key) = &file.key_metadata {
            map.serialize_entry("key-metadata", &hex::encode_upper(key))?;
        }
        if !file.split_offsets.is_empty() {
            map.serialize_entry("split-offsets", &file.split_offsets)?;
        }
        if !file.equality_ids.is_empty() {
            map.serialize_entry("equality-ids", &file.equality_ids)?;
        }
        let numbers = [
            ("sort-order-id", file.sort_order_id.map(i64::from)),
            ("first-row-id", self.first_row_id),
            ("content-offset", file.content_offset),
            ("content-size-in-bytes", file.content_size_bytes),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                map.serialize_entry(name, &number)?;
            }
        }
        if let Some(path) = &file.referenced_data_file {
            // Not in the specification's schema; Java and PyIceberg read deletion vectors by it.
            map.serialize_entry("referenced-data-file", path)?;
        }
        map.end()
    }
}

fn hexadecimal(bytes: &impl AsRef<[u8]>) -> Json {
    hex::encode_upper(bytes).into()
}

/// Keys and values beside each other, of the wanted fields.
fn by_field<T>(fields: &[(i32, T)], wanted: &BTreeSet<i32>, json: impl Fn(&T) -> Json) -> Json {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for (id, value) in fields.iter().filter(|(id, _)| wanted.contains(id)) {
        keys.push(Json::from(*id));
        values.push(json(value));
    }
    serde_json::json!({"keys": keys, "values": values})
}
