//! Why a query was not answered.

use std::error::Error;
use std::time::Duration;

use datafusion::common::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

/// A query was not answered, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// It is no SQL that is understood. The message tells the line and column where they are known.
    #[error("{0}")]
    Syntax(String),
    /// It would do more than read.
    #[error(
        "{0} is not allowed here: only SELECT, WITH, VALUES, EXPLAIN, DESCRIBE and SHOW, one statement a query"
    )]
    NotAllowed(String),
    /// It names what is not there, or does not fit together.
    #[error("{0}")]
    Invalid(String),
    /// It needs what is not there yet.
    #[error("{0}")]
    Unsupported(String),
    /// It took more than it may.
    #[error("{0}")]
    Limit(Bound),
    /// Its own values do not work out: a division by zero, a text that is no number.
    #[error("{0}")]
    Values(String),
    /// Too many queries run; try again.
    #[error("too many queries run now")]
    Busy {
        /// After so long.
        retry_after: Duration,
    },
    /// Something it reads could not be read, or the engine failed.
    #[error("the query failed: {0}")]
    Failed(String, #[source] Option<Box<dyn Error + Send + Sync>>),
}

/// A limit that was met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Bound {
    /// The text of the query is too long.
    #[error("the query has {bytes} bytes, more than the limit of {max}")]
    Text {
        /// What it has.
        bytes: usize,
        /// What it may have.
        max: usize,
    },
    /// The query has too many words.
    #[error("the query has more than {0} words, numbers and signs")]
    Tokens(usize),
    /// The query has too many operators.
    #[error("the query has more than {0} operators: compare with a list of values by IN")]
    Operators(usize),
    /// The query nests too deep.
    #[error("the query nests deeper than {0} levels")]
    Depth(usize),
    /// The query, with the views in it, comes to too much.
    #[error("the query comes to more than {0} operators and expressions with the views in it")]
    Plan(usize),
    /// The answer has too many rows.
    #[error("the answer has more than {0} rows: ask for fewer with LIMIT, or for a higher limit")]
    Rows(u64),
    /// The answer has too many bytes.
    #[error("the answer has more than {0} bytes: ask for fewer rows or columns")]
    Bytes(u64),
    /// It took too long.
    #[error("the query took longer than {0:?}")]
    Time(Duration),
    /// It needs too much memory or disk.
    #[error("the query needs more memory than it may have: {0}")]
    Memory(String),
    /// A value would be too long.
    #[error("{function} might make {bytes} bytes at once, more than the limit of {max}")]
    Value {
        /// What might make it.
        function: String,
        /// How long it would be.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// A table has too many files for one query.
    #[error("table {table} has more than {max} files that may hold the rows asked for")]
    Files {
        /// The table.
        table: String,
        /// The limit.
        max: usize,
    },
}

impl From<Bound> for QueryError {
    fn from(bound: Bound) -> Self {
        Self::Limit(bound)
    }
}

impl From<QueryError> for DataFusionError {
    fn from(error: QueryError) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        let message = message(&error);
        match error {
            DataFusionError::External(source) => match source.downcast::<QueryError>() {
                Ok(own) => *own,
                // Errors of tasks come wrapped more than once.
                Err(source) => match source.downcast::<DataFusionError>() {
                    Ok(inner) => (*inner).into(),
                    Err(source) => Self::Failed(source.to_string(), Some(source)),
                },
            },
            DataFusionError::Shared(inner) => match own(&inner) {
                Some(bound) => bound.into(),
                None => of_kind(inner.find_root(), message),
            },
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => (*inner).into(),
            DataFusionError::Collection(mut errors) if !errors.is_empty() => errors.swap_remove(0).into(),
            DataFusionError::ObjectStore(source) => Self::Failed(message, Some(source)),
            DataFusionError::ParquetError(source) => Self::Failed(message, Some(source)),
            DataFusionError::IoError(source) => Self::Failed(message, Some(source.into())),
            other => match own(&other) {
                Some(bound) => bound.into(),
                None => of_kind(&other, message),
            },
        }
    }
}

/// A limit that lies somewhere behind an error which cannot be taken apart.
fn own(error: &DataFusionError) -> Option<Bound> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(QueryError::Limit(bound)) = error.downcast_ref::<QueryError>() {
            return Some(bound.clone());
        }
        next = error.source();
    }
    None
}

fn of_kind(error: &DataFusionError, message: String) -> QueryError {
    use datafusion::arrow::error::ArrowError;
    match error {
        DataFusionError::SQL(parser, _) => match parser.as_ref() {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
                QueryError::Syntax(message.clone())
            }
            ParserError::RecursionLimitExceeded => QueryError::Syntax("the query nests too deep".into()),
        },
        DataFusionError::Plan(_) | DataFusionError::SchemaError(..) | DataFusionError::Configuration(_) => {
            QueryError::Invalid(message)
        }
        DataFusionError::NotImplemented(_) => QueryError::Unsupported(message),
        DataFusionError::ResourcesExhausted(_) => Bound::Memory(message).into(),
        DataFusionError::Execution(_) => QueryError::Values(message),
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::DivideByZero
            | ArrowError::CastError(_)
            | ArrowError::ParseError(_)
            | ArrowError::ComputeError(_)
            | ArrowError::ArithmeticOverflow(_)
            | ArrowError::InvalidArgumentError(_) => QueryError::Values(message),
            _the_engines_own => QueryError::Failed(message, None),
        },
        _the_engines_own => QueryError::Failed(message, None),
    }
}

/// The innermost message, without the engine's name of its kind.
fn message(error: &DataFusionError) -> String {
    let root = error.find_root();
    match root {
        DataFusionError::Plan(message)
        | DataFusionError::NotImplemented(message)
        | DataFusionError::ResourcesExhausted(message)
        | DataFusionError::Execution(message) => message.clone(),
        other => other.strip_backtrace(),
    }
}
