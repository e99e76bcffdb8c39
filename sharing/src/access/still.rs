//! What a signed URL stands on is asked for at each use of it (D3). Cheap: it runs for every range of every file.

use std::net::IpAddr;
use std::sync::Arc;

use super::known::KnownShare;
use super::{Access, Gone, Ticket};
use crate::directory::{Grant, Recipient, Share, SharedTable, Status};

/// All that a URL stands on, as it is now.
#[derive(Clone)]
pub struct StillGranted {
    /// The recipient.
    pub recipient: Arc<Recipient>,
    /// The table's schema in the share, in lower case.
    pub schema: Arc<str>,
    /// The table's name in the share, in lower case.
    pub name: Arc<str>,
    share: Arc<KnownShare>,
    /// The grant's key in the recipient's document.
    granted: Arc<str>,
}

impl StillGranted {
    /// The share.
    pub fn share(&self) -> &Arc<Share> {
        &self.share.share
    }

    /// The table.
    pub fn table(&self) -> &SharedTable {
        &self.share.share.schemas[&*self.schema].tables[&*self.name]
    }

    /// The grant.
    pub fn grant(&self) -> &Grant {
        &self.recipient.grants[&*self.granted]
    }
}

impl Access {
    /// Whether everything a URL was given out for is there still, and its recipient may come from `address`.
    pub fn still(&self, ticket: &Ticket, now_ms: i64, address: Option<IpAddr>) -> Result<StillGranted, Gone> {
        let state = self.catalog.snapshot();
        let known = self.known.recipient(&state, ticket.recipient).ok_or(Gone)?;
        let enabled = match known.recipient.status {
            Status::Enabled => true,
            Status::Disabled => false,
        };
        if !enabled || !known.may_come_from(address) {
            return Err(Gone);
        }
        known.token(ticket.token, now_ms).ok_or(Gone)?;
        if ticket.key != 0 {
            let keys = self.keys.of(&state).ok().flatten().ok_or(Gone)?;
            keys.stands(ticket.key, now_ms).then_some(()).ok_or(Gone)?;
        }
        let (granted, grant) = known.grant(ticket.grant).ok_or(Gone)?;
        let share = self.known.share(&state, granted).ok_or(Gone)?;
        if share.share.id != grant.share {
            return Err(Gone);
        }
        let (schema, name, _) = share.table(ticket.table).ok_or(Gone)?;
        Ok(StillGranted {
            recipient: known.recipient.clone(),
            schema: schema.clone(),
            name: name.clone(),
            granted: granted.clone(),
            share,
        })
    }
}
