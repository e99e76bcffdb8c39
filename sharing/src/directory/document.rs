//! The documents, as the catalog keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The kind of the documents that are shares.
pub const SHARE_KIND: &str = "share";
/// The kind of the documents that are recipients.
pub const RECIPIENT_KIND: &str = "recipient";

/// A share: tables under names, for recipients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Share {
    /// Made anew with each share (G1).
    pub id: Uuid,
    /// Its name as it was given; the document's id is its lower case.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was changed last, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Its tables by schema and name, both in lower case. A schema without tables is one too.
    pub schemas: BTreeMap<String, SharedSchema>,
}

/// A schema of a share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SharedSchema {
    /// Its name as it was given.
    pub name: String,
    /// Its tables by name in lower case.
    pub tables: BTreeMap<String, SharedTable>,
}

/// A table of a share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SharedTable {
    /// Made anew each time a table is put into a share (G1).
    pub id: Uuid,
    /// Its name in the share as it was given.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What is shared.
    pub source: Source,
    /// Whose right to read it counts at each request.
    pub by: Sharer,
    /// Which versions recipients may read.
    #[serde(default)]
    pub history: History,
    /// What is done with columns that no reader of Delta could read.
    #[serde(default)]
    pub unsupported_columns: UnsupportedColumns,
    /// What is done with equality deletes.
    #[serde(default)]
    pub equality_deletes: EqualityDeletes,
}

impl SharedTable {
    /// Whether all of it is shared with who reads these rows of it (none named is all): every version and every row.
    pub fn is_whole(&self, filters: &[RowFilter]) -> bool {
        match self.history {
            History::Shared { start } => start <= 0 && filters.is_empty(),
            History::Latest => false,
        }
    }
}

/// What is shared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "type")]
pub enum Source {
    /// An Iceberg table of the catalog.
    Iceberg {
        /// Its warehouse.
        warehouse: String,
        /// The levels of its namespace.
        namespace: Vec<String>,
        /// Its name.
        table: String,
    },
    /// A Delta table.
    Delta {
        /// The bucket it lies in.
        bucket: String,
        /// The prefix of its keys, ending in `/`; `_delta_log/` lies below it.
        prefix: String,
    },
}

/// Who shared a table. Its right to read is asked for at each request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sharer {
    /// The id of its access key; none is root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What tells a key made anew under that id: hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Which versions of a table recipients may read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case", tag = "mode", from = "WrittenHistory")]
pub enum History {
    /// The latest only.
    #[default]
    Latest,
    /// Those there are, from `start` on, and what they changed.
    Shared {
        /// The first version.
        #[serde(default)]
        start: i64,
    },
}

/// As it is written. Of a variant that has no fields at all, unknown ones would be passed over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "mode")]
enum WrittenHistory {
    Latest {},
    Shared {
        #[serde(default)]
        start: i64,
    },
}

impl From<WrittenHistory> for History {
    fn from(written: WrittenHistory) -> Self {
        match written {
            WrittenHistory::Latest {} => Self::Latest,
            WrittenHistory::Shared { start } => Self::Shared { start },
        }
    }
}

/// What is done with columns that no reader of Delta could read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnsupportedColumns {
    /// The table is refused.
    #[default]
    Error,
    /// They are left out.
    Omit,
}

/// What is done with equality deletes, which Delta has none of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EqualityDeletes {
    /// The table is refused.
    #[default]
    Error,
    /// The rows they delete are looked up.
    Resolve,
}

/// Whether a recipient counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It counts.
    Enabled,
    /// It is kept, and refused.
    Disabled,
}

/// Who reads shares. Not a user: it has no access key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipient {
    /// Made anew with each recipient (G1).
    pub id: Uuid,
    /// Its name as it was given; the document's id is its lower case.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// Whether it counts.
    pub status: Status,
    /// What row filters may refer to.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// From where it may come, in CIDR notation; empty is everywhere.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Requests per second and token; none is as the server has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// What it may read, by the share's name in lower case.
    #[serde(default)]
    pub grants: BTreeMap<String, Grant>,
    /// What it may come with.
    #[serde(default)]
    pub tokens: Vec<Token>,
}

/// That a recipient may read a share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Grant {
    /// Made anew with each grant (G1).
    pub id: Uuid,
    /// The share that is meant (G1).
    pub share: Uuid,
    /// When it was given, in milliseconds since 1970.
    pub created_ms: i64,
    /// Which rows, by `schema.table` in lower case; all filters of a table hold. Tables without one: all rows.
    #[serde(default)]
    pub filters: BTreeMap<String, Vec<RowFilter>>,
}

/// Rows by the value of a partition column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RowFilter {
    /// A column the table is partitioned by, by identity.
    pub column: String,
    /// Its values.
    pub values: RowValues,
}

