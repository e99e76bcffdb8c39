//! The catalog as it was: any position of the log that is kept, or any time since.
//!
//! - P1: the state at a position is what the log's records up to it make; it never changes, so it is kept under its
//!   position and never invalidated.
//! - P2: a position is the number of a record of the catalog log. A time stands for the last position before the first
//!   later one; where the machine's clock went back it can stand for several, a position never does.
//! - P3: one past state is made at a time, and each once however many ask; a bounded number may wait.
//! - P4: how far back is a limit with a name (`Settings::history_retention`, `history_bytes_max`), and every error about
//!   it tells the oldest position and time there is.

mod diff;
mod entries;
mod moment;
mod rollback;
mod states;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};

#[cfg(test)]
pub(crate) use self::diff::shape_between;
pub use self::diff::{
    AddedRemoved, Amount, Change, ColumnChange, DiffError, FileChanges, FilesError, MoveCounts, Name, Point,
    SnapshotTold, TableDiff, TableMove, TableShape, Totals, WarehouseDiff,
};
pub use self::entries::{Entry, EntryChange, Page};
pub use self::moment::{InvalidMoment, Moment};
pub use self::rollback::{Refused, RollbackError, RollbackMode, RollbackOrder, RollbackTo, RolledBack};
use self::states::States;
use crate::cache::ByteCache;
use crate::commit::Published;
use crate::commit::batch::{self, BodyError};
use crate::files::blocking;
use crate::log::{Oldest, Past, PastError, ReadError, Seq};
use crate::settings::Settings;
use crate::state::CatalogState;

/// Times whose positions are kept, in bytes of the cache.
const TIMES_BYTES_MAX: usize = 64 << 10;
const TIME_BYTES: usize = 64;

/// Reads the past of a catalog.
pub(crate) struct History {
    past: Past,
    published: Arc<Published>,
    states: States,
    /// Positions of times before the last record, which no later one changes.
    times: ByteCache<i64, Seq>,
    making: Mutex<()>,
    waiting: Semaphore,
    retry_after: Duration,
}

/// Why the catalog of then cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// It is older than what is kept.
    #[error("{asked} is before the history that is kept, which begins with position {oldest} at {time}", time = moment::time(*.oldest_ms))]
    Gone {
        /// What was asked for.
        asked: Moment,
        /// The oldest position there is.
        oldest: Seq,
        /// The oldest time there is, in milliseconds since 1970.
        oldest_ms: i64,
    },
    /// It has not come yet.
    #[error("{asked} is not there yet: the last position is {last}")]
    Future {
        /// What was asked for.
        asked: Moment,
        /// The last position.
        last: Seq,
    },
    /// Too many wait for past states. Nothing was begun.
    #[error("too many past states are asked for at once")]
    Busy {
        /// What the caller should wait.
        retry_after: Duration,
    },
    /// The log cannot be read now; trying again may help.
    #[error("the catalog's log could not be read")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What the log keeps is not what it must be.
    #[error("the catalog's log is damaged")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ReadError> for HistoryError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(_) => Self::Store(error.into()),
            ReadError::Boundary
            | ReadError::Missing { .. }
            | ReadError::Damaged { .. }
            | ReadError::Chain { .. } => Self::Damaged(error.into()),
        }
    }
}

impl From<BodyError> for HistoryError {
    fn from(error: BodyError) -> Self {
        Self::Damaged(error.into())
    }
}

impl History {
    pub(crate) fn new(past: Past, published: Arc<Published>, settings: &Settings) -> Self {
        Self {
            past,
            published,
            states: States::new(settings.past_states_max, settings.past_states_bytes_max),
            times: ByteCache::new(TIMES_BYTES_MAX),
            making: Mutex::default(),
            waiting: Semaphore::new(settings.past_waiting_max),
            retry_after: settings.retry_after,
        }
    }

    /// The position that a moment stands for. `now` is in milliseconds since 1970.
    pub(crate) async fn position(&self, moment: Moment, now: i64) -> Result<Seq, HistoryError> {
        let (_, last) = self.published.snapshot_at();
        let future = HistoryError::Future { asked: moment, last };
        match moment {
            Moment::Position(position) if position > last => Err(future),
            Moment::Position(position) => Ok(position),
            Moment::Time(at) if at > now => Err(future),
            Moment::Time(at) => match self.times.get(&at) {
                Some(position) => Ok(position),
                None => self.position_at(at, last).await,
            },
        }
    }

