//! The audit: one record of each call for a table's data, told through tracing under one target, and metrics.

use super::Reader;

/// The target of the records.
pub const TARGET: &str = "tarn_sharing::audit";
/// What is told of hints at most, in bytes.
const HINTS_BYTES_MAX: usize = 1_024;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// What a table is called and how it is read.
    Table,
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
    /// It was refused, or the table is none or could not be read.
    Refused,
    /// Its answer began and did not end: the reader went away, or the table could not be read on.
    Broken,
}

/// A call of a reader for a table, while it is answered. Its record is told when this is dropped, so no call is without
/// one, whichever way it ends.
#[derive(Debug)]
pub struct Trail {
    reader: Reader,
    call: Call,
    /// Share, schema and table, as they were asked for.
    names: [String; 3],
    version: Option<i64>,
    hints: Option<String>,
    files: u64,
    size_bytes: u64,
    outcome: Outcome,
}

impl Trail {
    /// A call that begins. Nothing is told yet.
    pub fn begin(reader: &Reader, call: Call, names: [&str; 3]) -> Self {
        Self {
            reader: reader.clone(),
            call,
            names: names.map(str::to_owned),
            version: None,
            hints: None,
            files: 0,
            size_bytes: 0,
            outcome: Outcome::Refused,
        }
    }

    /// What was asked to be left out.
    pub fn asked(&mut self, hints: impl IntoIterator<Item = impl AsRef<str>>) {
        let mut all = String::new();
        for hint in hints {
            let parting = if all.is_empty() { "" } else { "; " };
            all.extend([parting, hint.as_ref()]);
            if all.len() > HINTS_BYTES_MAX {
                break;
            }
        }
        all.truncate(all.floor_char_boundary(HINTS_BYTES_MAX));
        self.hints = (!all.is_empty()).then_some(all);
    }

    /// An answer of this version begins; of changes it is the first one.
    pub fn tells(&mut self, version: Option<i64>) {
        self.version = version;
        self.outcome = Outcome::Broken;
    }

    /// The answer told of a file of this size, in bytes.
    pub fn file(&mut self, size_bytes: u64) {
        self.files += 1;
        self.size_bytes = self.size_bytes.saturating_add(size_bytes);
    }

    /// The answer is whole.
    pub fn whole(&mut self) {
        self.outcome = Outcome::Told;
    }

    /// Files that were told of.
    pub fn files(&self) -> u64 {
        self.files
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        let (call, outcome) = (self.call.name(), self.outcome.name());
        let [share, schema, table] = &self.names;
        tracing::info!(
            target: TARGET,
            call,
            recipient.id = %self.reader.recipient.id,
            recipient.name = self.reader.recipient.name,
            token.id = %self.reader.token,
            address = self.reader.address.map(tracing::field::display),
            share,
            schema,
            table,
            version = self.version,
            hints = self.hints,
            files = self.files,
            size_bytes = self.size_bytes,
            outcome,
            "a shared table was asked for"
        );
        metrics::counter!("tarn_sharing_calls_total", "call" => call, "outcome" => outcome).increment(1);
        metrics::counter!("tarn_sharing_files_total").increment(self.files);
        metrics::counter!("tarn_sharing_file_size_bytes").increment(self.size_bytes);
    }
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Call::Table => "table",
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