/// The values a row filter lets pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowValues {
    /// Any of these, as Delta serializes partition values.
    In(Vec<String>),
    /// That of a property of the recipient. One without it sees no row.
    Property(String),
}

/// What a recipient may come with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Token {
    /// Made anew with each (G1): the `jti` of a bearer token, the client id of a client's secret.
    pub id: Uuid,
    /// What it is.
    pub kind: TokenKind,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// What a recipient shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "type")]
pub enum TokenKind {
    /// A JWT that this server signed.
    #[serde(rename_all = "kebab-case")]
    Bearer {
        /// SHA-256 of the code of its activation link, in hex, until it is used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<String>,
        /// When the link ends, in milliseconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation_expires_ms: Option<i64>,
    },
    /// A client's secret, for short tokens by OAuth client credentials.
    #[serde(rename_all = "kebab-case")]
    Client {
        /// SHA-256 of the secret, in hex.
        secret_sha256: String,
    },
    /// Tokens of a configured identity provider.
    #[serde(rename_all = "kebab-case")]
    Federated {
        /// The provider's issuer URL.
        issuer: String,
        /// Accepted audiences; one must be named by the token.
        audiences: Vec<String>,
        /// The claim that tells who it is: `sub`, `oid`, `azp` or `groups`.
        subject_claim: String,
        /// What it must say.
        subject: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A share and two recipients, as this version writes them.
    const SHARE: &str = r#"{"id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","name":"Partners","comment":"for all","created-ms":1,"updated-ms":2,"schemas":{"empty":{"name":"empty","tables":{}},"sales":{"name":"Sales","tables":{"lines":{"id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c","name":"Lines","source":{"type":"delta","bucket":"lake","prefix":"lines/"},"by":{},"history":{"mode":"latest"},"unsupported-columns":"omit","equality-deletes":"resolve"},"orders":{"id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5d","name":"orders","comment":"all of them","source":{"type":"iceberg","warehouse":"main","namespace":["a","b"],"table":"orders"},"by":{"key":"alice","fingerprint":"00ff"},"history":{"mode":"shared","start":3},"unsupported-columns":"error","equality-deletes":"error"}}}}}"#;
    const RECIPIENTS: [&str; 2] = [
        r#"{"id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","name":"Acme","created-ms":1,"status":"disabled","properties":{},"addresses":[],"grants":{},"tokens":[]}"#,
        r#"{"id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","name":"acme","comment":"a partner","created-ms":1,"status":"enabled","properties":{"region":"eu"},"addresses":["192.0.2.0/24"],"requests-per-second":5,"grants":{"partners":{"id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c","share":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5d","created-ms":2,"filters":{"sales.orders":[{"column":"region","values":{"in":["eu",""]}},{"column":"home","values":{"property":"region"}}]}}},"tokens":[{"id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5e","kind":{"type":"bearer"},"comment":"first","created-ms":3,"expires-ms":4},{"id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5f","kind":{"type":"bearer","activation":"00ff","activation-expires-ms":5},"created-ms":3,"expires-ms":4},{"id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a60","kind":{"type":"client","secret-sha256":"00ff"},"created-ms":3,"expires-ms":4},{"id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a61","kind":{"type":"federated","issuer":"https://idp.example","audiences":["tarn"],"subject-claim":"azp","subject":"app"},"created-ms":3,"expires-ms":4}]}"#,
    ];

    #[test]
    fn documents_are_written_as_they_were_read() {
        let read: Share = serde_json::from_str(SHARE).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), SHARE);
        for text in RECIPIENTS {
            let read: Recipient = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
    }

    #[test]
    fn a_document_with_what_is_not_known_is_refused() {
        for (known, unknown) in [
            (r#""bucket":"lake""#, r#""bucket":"lake","held":true"#),
            (r#""mode":"shared""#, r#""mode":"some""#),
            (r#""by":{}"#, r#""by":{"name":"bob"}"#),
            (r#""comment":"for all""#, r#""remark":"for all""#),
        ] {
            let text = SHARE.replace(known, unknown);
            assert!(text != SHARE && serde_json::from_str::<Share>(&text).is_err(), "{unknown}");
        }
        for (known, unknown) in [
            (r#""property":"region""#, r#""property":"region","not":true"#),
            (r#""type":"bearer""#, r#""type":"cookie""#),
            (r#""column":"home""#, r#""column":"home","op":"<""#),
            (r#""secret-sha256":"00ff""#, r#""secret-sha256":"00ff","scope":"all""#),
        ] {
            let text = RECIPIENTS[1].replace(known, unknown);
            assert!(text != RECIPIENTS[1] && serde_json::from_str::<Recipient>(&text).is_err(), "{unknown}");
        }
    }
}
