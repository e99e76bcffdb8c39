//! Scrub: checks every shard of every object and upload, and makes the bad ones again.
//!
//! Reads look at data shards only; what ails parity shards is found here.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Pace;
use crate::core::{ObjectCore, Set};
use crate::set::Space;
use crate::types::StorageError;

const PAGE: usize = 1000;

/// What a scrub found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubReport {
    /// The entries looked at.
    pub entries: u64,
    /// The shards and records that were made again.
    pub repaired: u64,
    /// The entries that have too few intact shards, or could not be written again.
    pub failed: u64,
}

impl ObjectCore {
    /// Checks every shard of every object and part now, one after the other, and repairs what is bad.
    pub async fn scrub(&self) -> Result<ScrubReport, StorageError> {
        let mut report = ScrubReport::default();
        for set in self.inner.sets.iter() {
            for space in Space::ALL {
                let mut from = Bound::Unbounded;
                loop {
                    let page = set.log.entries(space, from, PAGE).await?;
                    let Some((last, _)) = page.last() else { break };
                    from = Bound::Excluded(last.clone());
                    for (key, _) in &page {
                        self.scrub_entry(set, (space, key), Pace::Full, &mut report).await;
                    }
                }
            }
        }
        Ok(report)
    }

    /// Checks and repairs one entry.
    pub(crate) async fn scrub_entry(
        &self,
        set: &Arc<Set>,
        (space, key): (Space, &Bytes),
        pace: Pace,
        report: &mut ScrubReport,
    ) {
        report.entries += 1;
        metrics::counter!("tarn_scrubbed_entries_total").increment(1);
        match self.inner.healer.repair(set, (space, key), pace).await {
            Ok(repaired) => {
                report.repaired += repaired as u64;
                self.inner.healer.repairs.forgive(set.number, space, key);
            }
            Err(error) => {
                report.failed += 1;
                tracing::error!(set.number = set.number, %error, "an entry cannot be repaired");
            }
        }
    }
}
