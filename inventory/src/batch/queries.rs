//! Queries that name the objects of a batch. The engine is not seen from here: the binary implements it.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::stream::BoxStream;

use super::spec::Query;
use crate::jobs::Author;

/// The rows of an answer as they are computed; dropping it ends the query.
pub type Rows = BoxStream<'static, Result<RecordBatch, QueryFailure>>;

/// Answers queries that only read, with the rights that their author has then and the limits that queries have.
#[async_trait]
pub trait Queries: Send + Sync + 'static {
    /// Plans a query. Answers its columns.
    async fn plan(&self, query: &Query, author: &Author) -> Result<SchemaRef, QueryFailure>;

    /// Answers a query; one with more rows than `rows_max` fails.
    async fn ask(&self, query: &Query, author: &Author, rows_max: u64) -> Result<Rows, QueryFailure>;
}

/// A query was not answered, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryFailure {
    /// What is wrong, with the line and column in the query where they are known.
    pub message: String,
    /// Whether it may work later.
    pub may_work_later: bool,
}
