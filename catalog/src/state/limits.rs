//! Limits of what the catalog accepts, each with its unit.

/// Levels of a namespace.
pub const NAMESPACE_LEVELS_MAX: usize = 16;
/// Bytes of a namespace level or table name.
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of a function name.
pub const FUNCTION_NAME_BYTES_MAX: usize = 200;
/// Bytes of a warehouse name, which is a bucket name.
pub const WAREHOUSE_BYTES_MAX: usize = 63;
/// Bytes of all keys and values of a namespace's or table's properties in one request.
pub const PROPERTIES_BYTES_MAX: usize = 1 << 20;
/// Bytes of a location.
pub const LOCATION_BYTES_MAX: usize = 1000;
/// Tables named in one transaction.
pub const TABLES_PER_COMMIT_MAX: usize = 1_000;
/// Updates of one table in one commit.
pub const UPDATES_PER_TABLE_MAX: usize = 10_000;
/// Dropped tables that are kept at a time.
pub const DROPPED_TABLES_MAX: usize = 100_000;
/// Dropped tables whose keeping one commit ends.
pub const EXPIRED_PER_COMMIT_MAX: usize = 100;
/// Tables staged at locations that their creators chose, at a time.
pub const STAGED_TABLES_MAX: usize = 10_000;
/// Claims of staged tables that one more of them ends, once their time is over.
pub const ENDED_CLAIMS_PER_COMMIT_MAX: usize = 100;
/// Revisions kept for a table.
pub const REVISIONS_MAX: usize = 1_000;
/// Bytes of all answers that are kept for idempotency keys, roughly: about 100,000 of them.
pub const REPLIES_BYTES_MAX: usize = 32 << 20;
/// Bytes of the message of an answer that is kept; longer ones are cut.
pub const REPLY_MESSAGE_BYTES_MAX: usize = 1 << 10;
/// Bytes of a document.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Bytes of a document's kind or id.
pub const DOCUMENT_NAME_BYTES_MAX: usize = 255;
