//! Commits: one writer task plans, writes, appends, publishes and answers.
//!
//! - W1: a request is answered success only after the record that holds its commit is durable (L1).
//! - W2: a request is planned on a state that holds every commit before it; the requirements of
//!   every table it names, tables only read included, are checked there. A request that lost a race
//!   is thereby planned again on the newer state.
//! - W3: all requests of a batch become one record, so they are recovered all or not at all.
//! - W4: a conflict is answered only once what it conflicts with is durable.
//! - W6: the answer to a request with an idempotency key is part of its record; the same request again is answered
//!   from it. Requests are planned one after the other, so one sent twice at once waits for the first.
//! - W5: nothing is deleted when something fails. Metadata files nobody refers to are the sweeper's.

pub(crate) mod batch;
mod checkpoints;
mod outcome;
mod plan;
mod queue;
mod writer;

pub(crate) use self::checkpoints::Checkpoints;
pub(crate) use self::outcome::Done;
pub use self::outcome::{CommitError, Committed, CommittedTable, CommittedView, Silence};
pub(crate) use self::plan::replay;
pub(crate) use self::queue::Queue;
pub use self::writer::Standing;
pub(crate) use self::writer::{Parts, Published, Sources, Writer};
