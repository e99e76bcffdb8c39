//! Shares and recipients as they are told.

use std::collections::BTreeMap;

use serde::Serialize;
use tarn_sharing::Sharers as _;
use tarn_sharing::directory::limits::NEVER_MS;
use tarn_sharing::directory::{
    Births, EqualityDeletes, Filters, Grant, History, Recipient, Share, SharedTable, Source, Token,
    TokenKind, UnsupportedColumns,
};

use crate::identity::{KeySharers, Status};

/// A share as it is listed.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct ListedShare {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    /// How many it has.
    tables: usize,
    created_ms: i64,
    updated_ms: i64,
}

/// A share.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct ShownShare {
    name: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    created_ms: i64,
    updated_ms: i64,
    schemas: Vec<ShownSchema>,
}

/// A schema of a share.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct ShownSchema {
    name: String,
    tables: Vec<ShownTable>,
}

/// A table of a share.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct ShownTable {
    name: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    source: Source,
    /// The access key of who shares it; absent for root.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_by: Option<String>,
    /// Whether who shares it may read it now. If not, recipients are refused.
    readable: bool,
    history: History,
    unsupported_columns: UnsupportedColumns,
    equality_deletes: EqualityDeletes,
}

/// A recipient as it is listed.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct ListedRecipient {
    pub(super) name: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    /// What it may read.
    shares: Vec<String>,
    /// How many it has that have not ended.
    tokens: usize,
    created_ms: i64,
}

/// A recipient, without its secrets.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct ShownRecipient {
    name: String,
    id: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    properties: BTreeMap<String, String>,
    /// From where it may come; none is everywhere.
    addresses: Vec<String>,
    /// Of each of its tokens; absent: as the server has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_second: Option<u32>,
    created_ms: i64,
    grants: Vec<ShownGrant>,
    tokens: Vec<ShownToken>,
}

/// That a recipient may read a share.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct ShownGrant {
    /// In lower case.
    share: String,
    recipient: String,
    created_ms: i64,
    /// Which rows, by `schema.table`; all rows of other tables.
    #[schema(value_type = Object)]
    filters: Filters,
}

/// What a recipient may show, without what is secret of it.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct ShownToken {
    id: String,
    #[serde(flatten)]
    kind: ShownKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    created_ms: i64,
    /// Absent when it has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_ms: Option<i64>,
    /// Whether it has ended.
    ended: bool,
}

/// What it is.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(in super::super) enum ShownKind {
    /// A bearer token.
    Bearer,
    /// A link that makes a bearer token when it is opened.
    Link { link_expires_ms: Option<i64> },
    /// A client of OAuth; the id is the client's.
    Client,
    /// Tokens of an identity provider.
    Federated { issuer: String, audiences: Vec<String>, subject_claim: String, subject: String },
}

impl From<&Share> for ListedShare {
    fn from(share: &Share) -> Self {
        Self {
            name: share.name.clone(),
            comment: share.comment.clone(),
            tables: share.schemas.values().map(|schema| schema.tables.len()).sum(),
            created_ms: share.created_ms,
            updated_ms: share.updated_ms,
        }
    }
}

impl ShownShare {
    pub(super) fn new(share: &Share, sharers: &KeySharers) -> Self {
        let schemas = share.schemas.values().map(|schema| ShownSchema {
            name: schema.name.clone(),
            tables: schema.tables.values().map(|table| ShownTable::new(table, sharers)).collect(),
        });
        Self {
            name: share.name.clone(),
            id: share.id.to_string(),
            comment: share.comment.clone(),
            created_ms: share.created_ms,
            updated_ms: share.updated_ms,
            schemas: schemas.collect(),
        }
    }
}

impl ShownTable {
    pub(super) fn new(table: &SharedTable, sharers: &KeySharers) -> Self {
        Self {
            name: table.name.clone(),
            id: table.id.to_string(),
            comment: table.comment.clone(),
            source: table.source.clone(),
            shared_by: table.by.key.clone(),
            readable: sharers.may_read(&table.by, &table.source),
            history: table.history,
            unsupported_columns: table.unsupported_columns,
            equality_deletes: table.equality_deletes,
        }
    }
}

impl ListedRecipient {
    pub(super) fn new(recipient: &Recipient, shares: &Births, now_ms: i64) -> Self {
        Self {
            name: recipient.name.clone(),
            status: status(recipient),
            comment: recipient.comment.clone(),
            shares: live(recipient, shares).map(|(name, _)| name.clone()).collect(),
            tokens: recipient.tokens.iter().filter(|token| token.expires_ms > now_ms).count(),
            created_ms: recipient.created_ms,
        }
    }
}

impl ShownRecipient {
    pub(super) fn new(recipient: &Recipient, shares: &Births, now_ms: i64) -> Self {
        let grants = live(recipient, shares);
        Self {
            name: recipient.name.clone(),
            id: recipient.id.to_string(),
            status: status(recipient),
            comment: recipient.comment.clone(),
            properties: recipient.properties.clone(),
            addresses: recipient.addresses.clone(),
            requests_per_second: recipient.requests_per_second,
            created_ms: recipient.created_ms,
            grants: grants.map(|(share, grant)| ShownGrant::new(&recipient.name, share, grant)).collect(),
            tokens: tokens(recipient, now_ms),
        }
    }
}

impl ShownGrant {
    pub(super) fn new(recipient: &str, share: &str, grant: &Grant) -> Self {
        Self {
            share: share.into(),
            recipient: recipient.into(),
            created_ms: grant.created_ms,
            filters: grant.filters.clone(),
        }
    }
}

impl ShownToken {
    pub(super) fn new(token: &Token, now_ms: i64) -> Self {
        let kind = match &token.kind {
            TokenKind::Bearer { activation: None, activation_expires_ms: _ } => ShownKind::Bearer,
            TokenKind::Bearer { activation: Some(_), activation_expires_ms } => {
                ShownKind::Link { link_expires_ms: *activation_expires_ms }
            }
            TokenKind::Client { secret_sha256: _ } => ShownKind::Client,
            TokenKind::Federated { issuer, audiences, subject_claim, subject } => ShownKind::Federated {
                issuer: issuer.clone(),
                audiences: audiences.clone(),
                subject_claim: subject_claim.clone(),
                subject: subject.clone(),
            },
        };
        Self {
            id: token.id.to_string(),
            kind,
            comment: token.comment.clone(),
            created_ms: token.created_ms,
            expires_ms: Some(token.expires_ms).filter(|end| *end < NEVER_MS),
            ended: token.expires_ms <= now_ms,
        }
    }
}

/// All that a recipient may show.
pub(super) fn tokens(recipient: &Recipient, now_ms: i64) -> Vec<ShownToken> {
    recipient.tokens.iter().map(|token| ShownToken::new(token, now_ms)).collect()
}

/// The grants on shares that are there.
fn live<'a>(recipient: &'a Recipient, shares: &'a Births) -> impl Iterator<Item = (&'a String, &'a Grant)> {
    recipient.grants.iter().filter(|(name, grant)| shares.get(name.as_str()) == Some(&grant.share))
}

fn status(recipient: &Recipient) -> Status {
    match recipient.status {
        tarn_sharing::directory::Status::Enabled => Status::Enabled,
        tarn_sharing::directory::Status::Disabled => Status::Disabled,
    }
}
