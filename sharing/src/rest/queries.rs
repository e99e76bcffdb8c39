//! Queries that run by themselves (`asyncquery`): submitted, asked for, and answered when their version is read.
//!
//! - A1: an id opens for the recipient, by the grant and for the table it was submitted with; for all others it is none.
//! - A2: the version that is answered is the one of the submission.
//! - A3: a recipient has [`PENDING_MAX`] queries that run and [`KEPT_MAX`] in all, the server [`ALL_MAX`]. Those that ended
//!   make room, oldest first; those that run do not.
//!
//! They are forgotten at a restart, as what was read is: their clients submit them again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::access::Ticket;
use crate::protocol::{Failure, Kind, Query};

/// The largest body of a query that is kept, in bytes. Larger ones are answered at once.
pub(super) const QUERY_BYTES_MAX: usize = 64 << 10;
/// How long a query is known, in milliseconds: an hour.
const LIFETIME_MS: i64 = 3600 * 1000;
/// Queries of one recipient that may run.
const PENDING_MAX: usize = 8;
/// Queries of one recipient that are known.
const KEPT_MAX: usize = 64;
/// Queries that are known.
const ALL_MAX: usize = 1024;
/// How long who asks for a query waits for its end.
const PATIENCE: Duration = Duration::from_secs(2);
/// After how many seconds one more may be submitted.
const RETRY_S: u64 = 5;

/// The queries that run or ran.
#[derive(Default)]
pub struct Queries {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Oldest first.
    known: Vec<Arc<Submitted>>,
    /// What reads for them. It ends with the server.
    tasks: JoinSet<()>,
}

/// Whose a query is (A1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    recipient: Uuid,
    grant: Uuid,
    table: Uuid,
}

/// A query to submit.
pub(super) struct New {
    pub(super) id: Uuid,
    pub(super) owner: Owner,
    pub(super) query: Query,
    pub(super) version: i64,
    pub(super) now_ms: i64,
}

/// A query that was submitted.
#[derive(Debug)]
pub(super) struct Submitted {
    pub(super) id: Uuid,
    owner: Owner,
    pub(super) query: Query,
    /// What it is answered from (A2).
    pub(super) version: i64,
    expires_ms: i64,
    progress: watch::Receiver<Progress>,
}

/// How far a query is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// It runs.
    Pending,
    /// It can be answered.
    Ready,
    /// It cannot.
    Failed(String),
}

impl Owner {
    pub(super) fn of(ticket: &Ticket) -> Self {
        Self { recipient: ticket.recipient, grant: ticket.grant, table: ticket.table }
    }
}

impl Queries {
    /// Lets a query run: `load` reads what it is answered from. One that was submitted with its key and has not failed is
    /// that one.
    pub(super) fn submit(
        &self,
        new: New,
        load: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) -> Result<Arc<Submitted>, Failure> {
        let New { id, owner, query, version, now_ms } = new;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget(now_ms);
        let same_key = |known: &&Arc<Submitted>| {
            known.owner == owner
                && query.idempotency_key.is_some()
                && known.query.idempotency_key == query.idempotency_key
        };
        if let Some(at) = state.known.iter().position(|known| same_key(&known)) {
            let known = &state.known[at];
            if known.query != query {
                return Err(Failure::invalid("The idempotencyKey was used for another query."));
            }
            if !known.has_failed() {
                return Ok(known.clone());
            }
            state.known.remove(at);
        }
        state.make_room(owner.recipient)?;
        let (told, progress) = watch::channel(Progress::Pending);
        state.tasks.spawn(async move {
            told.send_replace(match load.await {
                Ok(()) => Progress::Ready,
                Err(failure) => Progress::Failed(failure.message),
            });
        });
        let expires_ms = now_ms.saturating_add(LIFETIME_MS);
        let submitted = Arc::new(Submitted { id, owner, query, version, expires_ms, progress });
        state.known.push(submitted.clone());
        Ok(submitted)
    }

    /// The query of this id, for its owner.
    pub(super) fn find(&self, id: &str, owner: Owner, now_ms: i64) -> Option<Arc<Submitted>> {
        let id = Uuid::try_parse(id).ok()?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget(now_ms);
        state.known.iter().find(|known| known.id == id && known.owner == owner).cloned()
    }
}

impl State {
    /// Forgets what is past its time.
    fn forget(&mut self, now_ms: i64) {
        while self.tasks.try_join_next().is_some() {}
        self.known.retain(|known| now_ms < known.expires_ms);
    }

