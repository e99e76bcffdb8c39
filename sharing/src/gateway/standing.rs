//! Whether what was given out still stands.

use std::sync::Arc;

use tarn_openapi::access::Sender;

use super::Tickets;
use crate::Sharers;
use crate::access::{Access, Gone, StillGranted, Ticket};

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
    pub fn of(&self, ticket: &Ticket, sender: Option<&Sender>, now_ms: i64) -> Result<StillGranted, Gone> {
        let still = self.access.still(ticket, now_ms, sender.and_then(|sender| sender.address))?;
        let table = still.table();
        if self.sharers.may_read(&table.by, &table.source) { Ok(still) } else { Err(Gone) }
    }
}

impl Tickets for Standing {
    fn still(&self, ticket: &Ticket, sender: Option<&Sender>, now_ms: i64) -> Result<(), Gone> {
        self.of(ticket, sender, now_ms).map(|_| ())
    }
}
