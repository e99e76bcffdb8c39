//! The rows of a table for readers in this process: every data file with its deletes applied, its columns by field id.
//!
//! - T1: what is read is what the table spec says that a reader sees: deletes of every kind, promotions, defaults, values
//!   of identity partitions.
//! - T2: what cannot be read faithfully is an error.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Fields, SchemaRef};
use arrow_select::filter::filter_record_batch;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use iceberg::spec::{
    Literal, NestedField, NestedFieldRef, PrimitiveLiteral, TableMetadata as Parsed, Transform, Type,
};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection, RowSelector};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use tarn_catalog::WarehouseStores;
use tarn_catalog::manifests::{
    Content, ContentFile, DeleteFile, DeleteIndex, Partition, PartitionKey, Value,
};
use tarn_catalog::metadata::TableMetadata;
use tarn_catalog::metadata::types::PrimitiveType;
use tarn_catalog::reads::File;

use super::columns::{Constants, Projection, constant, with_ids};
use super::equality::{self, EqualityDeletes};
use super::head::check_defaults;
use super::positions;
use super::rewrite::selection;
use super::schema::{Columns, field_of};
use super::stored::StoredFile;
use super::{CompactError, POSITIONS_MAX, Stop};
use crate::Settings;
use crate::files::Files;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// Rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The table has something that is not understood.
    #[error("the table cannot be read: {0}")]
    Table(String),
    /// A file cannot be read faithfully (T2).
    #[error("file {location} cannot be read: it is one {why}")]
    File {
        /// The file.
        location: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The files of one read have too many deleted rows.
    #[error("more than {POSITIONS_MAX} rows are deleted by position in the files of one read")]
    Positions,
    /// A file could not be read.
    #[error("file {location} could not be read")]
    Failed {
        /// The file.
        location: String,
        /// Why.
        #[source]
        source: Box<CompactError>,
    },
}

/// A table as one of its schemas shows it.
pub struct TableRows {
    files: Arc<Files>,
    table: Arc<Parsed>,
    columns: Columns,
}

/// What is deleted in the files of one read.
#[derive(Default)]
pub struct Deleted {
    /// Ascending, by data file.
    positions: HashMap<String, Vec<u64>>,
    /// By partition.
    equality: HashMap<PartitionKey, Arc<EqualityDeletes>>,
}

/// A data file, and what is deleted in it.
pub struct FileRows {
    location: String,
    size_bytes: u64,
    rows: u64,
    sequence_number: i64,
    constants: Constants,
    vector: Option<Vector>,
    positions: Vec<u64>,
    equality: Option<Arc<EqualityDeletes>>,
}

/// Which row groups of a file may hold a row that is wanted; `None` is all of them.
pub type Wanted<'a> = dyn Fn(&ArrowReaderMetadata) -> Option<Vec<bool>> + Send + Sync + 'a;

/// Where a deletion vector lies.
struct Vector {
    location: String,
    range: Option<(i64, i64)>,
    rows: u64,
}

impl TableRows {
    /// Of a table as the schema of this id shows it.
    pub fn new(
        stores: Arc<dyn WarehouseStores>,
        metadata: &TableMetadata,
        schema_id: i32,
    ) -> Result<Self, RowsError> {
        let json = metadata.to_json();
        let unknown = |error: serde_json::Error| RowsError::Table(error.to_string());
        let table: Parsed = serde_json::from_slice(&json).map_err(unknown)?;
        let value = serde_json::from_slice(&json).map_err(unknown)?;
        let schema = table.schema_by_id(schema_id);
        let schema = schema.ok_or_else(|| RowsError::Table(format!("it has no schema {schema_id}")))?;
        check_defaults(&value, schema).map_err(|error| RowsError::Table(error.to_string()))?;
        let columns = Columns::new(schema.as_struct().fields().to_vec());
        let columns = columns.map_err(|error| RowsError::Table(error.to_string()))?;
        let pace =
            Settings { operations_per_second: u32::MAX, bytes_per_second: u64::MAX, ..Settings::default() };
        Ok(Self { files: Arc::new(Files::new(stores, &pace)), table: Arc::new(table), columns })
    }

    /// The columns, as Arrow has them.
    pub fn schema(&self) -> &SchemaRef {
        &self.columns.arrow
    }

