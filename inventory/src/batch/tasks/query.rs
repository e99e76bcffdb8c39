//! A query as a list. Its answer is written down when a run begins, so that what a kill interrupts is gone on with over the
//! same objects, whatever the query would answer by then.

use std::sync::Arc;

use arrow_array::{Array as _, RecordBatch, StringArray};
use arrow_schema::{DataType, Schema};
use futures::StreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::parquet::text;
use super::{Task, fatal, path, store_error};
use crate::batch::queries::{Queries, QueryFailure};
use crate::batch::spec::Query;
use crate::jobs::{Context, WorkError};

/// The columns a query may have.
const COLUMNS: [&str; 4] = ["key", "bucket", "etag", "version"];
/// About how long a file of the answer is, in bytes.
const FILE_BYTES: usize = 8 << 20;

/// The answer of a query, written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::batch) struct Frozen {
    pub(in crate::batch) files: u64,
    pub(in crate::batch) rows: u64,
}

impl Frozen {
    /// The keys of its files below the place of a report.
    pub(in crate::batch) fn names(&self, place: &str) -> Vec<String> {
        (0..self.files).map(|number| name(place, number)).collect()
    }
}

/// Refuses columns that no objects could be named by.
pub(in crate::batch) fn check(columns: &Schema) -> Result<(), String> {
    for field in columns.fields() {
        if !COLUMNS.contains(&&**field.name()) {
            let name: String = field.name().chars().take(64).collect();
            return Err(format!("there is a column {name:?}; allowed: {}", COLUMNS.join(", ")));
        }
        let is_text = matches!(
            field.data_type(),
            DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Null
                | DataType::Dictionary(..)
        );
        if !is_text {
            return Err(format!("column {} is {}; it must be a text", field.name(), field.data_type()));
        }
    }
    match columns.field_with_name("key") {
        Ok(_) => Ok(()),
        Err(_) => Err("there is no column \"key\": it names the objects".into()),
    }
}

/// Asks and writes the answer below `place`. What an earlier attempt left there is written over.
pub(in crate::batch) async fn freeze(
    queries: &dyn Queries,
    query: &Query,
    bucket: &str,
    (store, place): (&Arc<dyn ObjectStore>, &str),
    (context, rows_max): (&Context, u64),
) -> Result<Frozen, WorkError> {
    let failed = |failure: QueryFailure| match failure.may_work_later {
        true => WorkError::Retry(format!("the query of the batch: {failure}"), None),
        false => fatal(format!("the query of the batch: {failure}")),
    };
    let author = &context.definition.author;
    let mut rows = queries.ask(query, author, rows_max).await.map_err(failed)?;
    let (mut frozen, mut lines) = (Frozen { files: 0, rows: 0 }, Vec::new());
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(failed)?;
        context.pace(batch.num_rows() as u64, 0).await?;
        check(&batch.schema()).map_err(|message| fatal(format!("the query of the batch: {message}")))?;
        let tasks =
            tasks(&batch, bucket).map_err(|message| fatal(format!("the query of the batch: {message}")))?;
        for task in tasks {
            frozen.rows += 1;
            lines.extend_from_slice(json!(task).to_string().as_bytes());
            lines.push(b'\n');
            if lines.len() >= FILE_BYTES {
                put(&**store, &name(place, frozen.files), std::mem::take(&mut lines)).await?;
                frozen.files += 1;
            }
        }
    }
    if !lines.is_empty() {
        put(&**store, &name(place, frozen.files), lines).await?;
        frozen.files += 1;
    }
    remove_behind(&**store, place, frozen.files).await?;
    Ok(frozen)
}

fn tasks(batch: &RecordBatch, bucket: &str) -> Result<Vec<Task>, String> {
    let keys = text(batch, "key").ok_or("column key is no text")?;
    let (buckets, etags) = (text(batch, "bucket"), text(batch, "etag"));
    let versions = text(batch, "version");
    let value = |column: &Option<StringArray>, row: usize| {
        let column = column.as_ref().filter(|column| !column.is_null(row))?;
        Some(column.value(row).to_owned())
    };
    let task = |row: usize| {
        if keys.is_null(row) {
            return Err("a row has no key".to_owned());
        }
        if let Some(version) = value(&versions, row).filter(|version| !matches!(&**version, "" | "null")) {
            return Err(format!("version {version:?}: an object of this server has one version, null"));
        }
        Ok(Task {
            bucket: value(&buckets, row).unwrap_or_else(|| bucket.to_owned()),
            key: keys.value(row).to_owned(),
            etag: value(&etags, row).map(|etag| etag.trim_matches('"').to_owned()),
            size: 0,
        })
    };
    (0..batch.num_rows()).map(task).collect()
}

fn name(place: &str, number: u64) -> String {
    format!("{place}/query/{number:06}.jsonl")
}

async fn put(store: &dyn ObjectStore, key: &str, bytes: Vec<u8>) -> Result<(), WorkError> {
    store.put(&path(key)?, bytes.into()).await.map(drop).map_err(|error| store_error(key, error))
}

/// Takes away files of an earlier attempt whose answer was longer.
async fn remove_behind(store: &dyn ObjectStore, place: &str, mut number: u64) -> Result<(), WorkError> {
    loop {
        let key = name(place, number);
        match store.head(&path(&key)?).await {
            Ok(_) => store.delete(&path(&key)?).await.map_err(|error| store_error(&key, error))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(store_error(&key, error)),
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, of)| (name, of, true)))
            .unwrap()
    }

    #[test]
    fn rows_name_objects_and_other_columns_are_refused_with_what_is_allowed() {
        let texts = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        let good = batch(vec![
            ("key", texts(vec![Some("a"), Some("b")])),
            ("bucket", texts(vec![None, Some("other")])),
            ("etag", texts(vec![Some("\"0a\""), None])),
            ("version", texts(vec![Some("null"), None])),
        ]);
        check(&good.schema()).unwrap();
        let told: Vec<_> = tasks(&good, "here").unwrap();
        assert_eq!((&*told[0].bucket, told[0].etag.as_deref()), ("here", Some("0a")));
        assert_eq!((&*told[1].bucket, &*told[1].key), ("other", "b"));
        let versioned = batch(vec![("key", texts(vec![Some("a")])), ("version", texts(vec![Some("v7")]))]);
        assert!(tasks(&versioned, "here").unwrap_err().contains("one version"));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        for (columns, wrong) in [
            (vec![("bucket", texts(vec![None]))], "no column \"key\""),
            (vec![("key", numbers.clone())], "column key is Int64; it must be a text"),
            (vec![("key", texts(vec![None])), ("size", numbers)], "allowed: key, bucket, etag, version"),
        ] {
            let refused = check(&batch(columns).schema()).unwrap_err();
            assert!(refused.contains(wrong), "{refused}");
        }
    }
}
