//! Ends the keeping of dropped tables when their time is over (`state/dropped.rs`). The purge of their files then begins
//! in the same commit.

use std::time::Duration;

use crate::Catalog;
use crate::commit::CommitError;
use crate::state::Request;

/// The clock of the machine may be set while this waits for it.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// After a commit that failed, and between commits that expire a part of many.
const WAIT_MIN: Duration = Duration::from_secs(1);

impl Catalog {
    /// Expires dropped tables until the catalog closes.
    pub(crate) async fn start_expiring(&self) {
        self.in_background(run(self.clone())).await;
    }

    /// Ends the keeping of the tables whose time is over at `now`; of many, those that ended first.
    pub(crate) async fn expire_dropped(&self, now: i64) -> Result<(), CommitError> {
        let before = self.snapshot().expired_tables(now).count();
        if before > 0 {
            self.commit(Request::ExpireDropped { now }).await?;
            tracing::info!(tables = before, "dropped tables are kept no longer");
        }
        Ok(())
    }
}

async fn run(catalog: Catalog) {
    let mut changes = catalog.watch();
    loop {
        changes.mark_unchanged();
        let now = jiff::Timestamp::now().as_millisecond();
        let wait = match catalog.expire_dropped(now).await {
            Ok(()) => wait(catalog.snapshot().next_expiry(), now),
            Err(error) => {
                tracing::warn!(%error, "dropped tables could not be expired; it is tried again");
                Some(WAIT_MIN)
            }
        };
        let Some(wait) = wait else {
            match changes.changed().await {
                Ok(()) => continue,
                // The catalog is gone.
                Err(_closed) => return,
            }
        };
        // A table dropped meanwhile may end sooner, but not before this wait does by much.
        tokio::time::sleep(wait).await;
    }
}

/// How long until the next one ends; `None` when none is kept.
fn wait(next: Option<i64>, now: i64) -> Option<Duration> {
    let left = u64::try_from(next?.saturating_sub(now)).unwrap_or(0);
    Some(Duration::from_millis(left).clamp(WAIT_MIN, WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_the_next_end_but_follows_a_clock_that_is_set() {
        assert_eq!(wait(None, 5), None);
        assert_eq!(wait(Some(5_000), 2_000), Some(Duration::from_secs(3)));
        assert_eq!(wait(Some(1_000), 2_000), Some(WAIT_MIN));
        assert_eq!(wait(Some(i64::MAX), i64::MIN), Some(WAIT_MAX));
    }
}
