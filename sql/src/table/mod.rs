//! Tables of the catalog.
//!
//! - R1: a file is read only if the reader may read it: one of the table's own unless that is denied, another one only
//!   with the right to that object.
//! - R2: files go through the engine's own Parquet source where the columns are single values and the file has no deletes,
//!   or only of positions; else through the reader that applies deletes of every kind (`parts`).

mod adapter;
mod filter;
mod footers;
mod open;
mod parts;
mod plain;
mod rows;
mod statistics;
mod version;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use object_store::path::Path;
use tarn_catalog::manifests::{Content, ContentFile, DeleteIndex};
use tarn_catalog::metadata::TableMetadata;
use tarn_catalog::reads::{File, Files, Read, ReadError, ReadPlanner, ReadSchema};
use tarn_catalog::state::TableIdent;
use tarn_inventory::rows::{RowsError, TableRows};
use tarn_openapi::access::{Action, Resource};

pub(crate) use self::footers::Footers;
pub(crate) use self::open::{Tables, open};
use self::parts::{DeletedIn, How, Reading};
use self::plain::Source;
use self::statistics::Rows;
use crate::{Bound, QueryError, Reader};

/// A table at one of its snapshots, as one reader sees it.
pub(crate) struct CatalogTable {
    ident: TableIdent,
    metadata: Arc<TableMetadata>,
    metadata_location: Arc<str>,
    /// `None` before the first.
    snapshot: Option<i64>,
    names: ReadSchema,
    rows: Arc<TableRows>,
    schema: SchemaRef,
    planner: Arc<ReadPlanner>,
    footers: Arc<Footers>,
    files_max: usize,
    who: Arc<dyn Reader>,
}

impl fmt::Debug for CatalogTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.ident.warehouse, self.ident)
    }
}

/// The files of a scan by how they are read (R2).
struct Sorted<'a> {
    /// By bucket.
    plain: HashMap<String, Vec<(Path, &'a File)>>,
    others: Vec<Other<'a>>,
}

/// A file that is not read alone by the engine's source.
struct Other<'a> {
    bucket: String,
    path: Path,
    file: &'a File,
    how: How,
}

impl CatalogTable {
    async fn plan(&self, snapshot_id: i64, filters: &[Expr]) -> Result<Files, QueryError> {
        let filter = filter::to_json(filters, &|name| {
            let column = self.schema.index_of(name).ok()?;
            self.rows.is_primitive(column).then(|| self.rows.field_id(column))
        });
        let everything = serde_json::Value::Bool(true);
        match self.read(snapshot_id, &filter).await {
            // A filter only leaves files out, so none is as good where this one is not taken.
            Err(ReadError::Filter(_)) => self.read(snapshot_id, &everything).await,
            other => other,
        }
        .map_err(|error| match error {
            ReadError::TooMany { files_max } => {
                Bound::Files { table: format!("{self:?}"), max: files_max }.into()
            }
            ReadError::Filter(message) => QueryError::Failed(message, None),
            ReadError::Manifest(source) => QueryError::Failed(source.to_string(), Some(Box::new(source))),
        })
    }

    async fn read(&self, snapshot_id: i64, filter: &serde_json::Value) -> Result<Files, ReadError> {
        let read = Read {
            table: &self.ident,
            metadata_location: &self.metadata_location,
            metadata: &self.metadata,
            snapshot_id,
            schema: self.names,
            filter,
            files_max: self.files_max,
        };
        self.planner.files(read).await
    }