    /// The field id of a column.
    pub fn field_id(&self, column: usize) -> i32 {
        self.field(column).id
    }

    /// Whether the values of a column are single ones.
    pub fn is_primitive(&self, column: usize) -> bool {
        matches!(*self.field(column).field_type, Type::Primitive(_))
    }

    /// What a file without the column has in every row, as an array of one; `None` is null.
    pub fn default_of(&self, column: usize) -> Option<ArrayRef> {
        let field = self.field(column);
        constant(field.initial_default.as_ref()?, &field.field_type)
    }

    /// The columns of a file with their field ids, by the table's name mapping where the file has none.
    pub fn with_ids(&self, own: &Fields) -> Result<Fields, RowsError> {
        with_ids(own, &self.table).map_err(|stop| failed("of the table", stop))
    }

    fn field(&self, column: usize) -> &NestedFieldRef {
        &self.columns.schema.as_struct().fields()[column]
    }

    /// Reads the deletes of files. Deletion vectors are read with their file.
    pub async fn deleted(&self, files: &[&File], index: &DeleteIndex) -> Result<Deleted, RowsError> {
        let mut by_partition: HashMap<&PartitionKey, HashSet<u32>> = HashMap::new();
        let mut wanted: HashMap<u32, HashSet<&str>> = HashMap::new();
        for file in files {
            for &at in file.deletes() {
                let delete = index.file(at).file();
                match delete.content {
                    Content::EqualityDeletes => {
                        by_partition.entry(&file.partition().key).or_default().insert(at);
                    }
                    Content::PositionDeletes if is_vector(delete) => {}
                    Content::PositionDeletes => {
                        wanted.entry(at).or_default().insert(&file.file().path);
                    }
                    Content::Data => {}
                }
            }
        }
        let positions = self.positions(&wanted, index).await?;
        let mut equality = HashMap::new();
        let mut known: HashMap<Vec<u32>, Arc<EqualityDeletes>> = HashMap::new();
        for (partition, deletes) in by_partition {
            let mut deletes: Vec<u32> = deletes.into_iter().collect();
            deletes.sort_unstable();
            let found = match known.get(&deletes) {
                Some(found) => found.clone(),
                None => Arc::new(self.equality(&deletes, index).await?),
            };
            known.insert(deletes, found.clone());
            equality.insert(partition.clone(), found);
        }
        Ok(Deleted { positions, equality })
    }

    async fn positions(
        &self,
        wanted: &HashMap<u32, HashSet<&str>>,
        index: &DeleteIndex,
    ) -> Result<HashMap<String, Vec<u64>>, RowsError> {
        let mut found: HashMap<String, Vec<u64>> = HashMap::new();
        let mut held = 0;
        for (&at, paths) in wanted {
            let delete = index.file(at).file();
            is_plain(delete)?;
            let take = |path: &str, position: u64| {
                if paths.contains(path) {
                    held += 1;
                    found.entry(path.to_owned()).or_default().push(position);
                }
                held <= POSITIONS_MAX
            };
            let whole = positions::each(&self.files, &delete.path, size(delete), take).await;
            if !whole.map_err(|error| failed(&delete.path, error.into()))? {
                return Err(RowsError::Positions);
            }
        }
        for positions in found.values_mut() {
            positions.sort_unstable();
            positions.dedup();
        }
        Ok(found)
    }

    async fn equality(&self, deletes: &[u32], index: &DeleteIndex) -> Result<EqualityDeletes, RowsError> {
        let mut found = EqualityDeletes::default();
        for &at in deletes {
            let delete: &DeleteFile = index.file(at);
            is_plain(delete.file())?;
            let file = equality::Stored {
                location: &delete.file().path,
                size_bytes: size(delete.file()),
                ids: delete.file().equality_ids.to_vec(),
                sequence_number: delete.sequence_number(),
            };
            let read = equality::read(&self.files, &self.table, file, &mut found).await;
            read.map_err(|stop| failed(&delete.file().path, stop))?;
        }
        Ok(found)
    }

