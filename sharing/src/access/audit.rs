//! The audit: one record of each call for a table's data, told through tracing under one target, and metrics.

use std::net::IpAddr;

use uuid::Uuid;

use crate::directory::Recipient;

/// The target of the records.
pub const TARGET: &str = "tarn_sharing::audit";
/// What is told of a predicate at most, in bytes.
const PREDICATE_BYTES_MAX: usize = 1_024;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// The version of a table.
    Version,
    /// What a table is.
    Metadata,
    /// Its files.
    Query,
    /// What changed.
    Changes,
    /// Credentials for its directory.
    Credentials,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered to its end.
    Told,
    /// It was refused, or the table could not be read.
    Refused,
    /// Its answer began and did not end: the reader went away, or the table could not be read on.
    Broken,
}

/// A call of a reader for a table.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Who.
    pub recipient: &'a Recipient,
    /// The id of its token.
    pub token: Uuid,
    /// From where.
    pub address: Option<IpAddr>,
    /// What.
    pub call: Call,
    /// The share, as it is named.
    pub share: &'a str,
    /// The schema, as it is named.
    pub schema: &'a str,
    /// The table, as it is named.
    pub table: &'a str,
    /// The version that was told; of changes the first.
    pub version: Option<i64>,
    /// The hints as they were sent.
    pub predicate: Option<&'a str>,
    /// How many files it was told of.
    pub files: u64,
    /// Their sizes together, in bytes.
    pub size_bytes: u64,
    /// How it ended.
    pub outcome: Outcome,
}

impl Query<'_> {
    /// Tells the record. Once per call.
    pub fn record(&self) {
        let (call, outcome) = (self.call.name(), self.outcome.name());
        let predicate = self.predicate.map(|text| &text[..text.floor_char_boundary(PREDICATE_BYTES_MAX)]);
        tracing::info!(
            target: TARGET,
            call,
            recipient.id = %self.recipient.id,
            recipient.name = self.recipient.name,
            token.id = %self.token,
            address = self.address.map(tracing::field::display),
            share = self.share,
            schema = self.schema,
            table = self.table,
            version = self.version,
            predicate,
            files = self.files,
            size_bytes = self.size_bytes,
            outcome,
            "a shared table was asked for"
        );
        metrics::counter!("tarn_sharing_calls_total", "call" => call, "outcome" => outcome).increment(1);
        metrics::counter!("tarn_sharing_files_total").increment(self.files);
        metrics::counter!("tarn_sharing_file_bytes_total").increment(self.size_bytes);
    }
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Call::Version => "version",
            Call::Metadata => "metadata",
            Call::Query => "query",
            Call::Changes => "changes",
            Call::Credentials => "credentials",
        }
    }
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Told => "told",
            Outcome::Refused => "refused",
            Outcome::Broken => "broken",
        }
    }
}
