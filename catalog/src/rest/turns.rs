//! Turns: writers of a hot table are told one after the other that they lost (docs/decisions/0011).
//!
//! A commit on an old snapshot is refused: only its writer can make it again on the new one. Writers that lost to
//! one commit and are told so at once come back at once, and all but one lose again, until their few retries are
//! used up and their work is thrown away. So the answers of a table leave in the order in which the commits
//! came, one for each commit that the table takes in the same time.
//!
//! - TU1: the first to lose is answered at once, and so is everyone while a table is not contended.
//! - TU2: no answer waits longer than [`WAIT_MAX`]; nothing but 409 for a lost race waits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Front;
use crate::commit::{CommitError, Committed};
use crate::state::{Conflict, TableIdent};

/// How long an answer waits for its turn. Clients wait for answers longer than this.
const WAIT_MAX: Duration = Duration::from_secs(4);
/// Answers that wait at a time; more are given at once.
const WAITING_MAX: usize = 1024;
/// Tables whose turns are kept; those of other tables are given at once.
const TABLES_MAX: usize = 4096;
/// Commits further apart do not contend.
const APART: Duration = Duration::from_secs(1);
/// The time between two turns before any was measured.
const INTERVAL_START: Duration = Duration::from_millis(20);
/// How much of a measured interval enters the mean: one part of so many.
const SMOOTHING: u32 = 10;

/// The turns of all tables that were committed to lately.
pub(crate) struct Turns {
    lanes: Mutex<HashMap<TableIdent, Lane>>,
    waiting: Semaphore,
}

/// The turns of one table.
#[derive(Debug, Clone, Copy)]
struct Lane {
    /// When it was committed to.
    committed: Instant,
    /// The mean time between two commits.
    interval: Duration,
    /// When the next answer may leave.
    next: Instant,
}

impl Lane {
    fn new(now: Instant) -> Self {
        Self { committed: now, interval: INTERVAL_START, next: now }
    }

    fn won(&mut self, now: Instant) {
        let measured = now.saturating_duration_since(self.committed);
        if measured < APART {
            self.interval = (self.interval * (SMOOTHING - 1) + measured) / SMOOTHING;
        }
        self.committed = now;
    }

    /// How long the answer to a commit that lost waits.
    fn lost(&mut self, now: Instant) -> Duration {
        let turn = self.next.max(now);
        let wait = turn - now;
        if wait > WAIT_MAX {
            return WAIT_MAX;
        }
        self.next = turn + self.interval;
        wait
    }

    /// Whether forgetting it changes nothing.
    fn is_over(&self, now: Instant) -> bool {
        now >= self.next && now.saturating_duration_since(self.committed) >= APART
    }
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self { lanes: Mutex::default(), waiting: Semaphore::new(WAITING_MAX) }
    }

    fn won(&self, table: &TableIdent, now: Instant) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get_mut(table) {
            return lane.won(now);
        }
        if lanes.len() >= TABLES_MAX {
            lanes.retain(|_, lane| !lane.is_over(now));
        }
        if lanes.len() < TABLES_MAX {
            lanes.insert(table.clone(), Lane::new(now));
        }
    }

    fn lost(&self, table: &TableIdent, now: Instant) -> Duration {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.get_mut(table).map_or(Duration::ZERO, |lane| lane.lost(now))
    }
}

impl Front {
    /// The outcome of a commit, when it is its turn to be told.
    pub(crate) async fn in_turn(
        &self,
        outcome: Result<Committed, CommitError>,
    ) -> Result<Committed, CommitError> {
        match &outcome {
            Ok(committed) => {
                for table in &committed.tables {
                    self.turns.won(&table.ident, Instant::now());
                }
            }
            Err(CommitError::Conflict(
                Conflict::Requirement { table, .. } | Conflict::Stale { table, .. },
            )) => {
                if let Ok(_waiting) = self.turns.waiting.try_acquire() {
                    let wait = self.turns.lost(table, Instant::now());
                    metrics::histogram!("tarn_catalog_turn_wait_seconds").record(wait.as_secs_f64());
                    tokio::time::sleep(wait).await;
                }
            }
            Err(_not_a_lost_race) => {}
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A lane whose table took a commit every 30 ms for a while, and the time of the last.
    fn contended() -> (Lane, Instant) {
        let mut now = Instant::now();
        let mut lane = Lane::new(now);
        for _ in 0..200 {
            now += 30 * MS;
            lane.won(now);
        }
        (lane, now)
    }

    #[test]
    fn the_first_to_lose_is_told_at_once_and_the_others_as_fast_as_the_table_takes_commits() {
        let (mut lane, now) = contended();
        assert!(lane.interval > 29 * MS && lane.interval <= 30 * MS, "{:?}", lane.interval);
        let waits: Vec<Duration> = (0..4).map(|_| lane.lost(now)).collect();
        let expected: Vec<Duration> = (0..4).map(|turn| lane.interval * turn).collect();
        assert_eq!(waits, expected);
        // Later the turns before are over.
        assert_eq!(lane.lost(now + 500 * MS), Duration::ZERO);
    }

    #[test]
    fn nobody_waits_longer_than_the_limit_and_a_wait_cut_short_takes_no_turn() {
        let (mut lane, now) = contended();
        let waits: Vec<Duration> = (0..1000).map(|_| lane.lost(now)).collect();
        assert_eq!(waits.iter().max(), Some(&WAIT_MAX));
        assert!(lane.next <= now + WAIT_MAX + lane.interval);
    }

    #[test]
    fn a_pause_between_commits_says_nothing_of_how_fast_they_can_come() {
        let (mut lane, now) = contended();
        let before = lane.interval;
        lane.won(now + Duration::from_secs(3600));
        assert_eq!(lane.interval, before);
    }

    #[test]
    fn turns_of_tables_at_rest_make_room_and_more_tables_than_fit_are_told_at_once() {
        let turns = Turns::new();
        let table = |number: usize| TableIdent {
            warehouse: "main".into(),
            namespace: crate::state::Namespace::new(vec!["a".to_owned()]).unwrap(),
            name: format!("t{number}").as_str().into(),
        };
        let now = Instant::now();
        for number in 0..=TABLES_MAX {
            turns.won(&table(number), now);
        }
        assert_eq!(
            (turns.lost(&table(0), now), turns.lost(&table(0), now)),
            (Duration::ZERO, INTERVAL_START)
        );
        let unknown = table(TABLES_MAX);
        assert_eq!((turns.lost(&unknown, now), turns.lost(&unknown, now)), (Duration::ZERO, Duration::ZERO));
        turns.won(&unknown, now + Duration::from_secs(10));
        assert_eq!(turns.lanes.lock().unwrap().len(), 1);
    }
}