    /// A data file with its deletes.
    pub fn file(
        &self,
        file: &File,
        index: &DeleteIndex,
        deleted: &mut Deleted,
    ) -> Result<FileRows, RowsError> {
        let content = file.file();
        is_plain(content)?;
        let vector = file.deletes().iter().map(|&at| index.file(at).file()).find(|delete| is_vector(delete));
        let vector = vector.map(|delete| Vector {
            location: delete.path.to_string(),
            range: delete.content_offset.zip(delete.content_size_bytes),
            rows: u64::try_from(delete.record_count).unwrap_or_default(),
        });
        Ok(FileRows {
            location: content.path.to_string(),
            size_bytes: size(content),
            rows: u64::try_from(content.record_count).unwrap_or_default(),
            sequence_number: file.sequence_number(),
            constants: self.constants(file.partition()),
            vector,
            positions: deleted.positions.remove(&*content.path).unwrap_or_default(),
            equality: deleted.equality.get(&file.partition().key).cloned(),
        })
    }

    /// The values that all rows of a file have by its partition, by field id.
    fn constants(&self, partition: &Partition) -> Constants {
        let spec = self.table.partition_spec_by_id(partition.spec_id);
        let fields = spec.map(|spec| spec.fields()).unwrap_or_default();
        let values = fields.iter().zip(&partition.values);
        let identity = values.filter(|(field, _)| field.transform == Transform::Identity);
        identity
            .map(|(field, (of, value))| {
                (field.source_id, value.as_ref().and_then(|value| literal(of, value)))
            })
            .collect()
    }

    /// The field ids that files get from their identity partition where they do not have them.
    pub fn identity_ids(&self, spec_id: i32) -> Vec<i32> {
        let spec = self.table.partition_spec_by_id(spec_id);
        let fields = spec.map(|spec| spec.fields()).unwrap_or_default();
        let identity = fields.iter().filter(|field| field.transform == Transform::Identity);
        identity.map(|field| field.source_id).collect()
    }

    /// The positions of a file that are deleted, ascending.
    pub async fn deleted_positions(&self, file: &FileRows) -> Result<Vec<u64>, RowsError> {
        self.told(file).await.map_err(|stop| failed(&file.location, stop))
    }

    async fn told(&self, file: &FileRows) -> Result<Vec<u64>, Stop> {
        let deleted = match &file.vector {
            Some(Vector { location, range, rows }) => {
                positions::vector(&self.files, location, *range, *rows).await?
            }
            None => file.positions.clone(),
        };
        match deleted.last() {
            Some(&last) if last >= file.rows => {
                Err(Stop::Unfit("under deletes of rows that it does not have"))
            }
            _within => Ok(deleted),
        }
    }

    /// The rows of a file that are not deleted, with these columns (T1).
    pub async fn read(
        &self,
        file: &FileRows,
        columns: &[usize],
        wanted: &Wanted<'_>,
    ) -> Result<BoxStream<'static, Result<RecordBatch, RowsError>>, RowsError> {
        let location = file.location.clone();
        self.open(file, columns, wanted).await.map_err(|stop| failed(&location, stop))
    }

    async fn open(
        &self,
        file: &FileRows,
        columns: &[usize],
        wanted: &Wanted<'_>,
    ) -> Result<BoxStream<'static, Result<RecordBatch, RowsError>>, Stop> {
        let deleted = self.told(file).await?;
        let read = self.columns_read(columns, file.equality.as_deref())?;
        let stored = StoredFile::new(&self.files, &file.location, file.size_bytes);
        let (stored, metadata) = stored.open().await?;
        let own = with_ids(metadata.schema().fields(), &self.table)?;
        let projection = Projection::new(&own, read.schema.as_struct(), &file.constants)?;
        let mask = ProjectionMask::roots(metadata.parquet_schema(), projection.roots().iter().copied());
        let live = (!deleted.is_empty()).then(|| selection(&deleted, file.rows));
        let asked = wanted(&metadata).map(|groups| of_groups(&groups, metadata.metadata()));
        let builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(stored, metadata).with_projection(mask);
        let builder = builder.with_batch_size(BATCH_ROWS);
        let batches = match (live, asked) {
            (None, None) => builder.build()?,
            (Some(rows), None) | (None, Some(rows)) => builder.with_row_selection(rows).build()?,
            (Some(live), Some(asked)) => builder.with_row_selection(live.intersection(&asked)).build()?,
        };
        let wanted: Vec<usize> = (0..columns.len()).collect();
        let (location, equality, sequence) =
            (file.location.clone(), file.equality.clone(), file.sequence_number);
        let rows = batches.map_err(Stop::from).and_then(move |batch| {
            let done = projection.apply(&batch, &read.arrow).and_then(|batch| {
                let stay = match &equality {
                    Some(equality) => equality.stay(&batch, &read, sequence)?,
                    None => None,
                };
                let batch = match stay {
                    Some(stay) => filter_record_batch(&batch, &stay),
                    None => Ok(batch),
                };
                let batch = batch.and_then(|batch| batch.project(&wanted));
                batch.map_err(|_| Stop::Unfit("whose rows cannot be told apart"))
            });
            std::future::ready(done)
        });
        Ok(rows.map_err(move |stop| failed(&location, stop)).boxed())
    }

    /// The columns wanted, and behind them those that only equality deletes ask for.
    fn columns_read(&self, columns: &[usize], equality: Option<&EqualityDeletes>) -> Result<Columns, Stop> {
        let mut fields: Vec<NestedFieldRef> =
            columns.iter().map(|&column| self.field(column).clone()).collect();
        for id in equality.map(EqualityDeletes::ids).unwrap_or_default() {
            if fields.iter().any(|field| field.id == id) {
                continue;
            }
            let own = self.columns.schema.as_struct().field_by_id(id).map(|field| field.as_ref().clone());
            let field = own.or_else(|| field_of(&self.table, id));
            let mut field: NestedField =
                field.ok_or(Stop::Unfit("under equality deletes of unknown columns"))?;
            field.required = false;
            // Its name may be another column's.
            field.name = format!("_deleted_by_{id}");
            fields.push(field.into());
        }
        Ok(Columns::new(fields)?)
    }
}

