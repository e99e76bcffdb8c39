//! Whether what was given out still stands.

use std::net::IpAddr;
use std::sync::Arc;

use tarn_openapi::access::Sender;

use super::{Signed, Tickets};
use crate::Sharers;
use crate::access::{Access, Gone, StillGranted, Ticket};
use crate::table::OWN_BUCKET;

/// Asks recipients' access, and the rights of who shared (D3, D4).
pub struct Standing {
    access: Arc<Access>,
    sharers: Arc<dyn Sharers>,
}

impl Standing {
    /// Over recipients and sharers.
    pub fn new(access: Arc<Access>, sharers: Arc<dyn Sharers>) -> Self {
        Self { access, sharers }
    }

    /// What a ticket stands on, if all of it still does.
    pub fn of(&self, ticket: &Ticket, address: Option<IpAddr>, now_ms: i64) -> Result<StillGranted, Gone> {
        let still = self.access.still(ticket, now_ms, address)?;
        let table = still.table();
        if self.sharers.may_read(&table.by, &table.source) { Ok(still) } else { Err(Gone) }
    }
}

impl Tickets for Standing {
    fn still(&self, signed: &Signed, sender: Option<&Sender>, now_ms: i64) -> Result<(), Gone> {
        let still = self.of(&signed.ticket, sender.and_then(|sender| sender.address), now_ms)?;
        let (table, own) = (still.table(), signed.bucket == OWN_BUCKET);
        // What sharing writes itself tells which rows of a table are deleted, and lies in nobody's bucket.
        let may = own || self.sharers.may_send(&table.by, &table.source, &signed.bucket, &signed.key);
        if may { Ok(()) } else { Err(Gone) }
    }
}