    /// Makes room for one more of a recipient (A3).
    fn make_room(&mut self, recipient: Uuid) -> Result<(), Failure> {
        let own = |known: &&Arc<Submitted>| known.owner.recipient == recipient;
        let count = self.known.iter().filter(own).count();
        let pending = self.known.iter().filter(own).filter(|known| known.is_pending()).count();
        let many = |message: &str| {
            Err(Failure { retry_after_s: Some(RETRY_S), ..Failure::new(Kind::Throttled, message) })
        };
        if pending >= PENDING_MAX {
            return many("too many queries of the recipient run; try again");
        }
        if count >= KEPT_MAX {
            let oldest = self.known.iter().position(|known| own(&known) && !known.is_pending());
            self.known.remove(oldest.expect("fewer run than are known"));
        }
        if self.known.len() >= ALL_MAX {
            let Some(oldest) = self.known.iter().position(|known| !known.is_pending()) else {
                return many("too many queries run; try again");
            };
            self.known.remove(oldest);
        }
        Ok(())
    }
}

impl Submitted {
    fn is_pending(&self) -> bool {
        *self.progress.borrow() == Progress::Pending
    }

    fn has_failed(&self) -> bool {
        matches!(*self.progress.borrow(), Progress::Failed(_))
    }

    /// How far it is: its end, if that comes within [`PATIENCE`].
    pub(super) async fn progress(&self) -> Progress {
        let mut progress = self.progress.clone();
        let ended = progress.wait_for(|progress| *progress != Progress::Pending);
        match tokio::time::timeout(PATIENCE, ended).await {
            Ok(Ok(progress)) => progress.clone(),
            // What read for it panicked.
            Ok(Err(_)) => Progress::Failed("the query broke off".to_owned()),
            Err(_) => Progress::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(recipient: u128, key: Option<&str>, now_ms: i64) -> New {
        let query = Query { idempotency_key: key.map(str::to_owned), ..Query::parse(b"").unwrap() };
        let owner = Owner { recipient: Uuid::from_u128(recipient), grant: Uuid::nil(), table: Uuid::nil() };
        New { id: Uuid::new_v4(), owner, query, version: 1, now_ms }
    }

    #[tokio::test]
    async fn the_same_submission_is_the_same_query_and_another_by_its_key_is_refused() {
        let queries = Queries::default();
        let submit = |new: New| queries.submit(new, async { Ok(()) });
        let first = submit(new(1, Some("k"), 0)).unwrap();
        assert_eq!(submit(new(1, Some("k"), 1)).unwrap().id, first.id);
        assert_ne!(submit(new(2, Some("k"), 1)).unwrap().id, first.id);
        assert_ne!(submit(new(1, None, 1)).unwrap().id, submit(new(1, None, 1)).unwrap().id);
        let mut other = new(1, Some("k"), 1);
        other.query.limit = Some(3);
        assert_eq!(submit(other).unwrap_err().kind, Kind::Invalid);
        assert_ne!(submit(new(1, Some("k"), LIFETIME_MS)).unwrap().id, first.id);
    }

    #[tokio::test]
    async fn a_query_is_found_by_its_owner_until_its_time() {
        let queries = Queries::default();
        let submitted = queries.submit(new(1, None, 0), async { Err(Failure::invalid("no")) }).unwrap();
        let id = submitted.id.to_string();
        let (owner, other) = (new(1, None, 0).owner, new(2, None, 0).owner);
        assert!(queries.find(&id, other, 1).is_none() && queries.find("x", owner, 1).is_none());
        let found = queries.find(&id, owner, LIFETIME_MS - 1).unwrap();
        assert_eq!(found.progress().await, Progress::Failed("no".into()));
        assert!(queries.find(&id, owner, LIFETIME_MS).is_none());
    }

    #[tokio::test]
    async fn a_recipient_has_few_queries_that_run_and_the_oldest_that_ended_make_room() {
        let queries = Queries::default();
        for _ in 0..PENDING_MAX {
            queries.submit(new(1, None, 0), std::future::pending()).unwrap();
        }
        let refused = queries.submit(new(1, None, 0), async { Ok(()) }).unwrap_err();
        assert_eq!((refused.kind, refused.retry_after_s), (Kind::Throttled, Some(RETRY_S)));
        let mut ids = Vec::new();
        for _ in 0..=KEPT_MAX {
            let ended = queries.submit(new(2, None, 0), async { Ok(()) }).unwrap();
            assert_eq!(ended.progress().await, Progress::Ready);
            ids.push(ended.id.to_string());
        }
        let owner = new(2, None, 0).owner;
        assert!(queries.find(&ids[0], owner, 0).is_none() && queries.find(&ids[1], owner, 0).is_some());
    }
}