/// The rows of the row groups that are wanted.
fn of_groups(wanted: &[bool], file: &ParquetMetaData) -> RowSelection {
    let rows = |group: &RowGroupMetaData| usize::try_from(group.num_rows()).unwrap_or_default();
    let groups = wanted.iter().zip(file.row_groups());
    let selectors = groups.map(|(&is_wanted, group)| match is_wanted {
        true => RowSelector::select(rows(group)),
        false => RowSelector::skip(rows(group)),
    });
    selectors.collect()
}

fn is_vector(delete: &ContentFile) -> bool {
    delete.content == Content::PositionDeletes && &*delete.format == "puffin"
}

fn is_plain(file: &ContentFile) -> Result<(), RowsError> {
    let why = match (&*file.format, &file.key_metadata) {
        ("parquet", None) => return Ok(()),
        ("parquet", Some(_)) => "that is encrypted",
        _other => "that is not Parquet",
    };
    Err(RowsError::File { location: file.path.to_string(), why })
}

fn size(file: &ContentFile) -> u64 {
    u64::try_from(file.size_bytes).unwrap_or_default()
}

fn failed(location: &str, stop: Stop) -> RowsError {
    let location = location.to_owned();
    match stop {
        Stop::Unfit(why) => RowsError::File { location, why },
        Stop::Failed(source) => RowsError::Failed { location, source: Box::new(source) },
    }
}

/// A partition's value as the reader of columns has values.
fn literal(of: &PrimitiveType, value: &Value) -> Option<Literal> {
    use PrimitiveType as Of;
    let literal = match (value, of) {
        (Value::Boolean(value), _) => PrimitiveLiteral::Boolean(*value),
        (Value::Integer(value), Of::Int | Of::Date) => PrimitiveLiteral::Int(i32::try_from(*value).ok()?),
        (Value::Integer(value), _) => PrimitiveLiteral::Long(*value),
        (Value::Real(value), Of::Float) => PrimitiveLiteral::Float((*value as f32).into()),
        (Value::Real(value), _) => PrimitiveLiteral::Double((*value).into()),
        (Value::Decimal(value), _) => PrimitiveLiteral::Int128(*value),
        (Value::Text(value), _) => PrimitiveLiteral::String(value.to_string()),
        (Value::Uuid(value), _) => PrimitiveLiteral::UInt128(u128::from_be_bytes(*value)),
        (Value::Bytes(value), _) => PrimitiveLiteral::Binary(value.to_vec()),
    };
    Some(Literal::Primitive(literal))
}
