//! What changed in a bucket between two watermarks: of each key its last change.

use std::collections::BTreeMap;

use crate::journal::watermark::{Watermark, sequence_number};
use crate::journal::{ChangeLog, ChangeLogError, Changed, State};

/// Changes asked for at a time.
const READ_MAX: usize = 10_000;

/// Changes to merge into an inventory.
#[derive(Debug)]
pub(in crate::journal) struct Delta {
    /// By key: the sequence of its last change, and the object, if it is still there.
    pub(in crate::journal) keys: BTreeMap<String, (String, Option<State>)>,
    /// How far they were read.
    pub(in crate::journal) through: Watermark,
    /// Changes read.
    pub(in crate::journal) changes: u64,
    /// Whether there are more than were asked for.
    pub(in crate::journal) is_full: bool,
}

/// Reads what changed in `bucket` behind `from`, and not behind `until`; of `keys_max` keys, about.
pub(in crate::journal) async fn delta(
    log: &dyn ChangeLog,
    bucket: &str,
    from: &Watermark,
    until: Option<&Watermark>,
    keys_max: usize,
) -> Result<Delta, ChangeLogError> {
    let mut delta = Delta { keys: BTreeMap::new(), through: from.clone(), changes: 0, is_full: false };
    for set in 0..log.sets() {
        let end = until.map_or(u64::MAX, |until| until.at(set));
        loop {
            if delta.keys.len() >= keys_max {
                delta.is_full = true;
                return Ok(delta);
            }
            let some = log.changes(set, delta.through.at(set), READ_MAX).await?;
            let is_last = some.len() < READ_MAX || some.last().is_some_and(|last| last.sequence >= end);
            for change in some.into_iter().take_while(|change| change.sequence <= end) {
                delta.through.advance(set, change.sequence);
                if change.bucket != bucket {
                    continue;
                }
                delta.changes += 1;
                let state = match change.changed {
                    Changed::Created(state) | Changed::Updated(state) => Some(state),
                    Changed::Deleted => None,
                };
                // A key is always in the same set, and of two changes the later comes later.
                delta.keys.insert(change.key, (sequence_number(set, change.sequence), state));
            }
            if is_last {
                break;
            }
        }
    }
    Ok(delta)
}