    fn sort<'a>(&self, files: &'a Files, columns: &[usize]) -> Result<Sorted<'a>, QueryError> {
        let mut sorted = Sorted { plain: HashMap::new(), others: Vec::new() };
        let single = columns.iter().all(|&column| self.rows.is_primitive(column));
        let mut identity: HashMap<i32, Vec<i32>> = HashMap::new();
        for file in &files.files {
            let (bucket, path) = self.allowed(&file.file().path)?;
            for &at in file.deletes() {
                self.allowed(&files.deletes.file(at).file().path)?;
            }
            let spec_id = file.partition().spec_id;
            let by_partition = identity.entry(spec_id).or_insert_with(|| self.rows.identity_ids(spec_id));
            let content = file.file();
            // An imported file may leave out what its partition tells.
            let is_whole = columns
                .iter()
                .map(|&column| self.rows.field_id(column))
                .filter(|id| by_partition.contains(id))
                .all(|id| content.value_count(id).is_some());
            let is_known = &*content.format == "parquet" && content.key_metadata.is_none();
            let is_plain = single && is_whole && is_known;
            if is_plain && file.deletes().is_empty() {
                sorted.plain.entry(bucket).or_default().push((path, file));
                continue;
            }
            let mut deletes = file.deletes().iter().map(|&at| files.deletes.file(at).file());
            let how = match is_plain && deletes.all(|delete| delete.content == Content::PositionDeletes) {
                true => How::Positions,
                false => How::Values { is_whole },
            };
            sorted.others.push(Other { bucket, path, file, how });
        }
        Ok(sorted)
    }

    /// Where a file lies, if the reader may read it (R1).
    fn allowed(&self, location: &str) -> Result<(String, Path), QueryError> {
        let found = ["s3://", "s3a://", "s3n://"].iter().find_map(|scheme| location.strip_prefix(scheme));
        let (bucket, key) = found.and_then(|found| found.split_once('/')).ok_or_else(|| {
            QueryError::Unsupported(format!("file {location} of table {self:?} is in no bucket"))
        })?;
        let own = self.metadata.location().strip_prefix("s3://").unwrap_or_default();
        let own = format!("{}/", own.trim_end_matches('/'));
        let object = Resource::Object(bucket, key);
        let is_own = format!("{bucket}/{key}").starts_with(&own);
        let may = if is_own {
            !self.who.is_denied(Action::GetObject, object)
        } else {
            self.who.may(Action::GetObject, object)
        };
        let path = Path::parse(key).ok().filter(|path| path.as_ref() == key);
        match (may, path) {
            (true, Some(path)) => Ok((bucket.to_owned(), path)),
            (true, None) => Err(QueryError::Unsupported(format!("{location} is no name of a file"))),
            (false, _) => Err(QueryError::Invalid(format!(
                "you may not read file {location}, which is part of table {self:?}"
            ))),
        }
    }
}

impl CatalogTable {
    /// Reads the files in which rows are deleted.
    async fn others(
        &self,
        session: &dyn Session,
        others: Vec<Other<'_>>,
        deletes: &DeleteIndex,
        (columns, schema): (Vec<usize>, SchemaRef),
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files: Vec<&File> = others.iter().map(|other| other.file).collect();
        let contents: Vec<&ContentFile> = files.iter().map(|file| file.file()).collect();
        let statistics = statistics::of(&contents, &self.rows, &self.schema, Rows::AtMost);
        let mut statistics = statistics.project(Some(&columns));
        statistics.calculate_total_byte_size(&schema);
        let mut deleted = self.rows.deleted(&files, deletes).await.map_err(unread)?;
        let mut sources: HashMap<String, Source> = HashMap::new();
        let mut read = Vec::with_capacity(others.len());
        for Other { bucket, path, file, how } in others {
            let source = match sources.get(&bucket) {
                Some(source) => source.clone(),
                None => Source::new(self, session, &bucket)?,
            };
            sources.insert(bucket, source.clone());
            let rows = self.rows.file(file, deletes, &mut deleted).map_err(unread)?;
            read.push(DeletedIn { source, known: plain::known(path, file.file()), rows, how });
        }
        let reading = Reading { columns, schema, filters: Vec::new() };
        Ok(rows::scan((read, session.config().target_partitions()), reading, statistics))
    }
}

#[async_trait]
impl TableProvider for CatalogTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema.fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let schema = Arc::new(self.schema.project(&columns)?);
        let Some(snapshot) = self.snapshot else { return Ok(Arc::new(EmptyExec::new(schema))) };
        let files = self.plan(snapshot, filters).await?;
        let Sorted { plain, others } = self.sort(&files, &columns)?;
        let mut parts: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        for (bucket, files) in plain {
            parts.push(plain::scan(self, session, (&bucket, files), &columns)?);
        }
        if !others.is_empty() {
            parts.push(self.others(session, others, &files.deletes, (columns, schema.clone())).await?);
        }
        match parts.len() {
            0 => Ok(Arc::new(EmptyExec::new(schema))),
            1 => Ok(parts.swap_remove(0)),
            _several => UnionExec::try_new(parts),
        }
    }
}

fn unread(error: RowsError) -> QueryError {
    match error {
        RowsError::Table(_) | RowsError::File { .. } | RowsError::Positions => {
            QueryError::Unsupported(error.to_string())
        }
        RowsError::Failed { .. } => QueryError::Failed(error.to_string(), Some(Box::new(error))),
    }
}
