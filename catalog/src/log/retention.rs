//! How much of the log is kept as history, beside what recovery needs (C2).
//!
//! History begins with a checkpoint: the state at it, and at every record after it, can be made again.

use std::time::Duration;

use super::Seq;

/// Checkpoints that are kept for recovery (C2).
const CHECKPOINTS_KEPT: usize = 2;

/// What is kept of what was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    /// The state of every moment back to this age.
    pub(crate) age: Duration,
    /// Bytes of checkpoints and records together; above it the oldest go before their time.
    pub(crate) bytes_max: u64,
}

impl Retention {
    /// Only what recovery needs.
    pub(crate) const NONE: Self = Self { age: Duration::ZERO, bytes_max: 0 };
}

/// A checkpoint and the records after it, up to the next one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) seq: Seq,
    /// When the checkpoint was written, by the store's clock.
    pub(crate) written_ms: i64,
    pub(crate) bytes: u64,
}

/// The checkpoint that history begins with, of those there are, in order; `None` keeps all of the log. The newest was
/// written now.
pub(crate) fn first_kept(kept: &[Kept], retention: &Retention) -> Option<Seq> {
    let needed = kept.len().checked_sub(CHECKPOINTS_KEPT)?;
    let now_ms = kept.last()?.written_ms;
    let age_ms = i64::try_from(retention.age.as_millis()).unwrap_or(i64::MAX);
    let begins_ms = now_ms.saturating_sub(age_ms);
    // The last one that is old enough: the moments between it and the next one are wanted too.
    let by_age = kept.iter().rposition(|kept| kept.written_ms <= begins_ms);
    let mut bytes = 0_u64;
    let fit = kept.iter().rev().take_while(|kept| {
        bytes = bytes.saturating_add(kept.bytes);
        bytes <= retention.bytes_max
    });
    let by_bytes = kept.len() - fit.count();
    // Before the first checkpoint lie the records from the first one on: none is dropped while all fit.
    let first = match (by_age, by_bytes) {
        (None, 0) => return None,
        (by_age, by_bytes) => by_age.unwrap_or(0).max(by_bytes),
    };
    Some(kept[first.min(needed)].seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checkpoints at 10, 20, ... written a second apart, with 100 bytes each.
    fn kept(count: u64) -> Vec<Kept> {
        let one = |number| Kept { seq: Seq(number * 10), written_ms: number as i64 * 1000, bytes: 100 };
        (1..=count).map(one).collect()
    }

    fn first(count: u64, seconds: u64, bytes_max: u64) -> Option<u64> {
        let retention = Retention { age: Duration::from_secs(seconds), bytes_max };
        first_kept(&kept(count), &retention).map(|seq| seq.0)
    }

    #[test]
    fn without_retention_two_checkpoints_are_kept() {
        assert_eq!(first(0, 0, 0), None);
        assert_eq!(first(1, 0, 0), None);
        assert_eq!(first(2, 0, 0), Some(10));
        assert_eq!(first(5, 0, 0), Some(40));
    }

    #[test]
    fn every_moment_of_the_age_is_kept_and_the_checkpoint_before_it() {
        assert_eq!(first(10, 3, u64::MAX), Some(70));
        assert_eq!(first(10, 100, u64::MAX), None);
        assert_eq!(first(10, u64::MAX, u64::MAX), None);
    }

    #[test]
    fn bytes_end_history_before_its_time_but_never_what_recovery_needs() {
        assert_eq!(first(10, 100, 450), Some(70));
        assert_eq!(first(10, 100, 0), Some(90));
        assert_eq!(first(10, 2, 450), Some(80));
    }
}
