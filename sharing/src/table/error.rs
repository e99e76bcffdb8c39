//! Why a table cannot be told.

/// Why a table, or a version of it, cannot be read. The front maps each to the wire once.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The table is gone, or what lies there is none.
    #[error("the table does not exist")]
    NoSuchTable,
    /// There is no such version, or no more.
    #[error("the table has no version {version}; the earliest is {earliest}, the latest {latest}")]
    NoSuchVersion {
        /// What was asked for.
        version: i64,
        /// The earliest that can be read.
        earliest: i64,
        /// The latest.
        latest: i64,
    },
    /// The table has something that no reader could be told rightly.
    #[error("{0}")]
    Unsupported(String),
    /// The table's own files break its format.
    #[error("the table is damaged: {0}")]
    Invalid(String),
    /// More than is read here.
    #[error("{what} is more than the limit of {most}")]
    TooLarge {
        /// What is.
        what: String,
        /// The limit, with its unit.
        most: String,
    },
    /// A file lies where the table's share does not reach.
    #[error("a file of the table lies outside what may be shared")]
    Outside,
    /// Too many tables are read now. Nothing was done.
    #[error("too many large tables are read now; try again in {retry_after_s} s")]
    Busy {
        /// After how many seconds it may be asked again.
        retry_after_s: u64,
    },
    /// A file could not be read now.
    #[error("a file of the table could not be read")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}
