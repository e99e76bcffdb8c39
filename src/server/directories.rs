//! Credentials that recipients read the files of shared tables with themselves.
//!
//! They are sessions of whoever shared the table: within its files, read-only, and over as soon as the ticket they stand on
//! is gone. What of a table's files a ticket reaches narrows with a new birth only (G1), so the ticket is all to ask for.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tarn_openapi::access::{Prefix, PrefixAccess, Restriction, TableFiles};
use tarn_sharing::access::Ticket;
use tarn_sharing::directory::{SharedTable, Source};
use tarn_sharing::rest::{Credentials, TableCredentials};
use tarn_sharing::table::TableError;

use crate::identity::session::{IssueError, Order, Use};
use crate::identity::{KeySharers, Sessions};

/// The longest that credentials of recipients last, in seconds.
const LIFETIME_SECONDS_MAX: i64 = 60 * 60;

/// Makes sessions of those who shared tables.
pub(super) struct Directories {
    pub(super) sessions: Arc<Sessions>,
    pub(super) sharers: Arc<KeySharers>,
}

impl Directories {
    fn issue(
        &self,
        ticket: &Ticket,
        table: &SharedTable,
        restriction: Restriction,
        expires_ms: i64,
    ) -> Result<Credentials, TableError> {
        let now = Timestamp::now().as_second();
        let lifetime_seconds = expires_ms.div_euclid(1000).saturating_sub(now).min(LIFETIME_SECONDS_MAX);
        let parent = self.sharers.principal(&table.by).ok_or(TableError::NoSuchTable)?;
        let ticket = Some(ticket.encode().into());
        let order = Order { parent, restriction, lifetime_seconds, purpose: Use::Signing, ticket };
        let made = self.sessions.issue(order, now).map_err(|error| match error {
            // Who shared it, or the time the credentials would have, went away meanwhile.
            IssueError::NoParent => TableError::NoSuchTable,
            IssueError::TooLarge => {
                TableError::Unsupported("the table's names are too long for credentials".into())
            }
            IssueError::Random => TableError::Store(Box::new(error)),
        })?;
        Ok(Credentials {
            access_key_id: made.id,
            secret_access_key: made.secret.expose().to_owned(),
            session_token: made.token.expose().to_owned(),
            expires_ms: made.expires.saturating_mul(1000),
        })
    }
}

/// Where a table is a directory by itself: a Delta table, whose log says what the other files are.
fn place(source: &Source) -> Option<Prefix> {
    match source {
        Source::Delta { bucket, prefix } => Prefix::new(bucket, prefix, PrefixAccess::Read),
        Source::Iceberg { .. } => None,
    }
}

#[async_trait]
impl TableCredentials for Directories {
    fn location(&self, table: &SharedTable) -> Option<String> {
        let place = place(&table.source)?;
        Some(format!("s3://{}/{}", place.bucket(), place.prefix().trim_end_matches('/')))
    }

    async fn vend(
        &self,
        ticket: &Ticket,
        table: &SharedTable,
        expires_ms: i64,
    ) -> Result<Credentials, TableError> {
        let place = place(&table.source).ok_or(TableError::NoSuchTable)?;
        self.issue(ticket, table, Restriction::Prefixes([place].into()), expires_ms)
    }

    async fn vend_files(
        &self,
        ticket: &Ticket,
        table: &SharedTable,
        files: TableFiles,
        expires_ms: i64,
    ) -> Result<Credentials, TableError> {
        self.issue(ticket, table, Restriction::Files(Arc::new(files)), expires_ms)
    }
}
