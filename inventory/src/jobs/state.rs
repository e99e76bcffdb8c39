//! Where a run is, and what may happen to it there.
//!
//! - J1: a run that ended stays as it ended.
//! - J2: a run that is to be canceled, or failed for good, ends so, whatever its work comes to meanwhile; it has ended
//!   when what it left is taken away.

use serde::{Deserialize, Serialize};

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It waits for its turn, or after an error for its next attempt.
    Pending,
    /// At work.
    Running,
    /// It goes on when it is resumed.
    Suspended,
    /// It is canceled; what it left is being taken away.
    Canceling,
    /// It failed for good; what it left is being taken away.
    Failing,
    /// Done.
    Completed,
    /// Ended on request.
    Canceled,
    /// Ended by its errors.
    Failed,
}

/// What happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEvent {
    /// An attempt begins.
    Start,
    /// The work is done.
    Complete,
    /// The work failed and is tried again.
    Retry,
    /// The work failed for good.
    GiveUp,
    /// The work stopped where it was told to, or was killed.
    Stop,
    /// Somebody suspends it.
    Suspend,
    /// Somebody resumes it.
    Resume,
    /// Somebody cancels it.
    Cancel,
    /// What it left is taken away.
    Discarded,
}

/// What happened may not happen to a run there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run is {}", .state.name())]
pub struct NotAllowed {
    /// Where the run is.
    pub state: RunState,
}

impl RunState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Running,
        Self::Suspended,
        Self::Canceling,
        Self::Failing,
        Self::Completed,
        Self::Canceled,
        Self::Failed,
    ];

    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Canceling => "canceling",
            Self::Failing => "failing",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing happens to it any more.
    pub fn is_ended(self) -> bool {
        match self {
            Self::Completed | Self::Canceled | Self::Failed => true,
            Self::Pending | Self::Running | Self::Suspended | Self::Canceling | Self::Failing => false,
        }
    }

    /// Where a run is after `event`.
    pub fn after(self, event: RunEvent) -> Result<Self, NotAllowed> {
        match self {
            Self::Pending | Self::Running | Self::Suspended => self.after_alive(event),
            Self::Canceling => self.after_doomed(event, Self::Canceled),
            Self::Failing => self.after_doomed(event, Self::Failed),
            Self::Completed | Self::Canceled | Self::Failed => Err(NotAllowed { state: self }),
        }
    }

    /// An attempt may still come to its end after its run was suspended, and even resumed.
    fn after_alive(self, event: RunEvent) -> Result<Self, NotAllowed> {
        match event {
            RunEvent::Start if self == Self::Pending => Ok(Self::Running),
            RunEvent::Resume if self == Self::Suspended => Ok(Self::Pending),
            RunEvent::Complete => Ok(Self::Completed),
            RunEvent::GiveUp => Ok(Self::Failing),
            RunEvent::Retry | RunEvent::Stop if self == Self::Suspended => Ok(Self::Suspended),
            RunEvent::Retry | RunEvent::Stop => Ok(Self::Pending),
            RunEvent::Suspend => Ok(Self::Suspended),
            RunEvent::Cancel => Ok(Self::Canceling),
            RunEvent::Start | RunEvent::Resume | RunEvent::Discarded => Err(NotAllowed { state: self }),
        }
    }

    /// J2.
    fn after_doomed(self, event: RunEvent, end: Self) -> Result<Self, NotAllowed> {
        match event {
            RunEvent::Discarded => Ok(end),
            RunEvent::Complete | RunEvent::Retry | RunEvent::GiveUp | RunEvent::Stop => Ok(self),
            RunEvent::Cancel if self == Self::Canceling => Ok(self),
            RunEvent::Start | RunEvent::Suspend | RunEvent::Resume | RunEvent::Cancel => {
                Err(NotAllowed { state: self })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::prelude::*;

    use super::*;

    const EVENTS: [RunEvent; 9] = [
        RunEvent::Start,
        RunEvent::Complete,
        RunEvent::Retry,
        RunEvent::GiveUp,
        RunEvent::Stop,
        RunEvent::Suspend,
        RunEvent::Resume,
        RunEvent::Cancel,
        RunEvent::Discarded,
    ];

    #[test]
    fn what_is_allowed_where_is_as_documented() {
        use RunEvent as E;
        use RunState as S;
        let work = [E::Complete, E::Retry, E::GiveUp, E::Stop];
        let allowed = |state: S| -> Vec<E> {
            let more: &[E] = match state {
                S::Pending => &[E::Start, E::Suspend, E::Cancel],
                S::Running => &[E::Suspend, E::Cancel],
                S::Suspended => &[E::Suspend, E::Resume, E::Cancel],
                S::Canceling => &[E::Cancel, E::Discarded],
                S::Failing => &[E::Discarded],
                S::Completed | S::Canceled | S::Failed => return Vec::new(),
            };
            work.iter().chain(more).copied().collect()
        };
        for state in S::ALL {
            for event in EVENTS {
                let is_allowed = allowed(state).contains(&event);
                assert_eq!(state.after(event).is_ok(), is_allowed, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn over_any_history_an_end_stays_and_a_canceled_run_ends_canceled() {
        let seed: u64 = rand::random();
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..2000 {
            let (mut state, mut doomed) = (RunState::Pending, None);
            for _ in 0..40 {
                let event = *EVENTS.choose(&mut random).unwrap();
                let was = state;
                state = state.after(event).unwrap_or(was);
                assert!(!was.is_ended() || state == was, "seed {seed}");
                doomed = doomed.or(match state {
                    RunState::Canceling => Some([RunState::Canceling, RunState::Canceled]),
                    RunState::Failing => Some([RunState::Failing, RunState::Failed]),
                    _ => None,
                });
                assert!(doomed.is_none_or(|ends| ends.contains(&state)), "seed {seed}: {was:?} {event:?}");
                let suspended = was == RunState::Suspended && event != RunEvent::Resume;
                assert!(!suspended || state != RunState::Running, "seed {seed}: only a resumed run goes on");
            }
        }
    }
}
