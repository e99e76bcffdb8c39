//! How much there can be, each with its unit.

pub use crate::access::TOKEN_LIFETIME_MS_MAX;

/// Shares.
pub const SHARES_MAX: usize = 1_000;
/// Schemas of a share.
pub const SCHEMAS_OF_SHARE_MAX: usize = 1_000;
/// Tables of a share.
pub const TABLES_OF_SHARE_MAX: usize = 1_000;
/// Recipients.
pub const RECIPIENTS_MAX: usize = 10_000;
/// Grants of a recipient.
pub const GRANTS_OF_RECIPIENT_MAX: usize = 1_000;
/// Tokens of a recipient that have not ended, secrets of clients and federation policies among them.
pub const TOKENS_OF_RECIPIENT_MAX: usize = 32;
/// Networks a recipient may come from.
pub const ADDRESSES_MAX: usize = 100;
/// Properties of a recipient.
pub const PROPERTIES_MAX: usize = 100;
/// Bytes of a property's name or value, of a column's name or value in a row filter, of an audience, an issuer or a subject.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Bytes of a comment.
pub const COMMENT_BYTES_MAX: usize = 4_096;
/// Row filters of a table in a grant.
pub const FILTERS_OF_TABLE_MAX: usize = 16;
/// Values of a row filter.
pub const FILTER_VALUES_MAX: usize = 1_000;
/// Audiences of a federation policy.
pub const AUDIENCES_MAX: usize = 16;
/// Bytes of the prefix of a Delta table.
pub const PREFIX_BYTES_MAX: usize = 900;
/// Requests per second and token that a recipient can be given.
pub const REQUESTS_PER_SECOND_MAX: u32 = 10_000;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long a token is good when nobody says, in milliseconds.
pub const TOKEN_LIFETIME_MS: i64 = 90 * DAY_MS;
/// How long old tokens are good after a rotation when nobody says, in milliseconds.
pub const GRACE_MS: i64 = DAY_MS;
/// The longest old tokens are good after a rotation, in milliseconds.
pub const GRACE_MS_MAX: i64 = 90 * DAY_MS;
/// When what has no end ends, in milliseconds since 1970: the last moment of the year 9999.
pub const NEVER_MS: i64 = 253_402_300_799_999;