    /// P2, by halving: the position found is not later than `at`, the batch after it is.
    async fn position_at(&self, at: i64, last: Seq) -> Result<Seq, HistoryError> {
        let oldest = self.past.oldest().await?;
        let (mut low, mut high) = (oldest.seq, last);
        while low < high {
            let middle = Seq(low.0 + (high.0 - low.0).div_ceil(2));
            match self.batch_from(middle, high).await.map_err(|error| self.trimmed(error))? {
                Some((seq, time)) if time <= at => low = seq,
                Some(_) | None => high = Seq(middle.0 - 1),
            }
        }
        let later = self.next_batch(low, last).await.map_err(|error| self.trimmed(error))?;
        if low == oldest.seq
            && let Some(written_ms) = oldest.written_ms
        {
            let oldest_ms = later.map_or(written_ms, |(_, later)| written_ms.min(later));
            if at < oldest_ms {
                return Err(HistoryError::Gone { asked: Moment::Time(at), oldest: low, oldest_ms });
            }
        }
        if later.is_some() {
            self.times.insert(at, low, TIME_BYTES);
        }
        Ok(low)
    }

    async fn next_batch(&self, after: Seq, last: Seq) -> Result<Option<(Seq, i64)>, PastError> {
        if after == last { Ok(None) } else { self.batch_from(Seq(after.0 + 1), last).await }
    }

    /// The first batch from `first` to `last`, and its time.
    async fn batch_from(&self, first: Seq, last: Seq) -> Result<Option<(Seq, i64)>, PastError> {
        for seq in (first.0..=last.0).map(Seq) {
            for (seq, body) in self.past.bodies(seq, seq).await? {
                if let Some(time) = body.and_then(|body| batch::time(&body)) {
                    return Ok(Some((seq, time)));
                }
            }
        }
        Ok(None)
    }

    /// The state at a position that was.
    pub(crate) async fn state(&self, position: Seq) -> Result<Arc<CatalogState>, HistoryError> {
        let (state, last) = self.published.snapshot_at();
        if position == last {
            return Ok(state);
        }
        if position > last {
            return Err(HistoryError::Future { asked: Moment::Position(position), last });
        }
        if let Some(kept) = self.states.get(position) {
            return Ok(kept);
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(HistoryError::Busy { retry_after: self.retry_after });
        };
        let _one_at_a_time = self.making.lock().await;
        if let Some(kept) = self.states.get(position) {
            return Ok(kept);
        }
        self.make(position).await
    }

    async fn make(&self, position: Seq) -> Result<Arc<CatalogState>, HistoryError> {
        let held = self.states.before(position);
        let asked = Moment::Position(position);
        let basis = match self.past.basis(position, held.as_ref().map(|held| held.position)).await {
            Ok(basis) => basis,
            Err(error) => return Err(self.gone(error, asked).await?),
        };
        let (state, bytes) = blocking(move || {
            let held = held.filter(|_| basis.checkpoint.is_none());
            let batches: usize = basis.batches.iter().map(|(_, body)| body.len()).sum();
            let begun = basis.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.body.len());
            let begun = held.as_ref().map_or(begun, |held| held.bytes);
            let held = held.map(|held| CatalogState::clone(&held.state));
            let state = batch::replay_from(held, basis.checkpoint.as_ref(), &basis.batches)?;
            Ok::<_, BodyError>((Arc::new(state), begun + batches))
        })
        .await?;
        self.states.keep(position, state.clone(), bytes);
        metrics::counter!("tarn_catalog_past_states_made_total").increment(1);
        Ok(state)
    }

    /// P4.
    async fn gone(&self, error: PastError, asked: Moment) -> Result<HistoryError, HistoryError> {
        match error {
            PastError::Read(error) => Ok(error.into()),
            PastError::Gone { .. } => {
                let (oldest, oldest_ms) = self.begins().await?;
                Ok(HistoryError::Gone { asked, oldest, oldest_ms })
            }
        }
    }

    /// The log was trimmed while it was searched: trying again tells more.
    fn trimmed(&self, error: PastError) -> HistoryError {
        match error {
            PastError::Read(error) => error.into(),
            PastError::Gone { .. } => HistoryError::Busy { retry_after: self.retry_after },
        }
    }

    /// The oldest position, and since when its state was there at the latest.
    pub(crate) async fn begins(&self) -> Result<(Seq, i64), HistoryError> {
        let Oldest { seq, written_ms } = self.past.oldest().await?;
        let (_, last) = self.published.snapshot_at();
        let later = self.next_batch(seq, last).await.map_err(|error| self.trimmed(error))?;
        let later = later.map(|(_, later)| later);
        let begins = written_ms.into_iter().chain(later).min();
        Ok((seq, begins.unwrap_or_default()))
    }

    /// The last position there is.
    pub(crate) fn last(&self) -> Seq {
        self.published.snapshot_at().1
    }

    pub(crate) fn past(&self) -> &Past {
        &self.past
    }
}
