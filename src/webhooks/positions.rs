//! Where webhooks stand, as it is written down (WH2): one document for all, so that many webhooks cost one write.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tarn_catalog::Catalog;
use tarn_catalog::events::Position;
use tarn_catalog::state::Expect;
use uuid::Uuid;

const KIND: &str = "webhook-positions";
const ID: &str = "all";
/// A webhook that passes so many records without an event for it is written down too: else the log would be trimmed
/// behind its durable position, and a restart would tell of a gap where nothing is missing.
const QUIET_RECORDS_MAX: u64 = 200;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    epoch: Uuid,
    at: String,
}

/// The positions on disk, and those to be written.
pub(super) struct Positions {
    written: ById<Kept>,
    /// Events sent of each webhook when it was written.
    sent: ById<u64>,
    wanted: Option<(ById<Kept>, ById<u64>)>,
}

type ById<T> = BTreeMap<Arc<str>, T>;

impl Positions {
    pub(super) fn read(catalog: &Catalog) -> Self {
        let kept = catalog.get_document(KIND, ID);
        let written = kept.and_then(|kept| serde_json::from_str(&kept.json).ok()).unwrap_or_default();
        Self { written, sent: BTreeMap::new(), wanted: None }
    }

    /// Where a webhook stood, if it is still the one that began in this epoch.
    pub(super) fn of(&self, id: &str, epoch: Uuid) -> Option<Position> {
        let kept = self.written.get(id).filter(|kept| kept.epoch == epoch)?;
        kept.at.parse().ok()
    }

    /// Takes down where all webhooks stand, with the events each has sent.
    pub(super) fn note(&mut self, now: impl Iterator<Item = (Arc<str>, Uuid, Position, u64)>) {
        let (mut positions, mut sent, mut due) = (BTreeMap::new(), BTreeMap::new(), false);
        for (id, epoch, at, events) in now {
            let before = self.of(&id, epoch);
            let quiet =
                before.is_none_or(|before| at.seq().0.saturating_sub(before.seq().0) > QUIET_RECORDS_MAX);
            due |= quiet || events != self.sent.get(&id).copied().unwrap_or(0) && before != Some(at);
            sent.insert(id.clone(), events);
            positions.insert(id, Kept { epoch, at: at.to_string() });
        }
        due |= self.written.keys().any(|id| !positions.contains_key(id));
        self.wanted = due.then_some((positions, sent));
    }

    /// Writes what is due. A failure is made good the next time.
    pub(super) async fn write(&mut self, catalog: &Catalog) {
        let Some((positions, sent)) = self.wanted.take() else { return };
        let json = serde_json::json!(positions).to_string();
        match catalog.put_document(KIND, ID, &json, Expect::Any).await {
            Ok(_) => (self.written, self.sent) = (positions, sent),
            Err(error) => tracing::warn!(%error, "the positions of webhooks could not be written down"),
        }
    }
}
